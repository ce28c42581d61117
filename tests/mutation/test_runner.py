"""Mutation testing: whose mutants are caught by what, that a gate which is blind or refuses everything is told so, and
that nothing of it stays behind.
"""

import ast
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import breakable
import pytest
from patience import PATIENCE_S, wait_until
from typer.testing import CliRunner

from proveout import cli
from proveout.cli import mutate
from proveout.errors import UsageError
from proveout.ledger.ledger import Ledger, read
from proveout.ledger.ledger_copy import copy_entries
from proveout.model.repack import Change
from proveout.mutation import runner
from proveout.mutation.catalog import MUTANTS, UNCHANGED, of_task
from proveout.mutation.context import DoesNotApply, MutationContext
from proveout.mutation.mutant import Mutant, Question
from proveout.mutation.results import MutationReport, Trial
from proveout.mutation.runner import CandidateNotApproved
from proveout.mutation.sandbox import Rehearsed, Sandbox
from proveout.records.answer import TaskName
from proveout.records.bundle import Bundle
from proveout.records.prediction import Feedback
from proveout.records.values import Digest, now
from proveout.records.verdict import CheckResult, Verdict
from proveout.settings import Settings

pytestmark = pytest.mark.long

CHECKS = """
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from proveout.ledger.ledger import Ledger

def test_training_comes_out_the_same(candidate, project):
    with Ledger(project.ledger) as ledger:
        assert candidate.bundle.digest in ledger.subjects("bundle"), "another digest"

def test_auc(candidate, holdout, evidence):
    scores = candidate.predict(holdout.records)
    evidence("auc", roc_auc_score(holdout.labels, scores), at_least=0.75, rows=holdout.rows)

def test_no_dice(candidate, holdout, evidence):
    once, again = (candidate.predict(holdout.records) for _ in range(2))
    evidence("largest difference, asked twice", np.abs(again - once).max(), at_most=0.0)

@pytest.mark.covers("monitor-6")
def test_size(candidate, evidence):
    evidence("bundle, MB", candidate.bundle.bytes / 1e6, at_most=1)
"""
BLIND = """
def test_there_is_one(candidate):
    assert candidate is not None
"""
CHOSEN = ("miscalibrated", "non-deterministic")


def not_there(ground: MutationContext) -> Change:
    raise DoesNotApply("there are no tides here")


def nonsense(ground: MutationContext) -> Change:
    return Change(what="a slip of the pen", features="def features(rows) return rows")


def dice_and_ballast(ground: MutationContext) -> Change:
    """Two checks would catch it: that on dice stands first in the file."""
    oversized, dice = runner.choose(["oversized", "non-deterministic"], task="binary")
    return replace(oversized.make(ground), features=dice.make(ground).features)


ASKED: dict[TaskName, Question] = {"binary": Question(words="a question", remedy="a line")}


def like(name: str, **changes: object) -> Mutant:
    return replace(UNCHANGED, name=name, slip="Somebody slipped.", asked=ASKED, **changes)


@dataclass
class Tried:
    """A mutation run, what it said on the way, and what the project's folder held before and after."""

    project: Settings
    report: MutationReport
    said: list[tuple[str, int, int]]
    before: dict[str, str]
    after: dict[str, str]

    def trial(self, name: str) -> Trial:
        return next(trial for trial in self.report.trials if trial.mutant == name)


def folder_of(project: Settings, bundle: Bundle) -> Path:
    return Path(project.store) / "bundles" / bundle.digest


def content(root: Path) -> dict[str, str]:
    """What lies in a folder. SQLite's memory of who read last is none of it."""
    return {
        str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(root.rglob("*"))
        if file.is_file() and not file.name.endswith(("-shm", "-wal"))
    }


