"""The gate in pytest: real runs of real checks on a small real bundle, and every way we know to fool it."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from gate_toy import CHECKS, NAMES, PYPROJECT, make_project

from proveout import settings
from proveout.evaluation import holdout_sample, reproducibility
from proveout.gate import fixtures
from proveout.gate.current_fingerprint import gate_digests
from proveout.gate.guards import fixture_guard
from proveout.gate.session import GateSession
from proveout.gate.verdict import not_required
from proveout.ledger.ledger import Ledger
from proveout.model.manifest import verify
from proveout.records.json_form import from_json
from proveout.records.values import now
from proveout.records.verdict import Verdict
from proveout.rollout import releases
from proveout.trust import authorization
from proveout.trust.signing import Keyring, check_approval

pytest_plugins = "pytester"
WITH_SUBTESTS = pytest.mark.skipif(pytest.version_tuple < (9,), reason="pytest has subtests since version 9")


def _ways(named):
    return [pytest.param(way, marks=WITH_SUBTESTS if "subtest" in way else ()) for way in named]


# --- approved -----------------------------------------------------------------------------------------------------


def test_a_candidate_that_passes_everything_is_approved_and_signed(gate):
    """The whole way: checks, verdict, signature, and a release accepts it."""
    run = gate()

    assert run.result.ret == pytest.ExitCode.OK, run.text
    verdict = run.verdict
    assert (verdict.outcome, verdict.passed, verdict.failed, verdict.unproven) == ("approved", 3, (), ())
    (auc,) = verdict.evidence
    assert (auc.check, auc.name, auc.rows, auc.at_least) == ("checks/test_toy.py::test_auc", "auc", 90, 0.6)
    bundle = verify(next((run.root / ".proveout" / "store" / "bundles").iterdir()))
    with run.ledger() as ledger:
        approval = authorization.approval_of(ledger, bundle.digest)
    check_approval(approval, bundle=bundle, keyring=Keyring(run.root / ".proveout" / "keys"), at=now())
    assert approval.checks == verdict.checks
    run.result.stdout.fnmatch_lines(
        ["approved  toy@* 3 of 3 checks passed, 0 failed, 0 unproven", "*auc *>= 0.6*ok", "next: proveout release *"]
    )


def test_the_champion_is_there_to_be_compared_with(gate):
    """Once something is released, evidence can say how it did on the same rows."""
    first = gate()
    with first.ledger() as ledger:
        old = verify(first.root / ".proveout" / "store" / "bundles" / first.verdict.candidate)
        keyring = Keyring(first.root / ".proveout" / "keys")
        releases.release(ledger, keyring, old, by="ada", reason="first", at=now())
    new = make_project(first.root, c=0.001)

    run = gate()

    assert run.result.ret == 0, run.text
    assert run.verdict.candidate == new.digest
    assert run.verdict.champion == old.digest
    assert run.verdict.evidence[0].champion is not None


def test_a_sample_of_the_held_out_rows_approves_nothing(gate, tmp_path):
    """A run on chosen rows is refused, because the choice could decide the result. Only checks that read rows run."""
    file = tmp_path / "rows.json"
    holdout_sample.write(file, np.arange(40), interval_scale=0.7)

    run = gate(None, "checks", "--holdout-sample", str(file))

    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    by_check = {one.check: one for one in run.verdict.results}
    assert run.verdict.outcome == "refused"
    assert "run the gate without --holdout-sample" in by_check["gate::options[--holdout-sample]"].message
    assert by_check["checks/test_toy.py::test_auc"].outcome == "passed"
    assert [one.rows for one in run.verdict.evidence] == [40]
    assert "(200, 40) == (200, 90)" in by_check["checks/test_toy.py::test_rows"].message
    assert run.entries("approval") == ()


def test_a_sample_that_is_none_is_a_misuse(gate, tmp_path):
    run = gate(None, "checks", "--holdout-sample", str(tmp_path / "gone.json"))

    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    run.result.stderr.fnmatch_lines(["*gone.json is not a sample of held-out rows*"])


def test_the_newest_candidate_is_judged_unless_one_is_named(gate, pytester, monkeypatch):
    """By option or environment, by prefix or folder."""
    root = pytester.path
    (old,) = (root / ".proveout" / "store" / "bundles").iterdir()
    new = make_project(root, c=0.001)

    assert gate().verdict.candidate == new.digest
    assert gate(None, "checks", "--candidate", old.name[:8]).verdict.candidate == old.name
    monkeypatch.setenv("PROVEOUT_CANDIDATE", str(old))
    assert gate().verdict.candidate == old.name


def test_evidence_reaches_the_junit_file_and_the_job_summary(gate, monkeypatch, tmp_path):
    """CI shows what it is given in these two forms."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setenv("GITHUB_ACTOR", "octocat")

    run = gate(None, "checks", f"--junitxml={tmp_path / 'junit.xml'}")

    (stated,) = [
        json.loads(prop.get("value"))
        for prop in ElementTree.parse(tmp_path / "junit.xml").iter("property")
        if prop.get("name") == "proveout.evidence"
    ]
    assert stated["name"] == "auc"
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("### approved: `toy@")
    assert "| auc | 0." in summary
    assert run.entries("verdict")[0].actor == "octocat"


