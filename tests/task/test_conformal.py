"""Intervals hold what they promise, and are not judged by the rows that made them."""

import math

import numpy as np
import pytest

from proveout.task import conformal


def test_the_half_width_is_the_order_statistic_of_split_conformal_prediction():
    """k = ceil((n + 1) * coverage): of 9 errors the 9th for 90 %, and none of 8."""
    assert conformal.half_width(range(1, 10), coverage=0.9) == 9
    assert conformal.half_width(range(1, 9), coverage=0.9) == math.inf
    assert conformal.half_width(range(1, 20), coverage=0.9) == 18


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_new_outcomes_are_covered_as_often_as_promised(coverage):
    """The promise itself, over 400 seeded draws of 99 held-out rows and one new one: exact but for chance."""
    rng = np.random.default_rng(8)
    errors = rng.standard_exponential((400, 100))
    held = [abs(row[-1]) <= conformal.half_width(row[:-1], coverage=coverage) for row in errors]

    assert np.mean(held) == pytest.approx(coverage, abs=4 * math.sqrt(coverage * (1 - coverage) / 400))


def test_coverage_is_measured_on_rows_that_did_not_set_the_width():
    """Rows with one wild error each in ten: their own width covers 100 % of them, an honest one does not."""
    errors = np.arange(30.0)
    own = np.abs(errors) <= conformal.half_width(errors, coverage=0.9)
    honest = conformal.covered(errors, coverage=0.9)

    assert own.mean() >= 0.9
    assert honest.sum() <= own.sum()
    assert not honest[-1]  # the largest error of all: no width that others set reaches it


def test_a_cluster_is_never_parted():
    """Rows of one day know each other: a day that is off by 100 as a whole must not cover itself."""
    errors = np.r_[np.ones(90), np.full(10, 100.0)]
    days = np.repeat(np.arange(10), 10)

    assert not conformal.covered(errors, coverage=0.9, clusters=days)[90:].any()
    assert conformal.covered(errors, coverage=0.9)[90:].any()


def test_no_rows_are_covered_by_no_interval():
    """An empty holdout is reported elsewhere; here it must not crash."""
    assert conformal.covered([]).tolist() == []