@pytest.fixture(scope="module", autouse=True)
def light() -> Iterator[None]:
    """The runs import no plugin but ours: each would pay seconds for those of this project's tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.setenv("PYTEST_PLUGINS", "proveout.gate.plugin")
        yield


@pytest.fixture(scope="module")
def tried(tmp_path_factory) -> Tried:
    """A gate of three checks, run on three mutants of ours and three that end before the gate."""
    root = tmp_path_factory.mktemp("trips")
    project, bundle = breakable.make(root, CHECKS)
    summary = root / "summary.md"
    summary.write_text("")
    mutants = (
        *runner.choose(CHOSEN, task="binary"),
        like("hurry", make=dice_and_ballast, shows="elsewhere", first="monitor-6"),
        like("same"),
        like("ghost", shows="elsewhere"),
        like("tides", make=not_there),
        like("nonsense", make=nonsense),
    )
    said: list[tuple[str, int, int]] = []
    before = content(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROVEOUT_SIGNING_KEY", "the key that signs releases")  # handed on, it could not be read
        patch.setenv("PROVEOUT_CANDIDATE", "000000")
        patch.setenv("GITHUB_STEP_SUMMARY", str(summary))
        report = runner.run(
            project,
            folder_of(project, bundle),
            mutants=mutants,
            tolerated=1,
            workers=2,
            say=lambda trial, done, of: said.append((trial.mutant, done, of)),
        )
    return Tried(project, report, said, before, content(root))


def test_each_mutant_is_caught_by_the_check_that_asks_for_it(tried):
    """The first check that did not pass, with its number; and what nobody asked, nobody caught."""
    calibration, dice = (tried.trial(name) for name in CHOSEN)

    assert (dice.fate, dice.check) == ("caught", "checks/test_trips.py::test_no_dice")
    assert dice.message.startswith("largest difference, asked twice is 0.")
    assert dice.message.endswith("asked: <= 0")
    assert not dice.by_error
    assert (calibration.fate, calibration.check) == ("survived", "")
    assert calibration.question == "calibration"
    assert tried.report.checks == 4


def test_a_check_that_fails_for_every_mutant_catches_none(tried):
    """Training again gives no mutant's digest: with that check alone, every mutant would count as caught."""
    name = "checks/test_trips.py::test_training_comes_out_the_same"
    calibration, dice = (tried.trial(one) for one in CHOSEN)

    assert tried.report.fail_for_all == (name,)
    assert (calibration.fate, calibration.not_counted) == ("survived", (name,))
    assert (dice.fate, dice.not_counted) == ("caught", (name,))
    page = mutate.as_text(tried.report)
    only = "SURVIVED only by test_training_comes_out_the_same (not counted: fails for every mutant)"
    assert only in " ".join(page.split())
    assert "  not counted: test_training_comes_out_the_same fails for every mutant, even if only the digest" in page


def test_what_each_mutant_is_meant_to_trip_is_named():
    """Who reads that it was caught sees by what, and by what it should have been."""
    asked = [question for mutant in MUTANTS for question in mutant.asked.values()]
    assert all(one.words and ast.parse(one.remedy) for one in asked)
    assert not [one for one in asked if "reproducibility" in one.remedy]  # it fails for all of them
    row = next(line for line in mutate.as_text(REPORT).splitlines() if line.split()[:1] == ["constant"])
    assert " ".join(row.split()).startswith("constant always 0.157 the AUC caught test_auc: auc is 0.5")


def test_what_covers_the_question_is_asked_first_where_all_else_would_wait(tried):
    """A model that takes half a second a call would keep every other check waiting until its time is up."""
    assert tried.trial("hurry").check == "checks/test_trips.py::test_size"


def test_what_never_came_before_the_gate_is_not_counted(tried):
    """A mutant that is no other model, one that does not apply and one that does not open say nothing of the checks."""
    assert tried.trial("same").fate == tried.trial("ghost").fate == "same answers"
    assert tried.trial("ghost").message.startswith("changed nothing: ")
    assert (tried.trial("tides").fate, tried.trial("tides").message) == ("does not apply", "there are no tides here")
    assert tried.trial("nonsense").fate == "not opened"
    assert "SyntaxError" in tried.trial("nonsense").message
    assert [trial.mutant for trial in tried.report.counted] == [*CHOSEN, "hurry"]


def test_one_that_could_not_be_opened_leaves_the_run_without_an_answer(tried):
    """The one survivor is tolerated; that something was not tried at all is not."""
    assert not tried.report.passed
    assert replace(tried.report, trials=tuple(t for t in tried.report.trials if t.mutant != "nonsense")).passed
    assert not replace(tried.report, tolerated=0).passed


def test_every_trial_is_told_as_it_ends(tried):
    assert sorted(name for name, _, _ in tried.said) == sorted(trial.mutant for trial in tried.report.trials)
    assert [done for _, done, _ in tried.said] == [1, 2, 3, 4, 5, 6, 7]
    assert {of for _, _, of in tried.said} == {7}


def test_nothing_stays_behind(tried):
    """Not a verdict, not a key, not a bundle, not a line of a job summary: to the last byte."""
    assert tried.after == tried.before
    with Ledger(tried.project.ledger) as ledger:
        assert [entry.kind for entry in ledger.entries()] == ["bundle"]


