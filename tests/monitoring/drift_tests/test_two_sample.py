"""`monitoring/drift_tests/two_sample.py`: exact p-values, and bounds that are never too small."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from proveout.monitoring.drift_tests import two_sample
from proveout.monitoring.drift_tests.column_kind import levels


def ks(before, after):
    return two_sample.ks(*two_sample.cumulated(np.asarray(before, dtype=float), np.asarray(after, dtype=float)))


@pytest.mark.parametrize(("rows", "others"), [(30, 50), (21, 20), (300, 200), (57, 1301), (1500, 400)])
def test_without_ties_the_p_value_is_the_exact_one(rows, others):
    """Held against scipy's, which counts paths in another way."""
    rng = np.random.default_rng(rows)
    before, after = rng.normal(size=rows), rng.normal(0.25, 1, size=others)

    found = ks(before, after)

    known = ks_2samp(before, after, method="exact")
    assert found.statistic == pytest.approx(known.statistic)
    assert found.p_value == pytest.approx(known.pvalue, rel=1e-9)


def test_with_ties_the_p_value_is_that_of_all_orders_of_the_rows():
    """Hours, stars, ages: scipy's p-value takes ties for none, and is more than twice too large here."""
    rng = np.random.default_rng(0)
    before, after = rng.integers(0, 6, 300), np.minimum(5, rng.integers(0, 7, 300))
    found, rows, larger = ks(before, after), np.concatenate([before, after]), 0
    for _ in range(2_000):
        order = rng.permutation(rows)
        below = two_sample.cumulated(order[:300].astype(float), order[300:].astype(float))
        larger += float(np.abs(below[0] - below[1]).max()) / 300 >= found.statistic - 1e-9

    assert found.p_value == pytest.approx(larger / 2_000, abs=0.015)
    assert ks_2samp(before, after).pvalue > 2 * found.p_value


def test_infinities_and_constants_are_values():
    """A sensor that answers infinity is compared like any other."""
    assert ks([1.0] * 30, [1.0] * 40).p_value == 1.0
    assert ks([np.inf] * 30, [1.0] * 40).p_value < 1e-15
    assert ks([], [1.0] * 40).p_value == 1.0


def test_the_bounds_for_levels_hold_by_chance_and_find_what_is_new():
    """Names seen once are new in every window; one name in forty rows is not."""
    rng, small = np.random.default_rng(1), {"new": 0, "number": 0}
    for _ in range(200):
        found = levels(*(pd.Series(rng.zipf(1.5, rows).astype(str)) for rows in (800, 300)))
        small["new"] += two_sample.new_levels(found).p_value <= 0.05
        small["number"] += two_sample.cardinality(found).p_value <= 0.05
    assert max(small.values()) <= 10 + 3 * np.sqrt(10)

    known = [f"N{row % 20}" for row in range(500)]
    fresh = levels(pd.Series(known), pd.Series([*known[:180], *["X"] * 20]))
    few = levels(pd.Series(known), pd.Series(known[:5] * 40))
    assert two_sample.new_levels(fresh).p_value < 1e-8
    assert two_sample.new_levels(fresh).effect == 0.1
    assert two_sample.cardinality(few).p_value < 1e-6
    assert two_sample.cardinality(few).effect == pytest.approx(-0.75, abs=0.01)


def test_nulls_are_tested_exactly_and_their_effect_has_a_sign():
    """The share of rows that went missing, or came back."""
    found = two_sample.nulls(reference=(0, 2000), window=(2, 50))

    assert found.p_value == pytest.approx(50 * 49 / (2050 * 2049), rel=1e-6)
    assert found.effect == 0.04
    assert two_sample.nulls(reference=(50, 50), window=(0, 50)).effect == -1.0
    assert two_sample.nulls(reference=(0, 50), window=(0, 50)).p_value == 1.0