def test_a_job_summary_that_cannot_be_written_is_said_and_changes_no_verdict(gate, monkeypatch):
    """The ledger holds the verdict; the page is a courtesy."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "/nowhere/summary.md")

    run = gate()

    assert run.result.ret == 0
    run.result.stdout.fnmatch_lines(["the job summary could not be written: *"])


def test_checks_are_found_from_any_folder(gate, pytester, monkeypatch):
    """`cd checks && pytest` is the same gate with the same node ids."""
    monkeypatch.chdir(pytester.path / "checks")

    run = gate(None, "-q")

    assert run.result.ret == 0, run.text
    assert {result.check for result in run.verdict.results} == {f"checks/test_toy.py::{name}" for name in NAMES}


# --- ways of fooling a gate ---------------------------------------------------------------------------------------

AUC = "def test_auc(candidate): assert candidate.bundle.bytes\n"
FOOLS = {
    "skip": ("import pytest\ndef test_recall(): pytest.skip('no holdout today')", "skipped", "test_recall"),
    "skip mark": ("import pytest\n@pytest.mark.skip\ndef test_recall(): pass", "skipped", "test_recall"),
    "xfail": ("import pytest\n@pytest.mark.xfail\ndef test_recall(): assert 0", "xfailed", "test_recall"),
    "xpass": ("import pytest\n@pytest.mark.xfail\ndef test_recall(): pass", "xpassed", "test_recall"),
    "skip in a fixture": (
        "import pytest\n@pytest.fixture\ndef rows(): pytest.skip('none')\ndef test_recall(rows): pass",
        "skipped",
        "test_recall",
    ),
    "skip in a subtest": (
        "import pytest\ndef test_recall(subtests):\n    with subtests.test(): pytest.skip('none')",
        "skipped",
        "test_recall",
    ),
}


@pytest.mark.parametrize("way", _ways(FOOLS))
def test_a_check_that_only_looks_green_refuses(gate, way):
    """Pytest ends with exit status 0 on every one of these."""
    text, outcome, name = FOOLS[way]

    run = gate(AUC + text)

    assert run.result.ret == pytest.ExitCode.TESTS_FAILED, run.text
    assert run.verdict.outcome == "refused"
    assert run.verdict.unproven == (f"checks/test_toy.py::{name}",)
    assert {result.outcome for result in run.verdict.results} == {"passed", outcome}
    assert run.entries("approval") == ()
    run.result.stdout.fnmatch_lines(["refused   toy@*", f"*{outcome}*test_recall*", "next: proveout verdict *"])


BROKEN = {
    "failed": ("def test_recall(): assert 0", "test_recall", "failed"),
    "error in a fixture": (
        "import pytest\n@pytest.fixture\ndef rows(): 1 / 0\ndef test_recall(rows): pass",
        "test_recall",
        "error",
    ),
    "error after the check": (
        "import pytest\n@pytest.fixture\ndef rows():\n    yield\n    1 / 0\ndef test_recall(rows): pass",
        "test_recall",
        "error",
    ),
    "evidence swallowed": (
        "def test_recall(evidence):\n    try: evidence('recall', 0.1, at_least=0.5)\n    except AssertionError: pass",
        "test_recall",
        "failed",
    ),
    "NaN swallowed": (
        "def test_recall(evidence):\n    try: evidence('recall', float('nan'), at_least=0.5)\n"
        "    except AssertionError: pass",
        "test_recall",
        "failed",
    ),
    "NaN": ("def test_recall(evidence): evidence('recall', float('nan'))", "test_recall", "failed"),
    "strict xpass": (
        "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_recall(): pass",
        "test_recall",
        "failed",
    ),
    "subtest": (
        "def test_recall(subtests):\n    with subtests.test(): assert 0",
        "test_recall",
        "failed",
    ),
}


@pytest.mark.parametrize("way", _ways(BROKEN))
def test_a_broken_check_refuses(gate, way):
    """Failing, in each place where a check can fail."""
    text, name, outcome = BROKEN[way]

    run = gate(AUC + text)

    assert run.result.ret == pytest.ExitCode.TESTS_FAILED, run.text
    assert run.verdict.failed == (f"checks/test_toy.py::{name}",)
    assert run.verdict.results[-1].outcome == outcome


def test_a_failing_statement_says_what_was_measured_and_asked(gate):
    """ "assert 0.61 >= 0.7" is not an answer to "which flights, and by how much"."""
    run = gate(
        "def test_recall(evidence):\n"
        "    evidence('recall', 0.614, at_least=0.7, slice='origin=EWR', rows=8203, champion=0.74)"
    )

    said = "recall is 0.614 on origin=EWR (8,203 rows), asked: >= 0.7; the champion has 0.74"
    assert run.verdict.results[0].message == said
    run.result.stdout.fnmatch_lines([f"*AssertionError: {said}", "*recall, origin=EWR *0.614 *0.74 *>= 0.7 *failed"])


SELECTIONS = {
    "-k": (("checks", "-k", "auc"), "deselected"),
    "-m": (("checks", "-m", "not slow"), "deselected"),
    "--deselect": (("checks", "--deselect", "checks/test_toy.py::test_rows"), "deselected"),
    "one node id": (("checks/test_toy.py::test_auc",), "missing"),
    "--ignore": (("checks", "--ignore=checks/test_toy.py"), "missing"),
    "--setup-only": (("checks", "--setup-only"), "missing"),
}


@pytest.mark.parametrize("way", SELECTIONS)
def test_a_part_of_the_checks_is_not_the_gate(gate, way):
    """Running only what passes is the oldest way to pass."""
    arguments, outcome = SELECTIONS[way]
    slow = CHECKS.replace("def test_rows", "import pytest\n@pytest.mark.slow\ndef test_rows")

    run = gate(slow, *arguments)

    assert run.result.ret == pytest.ExitCode.TESTS_FAILED, run.text
    assert run.verdict.outcome == "incomplete"
    assert run.entries("approval") == ()
    run.result.stdout.fnmatch_lines(["incomplete  toy@*", "next: proveout gate *   # every required check"])
    assert outcome in {result.outcome for result in run.verdict.results if result.check in run.verdict.unproven}
    assert run.verdict.failed == ()


def test_a_class_that_one_node_id_leaves_out_is_missed(gate):
    """Pytest never looks into it, so the checks in it have no names; their class does."""
    run = gate(None, "checks/test_toy.py::test_auc")

    assert run.verdict.passed == 1
    assert set(run.verdict.unproven) == {"checks/test_toy.py::test_rows", "checks/test_toy.py::TestSound"}


def test_last_failed_is_not_the_gate(gate):
    """--lf runs one check, it passes now, and pytest is content; so it was with the file's others unseen."""
    text = "one = 1\ndef test_auc(): assert one == {}\ndef test_rows(): assert one\ndef test_more(): assert one"
    gate(text.format(2))

    run = gate(text.format(1), "checks", "--lf")

    assert run.verdict.passed == 1
    assert run.verdict.outcome == "incomplete"
    assert len(run.verdict.unproven) == 2


