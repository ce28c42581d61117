"""Ways out of the gate that leave no failed check behind: what was read is changed in place, what is written is never
run, what is asked has no answer.

Several tricks are done in one run where each is told in a sentence of its own; the project without them is approved.
"""

import os
import shutil
from pathlib import Path

import gate_toy
import pytest
from gate_toy import PYPROJECT, TOY
from honest_gate import EDGE, HIGH, HONEST, TOO_MUCH, approve, lay

from proveout import settings
from proveout.errors import UsageError
from proveout.gate import fingerprint
from proveout.gate.evidence import EvidenceRecorder
from proveout.gate.guards import vacuous
from proveout.records.verdict import CheckResult, Verdict

pytest_plugins = "pytester"


@pytest.fixture(scope="module")
def approved(template, tmp_path_factory) -> Path:
    """The project that some tricks are done to, with its approval."""
    return approve(template, tmp_path_factory.mktemp("honest") / "toy")


IN_PLACE = """
import pytest

@pytest.fixture(autouse=True)
def easier(candidate, holdout, criteria):
    holdout.labels[:] = candidate.predict(holdout.records) > 0.5
    criteria._table["auc_at_least"] = 0.1
    candidate._model.coef_ *= 2
"""
BETTER_MODEL = """
import pytest

class Oracle:
    classes_ = (False, True)
    def predict_proba(self, columns): return __import__("numpy").full((len(columns), 2), 0.5)

@pytest.fixture(autouse=True)
def better(candidate):
    candidate._model = Oracle()
"""
NEVER_RUN = """
import os
import pytest

if os.environ.get("ALL_OF_IT"):
    def test_slow(holdout): assert holdout.rows > 1_000_000

def test_twice(): assert False

def test_twice(): assert len("twice")

def test_off(): assert False

test_off.__test__ = False

class TestMade:
    def __init__(self): self.rows = 0
    def test_rows(self): assert self.rows
"""
NO_ANSWER = """
from proveout.records.verdict import Evidence

def test_no_bound(holdout, evidence):
    evidence("rows", holdout.rows)

def test_nothing_judged(evidence):
    evidence(Evidence(name="auc", value=0.2, at_least=0.9, unjudged="31 rows, asked for 200"))

def test_swallowed(holdout):
    try:
        assert holdout.rows > 1_000_000
    except AssertionError:
        print("next month")
"""
EDITED = HONEST.replace(
    "def test_bound():",
    "def test_bound():\n    from pathlib import Path\n"
    "    Path(__file__).write_text(Path(__file__).read_text().replace('LEAST = 0.6', 'LEAST = 0.8'))",
)


def said(verdict: Verdict) -> dict[str, str]:
    return {result.check: result.message.partition("\n")[0] for result in verdict.results}


def against(verdict: Verdict) -> set[str]:
    return {*verdict.failed, *verdict.unproven}


def start(approved: Path, root: Path, files: dict[str, str | None]) -> None:
    shutil.copytree(approved, root, dirs_exist_ok=True)
    lay(root, files)


def test_what_is_changed_in_place_is_found_in_the_end(gate, approved, pytester):
    """Fixtures of a session are shared: what one check writes into the held-out rows, every later one reads."""
    start(approved, pytester.path, {"conftest.py": IN_PLACE})

    run = gate(None, "checks")

    told = said(run.verdict)
    assert run.verdict.outcome == "refused", run.text
    assert told["gate::changed[holdout]"] == (
        "the rows of the fixture holdout are no longer those of the snapshot: a check or a fixture changed them in "
        "place, for all later checks. Work on a copy: holdout.records.copy()"
    )
    assert "the opened candidate no longer answers like the packed one" in told["gate::changed[candidate]"]
    assert "the bounds of the fixture criteria are no longer those" in told["gate::changed[criteria]"]


def test_another_model_in_the_opened_bundle_is_found(gate, approved, pytester):
    """The method is the bundle's own; what it asks is not."""
    start(approved, pytester.path, {"conftest.py": BETTER_MODEL})

    run = gate(None, "checks")

    assert run.verdict.outcome == "refused", run.text
    message = "the opened candidate no longer answers like the packed one"
    assert said(run.verdict)["gate::changed[candidate]"].startswith(message)


