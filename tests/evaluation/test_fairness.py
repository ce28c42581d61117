"""Fairness: rates by group, and the distance of the extremes with an interval that knows they were picked."""

import numpy as np
import pytest
from scipy.stats import t

from proveout.errors import UsageError
from proveout.evaluation import fairness
from proveout.gate.evidence import EvidenceRecorder

ROWS = 4_000


@pytest.fixture
def people():
    """Two groups of 1,950 and one of 100, equally often true; of A three in ten are called true, of B one in ten."""
    random = np.random.default_rng(7)
    group = np.array(["A"] * 1_950 + ["B"] * 1_950 + ["C"] * 100)
    labels = np.arange(ROWS) % 5 == 0
    called = random.random(ROWS) < np.where(group == "B", 0.1, 0.3)
    return group, labels, np.where(called, 0.9, 0.1)


def state():
    return EvidenceRecorder(check="checks/test_model.py::test_groups", write=lambda key, text: None)


def by_hand(rate, labels, called):
    over = {"selection": labels >= 0, "true positive": labels, "false positive": ~labels, "precision": called}[rate]
    hit = labels if rate == "precision" else called
    return int(over.sum()), float(hit[over].mean())


@pytest.mark.parametrize("rate", ["selection", "true positive", "false positive", "precision"])
def test_a_rate_is_over_the_rows_it_is_about(people, rate):
    group, labels, scores = people

    found = fairness.rates(labels, scores, by=group, threshold=0.5, rate=rate, fewest=20)

    for one, name in zip(found, "ABC", strict=False):
        there = group == name
        assert (one.rows, one.value) == by_hand(rate, labels[there], scores[there] >= 0.5)
        assert one.slice == f"slice={name}"
        assert one.low < one.value < one.high
        assert one.covers == ("model-7",)


def test_a_score_at_the_threshold_is_called_true():
    [one, _] = fairness.rates([True] * 100, [0.5] * 100, by=["A"] * 100, threshold=0.5)

    assert one.value == 1.0


def test_a_group_too_small_is_not_judged_and_counted(people):
    """100 people are enough for a selection rate, but only 20 of them are true."""
    group, labels, scores = people

    found = fairness.rates(labels, scores, by=group, threshold=0.5, rate="true positive", at_least=0.05)

    assert [one.unjudged for one in found] == ["", "", "20 rows, asked for 100", ""]
    assert (found[-1].value, found[-1].at_most, found[-1].holds) == (100 / ROWS, 0.05, True)


def test_a_check_does_not_pass_on_groups_that_are_all_too_small(people):
    group, labels, scores = people
    given = {"by": group, "threshold": 0.5, "fewest": 5_000}

    for found in (
        fairness.rates(labels, scores, at_least=0.9, **given),
        fairness.gap(labels, scores, at_most=0.0, **given),
        fairness.ratio(labels, scores, at_least=0.99, **given),
    ):
        assert all(one.unjudged for one in found[:-1])
        with pytest.raises(AssertionError, match="rows not judged is 1"):
            state()(found)


def test_one_group_alone_compares_with_nobody(people):
    _, labels, scores = people

    apart, last = fairness.gap(labels, scores, by=["A"] * ROWS, threshold=0.5)

    assert apart.unjudged == "1 of 1 groups with 100 rows, two are needed"
    assert last.breaks


def test_the_four_fifths_rule_is_broken_by_a_third(people):
    group, labels, scores = people

    found, last = fairness.ratio(labels, scores, by=group, threshold=0.5, at_least=0.8)

    rates = [float((scores[group == name] > 0.5).mean()) for name in "ABC"]
    assert found.value == pytest.approx(min(rates) / max(rates))
    assert found.low < found.value < found.high < 0.8
    assert (found.breaks, last.holds) == (True, True)
    assert found.decision.startswith("from 0.0")
    assert "slice=B to" in found.decision


def test_the_gap_is_between_the_extremes(people):
    group, labels, scores = people

    found, _ = fairness.gap(labels, scores, by=group, threshold=0.5, at_most=0.05, surely=True)

    rates = [float((scores[group == name] > 0.5).mean()) for name in "ABC"]
    assert found.value == pytest.approx(max(rates) - min(rates))
    assert 0.05 < found.low < found.value < found.high
    assert found.breaks