def test_files_that_last_failed_passes_over_are_left_out_not_empty(gate, pytester):
    """Nothing in them failed the last time, so pytest never opens them; an earlier approval stands."""
    more = pytester.path / "checks" / "test_more.py"
    gate(None)
    more.write_text("one = 1\ndef test_more(): assert one == 2")
    gate(None, "checks")
    more.write_text(more.read_text().replace("== 2", "== 1"))

    run = gate(None, "checks", "--lf")

    assert run.verdict.passed == 1
    assert (run.verdict.outcome, run.verdict.failed) == ("incomplete", ())
    left_out = {result.check for result in run.verdict.results if result.outcome == "deselected"}
    assert "checks/test_toy.py::test_auc" in left_out


def test_checks_that_a_stop_kept_from_running_are_missing(gate):
    """-x: what comes after the first failure is unknown, not fine."""
    run = gate("def test_a(): assert 0\ndef test_b(): pass\ndef test_c(): pass", "checks", "-x")

    assert run.verdict.failed == ("checks/test_toy.py::test_a",)
    assert run.verdict.unproven == ("checks/test_toy.py::test_b", "checks/test_toy.py::test_c")


@pytest.mark.parametrize("leave", ["raise KeyboardInterrupt", "import pytest; pytest.exit('enough', returncode=0)"])
def test_a_run_that_was_left_early_is_incomplete(gate, leave):
    """`pytest.exit` can even choose exit status 0 for it."""
    run = gate(f"one = 1\ndef test_a(): assert one\ndef test_b():\n    {leave}", "checks")

    assert run.result.ret != 0
    assert run.verdict.outcome == "incomplete"
    assert run.verdict.unproven == ("checks/test_toy.py::test_b",)


