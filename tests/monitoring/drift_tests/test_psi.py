"""`monitoring/drift_tests/psi.py`: the threshold follows the number of rows."""

import numpy as np
import pytest

from proveout.monitoring.drift_tests import psi, two_sample


def measured(before: np.ndarray, after: np.ndarray) -> psi.Stability:
    return psi.stability(psi.bins(*two_sample.cumulated(before, after)), level=0.05)


@pytest.mark.parametrize("rows", [100, 1_000, 10_000])
def test_chance_exceeds_its_level_as_often_as_stated(rows):
    """A fixed 0.1 is exceeded by half of all windows of 100 rows, and by no drift that matters at 10,000."""
    rng, trials = np.random.default_rng(rows), 400

    beyond = sum(
        (found := measured(rng.normal(size=rows), rng.normal(size=2 * rows))).index > found.chance
        for _ in range(trials)
    )

    assert 0.02 * trials < beyond < 0.085 * trials
    assert (measured(rng.normal(size=rows), rng.normal(size=rows)).chance > 0.1) == (rows == 100)


def test_a_bin_is_whole_and_an_empty_side_is_finite():
    """A value in two bins would be half a drift; an empty bin is no infinity."""
    tied = psi.bins(*two_sample.cumulated(np.repeat([0.0, 1.0], 50), np.repeat([0.0, 1.0], [90, 10])))

    assert tied.tolist() == [[50, 50], [90, 10]]
    assert psi.stability(np.array([[100, 0], [0, 100]]), level=0.05).index > 5
    assert psi.stability(np.array([[100], [80]]), level=0.05).index == 0.0