def test_picking_the_extremes_of_equal_groups_is_allowed_for():
    """Of 15 equal groups some two are always apart: pairwise intervals would say so in most trials, these in 5 %."""
    random = np.random.default_rng(0)
    by = np.arange(3_000) % 15
    labels = np.zeros(3_000, dtype=bool)
    gaps, ratios, pairwise = 0, 0, 0
    for _ in range(100):
        scores = (random.random(3_000) < 0.15).astype(float)
        [gap, _], [ratio, _] = (
            measure(labels, scores, by=by, threshold=0.5) for measure in (fairness.gap, fairness.ratio)
        )
        rates = [(one.value, one.low, one.high) for one in fairness.rates(labels, scores, by=by, threshold=0.5)[:-1]]
        gaps, ratios = gaps + (gap.low > 0), ratios + (ratio.high < 1)
        pairwise += fairness._difference(max(rates), min(rates))[1] > 0

    assert gaps <= 11  # more than 11 of 100 at 5 %: one time in 200
    assert ratios <= 11
    assert pairwise > 60


def test_intervals_hold_the_true_gap_and_ratio():
    random = np.random.default_rng(3)
    by = np.repeat(["A", "B", "C"], 500)
    chance = np.repeat([0.1, 0.15, 0.3], 500)
    held = 0
    for _ in range(100):
        scores = (random.random(1_500) < chance).astype(float)
        gap, _ = fairness.gap(scores > 2, scores, by=by, threshold=0.5)
        ratio, _ = fairness.ratio(scores > 2, scores, by=by, threshold=0.5)
        held += gap.low <= 0.2 <= gap.high and ratio.low <= 1 / 3 <= ratio.high

    assert held >= 89


def test_days_that_are_bad_as_a_whole_make_no_gap():
    """Two groups, equal on each day, that fly on other days: rows taken for independent would see two that differ."""
    random = np.random.default_rng(4)
    found, unaware = 0, 0
    for _ in range(100):
        day = random.integers(0, 60, 3_000)
        by = (random.random(3_000) < np.linspace(0, 1, 60)[random.permutation(60)][day]).astype(int)
        scores = (random.random(3_000) < random.beta(1, 4, 60)[day]).astype(float)
        asked = {"by": by, "threshold": 0.5, "level": 0.95}
        found += fairness.gap(scores > 2, scores, clusters=day, **asked)[0].low > 0
        unaware += fairness.gap(scores > 2, scores, **asked)[0].low > 0

    assert found <= 11  # more than 11 of 100 at 5 %: one time in 200
    assert unaware > 20  # four times what is stated


def test_clusters_of_one_row_each_change_hardly_anything(people):
    group, labels, scores = people
    plain = fairness.rates(labels, scores, by=group, threshold=0.5)[:-1]
    asked = fairness.rates(labels, scores, by=group, threshold=0.5, clusters=range(ROWS))[:-1]

    for one, other in zip(asked, plain, strict=True):
        assert one.value == other.value
        assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.003)


def test_a_group_all_of_one_day_is_worth_one_row():
    """It happened once: whatever the rate was, another day may have another."""
    scores = np.ones(400)
    alone, spread, _ = fairness.rates(
        scores > 2, scores, by=["A", "B"] * 200, clusters=[0, 1, 0, 2] * 100, threshold=0.5
    )

    assert (alone.value, spread.value) == (1, 1)
    assert alone.low < spread.low < 0.4


def test_groups_without_a_hit():
    """No row of B is predicted true: the ratio is 0, and its interval shows how far above 0 it may be."""
    by = ["A"] * 500 + ["B"] * 500
    none, some = np.zeros(1_000), np.array([1.0] * 100 + [0.0] * 900)

    worst, _ = fairness.ratio(none > 2, some, by=by, threshold=0.5, at_least=0.8)
    empty, last = fairness.ratio(none > 2, none, by=by, threshold=0.5, at_least=0.8)
    equal, _ = fairness.gap(none > 2, none, by=by, threshold=0.5, at_most=0.0)

    assert (worst.value, worst.low) == (0.0, 0.0)
    assert 0 < worst.high < 0.2
    assert (empty.unjudged, last.breaks) == ("no group has a single hit", True)
    assert (equal.value, equal.low, equal.holds) == (0.0, 0.0, True)