COLLECTION = {
    "it does not compile": ("def test_a(:", "failed"),
    "it does not import": ("import no_such_module", "failed"),
    "it skips itself": ("import pytest\npytest.skip('later', allow_module_level=True)", "unproven"),
    "it imports or skips": ("import pytest\npytest.importorskip('no_such_module')", "unproven"),
    "it holds no checks": ("def helper(): pass", "unproven"),
}


@pytest.mark.parametrize("way", COLLECTION)
def test_a_file_that_gives_no_checks_refuses(gate, way):
    """The checks in it are not there to be missed; the file is."""
    text, kind = COLLECTION[way]

    run = gate({"test_toy.py": text, "test_other.py": AUC}, "checks", "--continue-on-collection-errors")

    assert run.result.ret != 0
    assert run.verdict.passed == 1
    assert getattr(run.verdict, kind) == ("checks/test_toy.py",)


def test_an_empty_checks_folder_refuses(gate, pytester):
    """Nothing failed, because nothing ran."""
    (pytester.path / "checks" / "test_toy.py").unlink()

    run = gate()

    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.verdict.unproven == ("checks/test_toy.py",)
    run.result.stdout.fnmatch_lines(["refused   toy@* 0 of 1 checks passed, 0 failed, 1 unproven"])


def test_every_required_name_needs_a_check(gate):
    """A renamed check leaves the list of proven checks."""
    run = gate(None, required='["checks/test_toy.py", "checks/test_toy.py::test_recall", "checks/test_data.py"]')

    assert run.verdict.unproven == ("checks/test_toy.py::test_recall", "checks/test_data.py")
    assert run.verdict.passed == 3


def test_a_required_folder_means_every_file_in_it(gate):
    """With `checks` required, leaving one of its files out is not a gate run."""
    files = {"test_more.py": AUC}

    assert gate(files, "checks", required='["checks"]').verdict.outcome == "approved"
    assert gate(files, "checks/test_toy.py").verdict.unproven == ("checks/test_more.py",)


def test_checks_dropped_by_a_hook_are_missing(gate):
    """A conftest can empty the list without telling anybody that it deselected something."""
    hook = "def pytest_collection_modifyitems(items): items[:] = items[:1]"

    run = gate({"conftest.py": hook})

    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert len(run.verdict.unproven) == 2


def test_a_failing_check_that_is_not_required_refuses_too(gate):
    """Fail closed: it was written because somebody worried."""
    run = gate({"test_extra.py": "def test_extra(): assert 0"})

    assert run.verdict.failed == ("checks/test_extra.py::test_extra",)


def test_a_verdict_that_cannot_be_recorded_approves_nothing(gate, pytester):
    """Doubt means no: without a signature there is no approval, and the run must not look like one."""
    (pytester.path / ".proveout" / "keys").write_text("not a folder")

    run = gate()

    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.entries("approval") == ()
    run.result.stdout.fnmatch_lines(["refused   the verdict could not be recorded, so nothing is approved: *keys*"])


