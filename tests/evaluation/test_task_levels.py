"""How often the gate is wrong about numbers and classes: a small run of bench/task_calibration.py, in which a faulty
interval or test shows."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom
from threadpoolctl import threadpool_limits

from proveout.evaluation import metrics
from proveout.evaluation.stats import bootstrap

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

import task_calibration  # the bench is a folder of scripts
import task_helpers
import task_worlds

TRIALS = 20
TASKS = ("regression", pytest.param("multi-class", marks=pytest.mark.chaos))
TASK_OF = {"regression": 0, "multi-class": 1}  # the place of each in what task_worlds makes


@pytest.fixture(scope="module")
def worlds():
    return task_worlds.made_up(1, days=100, per_day=30)


def counted(world):
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(1):
        small = {"RESAMPLES": 120, "DEALS": 99, "ROWS": 800, "DAYS": 40, "_truths": {}}
        large = {"WORSE": 0.5, "OVERDONE": 0.05, "SHARPER": 1.8}  # so that few rows show it
        for name, value in {**small, **large}.items():
            patch.setattr(task_calibration, name, value)
        return task_calibration.run(world, task_calibration.rivals(world), TRIALS, processes=1)


@pytest.fixture(scope="module", params=TASKS)
def calibrated(worlds, request):
    return counted(worlds[TASK_OF[request.param]])


def wrong(counts):
    """Tests whose error count has a probability below 1 in 10,000 under their stated error rate."""
    found = []
    for one in counts:
        most = binom.ppf(0.9999, one.trials, 0.05)
        if one.kind in {"margin", "twice", "alarm"} and one.hits > most:
            found.append(one)
        if one.kind == "coverage" and one.hits < one.trials - most:
            found.append(one)
        if one.kind == "equal" and one.hits > binom.ppf(0.9999, one.trials, max(0.02, one.stated / one.trials)):
            found.append(one)
    return found


def test_intervals_hold_the_truth_and_tests_their_level(calibrated):
    """Rows and whole days, every measure and every comparison of a task."""
    assert wrong(calibrated) == []
    assert {one.kind for one in calibrated} == set(task_calibration.KINDS)


def test_what_is_there_is_found(calibrated):
    """A level is easily held by what never finds anything."""
    for one in calibrated:
        if one.kind == "power":
            assert one.hits > binom.ppf(0.9999, one.trials, 0.05), one


@pytest.mark.parametrize("task", TASKS)
def test_what_is_asked_of_the_candidate_itself_is_found_where_it_is(task):
    """Better than a simpler model, of benefit, stale, leaking, unable to learn, badly tuned: or not."""
    found: dict[tuple[str, str], int] = {}
    for number in range(6):
        for what, kind, hit in task_helpers.trial(task, number):
            found[what, kind] = found.get((what, kind), 0) + hit

    assert {what for (what, kind), hits in found.items() if kind == "power" and hits < 5} == set()
    assert {what for (what, kind), hits in found.items() if kind == "alarm" and hits > 2} == set()


def test_days_taken_for_independent_rows_are_caught_by_these_tests(worlds, monkeypatch):
    """What forgets the clusters is far too sure: had an interval this fault, the first test would say so."""
    world = worlds[0]
    [bias] = [one for one in task_calibration.measures(world) if one.name == "bias"]
    truth = bias.judge(world.outcomes, world.models[0]).value

    def held():
        hits = 0
        for number in range(TRIALS):
            here, days = world.whole_days(np.random.default_rng([number, 2]), 40)
            found = bias.judge(world.outcomes[here], world.models[0][here], clusters=days)
            hits += found.low <= truth <= found.high
        return hits

    least = TRIALS - binom.ppf(0.9999, TRIALS, 0.05)
    assert held() >= least
    monkeypatch.setattr(metrics, "error_of_mean", lambda values, groups=None: values.std(ddof=1) / len(values) ** 0.5)
    assert held() < least


def test_a_comparison_that_is_too_sure_is_caught_by_these_tests(worlds, monkeypatch):
    """A fifth of the error: nearly every other model that is worse by the margin would pass."""
    world = worlds[1]
    asked = task_calibration.comparisons(world)
    pairs = [one for one in task_calibration.rivals(world) if (one.drawn, one.kind) == ("days", "margin")]

    def passed():
        hits = 0
        for number in range(TRIALS):
            here, days = world.whole_days(np.random.default_rng([number, 2]), 40)
            for pair in pairs:
                models = (pair.candidate[here], pair.champion[here])
                found = asked[pair.number].compare(world.outcomes[here], *models, margin=pair.margin, clusters=days)
                hits += found.holds
        return hits

    most = binom.ppf(0.9999, TRIALS * len(pairs), 0.05)
    assert passed() <= most
    whole = bootstrap.skewed
    monkeypatch.setattr(
        bootstrap,
        "skewed",
        lambda value, without, level: whole(value, without.mean() + (without - without.mean()) / 5, level),
    )
    assert passed() > most


def test_the_table_of_the_bench_has_a_row_for_each_question(calibrated):
    table = task_calibration.table(calibrated)

    assert table.count("worse by the margin: passed") == 1
    assert "| made up, rows | made up, days |" in table


def test_another_model_that_says_each_class_as_often_does(worlds):
    """The bench's own claim about its world."""
    world = worlds[1]
    labels = np.array(world.classes, dtype=object)[world.models[0].argmax(axis=1)]

    assert (labels != world.as_often).mean() > 0.05
    for one in world.classes:
        assert (labels == one).sum() == (world.as_often == one).sum()