def test_what_is_written_and_never_collected_is_found(gate, approved, pytester):
    """Pytest passes over all four of them, with a warning at most."""
    start(approved, pytester.path, {"checks/test_more.py": NEVER_RUN})

    run = gate(None, "checks")

    assert run.verdict.outcome == "refused", run.text
    told, file = said(run.verdict), "checks/test_more.py"
    hides = "was not collected: a condition, __test__, del, an __init__ of its class"
    for place, name in ((file, "test_slow"), (file, "test_off"), (f"{file}::TestMade", "test_rows")):
        assert told[f"gate::hidden[{place}::{name}]"].startswith(f"{name} is in the source of {place}, but {hides}")
    assert told[f"gate::hidden[{file}::test_twice]"] == (
        f"test_twice is in the source of {file}, but is defined more than once, so only the last one runs: give each "
        "its own name"
    )


def test_a_check_without_an_answer_proves_nothing(gate, approved, pytester):
    """A number without a bound, evidence that could not be judged, an assertion that was caught and forgotten."""
    required = PYPROJECT.replace('["checks/test_toy.py"]', '["checks"]')
    start(approved, pytester.path, {"checks/test_more.py": NO_ANSWER, "pyproject.toml": required})

    run = gate(None, "checks")

    assert run.verdict.outcome == "refused", run.text
    told, file = said(run.verdict), "checks/test_more.py"
    assert told[f"{file}::test_no_bound"].startswith("it states numbers without a bound: add one")
    assert told[f"{file}::test_nothing_judged"].startswith("nothing could be judged: give it more rows")
    assert told[f"{file}::test_swallowed"] == vacuous.EMPTY
    assert against(run.verdict) == {
        f"{file}::{name}" for name in ("test_no_bound", "test_nothing_judged", "test_swallowed")
    }


def test_checks_that_are_edited_while_they_run_are_neither(gate, approved, pytester):
    """A verdict with the digest of checks that did not run would approve them."""
    start(approved, pytester.path, {"checks/test_toy.py": EDITED})

    run = gate(None, "checks")

    assert run.verdict.outcome == "refused", run.text
    assert said(run.verdict)["gate::edited[checks/test_toy.py]"] == (
        "checks/test_toy.py was edited while the gate ran, so it is unknown which version judged: run it again"
    )


def test_a_check_that_is_linked_into_the_folder_is_a_check(gate, approved, pytester):
    """It failed, and the candidate was approved: it lay elsewhere."""
    root = pytester.path
    start(approved, root, {})
    (root / "shared").mkdir()
    (root / "shared" / "test_hard.py").write_text("def test_hard(holdout): assert holdout.rows > 1_000_000\n")
    before = fingerprint.content(settings.load(root))
    (root / "checks" / "shared").symlink_to("../shared")

    run = gate(None, "checks")

    assert run.verdict.outcome == "refused", run.text
    assert against(run.verdict) == {"checks/shared/test_hard.py::test_hard"}
    assert set(fingerprint.content(settings.load(root))) - set(before) == {"checks/shared/test_hard.py"}


def test_a_variable_that_asks_for_fewer_checks_is_refused(gate, approved, pytester, monkeypatch):
    """The file is reviewed, the environment is not, and a release from the same environment would not notice."""
    start(approved, pytester.path, {"checks/test_toy.py": TOO_MUCH})
    monkeypatch.setenv("PROVEOUT_REQUIRED_CHECKS", '["checks/test_toy.py::test_range"]')

    run = gate(None, "checks", "-k", "range")

    assert run.verdict.outcome == "refused", run.text
    assert said(run.verdict)["gate::options[PROVEOUT_REQUIRED_CHECKS]"] == (
        "PROVEOUT_REQUIRED_CHECKS in the environment overrides required_checks in [tool.proveout], which says "
        "['checks/test_toy.py']: leave it out, or put it into the configuration file"
    )


def test_edge_cases_that_no_check_asks_for_hold_nothing_back(gate, approved, pytester):
    """Without the check, the file of cases may say what it likes; a verdict must not say that it judged by them."""
    impossible = HIGH.replace("at_least: 0.8", "at_least: 0.999999")
    start(approved, pytester.path, {"checks/edge_cases.yaml": impossible})

    run = gate(None, "checks")

    assert run.verdict.outcome == "incomplete", run.text
    assert said(run.verdict)["gate::edge-cases-unasked"] == (
        "there are edge cases (1), but no check of this run uses them: run a check with the fixture edge_case, or "
        "retire them: proveout cases retire"
    )
    assert run.verdict.cases == {}

    lay(pytester.path, {"checks/edge_cases.yaml": HIGH, "checks/test_edge.py": EDGE})
    assert gate(None, "checks").verdict.outcome == "approved"