# --- no candidate -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", None], ids=["empty", "not there"])
def test_generated_requests_need_no_edge_case(gate, pytester, text):
    """A new project has an empty `edge_cases.yaml`, or none: each check that asks for `generated` ended in an error."""
    if text is not None:
        (pytester.path / "checks" / "edge_cases.yaml").write_text(text)

    run = gate("def test_toy(generated, evidence):\n    evidence(generated.same_in_any_order())\n")

    assert run.verdict.outcome == "approved", run.text


def test_without_a_candidate_the_run_is_misused_and_says_so_once(gate, pytester):
    """One sentence that says which command makes one, instead of an error from every check."""
    shutil.rmtree(pytester.path / ".proveout")

    run = gate()

    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert run.text.count("There is no candidate of toy to check. Make one: python flows/ingest.py run") == 1
    assert run.entries("verdict") == ()


def test_a_candidate_that_was_tampered_with_names_the_file(gate, pytester):
    """Checks of changed files would be about something else than what gets signed."""
    (bundle,) = (pytester.path / ".proveout" / "store" / "bundles").iterdir()
    model = bundle / "model.skops"
    content = bytearray(model.read_bytes())
    content[100] ^= 1
    model.write_bytes(content)

    run = gate()

    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    run.result.stderr.fnmatch_lines(["ERROR: * was tampered with: model.skops *"])
    assert run.entries("verdict") == ()


def test_a_candidate_that_is_not_there_is_said(gate):
    """A mistyped digest is not a reason to judge the newest one."""
    run = gate(None, "checks", "--candidate", "abcdef")

    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    run.result.stderr.fnmatch_lines(["ERROR: There is no bundle abcdef*"])


def test_a_bundle_of_another_model_is_not_judged_here(gate, pytester):
    """Its checks live in another project."""
    (pytester.path / "pyproject.toml").write_text(PYPROJECT.replace('"toy"', '"other"'))
    (bundle,) = (pytester.path / ".proveout" / "store" / "bundles").iterdir()

    run = gate(None, "checks", "--candidate", bundle.name)

    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    run.result.stderr.fnmatch_lines(["ERROR: toy@* is a bundle of another model: the checks here judge other."])


def test_checks_that_are_not_required_are_told_with_what_came_of_them(gate):
    """A short list of required checks looks like a whole gate, unless the verdict says what it leaves out."""
    more = """
    import pytest

    def test_hard(candidate):
        pytest.skip("not today")

    def test_easy(candidate):
        assert candidate
    """
    left_out = "def test_never():\n    assert False\n"
    run = gate({"test_more.py": more, "test_other.py": left_out}, "checks/test_toy.py", "checks/test_more.py")

    assert run.verdict.outcome == "approved"
    assert {one.check: one.outcome for one in not_required(run.verdict)} == {
        "checks/test_more.py::test_hard": "skipped",
        "checks/test_more.py::test_easy": "passed",
        "checks/test_other.py::test_never": "missing",
    }
    run.result.stdout.fnmatch_lines(
        [
            "approved *, 3 not required",
            "  optional    checks/test_more.py::test_hard: not required, skipped",
            "  optional    checks/test_other.py::test_never: not required, missing",
        ]
    )


def test_listing_the_checks_records_nothing_and_needs_no_candidate(gate, pytester):
    """--collect-only asks what there is."""
    shutil.rmtree(pytester.path / ".proveout")

    run = gate(None, "checks", "--collect-only", "-q")

    assert run.result.ret == 0
    assert "proveout gate" not in run.text
    assert run.entries("verdict") == ()


# --- edge cases ---------------------------------------------------------------------------------------------------

EDGE_CHECK = """
from proveout import edge_cases as cases

def test_edge_case(edge_case, edge_answers, evidence):
    evidence(cases.demands(edge_case, edge_answers))
"""
EDGE_CASES = """
- {id: low, reason: Far below all that was seen., author: ada, date: 2026-01-01, incident: What a trial showed.,
   record: {n: 1, x: -5.0}, expect: {probability: {at_most: 0.2}}}
- {id: high, reason: Far above all that was seen., author: ada, date: 2026-01-01, incident: What a trial showed.,
   record: {n: 2, x: 5.0}, expect: {higher_than: [low]}}
- {id: higher, reason: No model goes the other way., author: ada, date: 2026-01-01, incident: What a trial showed.,
   record: {n: 3, x: 4.0}, expect: {higher_than: [high]}}
"""


