"""Every mistake we know that could come out of the gate green without having earned it, and the sentence each is told.

Each way is a project in which something was done; the same project without it is approved, so that it is the trick
that is refused and nothing else.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import gate_toy
import pytest
from gate_toy import PYPROJECT
from honest_gate import EDGE, HIGH, HONEST, LOW, TOO_MUCH, WAIVER, approve, check, lay

from proveout import settings
from proveout.data import snapshots
from proveout.data.store import Store
from proveout.edge_cases import case_store
from proveout.gate.current_fingerprint import gate_digests
from proveout.ledger.ledger import Ledger
from proveout.records.values import Digest, now

pytest_plugins = "pytester"

FAKE = """
import pytest

class Fake:
    def __init__(self, real): self.real = real
    def predict(self, records): return (records["x"] > 0).to_numpy(dtype=float)
"""
CANDIDATE = """
@pytest.fixture(scope="session")
def candidate(candidate): return Fake(candidate)
"""
EVIDENCE = """
import pytest

@pytest.fixture
def evidence(): return lambda *said, **bounds: None
"""
STRICT = """
import pytest

@pytest.fixture(autouse=True)
def strict(): pass
"""
SWALLOW = TOO_MUCH.replace("    evidence(", "    with pytest.raises(AssertionError): evidence(")
ANOTHER = "so the checks judge something else: give yours another name"
EVERYBODY = "leave it out, or put it into the configuration file"
EMPTY = "it passed without asserting or stating anything: assert something, or state a number: evidence(…)"
BY_HEART = "a memorized answer proves nothing. Remove them from one side, in the source of the batches"
Act = Callable[[Path], object]


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to fool the gate: what is done to an honest project, or how pytest is started in it."""

    said: str  # the message of the result that refuses
    check: str = "checks/test_toy.py::test_auc"  # that it is said of
    outcome: str = "refused"
    honest: Mapping[str, str] = field(default_factory=dict)  # files of the project before
    before: Act | None = None
    trick: Mapping[str, str | None] = field(default_factory=dict)  # files that are put in their place; None: taken away
    act: Act | None = None
    arguments: tuple[str, ...] = ("checks",)


def later(months: int) -> Act:
    """So many months more, their outcomes known, in the newest snapshot of the ledger."""

    def act(root: Path) -> None:
        store, rows = Store(str(root / ".proveout" / "store")), gate_toy.make_rows()
        made = [gate_toy.put(store, "2013-04", rows[:200]), gate_toy.put(store, "2013-05", rows[200:])]
        for month in range(months):
            made.append(
                gate_toy.put(store, f"2013-{6 + month:02}", rows[:20].assign(n=range(1000 * month, 1000 * month + 20)))
            )
        with Ledger(f"sqlite:///{root / '.proveout' / 'ledger.db'}") as ledger:
            whole = snapshots.extend(store, None, made)
            ledger.append("snapshot", whole.digest, whole, actor="ada", reason="-", at=now())

    return act


def learned_by_heart(*columns: str) -> Act:
    """Trained on nine of the rows it is judged on, by the same key or under another one."""

    def act(root: Path) -> None:
        rows = gate_toy.make_rows()
        rows.loc[:8, list(columns)] = rows.loc[200:208, list(columns)].to_numpy()
        gate_toy.train(root, rows)

    return act