def test_an_unknown_rate_is_refused(people):
    group, labels, scores = people

    with pytest.raises(UsageError, match="There is no rate called recall"):
        fairness.rates(labels, scores, by=group, threshold=0.5, rate="recall")


def test_a_level_that_is_none_is_refused(people):
    group, labels, scores = people
    with pytest.raises(UsageError, match="level"):
        fairness.rates(labels, scores, by=group, threshold=0.5, level=1.0)


def test_a_missing_score_is_no_no(people):
    """NaN >= 0.5 is false: a model that fails on a group would look as if it selected no row there."""
    group, labels, scores = people

    with pytest.raises(UsageError, match="no finite number"):
        fairness.gap(labels, np.where(group == "C", np.nan, scores), by=group, threshold=0.5)


# --- means of numbers and losses --------------------------------------------------------------------------------------


def test_the_gap_of_two_means_is_newcombes_from_students_intervals():
    """Two groups make one pair: nothing is widened."""
    rng = np.random.default_rng(0)
    values, group = np.r_[rng.normal(10, 2, 150), rng.normal(12, 3, 250)], np.r_[["UA"] * 150, ["MQ"] * 250]
    halves = [
        t.ppf(0.975, len(part) - 1) * part.std(ddof=1) / len(part) ** 0.5 for part in (values[:150], values[150:])
    ]
    gap = values[150:].mean() - values[:150].mean()

    found, rest = fairness.mean_gap(values, by={"carrier": group}, name="mae", at_most=1.0)

    assert found.name == "mae, gap between groups"
    assert found.value == pytest.approx(gap)
    assert (found.low, found.high) == pytest.approx((gap - np.hypot(*halves), gap + np.hypot(*halves)), rel=1e-4)
    assert not found.holds
    assert found.decision.endswith("on carrier=MQ")
    assert rest.value == 0


def test_groups_that_are_alike_seldom_differ_surely_however_many():
    """The largest of twelve means less the smallest is never near 0, and the interval knows why."""
    rng = np.random.default_rng(1)
    group = {"carrier": np.tile([f"c{number}" for number in range(12)], 100)}
    found = [fairness.mean_gap(rng.gamma(2, size=1_200), by=group, name="mae")[0] for _ in range(200)]

    assert sum(one.low > 0 for one in found) <= 20  # one in twenty, and luck
    assert min(one.value for one in found) > 0.1


def test_a_gap_of_means_from_days_that_are_alike_is_less_sure():
    """Forty days, each with the same error for all its rows."""
    rng = np.random.default_rng(2)
    days = np.repeat(np.arange(40), 30)
    errors, group = rng.normal(10, 2, 40)[days], {"carrier": np.where(days % 2, "UA", "MQ")}

    alone = fairness.mean_gap(errors, by=group, name="mae")[0]
    together = fairness.mean_gap(errors, by=group, name="mae", clusters=days)[0]

    assert together.value == alone.value
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_means_of_groups_too_small_are_not_compared():
    """One group left is no comparison, and none of its rows was judged."""
    found, rest = fairness.mean_gap(np.arange(110.0), by={"carrier": ["UA"] * 100 + ["MQ"] * 10}, name="mae", at_most=1)

    assert found.unjudged == "1 of 2 groups with 100 rows, two are needed"
    assert not rest.holds
    with pytest.raises(UsageError, match="1 of 3 values is no finite number"):
        fairness.mean_gap([1.0, np.nan, 2.0], by={"carrier": ["UA", "UA", "MQ"]}, name="mae")


def test_rates_of_one_class_are_asked_as_true_and_false():
    """For a multi-class model: the flights that are predicted as cancelled."""
    outcomes = np.array(["cancelled", "late", "on time", "on time"] * 100)
    said = np.where(np.arange(400) < 200, outcomes, "on time")
    by = {"carrier": ["UA"] * 200 + ["MQ"] * 200}

    found, _ = fairness.gap(
        outcomes == "cancelled", said == "cancelled", by=by, threshold=0.5, rate="true positive", fewest=50
    )

    assert found.value == 1.0