def test_each_edge_case_is_a_check_of_its_own(gate):
    """Two hold; the third asks for the impossible, and only it fails."""
    run = gate({"test_toy.py": EDGE_CHECK, "edge_cases.yaml": EDGE_CASES})

    assert run.verdict.passed == 2, run.text
    assert run.verdict.failed == ("checks/test_toy.py::test_edge_case[higher]",)


def test_a_slip_in_the_edge_cases_refuses_with_its_sentence(gate):
    """A file that cannot be read is not a file without cases."""
    run = gate({"test_toy.py": EDGE_CHECK, "edge_cases.yaml": EDGE_CASES.replace("id: high,", "id: low,")})

    assert run.result.ret != 0
    assert run.verdict.failed == ("checks/test_toy.py",)
    assert "the id low is there twice" in run.verdict.results[0].message


# --- what the verdict is bound to ---------------------------------------------------------------------------------


def test_an_edited_check_has_another_digest(gate, pytester):
    """An approval by the old checks says nothing about the new ones. Bytecode and other files change nothing."""
    root = pytester.path
    before = gate().verdict.checks
    assert gate().verdict.checks == before

    (root / "checks" / ".hypothesis").mkdir()
    (root / "checks" / ".hypothesis" / "examples").write_text("litter")
    assert gate().verdict.checks == before
    for file in ("checks/test_toy.py", "checks/data.txt", "conftest.py"):
        path = root / file
        kept = path.read_text() if path.exists() else None
        path.write_text((kept or "") + "\n# looser now\n")
        assert gate().verdict.checks != before, file
        path.unlink() if kept is None else path.write_text(kept)


def test_other_settings_are_another_configuration(gate, pytester, monkeypatch):
    """What was approved by one set of settings was not approved by another, nor with other settings of pytest."""
    root = pytester.path
    verdict, project = gate().verdict, settings.load(root)
    now_there = gate_digests(project)
    assert (verdict.checks, verdict.configuration) == (now_there.checks, now_there.configuration)

    for setting in (
        {"max_rejected_share": 0.5},
        {"required_approvals": 1},
        {"max_newer_batches": 99},
        {"waivers": "other.yaml"},
    ):
        other = gate_digests(project.model_copy(update=setting))
        assert other.checks == verdict.checks
        assert other.configuration != verdict.configuration, setting
    (root / "pytest.ini").write_text("[pytest]\npython_functions = test_a*\n")
    assert gate_digests(project).configuration != verdict.configuration


# --- what a check covers ------------------------------------------------------------------------------------------


def test_a_check_covers_what_it_is_marked_with_and_what_its_evidence_is_for(gate):
    """The marker is known, so that a project may be strict about markers."""
    run = gate(
        "import pytest\n@pytest.mark.covers('data-7', 'model-1')\n"
        "def test_auc(evidence): evidence('auc', 0.9, at_least=0.5, covers=('model-2',))\n"
        "def test_other(candidate): assert candidate.bundle.bytes",
        "checks",
        "--strict-markers",
    )

    assert run.verdict.outcome == "approved", run.text
    assert [result.covers for result in run.verdict.results] == [("data-7", "model-1", "model-2"), ()]


def test_every_fixture_of_the_gate_is_guarded():
    """One that is not could be overridden without a word."""
    there = {name for name, value in vars(fixtures).items() if type(value).__name__ == "FixtureFunctionDefinition"}

    assert there | {"edge_case"} == fixture_guard.FIXTURES


@pytest.mark.parametrize(("options", "begun_before"), [((), True), (("--maxfail=2",), False)])
def test_training_again_begins_before_the_first_check_and_always_ends(gate, monkeypatch, options, begun_before):
    """It is the longest of most gates. A run that stops at a failure may never come to the check that asks for it."""
    said = []

    class Seen:
        def __init__(self, folder, project):
            said.append(("begun", folder.name, project.model))

        def close(self):
            said.append(("closed",))

    monkeypatch.setattr(reproducibility, "Retraining", Seen)
    monkeypatch.setattr(reproducibility, "SAID", said, raising=False)
    run = gate(
        "from proveout.evaluation import reproducibility\n"
        f"def test_first(candidate): assert len(reproducibility.SAID) == {int(begun_before)}\n"
        "def test_last(retraining): assert len(reproducibility.SAID) == 1",
        "checks",
        *options,
    )

    assert {one.outcome for one in run.verdict.results} == {"passed"}, run.text
    assert said == [("begun", run.verdict.candidate, "toy"), ("closed",)]