@pytest.mark.chaos
def test_one_run_at_a_time_says_the_same(tried):
    """Two runs beside each other do not see each other."""
    again = runner.run(
        tried.project,
        folder_of(tried.project, candidate_of(tried)),
        mutants=runner.choose(["non-deterministic"], task="binary"),
        workers=1,
    )

    (alone,), beside = again.trials, tried.trial("non-deterministic")
    # The noise is another one each time, and the number with it.
    assert replace(alone, seconds=0, message="") == replace(beside, seconds=0, message="")


def candidate_of(tried: Tried) -> Bundle:
    with Ledger(tried.project.ledger) as ledger:
        (entry,) = ledger.entries(kind="bundle")
    return read(Bundle, entry)


@pytest.mark.chaos
def test_a_blind_gate_is_told_so(tmp_path):
    """A check that is always content lets everything through, and no tolerance makes that good. One run at a time."""
    project, bundle = breakable.make(tmp_path, BLIND)
    mutants = runner.choose(["constant"], task="binary")

    report = runner.run(project, folder_of(project, bundle), mutants=mutants, tolerated=1, workers=1)

    assert [trial.fate for trial in report.trials] == ["survived"]
    assert not report.passed
    assert "they would approve anything" in mutate.as_text(report)


def test_a_gate_that_noticed_nothing_never_passes():
    """However many mutants may survive."""
    blind = replace(REPORT, trials=(replace(TRIAL, fate="survived", check=""),), tolerated=9)

    assert not blind.passed
    assert "they would approve anything" in mutate.as_text(blind)


@pytest.mark.chaos
def test_a_gate_that_refuses_the_candidate_itself_ends_the_run(tmp_path):
    """It would catch everything."""
    project, bundle = breakable.make(tmp_path, "def test_nobody(candidate):\n    assert candidate is None, 'nobody'\n")

    with pytest.raises(CandidateNotApproved, match="test_nobody failed: nobody"):
        runner.run(project, folder_of(project, bundle), mutants=runner.choose(["constant"], task="binary"))


def test_only_what_refuses_another_digest_alone_is_not_counted():
    """A candidate that is refused as it is would be caught whatever is done to it."""
    approved = Verdict(
        model="trips",
        candidate=Digest("ab" * 32),
        manifest=Digest(""),
        data=Digest(""),
        checks=Digest(""),
        outcome="approved",
        passed=1,
        judged_at=now(),
    )
    nobody = CheckResult(check="checks/t.py::test_nobody", outcome="failed", required=True, message="nobody")
    refused = replace(approved, outcome="refused", passed=0, failed=(nobody.check,), results=(nobody,))
    ran = Rehearsed(verdict=approved, stopped=False, code=0, said="", seconds=1.0)

    assert runner._of_itself(ran, replace(ran, verdict=refused), name="trips@1").fail_for_all == (nobody.check,)
    with pytest.raises(CandidateNotApproved, match="test_nobody failed: nobody") as error:
        runner._of_itself(replace(ran, verdict=refused), replace(ran, verdict=refused), name="trips@1")
    assert "catches everything" in str(error.value)
    assert error.value.exit_code == 3
    with pytest.raises(CandidateNotApproved, match="exit status 4 and no verdict"):
        runner._of_itself(ran, replace(ran, verdict=None, code=4), name="trips@1")


def test_a_run_that_takes_too_long_is_ended_with_what_it_started(tried, tmp_path):
    """A mutant that hangs would hold the run for ever; a gate that waits for ever approves nothing."""
    bundle = candidate_of(tried)

    with Sandbox(tried.project, tmp_path) as rehearsal:
        run = rehearsal.judge(
            folder_of(tried.project, bundle), bundle.digest, name="short", failures=None, limit=lambda: 0.0
        )

    assert (run.stopped, run.verdict) == (True, None)
    assert run.code != 0


def test_closing_ends_the_runs_that_are_not_done(tried, tmp_path):
    """Ctrl-C leaves no pytest behind."""
    bundle, done = candidate_of(tried), []
    rehearsal = Sandbox(tried.project, tmp_path)
    runs = threading.Thread(
        target=lambda: done.append(
            rehearsal.judge(
                folder_of(tried.project, bundle), bundle.digest, name="cut", failures=None, limit=lambda: None
            )
        )
    )
    runs.start()
    wait_until(lambda: rehearsal._running, "a run")

    rehearsal.close()
    runs.join(PATIENCE_S)

    assert not runs.is_alive()
    assert not rehearsal._running
    assert done[0].verdict is None


# --- the copied ledger --------------------------------------------------------------------------------------------


