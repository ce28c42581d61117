"""A candidate judged by ever other halves of its held-out rows: what is drawn, what counts as a flip, who is named."""

from dataclasses import replace
from pathlib import Path

import breakable
import numpy as np
import pytest
from typer.testing import CliRunner

from proveout import cli
from proveout.cli import _stability_view
from proveout.evaluation import holdout_sample, metrics
from proveout.gate.evidence import EvidenceRecorder
from proveout.ledger.ledger import Ledger
from proveout.mutation import stability
from proveout.mutation.sandbox import Sandbox
from proveout.mutation.stability import CheckStability, Crash, StabilityReport
from proveout.mutation.warm_gate import WarmGate
from proveout.records.values import Digest, now
from proveout.records.verdict import CheckResult, Evidence, Verdict

CHECKS = """
import os
import signal
import time

import pytest

from proveout.evaluation import leakage, metrics

@pytest.fixture
def sum_of(holdout):
    if holdout.records["n"].sum() == {breaks}:
        raise RuntimeError("not these")
    return int(holdout.records["n"].sum())

def test_good(candidate, holdout, evidence):
    scores, groups = candidate.predict(holdout.records), holdout.records["n"] // 10
    evidence(metrics.auc(holdout.labels, scores, clusters=groups), at_least=0.7, surely=True)

def test_flips(holdout, evidence):
    evidence("highest", int(holdout.records["n"].max()), at_least=holdout_max)

def test_breaks(sum_of, evidence):
    evidence("sum", sum_of, at_least=0)

def test_crashes(holdout, evidence):
    if holdout.raw["n"].sum() == {crashes}:
        os.kill(os.getpid(), signal.SIGKILL)
    evidence("rows", holdout.rows, at_least=1)

def test_reads_nothing(candidate, holdout, evidence):
    evidence("bundle, MB", candidate.bundle.bytes / 1e6, at_most=9)

def test_size(candidate, evidence):
    evidence("bundle, MB", candidate.bundle.bytes / 1e6, at_most=9)

def test_many(holdout, evidence):
    evidence("rows", holdout.rows, at_least=400)

def test_slow(holdout, evidence):
    until = time.process_time() + 3 if holdout.rows == all_rows else 0
    while time.process_time() < until:
        pass
    evidence("rows", holdout.rows, at_least=1)

def test_no_copies(training, holdout, evidence):
    evidence(leakage.duplicates(training, holdout, key=["n"]))
""".replace("holdout_max", str(3 * breakable.ROWS - 1)).replace("all_rows", str(breakable.ROWS))
ROUNDS, SLOW_ROUNDS = 6, 3
CRASHES, BREAKS = 2, 5  # the rounds in which they do
VERDICT = Verdict(
    model="trips",
    candidate=Digest("ab" * 32),
    manifest=Digest(""),
    data=Digest(""),
    checks=Digest(""),
    outcome="refused",
    passed=1,
    judged_at=now(),
)


def said(*results: CheckResult, evidence: tuple[Evidence, ...] = ()) -> Verdict:
    return replace(VERDICT, results=results, evidence=evidence)


def check(name: str, outcome: str = "passed") -> CheckResult:
    return CheckResult(check=name, outcome=outcome, required=True)