# --- out of the way -----------------------------------------------------------------------------------------------


def test_a_run_that_is_no_gate_sees_nothing_of_us(pytester):
    """The plugin is loaded by every pytest run on the machine."""
    pytester.makepyfile("def test_one(): pass")

    for arguments in ((), ("--fixtures",)):
        result = pytester.runpytest_inprocess("-q", *arguments)  # -q: without pytest's own list of plugins

        assert result.ret == 0
        # Where a fixture stands is no word of ours: the folder may be called proveout.
        said = [line.partition(" -- ")[0] for line in result.outlines]
        assert not [line for line in said if any(word in line for word in ("proveout", "candidate", "gate"))]


def test_other_tests_of_a_project_are_no_gate(gate, pytester):
    """`pytest tests/` judges no model, needs no candidate and records nothing."""
    (pytester.path / "tests").mkdir()
    (pytester.path / "tests" / "test_unit.py").write_text("def test_unit(): pass")
    (pytester.path / "checks" / "test_toy.py").write_text("def test_auc(): assert 0")

    run = gate(None, "tests")

    assert run.result.ret == 0
    assert "approved" not in run.text
    assert "proveout gate" not in run.text
    assert run.entries("verdict") == ()


def test_loading_the_plugin_costs_next_to_nothing(pytester):
    """In any pytest run: it imports nothing that pytest has not imported."""
    code = (
        "import sys, pytest; before = set(sys.modules);"
        "import proveout.gate.plugin; print(sorted(set(sys.modules) - before))"
    )

    output = pytester.runpython_c(code)

    assert output.outlines == ["['proveout', 'proveout.gate', 'proveout.gate.plugin']"]


def test_broken_settings_are_a_usage_error_with_their_sentence(gate):
    """Not a traceback from inside a plugin."""
    run = gate(None, required="[]")

    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    run.result.stderr.fnmatch_lines(["ERROR: *required_checks*"])


# --- pytest-xdist -------------------------------------------------------------------------------------------------


def session(root: Path, **more: object) -> GateSession:
    """A gate session as pytest-xdist's processes hold one."""
    config = SimpleNamespace(
        rootpath=root,
        invocation_params=SimpleNamespace(dir=root),
        args=["checks"],
        getoption=lambda name: None,
        getini=lambda name: ["test_*.py"],
        pluginmanager=SimpleNamespace(get_plugins=lambda: ()),
        inipath=None,
        stash={},
        **more,
    )
    return GateSession(config)


def finish(gate_session: GateSession, run: object) -> None:
    """The end of a session, as pluggy runs a wrapper."""
    wrapper = gate_session.pytest_sessionfinish(run, 0)
    next(wrapper)
    with pytest.raises(StopIteration):
        wrapper.send([])


def test_a_worker_hands_what_it_saw_to_the_controller_and_records_nothing(gate, pytester):
    """Otherwise a check deselected in the workers would be one the controller never heard of."""
    run = SimpleNamespace(config=SimpleNamespace(option=SimpleNamespace(collectonly=False)), exitstatus=0)
    worker = session(pytester.path, workerinput={}, workeroutput={})
    item = SimpleNamespace(nodeid="checks/test_toy.py::test_auc")
    worker.pytest_deselected([item])
    finish(worker, run)
    controller = session(pytester.path)
    controller.pytest_testnodedown(SimpleNamespace(workeroutput=json.loads(json.dumps(worker._config.workeroutput))))

    finish(controller, run)

    assert run.exitstatus == pytest.ExitCode.TESTS_FAILED
    with Ledger(f"sqlite:///{pytester.path / '.proveout' / 'ledger.db'}") as ledger:
        (entry,) = ledger.entries(kind="verdict")
    assert from_json(Verdict, entry.body).unproven == ("checks/test_toy.py::test_auc",)


def test_all_workers_judge_the_candidate_that_the_controller_chose(gate, pytester):
    """A bundle packed in between would be the newest for some of them."""
    node = SimpleNamespace(workerinput={})
    session(pytester.path).pytest_configure_node(node)
    (bundle,) = (pytester.path / ".proveout" / "store" / "bundles").iterdir()
    make_project(pytester.path, c=0.001)

    assert session(pytester.path, workerinput=node.workerinput).context().bundle.digest == bundle.name