# --- without a run ------------------------------------------------------------------------------------------------


def test_a_bound_that_is_none_asks_nothing():
    """`criteria.get("auc_at_lest")` is None, and everything is above that."""
    written: list[tuple[str, str]] = []

    with pytest.raises(UsageError, match="was given at_least=None, which is not a bound"):
        EvidenceRecorder(check="c", write=lambda *said: written.append(said))("auc", 0.5, at_least=None)

    assert written == []


@pytest.mark.parametrize(
    ("text", "able"),
    [
        ("try:\n    assert x\nexcept Exception:\n    pass", False),
        ("try:\n    assert x\nexcept (ValueError, AssertionError):\n    print(x)", False),
        ("with contextlib.suppress(AssertionError):\n    assert x", False),
        ("if x:\n    return\nassert x", True),
        ("try:\n    assert x\nexcept ValueError:\n    pass", True),
        ("try:\n    assert x\nexcept AssertionError:\n    raise ValueError", True),
        ("try:\n    x()\nexcept Exception:\n    pass\nelse:\n    assert x", True),
        ("with suppress(OSError):\n    assert x", True),
    ],
)
def test_an_assertion_counts_where_it_can_be_heard(tmp_path, text, able):
    """Assertions are found in the source: one that is caught and forgotten does not count."""
    file = tmp_path / "one.py"
    file.write_text("def test_it(x):\n" + "".join(f"    {line}\n" for line in text.splitlines()))
    settings.load_module(file)

    assert vacuous.asserts(settings.load_object("one.py:test_it", tmp_path), root=tmp_path) is able


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("toy.py", 'rows["y"] > 0', 'rows["y"] > -5'),  # who is late
        ("toy.py", "x: float = pa.Field(nullable=True)", "x: float = pa.Field(nullable=False)"),  # what may be asked
        ("helper.py", "0.6", "0.1"),  # imported by a check
        ("deeper.py", "0.6", "0.1"),  # and by that
        ("checks/.bounds.json", "0.6", "0.1"),  # hidden, and read
        ("conftest.py", "0.6", "0.1"),
    ],
)
def test_whatever_decides_what_a_check_says_is_part_of_the_digest(tmp_path, file, before, after):
    """Edited after the verdict, a release is refused; edited while the gate runs, the verdict."""
    gate_toy.make_project(tmp_path)
    lay(tmp_path, {
        "toy.py": TOY, "helper.py": "import deeper\nBOUND = 0.6\n", "deeper.py": "BOUND = 0.6\n", "idle.py": "1\n",
        "checks/.bounds.json": "0.6", "checks/.swp": "0.6", "conftest.py": "BOUND = 0.6\n",
        "checks/test_toy.py": "from helper import BOUND\nopen('checks/.bounds.json')\n",
    })  # fmt: skip
    project = settings.load(tmp_path)
    was = fingerprint.content(project)
    assert {"idle.py", "checks/.swp", "toy.py"}.isdisjoint(was)

    text = (tmp_path / file).read_text()
    assert before in text
    (tmp_path / file).write_text(text.replace(before, after))

    (wrong,) = fingerprint.edited(was, fingerprint.content(project))
    assert isinstance(wrong, CheckResult)
    assert f"{file}" in wrong.message


def test_the_features_of_the_next_model_are_no_part_of_it(tmp_path):
    """They stand in one file with the label, and belong to the bundle."""
    gate_toy.make_project(tmp_path)
    project = settings.load(tmp_path)
    was = fingerprint.content(project)

    (tmp_path / "toy.py").write_text(TOY.replace('rows[["x"]]', 'rows[["x"]] * 2'))

    assert fingerprint.content(project) == was


def test_bytecode_that_is_not_newer_than_its_source_is_not_run(tmp_path):
    """Of the same size and second, Python takes it for that of the new text."""
    gate_toy.make_project(tmp_path)
    source = tmp_path / "checks" / "test_toy.py"
    compiled = tmp_path / "checks" / "__pycache__" / "test_toy.cpython-311-pytest-9.pyc"
    compiled.parent.mkdir()
    compiled.write_bytes(b"")
    fingerprint.drop_old_bytecode(settings.load(tmp_path))
    assert compiled.exists()

    was = source.stat().st_mtime
    source.write_text(source.read_text().replace("auc", "auk", 1))
    os.utime(source, (was, was))
    fingerprint.drop_old_bytecode(settings.load(tmp_path))

    assert not compiled.exists()
