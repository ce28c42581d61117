"""Measures of predicted numbers: against scikit-learn and slow code, and the reason if there is no value."""

import math

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import (
    mean_absolute_error,
    mean_pinball_loss,
    r2_score,
    root_mean_squared_error,
)

from proveout.errors import UsageError
from proveout.evaluation import compare, metrics, regression, slices
from proveout.evaluation.stats import jackknife


def answered(rows=400, *, seed=0, error=2.0):
    """Outcomes and predictions with skewed errors."""
    rng = np.random.default_rng(seed)
    outcomes = rng.normal(20, 5, size=rows)
    return outcomes, outcomes + error * (rng.gamma(2, size=rows) - 2)


MEASURES = {
    "mae": regression.mae,
    "rmse": regression.rmse,
    "r2": regression.r2,
    "bias": regression.bias,
    "p90": regression.error_quantile,
    "pinball": lambda y, p, **more: regression.pinball(y, p, quantile=0.8, **more),
    "skill": lambda y, p, **more: regression.skill(y, p, naive=20.0, **more),
    "coverage": lambda y, p, **more: regression.coverage(y, np.column_stack([p - 3, p + 3]), **more),
}


# --- measured ---------------------------------------------------------------------------------------------------------


def test_the_values_are_those_of_scikit_learn():
    """A computation by hand gives the same values."""
    y, p = answered()

    assert regression.mae(y, p).value == pytest.approx(mean_absolute_error(y, p))
    assert regression.rmse(y, p).value == pytest.approx(root_mean_squared_error(y, p))
    assert regression.r2(y, p).value == pytest.approx(r2_score(y, p))
    assert regression.pinball(y, p, quantile=0.9).value == pytest.approx(mean_pinball_loss(y, p, alpha=0.9))
    assert regression.bias(y, p).value == pytest.approx(p.mean() - y.mean())
    assert regression.error_quantile(y, p, share=0.9).value == pytest.approx(np.quantile(np.abs(y - p), 0.9))