WAYS = {
    "skip": Way(
        trick=check("    evidence(", "    pytest.skip('no holdout')\n    evidence("), said="Skipped: no holdout"
    ),
    "xfail": Way(
        trick=check(
            "def test_bound():\n    assert", "@pytest.mark.xfail(reason='next month')\ndef test_bound():\n    assert 0,"
        ),
        check="checks/test_toy.py::test_bound",
        said="it is marked xfail: next month",
    ),
    "deselect": Way(
        arguments=("checks", "-k", "range"),
        outcome="incomplete",
        said="it was deselected (-k, -m, --deselect or --lf)",
    ),
    "one node id": Way(
        arguments=("checks/test_toy.py::test_range",),
        outcome="incomplete",
        said="it was collected, but the run ended before it",
    ),
    "empty checks directory": Way(
        trick={"checks/test_toy.py": None},
        check="checks/test_toy.py",
        said="it is required, but there is no checks/test_toy.py",
    ),
    "required check renamed": Way(
        honest={"pyproject.toml": PYPROJECT.replace('test_toy.py"]', 'test_toy.py::test_auc"]')},
        trick=check("def test_auc", "def no_test_auc"),
        said="it is required, but no check of this name is in the file",
    ),
    "assertion-free test": Way(trick=check("    evidence(", "    ''.format("), said=EMPTY),
    "assertion that always holds": Way(
        trick=check("assert AUC_AT_LEAST > 0.5", "assert (AUC_AT_LEAST > 0.9, 'it is high enough')"),
        check="checks/test_toy.py::test_bound",
        said=EMPTY,
    ),
    "conftest that overrides candidate": Way(
        trick={"conftest.py": FAKE + CANDIDATE},
        check="gate::fixtures[candidate]",
        said=f"conftest.py overrides the fixture candidate, {ANOTHER}",
    ),
    "check that is parametrized with a candidate": Way(
        trick=check("def test_auc", f"{FAKE}\n@pytest.mark.parametrize('candidate', [Fake(None)])\ndef test_auc"),
        check="gate::fixtures[candidate]",
        said=f"a parametrize mark overrides the fixture candidate, {ANOTHER}",
    ),
    "overridden evidence": Way(
        trick={"checks/test_toy.py": TOO_MUCH, "checks/conftest.py": EVIDENCE},
        check="gate::fixtures[evidence]",
        said=f"checks/conftest.py overrides the fixture evidence, {ANOTHER}",
    ),
    "check under a condition": Way(
        trick=check("def test_bound():\n    assert", "if not AUC_AT_LEAST:\n    def test_bound(): assert"),
        check="gate::hidden[checks/test_toy.py::test_bound]",
        said="test_bound is in the source of checks/test_toy.py, but was not collected: a condition, __test__, del, an "
        "__init__ of its class, or another object of its name hides it. Make it run, or remove it",
    ),
    "swallowed evidence": Way(trick={"checks/test_toy.py": SWALLOW}, said="auc is 0.87252, asked: >= 0.99"),
    "-o python_functions": Way(
        arguments=("checks", "-o", "python_functions=test_r*"),
        check="gate::options[-o]",
        said=f"-o python_functions=test_r* changes which functions are checks: {EVERYBODY}",
    ),
    "-c another file": Way(
        honest={"fewer.ini": "[pytest]\npython_functions = test_r*\n"},
        arguments=("checks", "-c", "fewer.ini"),
        check="gate::options[-c]",
        said=f"the run takes its settings from fewer.ini (-c), the checks from pyproject.toml: {EVERYBODY}",
    ),
    "--noconftest": Way(
        honest={"conftest.py": STRICT},
        arguments=("checks", "--noconftest"),
        check="gate::options[conftest.py]",
        said=f"conftest.py belongs to the checks and was not loaded (--noconftest, --confcutdir): {EVERYBODY}",
    ),
    "stale holdout": Way(
        honest={"pyproject.toml": f"{PYPROJECT}max_newer_batches = 2\n"},
        before=later(2),
        act=later(3),
        check="gate::stale-holdout",
        said="the held-out batch 2013-05 is stale: 3 newer batches have known outcomes (2013-06 to 2013-08), allowed: "
        "2. Hold out a newer one: [split] in train.toml; or raise max_newer_batches in [tool.proveout]",
    ),
    "holdout that overlaps training": Way(
        act=learned_by_heart("n", "x", "y"),
        check="gate::holdout-overlaps-training",
        said=f"9 of 90 held-out rows are among the training rows too, by their key (n): {BY_HEART}",
    ),
    "holdout that overlaps training under other keys": Way(
        act=learned_by_heart("x", "y"),
        check="gate::holdout-overlaps-training",
        said="9 of 90 held-out rows have the content of a training row under another key (every request column and the "
        f"label; by chance it would be 0.0%): {BY_HEART}",
    ),
    "weakened edge case": Way(
        honest={"checks/test_edge.py": EDGE, "checks/edge_cases.yaml": LOW + HIGH},
        trick={"checks/edge_cases.yaml": LOW.replace("at_most: 0.2", "at_most: 0.9") + HIGH},
        check="gate::edge-cases[1]",
        said=case_store.shrunk({"low": Digest("1")}, {"low": Digest("2")}, ())[0],
    ),
    "deleted edge case": Way(
        honest={"checks/test_edge.py": EDGE, "checks/edge_cases.yaml": LOW + HIGH},
        trick={"checks/edge_cases.yaml": LOW},
        check="gate::edge-cases[1]",
        said=case_store.shrunk({"high": Digest("1")}, {}, ())[0],
    ),
    "expired waiver": Way(
        honest={"checks/test_toy.py": TOO_MUCH, "checks/waivers.yaml": WAIVER.format(until=now()[:10])},
        trick={"checks/waivers.yaml": WAIVER.format(until="2026-01-31")},
        said="auc is 0.87252, asked: >= 0.99 (the waiver by Ada Lovelace ended on 2026-01-31)",
    ),
    "waiver without a name": Way(
        honest={"checks/test_toy.py": TOO_MUCH, "checks/waivers.yaml": WAIVER.format(until=now()[:10])},
        trick={"checks/waivers.yaml": WAIVER.replace("  by: Ada Lovelace\n", "").format(until=now()[:10])},
        check="gate::waivers",
        said="{root}/checks/waivers.yaml, waiver 1, for checks/test_toy.py::test_auc: by: Field required. Correct it "
        "there. The format is at the top of proveout/gate/waivers.py",
    ),
}