def test_the_copy_is_the_same_chain_without_peoples_data(tmp_path):
    """Entries and their hashes, so that approvals hold; feedback stays where it is."""
    with Ledger(f"sqlite:///{tmp_path / 'one.db'}") as one, Ledger(f"sqlite:///{tmp_path / 'two.db'}") as two:
        for place in range(3):
            one.append("alert", f"number {place}", {"text": "ü"}, actor="ada", reason="test", at=now())
        said = Feedback(feedback_id="f", request_id="r", at=now(), wrong=True)
        one.add_journal([said], journal="j", offset=1)

        assert copy_entries(one, two) == 3
        assert two.head() == one.head()
        assert two.feedback_of("r") == ()
        with pytest.raises(UsageError, match="has entries of its own"):
            copy_entries(one, two)


# --- the command --------------------------------------------------------------------------------------------------

TRIAL = Trial(
    mutant="constant",
    fate="caught",
    slip="Somebody slipped.",
    what="always 0.157",
    check="checks/test_model.py::test_auc",
    message="auc is 0.5 (90 rows), asked: >= 0.7\nand more",
    question="the AUC",
    remedy="evidence(...)",
)
REPORT = MutationReport(
    model="trips",
    candidate=Digest("ab" * 32),
    champion=None,
    trials=(
        TRIAL,
        replace(TRIAL, mutant="slow", fate="survived", check="", message="", question="latency", remedy="served.x()"),
        replace(TRIAL, mutant="unseen-category", check="checks/t.py::test_new", by_error=True, message="KeyError: 'Z'"),
        replace(TRIAL, mutant="old-window", fate="does not apply", check="", message="one batch", what=""),
    ),
    checks=12,
    tolerated=1,
    workers=2,
    seconds=61.2,
)


def test_the_page_says_who_caught_what_and_what_is_missing():
    """Answer first, then a row for each mutant, then the line to add."""
    page = mutate.as_text(REPORT)

    lines = page.splitlines()
    assert lines[0] == (
        "passed   trips@abababababab   2 of 3 mutants caught, 1 survived, 1 not counted, by 12 checks, in 61 s"
    )
    assert "test_auc: auc is 0.5 (90 rows), asked: >= 0.7 and more" in page
    assert "an error in test_new: KeyError: 'Z'" in page
    assert any(line.split()[:1] == ["slow"] and "SURVIVED" in line for line in lines)
    assert "    for example:     served.x()" in lines
    assert lines[-1].endswith("proveout mutate --only slow")


def test_the_job_summary_has_the_same_table():
    text = mutate.markdown(REPORT)

    assert text.startswith("### mutation tests passed: `trips@abababababab`\n")
    assert (
        "| constant | always 0.157 | the AUC | caught | test_auc: auc is 0.5 (90 rows), asked: >= 0.7 and more |"
        in text
    )
    assert "- **slow** survived." in text


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (REPORT, 0),
        (replace(REPORT, tolerated=0), 1),
        (replace(REPORT, trials=(replace(TRIAL, fate="not opened"), TRIAL)), 3),
        (replace(REPORT, trials=(replace(TRIAL, fate="same answers"),)), 3),
    ],
    ids=["tolerated", "survived", "not opened", "nothing tried"],
)
def test_the_exit_code_is_the_answer(tried, tmp_path, monkeypatch, report, code):
    """0 yes, 1 no, 3 could not tell."""
    monkeypatch.chdir(tried.project.root)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setattr(runner, "run", lambda *arguments, **more: report)

    ran = CliRunner().invoke(cli.main, ["mutate"])

    assert ran.exit_code == code, ran.output
    assert (tmp_path / "summary.md").read_text() == mutate.markdown(report)


def test_the_list_names_every_mutant_and_runs_nothing():
    ran = CliRunner().invoke(cli.main, ["mutate", "--list"])

    assert ran.exit_code == 0
    assert all(mutant.name in ran.output and mutant.slip in ran.output for mutant in of_task("binary"))
    assert "target-scaled" not in ran.output


def test_a_mutant_that_is_not_there_is_a_misuse():
    ran = CliRunner().invoke(cli.main, ["mutate", "--only", "tides"])

    assert ran.exit_code == 2
    assert "There is no mutant tides" in ran.output


def test_a_mutant_of_another_task_is_a_misuse():
    """Whoever asks for it is told that it could not break this candidate."""
    with pytest.raises(UsageError, match="target-scaled breaks no candidate of a binary task"):
        runner.choose(["target-scaled"], task="binary")