@pytest.fixture
def few_plugins(monkeypatch):
    """No plugin but ours: each would cost seconds."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "proveout.gate.plugin")


@pytest.mark.long
def test_each_check_is_told_as_it_is_and_nothing_stays_behind(tmp_path, few_plugins, monkeypatch):
    """Who flips by construction flips in its share; who is steady keeps its mind; who counts rows, or reads none, is
    not counted; what looks at no held-out row is not asked. A round that crashes is no flip, nor is a fixture that
    raises, and both are told with their round. Who takes long is asked in fewer rounds.

    Rows are drawn by the clusters that a check has named."""
    n = np.arange(2 * breakable.ROWS, 3 * breakable.ROWS)
    drawn = stability.halves(len(n), ROUNDS, clusters=(n // 10) - n[0] // 10, seed=0)
    crashes, breaks = (int(n[drawn[at - 1][0]].sum()) for at in (CRASHES, BREAKS))
    judged = [n[places] for at, (places, _) in enumerate(drawn, start=1) if at != CRASHES]
    flips = sum(rows.max() < n[-1] for rows in judged)
    project, bundle = breakable.make(tmp_path, CHECKS.format(crashes=crashes, breaks=breaks))
    told: list[tuple[int, int, int | None]] = []
    monkeypatch.setattr(stability, "SLOW_S", 2.5)

    report = stability.run(
        project,
        Path(project.store) / "bundles" / bundle.digest,
        rounds=ROUNDS,
        slow_rounds=SLOW_ROUNDS,
        workers=1,
        say=lambda *one: told.append(one),
    )

    found = {one.check.rpartition("::")[2]: one for one in report.checks}
    assert 0 < flips < len(judged)
    assert {name: (one.passed, one.flips, one.rounds, one.counts_rows) for name, one in found.items()} == {
        "test_good": (True, 0, 5, False),
        "test_flips": (True, flips, 5, False),
        "test_breaks": (True, 0, 4, False),
        "test_crashes": (True, 0, 5, False),
        "test_many": (True, 5, 5, True),
        "test_slow": (True, 0, SLOW_ROUNDS - 1, False),
        "test_no_copies": (True, 0, 5, False),
    }
    assert [(one.round, "exit status -9" in one.why) for one in report.crashes] == [(CRASHES, True)]
    assert found["test_breaks"].broke_in == (BREAKS,)
    assert [check.rpartition("::")[2] for check in report.unread] == ["test_reads_nothing"]
    assert (report.rows, report.clusters, report.rounds, report.changed) == (600, 60, 5, flips)
    assert (report.complete, report.passed) == (False, False)
    assert found["test_good"].stated and round(found["test_good"].level, 3) == 0.025
    assert told[CRASHES - 1] == (CRASHES, ROUNDS, None)
    page = _stability_view.as_text(report)
    assert "halves of 60 clusters with 600 rows" in page
    assert "not counted: test_many differs on every half" in page
    assert f"round {CRASHES} came to no verdict: pytest ended with exit status -9" in page
    assert f"test_breaks could not be asked in round {BREAKS}: a fixture of it raised" in page
    assert "test_reads_nothing: asked for the held-out rows, and read none of them" in page
    with Ledger(project.ledger) as ledger:
        assert [entry.kind for entry in ledger.entries()] == ["bundle"]


@pytest.mark.long
def test_a_forked_run_says_what_a_run_of_its_own_says(tmp_path, few_plugins):
    """To the last digit; and none sees what the one before it has done to what they share."""
    spoils = "    holdout.labels[:] = False\n    vars(candidate)['spoilt'] = True\n    import colorsys\n"
    checks = CHECKS.format(crashes=-1, breaks=-1) + (
        "\ndef test_spoils(candidate, holdout, evidence):\n"
        "    assert 'spoilt' not in vars(candidate) and holdout.labels.any()\n" + spoils
    )
    project, bundle = breakable.make(tmp_path, checks)
    folder = Path(project.store) / "bundles" / bundle.digest
    file = tmp_path / "rows.json"
    holdout_sample.write(file, np.arange(0, 600, 2), interval_scale=0.7)
    (tmp_path / "sandbox").mkdir()

    with Sandbox(project, tmp_path / "sandbox") as sandbox:

        def judged(gate: WarmGate, name: str) -> Verdict | None:
            return gate.judge(name, limit=lambda: None, options=("--holdout-sample", str(file))).verdict

        warm = WarmGate(sandbox, folder, bundle.digest, forks=True)
        forked, again = judged(warm, "one"), judged(warm, "two")
        alone = judged(WarmGate(sandbox, folder, bundle.digest, forks=False), "three")

    assert forked is not None and again is not None and alone is not None
    assert forked.results == again.results == alone.results
    assert forked.evidence == again.evidence == alone.evidence
    assert any(one.check.endswith("test_spoils") and one.outcome == "passed" for one in alone.results)


@pytest.mark.long
def test_a_run_that_takes_too_long_ends_no_other(tmp_path, few_plugins):
    """The process that forks is ended with it, and the next run has a new one. One that cannot open the candidate says
    why."""
    project, bundle = breakable.make(tmp_path, CHECKS.format(crashes=-1, breaks=-1))
    folder = Path(project.store) / "bundles" / bundle.digest
    file = tmp_path / "rows.json"
    holdout_sample.write(file, np.arange(0, 600, 2), interval_scale=0.7)
    options = ("--holdout-sample", str(file))
    (tmp_path / "sandbox").mkdir()

    with Sandbox(project, tmp_path / "sandbox") as sandbox:
        gate = WarmGate(sandbox, folder, bundle.digest, forks=True)
        cut = gate.judge("cut", limit=lambda: 0.0, options=options)
        after = gate.judge("after", limit=lambda: None, options=options)
        nothing = WarmGate(sandbox, tmp_path / "nowhere", bundle.digest, forks=True)
        unopened = nothing.judge("unopened", limit=lambda: None, options=options)

    assert (cut.stopped, cut.verdict) == (True, None)
    assert after.verdict is not None
    assert (unopened.stopped, unopened.verdict) == (False, None)
    assert "nowhere" in unopened.said


# --- what is drawn ------------------------------------------------------------------------------------------------


def test_a_half_varies_about_all_rows_as_those_about_the_truth():
    """The mean of 400 rows has the standard error s/20, and so have the means of halves of these rows."""
    values = np.random.default_rng(0).gamma(2, 1, 400)

    means = [values[places].mean() for places, _ in stability.halves(400, 2_000, clusters=None, seed=0)]

    assert np.std(means) == pytest.approx(values.std(ddof=1) / 20, rel=0.06)
    assert np.mean(means) == pytest.approx(values.mean(), rel=0.01)


def test_clusters_are_drawn_whole_and_no_row_twice():
    """Days of very different size, an odd number of them."""
    days = np.repeat(np.arange(15), np.arange(1, 16))

    drawn = stability.halves(len(days), 200, clusters=days, seed=0)

    for places, scale in drawn:
        there = {*days[places].tolist()}
        assert len(places) == len({*places.tolist()}) == np.isin(days, [*there]).sum()
        assert scale == pytest.approx((len(there) / 15) ** 0.5)
    assert {len({*days[places].tolist()}) for places, _ in drawn} == {7, 8}


def test_a_check_flips_as_often_as_it_would_on_new_rows():
    """Level and power: 300 rows from one world, bounds at, below and far below what they reach.

    On new rows, a value as far above its bound as its standard error falls below it in 16 % of draws."""
    random = np.random.default_rng(3)
    rows = random.normal(size=300)
    error = rows.std(ddof=1) / np.sqrt(300)
    halves = stability.halves(300, 1_000, clusters=None, seed=1)

    def flips(errors_away: float, *, surely: bool = False) -> float:
        bound = rows.mean() - errors_away * error
        count = 0
        for places, scale in halves:
            measured = metrics.mean(rows[places])
            stated = EvidenceRecorder("c", lambda key, text: None, interval_scale=scale)._complete(measured, {})
            count += not replace(stated, at_least=bound, surely=surely).holds
        return count / len(halves)

    assert flips(0.0) == pytest.approx(0.5, abs=0.05)
    assert flips(1.0) == pytest.approx(0.16, abs=0.04)
    assert flips(4.0) == 0.0
    # Asked surely, with 95 %, a value has to be 1.96 errors above the bound: one that is 1.96 errors further.
    assert flips(1.96, surely=True) == pytest.approx(0.5, abs=0.06)
    assert flips(3.92, surely=True) == pytest.approx(0.025, abs=0.02)


# --- what counts --------------------------------------------------------------------------------------------------


def test_a_flip_is_another_word_than_of_all_rows():
    """Whichever it was: a check that fails on all rows and passes on a half has flipped too."""
    whole = said(
        check("a"), check("b", "failed"), check("c"), check("gate::options", "error"), check("d", "deselected")
    )
    rounds = {
        1: said(check("a"), check("b"), check("c", "xfailed")),
        2: said(check("a", "failed"), check("b"), check("c")),
    }

    found = {one.check: (one.passed, one.flips, one.rounds) for one in stability.compare(whole, rounds)}

    assert found == {"b": (False, 2, 2), "a": (True, 1, 2), "c": (True, 1, 2)}


def test_a_check_that_could_not_be_asked_has_said_nothing():
    """A fixture of it raised: told with its round. On all rows: then there is nothing to compare with."""
    whole = said(check("a"), check("b", "error"))
    rounds = {3: said(check("a", "error"), check("b")), 4: said(check("a", "failed"), check("b"))}

    found = {one.check: (one.flips, one.rounds, one.broke_in) for one in stability.compare(whole, rounds)}

    assert found == {"a": (1, 1, (3,)), "b": (0, 0, (0,))}


def test_a_round_that_did_not_ask_a_check_is_none_of_its_rounds():
    whole = said(check("a"), check("b"))

    found = stability.compare(whole, {1: whole, 2: said(check("a"), check("b", "deselected"))})

    assert {one.check: (one.rounds, one.broke_in) for one in found} == {"a": (2, ()), "b": (1, ())}


def test_half_of_the_rows_may_be_too_few_for_a_check():
    """A slice of 300 rows is judged, one of 150 is not: that is no flip, and no agreement."""
    slice_ = Evidence(check="a", name="auc", slice="B6", value=0.8)
    small = replace(slice_, value=None, unjudged="150 rows, asked for 200")
    whole = said(check("a"), evidence=(slice_,))

    less = said(check("a", "failed"), evidence=(small,))
    (one,) = stability.compare(whole, {1: less, 2: whole})
    (always,) = stability.compare(said(check("a"), evidence=(small,)), {1: less, 2: less})

    assert (one.rounds, one.flips, one.too_few_rows) == (1, 0, 1)
    assert (always.rounds, always.flips) == (2, 2)


def test_the_level_is_what_the_check_states():
    """Of two intervals that are asked surely, the one that errs more; else the usual."""
    asked = [
        Evidence(check="a", name="auc", value=0.8, at_least=0.7, level=level, surely=surely)
        for level, surely in ((0.95, True), (0.8, True), (0.5, False))
    ]
    whole = said(check("a"), check("b"), evidence=tuple(asked))

    levels = {one.check: (round(one.level, 3), one.stated) for one in stability.compare(whole, {1: whole})}

    assert levels == {"a": (0.1, True), "b": (0.05, False)}


ONE = CheckStability(
    check="checks/t.py::test_a", passed=True, rounds=20, flips=0, too_few_rows=0, level=0.05, stated=True
)


@pytest.mark.parametrize(("flips", "named"), [(0, False), (3, False), (4, True), (19, True), (20, False)])
def test_who_flips_surely_more_often_than_it_states_is_named(flips, named):
    """Three of twenty happen to a check that flips in 5 %; one that always flips counts rows."""
    assert replace(ONE, flips=flips).unstable == named


REPORT = StabilityReport(
    model="trips",
    candidate=Digest("ab" * 32),
    rows=600,
    clusters=None,
    rounds=20,
    changed=5,
    checks=(replace(ONE, flips=5), replace(ONE, check="t.py::test_b", rounds=18, too_few_rows=2), ONE),
    seconds=61.2,
)


def test_the_page_names_who_flips_and_by_how_much():
    """Answer first, then each check that moved, then what to do."""
    lines = _stability_view.as_text(REPORT).splitlines()

    assert lines[0].startswith("unstable   trips@abababababab   another verdict in 5 of 20 rounds, 1 of 3 checks flip")
    assert any(
        line.split()[:8] == ["test_a", "passed", "5", "of", "20", "11", "to", "47"] and "FLIPS MORE" in line
        for line in lines
    )
    assert any("test_b" in line and "too few in 2 more rounds" in line for line in lines)
    assert any("test_a flips in 5 of 20 rounds, and states an error rate of 5 %: hold out" in line for line in lines)


@pytest.mark.parametrize(
    ("checks", "crashes", "code"),
    [
        (REPORT.checks, (), 1),
        ((ONE,), (), 0),
        ((ONE,), (Crash(round=3, why="killed"),), 3),
        (REPORT.checks, (Crash(round=3, why="killed"),), 1),
        ((replace(ONE, broke_in=(2,)),), (), 3),
    ],
    ids=["unstable", "stable", "a crash", "unstable and a crash", "a check not asked"],
)
def test_the_exit_code_is_the_answer(monkeypatch, checks, crashes, code):
    """0 stable, 1 not; 3 could not tell."""
    monkeypatch.setattr(stability, "run", lambda *arguments, **more: replace(REPORT, checks=checks, crashes=crashes))
    monkeypatch.setattr("proveout.evaluation.context.find_candidate", lambda *arguments: Path("bundle"))

    ran = CliRunner().invoke(cli.main, ["mutate", "--aa", "--json"])

    assert ran.exit_code == code, ran.output
    assert '"flips"' in ran.output


def test_it_breaks_nothing_so_no_mutant_can_be_named():
    ran = CliRunner().invoke(cli.main, ["mutate", "--aa", "--only", "constant"])

    assert ran.exit_code == 2
    assert "--aa breaks nothing" in ran.output