def test_the_error_of_r2_is_that_of_leaving_out_each_row():
    """The fast sums beside scikit-learn on all rows but one, and on all clusters but one."""
    y, p = answered(60)
    for groups in (None, np.arange(60) // 6):
        units = 60 if groups is None else 10
        left = [1 - r2_score(y[kept], p[kept]) for kept in _kept(60, groups)]
        error = math.sqrt((units - 1) / units * np.square(np.array(left) - np.mean(left)).sum())
        low, high = jackknife.log_ends(1 - r2_score(y, p), error, units=units, level=0.9)

        found = regression.r2(y, p, level=0.9, clusters=groups)

        assert (found.low, found.high) == (pytest.approx(1 - high), pytest.approx(1 - low))


def test_r2_keeps_its_digits_far_from_zero():
    """Seconds since 1970: squares of the outcomes themselves would leave nothing of their variance."""
    y, p = answered()
    near, far = regression.r2(y, p), regression.r2(y + 1.7e9, p + 1.7e9)

    assert (far.value, far.low, far.high) == pytest.approx((near.value, near.low, near.high), abs=1e-6)


def test_skill_against_the_mean_is_r2_but_for_what_the_mean_moves():
    """Two ways to one number."""
    y, p = answered(2_000)
    found = regression.skill(y, p, naive=float(y.mean()), loss="squared")

    assert found.value == pytest.approx(regression.r2(y, p).value)
    assert (found.low, found.high) == pytest.approx((regression.r2(y, p).low, regression.r2(y, p).high), abs=1e-3)
    assert regression.skill(y, p, naive=p, loss="squared").value == 0


def test_the_quantile_of_the_error_has_the_ranks_of_the_binomial_distribution():
    """For 100 rows the 84th and the 96th error: Conover, Practical Nonparametric Statistics (1999), 3.2."""
    found = regression.error_quantile(np.zeros(100), np.arange(1.0, 101.0))

    assert (found.low, found.high) == (84.0, 96.0)
    assert regression.error_quantile(np.zeros(30), np.arange(30.0)).unjudged == (
        "30 rows do not reach the ends of a 95% interval"
    )


def test_coverage_counts_the_ends_and_intervals_without_an_end():
    """An interval up to infinity promises little, but it is not a mistake."""
    ranges = [(0, 1), (1, 2), (-math.inf, 2), (3, math.inf), (5, 6)]

    assert regression.coverage([1, 1, 1, 1, 1], ranges).value == 3 / 5
    assert regression.width([(0, 1), (1, 4)]).value == 2
    with pytest.raises(UsageError, match="values are no finite number"):
        regression.width(ranges)


def test_an_interval_score_is_least_for_the_true_quantiles():
    """It is proper: neither a narrower nor a wider interval pays."""
    outcomes = np.random.default_rng(0).normal(size=20_000)

    def score(half):
        ranges = np.tile([-half, half], (len(outcomes), 1))
        return regression.interval_scores(outcomes, ranges, promised=0.9).mean()

    assert score(norm.ppf(0.95)) < min(score(1.4), score(1.9))


@pytest.mark.parametrize("name", MEASURES)
def test_rows_that_are_wrong_together_tell_less(name):
    """Each day's rows are the same row thirty times: there are forty of them, not 1,200."""
    y, p = (np.repeat(values, 30) for values in answered(40))
    days = np.repeat(np.arange(40), 30)

    alone, together = MEASURES[name](y, p), MEASURES[name](y, p, clusters=days)

    assert alone.value == together.value
    assert together.high - together.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize("name", sorted(set(MEASURES) - {"coverage", "p90"}))
def test_every_measure_judges_slices(name):
    """Slice by slice, with the days of each as clusters."""
    y, p = answered(1_200)
    found = slices.judge(
        MEASURES[name], y, p, by={"airport": np.tile(["EWR", "JFK"], 600)}, clusters=np.arange(1_200) // 20
    )

    assert [one.slice for one in found[:2]] == ["airport=EWR", "airport=JFK"]
    assert all(one.low < one.value < one.high for one in found[:2])


def test_a_slice_of_counts_that_are_all_none_is_judged():
    """Zero is a number like others: it is not the rarer of two classes."""
    outcomes = np.r_[np.zeros(300), np.arange(300)]
    found = slices.judge(regression.mae, outcomes, outcomes + 1, by={"kind": ["none"] * 300 + ["some"] * 300})

    assert [one.unjudged for one in found] == ["", "", ""]


def test_a_bias_is_found_in_the_slice_that_has_it():
    """Two minutes too many in one airport are none on average."""
    y, p = answered(4_000, error=1.0)
    airport = np.tile(["EWR", "JFK"], 2_000)
    moved = p + np.where(airport == "EWR", 2.0, -2.0)

    assert regression.bias(y, moved, within=0.5).holds
    found = slices.judge(regression.bias, y, moved, by={"airport": airport}, at_least=-0.5, at_most=0.5)
    assert [one.holds for one in found] == [False, False, True]


def test_losses_of_two_models_are_compared_row_by_row():
    """The candidate is as good but for noise, the champion's paired."""
    y, p = answered(2_000)
    other = p + np.random.default_rng(1).normal(scale=0.05, size=len(p))
    new, old = regression.absolute_errors(y, other), regression.absolute_errors(y, p)

    found = compare.rows(new, old, margin=0.05, name="mae")

    assert found.decision.startswith("not worse")
    assert found.champion == pytest.approx(mean_absolute_error(y, p))
    worse = compare.rows(regression.absolute_errors(y, p + 3), old, margin=0.05, name="mae")
    assert worse.decision.startswith("worse")


# --- no answer --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (regression.r2([2, 2, 2], [1, 2, 3]), "all 3 outcomes are 2: there is no variance to explain; ask for the MAE"),
        (regression.r2([1, 2], [1, 2]), "2 rows, three are needed"),
        (regression.r2([1, 2, 3], [1, 2, 3], clusters=[0, 0, 0]), "one cluster, an interval needs two"),
        (regression.skill([2, 2, 2], [1, 2, 3], naive=2.0), "the naive model has no loss"),
        (regression.skill([2, 2, 3], [1, 2, 3], naive=2.0), "the naive model has no loss"),
        (regression.rmse([1], [1]), "one row, an interval needs two"),
        (regression.mae([], []), "no rows"),
        (regression.error_quantile([], []), "no rows"),
        (regression.error_quantile([1] * 50, [2] * 50, clusters=[1] * 50), "one cluster"),
        (regression.coverage([], np.zeros((0, 2))), "no rows"),
    ],
)
def test_what_has_no_answer_says_why(found, said):
    """Not judged, and never a number that passes."""
    assert found.unjudged.startswith(said)
    assert not found.holds


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            lambda: regression.mae([1, None], [1, 2]),
            "1 of 2 outcomes is missing: only rows with an outcome can be judged",
        ),
        (lambda: regression.mae([1, 2], [1, math.nan]), "1 of 2 predictions is no finite number, the first in row 1"),
        (lambda: regression.mae([1, math.inf], [1, 2]), "1 of 2 outcomes is no finite number"),
        (lambda: regression.mae([1, 2], [1]), "There are 2 rows and 1 predictions"),
        (lambda: regression.mae(["long", "short"], [1, 2]), "The outcomes are no numbers"),
        (lambda: regression.mae([1, 2], [[1], [2]]), r"The predictions have the shape \(2, 1\)"),
        (lambda: regression.pinball([1], [1], quantile=90), "quantile is 90, asked: between 0 and 1"),
        (
            lambda: regression.skill([1], [1], naive=0.0, loss="huber"),
            "no loss called huber. It has: absolute, squared",
        ),
        (lambda: regression.coverage([1], [(2, 1)]), "end below their start; the first is row 0"),
        (lambda: regression.coverage([1], [(math.nan, 1)]), "1 of 1 prediction intervals have an end that is NaN"),
        (lambda: regression.coverage([1], [1]), r"have the shape \(1,\), expected: \(rows, 2\)"),
        (lambda: metrics.skill([-1.0, 1.0], [1.0, 1.0]), "A loss is -1, expected: 0 or more"),
    ],
)
def test_what_can_not_be_asked_says_what_to_do(ask, said):
    """NaN predictions, missing outcomes, other shapes."""
    with pytest.raises(UsageError, match=said):
        ask()


def _kept(rows, groups):
    units = np.arange(rows) if groups is None else groups
    return [np.flatnonzero(units != one) for one in np.unique(units)]