@pytest.fixture(scope="module")
def approved(template, tmp_path_factory) -> Path:
    """The project that most tricks are done to, with its approval."""
    return approve(template, tmp_path_factory.mktemp("honest") / "toy")


@pytest.mark.parametrize("name", WAYS)
def test_a_trick_is_refused_and_the_project_without_it_approved(gate, approved, pytester, name):
    """The exact sentence, and no approval; and before it the same project, which has one."""
    way, root = WAYS[name], pytester.path
    if way.honest or way.before:
        lay(root, {"checks/test_toy.py": HONEST, **way.honest})
        if way.before is not None:
            way.before(root)
        honest = gate(None, "checks")
        assert honest.result.ret == pytest.ExitCode.OK, honest.text
    else:
        shutil.copytree(approved, root, dirs_exist_ok=True)

    lay(root, way.trick)
    if way.act is not None:
        way.act(root)
    run = gate(None, *way.arguments)

    assert run.result.ret == pytest.ExitCode.TESTS_FAILED, run.text
    said = {result.check: result.message.partition("\n")[0] for result in run.verdict.results}
    assert said.get(way.check) == way.said.replace("{root}", str(root)), said
    assert run.verdict.outcome == way.outcome
    assert way.check in {*run.verdict.failed, *run.verdict.unproven}
    assert len(run.entries("approval")) == 1


def test_checks_that_were_edited_after_the_verdict_are_another_gate(gate, pytester):
    """What a release compares: the approval is for the checks as they were."""
    root = pytester.path
    lay(root, {"checks/test_toy.py": HONEST})
    verdict, project = gate(None, "checks").verdict, settings.load(root)
    assert gate_digests(project).checks == verdict.checks
    assert gate_digests(project).configuration == verdict.configuration

    lay(root, check("AUC_AT_LEAST = 0.6", "AUC_AT_LEAST = 0.1"))

    assert gate_digests(project).checks != verdict.checks


def test_a_weaker_suite_of_edge_cases_is_not_what_the_next_run_is_measured_by(gate, pytester):
    """Refused once and approved when run again would be no refusal."""
    way, root = WAYS["deleted edge case"], pytester.path
    lay(root, {"checks/test_toy.py": HONEST, **way.honest})
    gate(None, "checks")
    lay(root, way.trick)

    runs = [gate(None, "checks").verdict for _ in range(2)]

    assert [run.outcome for run in runs] == ["refused", "refused"]
    assert [run.cases for run in runs] == [{}, {}]


def test_a_retired_edge_case_may_go(gate, pytester):
    """With a person and a reason, the suite shrinks."""
    way, root = WAYS["deleted edge case"], pytester.path
    lay(root, {"checks/test_toy.py": HONEST, **way.honest})
    gate(None, "checks")
    gone = HIGH + "  retired: {by: ada, date: 2026-02-01, reason: The sensor behind it was taken down.}\n"
    lay(root, {**way.trick, "checks/retired_cases.yaml": gone})

    run = gate(None, "checks")

    assert run.verdict.outcome == "approved", run.text
    assert set(run.verdict.cases) == {"low"}


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.chaos)])  # two: the test below
def test_workers_are_not_fooled_either(gate, pytester, workers):
    """Under pytest-xdist the tricks are done in other processes than the verdict: three at once, and a selection."""
    ways = [WAYS[name] for name in ("conftest that overrides candidate", "assertion-free test")]
    checks = str(ways[1].trick["checks/test_toy.py"]) + "\nif not AUC_AT_LEAST:\n    def test_hidden(): assert 0\n"
    lay(pytester.path, {"checks/test_toy.py": checks, "conftest.py": FAKE + CANDIDATE})

    run = gate(None, "checks", "-n", str(workers), "-k", "not bound")

    assert run.result.ret == pytest.ExitCode.TESTS_FAILED, run.text
    said = {result.check: result.message for result in run.verdict.results}
    assert [said[way.check] for way in ways] == [way.said for way in ways]
    assert "gate::hidden[checks/test_toy.py::test_hidden]" in said
    assert said["checks/test_toy.py::test_bound"] == WAYS["deselect"].said


def test_workers_and_their_controller_come_to_one_verdict(gate, pytester):
    """The same verdict as from one process, JUnit file and evidence included."""
    root = pytester.path
    lay(root, {"checks/test_toy.py": HONEST})
    alone = gate(None, "checks").verdict

    run = gate(None, "checks", "-n", "2", "--junitxml=junit.xml")

    assert run.result.ret == pytest.ExitCode.OK, run.text
    assert run.verdict.outcome == "approved"
    assert {result.check for result in run.verdict.results} == {result.check for result in alone.results}
    assert run.verdict.evidence == alone.evidence
    assert (run.verdict.checks, run.verdict.configuration) == (alone.checks, alone.configuration)
    assert 'name="proveout.verdict" value="approved toy@' in (root / "junit.xml").read_text()
