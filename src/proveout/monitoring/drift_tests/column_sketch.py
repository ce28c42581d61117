"""Drift tests of profiles, for rows that were not kept: the same tests, with the error of the profiles stated.

Input: the sketches of a column on both sides. Output: `Measurement`s. Pure. A profile of numbers knows the share of
values below a point up to its rank error. Both errors are taken from the distance before it is tested: so a p-value is
too large rather than too small, and a shift smaller than the errors is not seen.
"""

import math

import numpy as np

from proveout.monitoring.drift_tests import two_sample
from proveout.monitoring.drift_tests.column_kind import Levels
from proveout.monitoring.drift_tests.measurement import ALIKE, Measurement
from proveout.records.snapshot import ColumnSketch


def error(reference: ColumnSketch, window: ColumnSketch) -> float:
    """How far the distance of two profiles may be from that of their rows, 0 to 1."""
    if reference.below:
        return reference.rank_error + window.rank_error
    known = [max(1, side.rows - side.nulls) for side in (reference, window)]
    return reference.levels_error / known[0] + window.levels_error / known[1]


def values(reference: ColumnSketch, window: ColumnSketch) -> Measurement:
    """Kolmogorov-Smirnov of numbers, asymptotic; chi-square of the levels that both profiles list, others pooled."""
    from scipy.special import kolmogorov

    known = [side.rows - side.nulls for side in (reference, window)]
    if not all(known):
        return ALIKE
    if not reference.below:
        return _levels(reference, window)
    statistic = float(np.abs(np.subtract(reference.below, window.below)).max())
    surely = max(0.0, statistic - error(reference, window))
    p_value = float(kolmogorov(surely * math.sqrt(known[0] * known[1] / sum(known))))
    return Measurement(statistic=statistic, p_value=p_value, effect=statistic)


def _levels(reference: ColumnSketch, window: ColumnSketch) -> Measurement:
    """Only levels in both lists are compared by themselves: one that a list lacks may be among its other rows."""
    sides = [dict(side.levels) for side in (reference, window)]
    names = (
        sorted(sides[0].keys() & sides[1].keys())
        if reference.others or window.others
        else sorted({**sides[0], **sides[1]})
    )
    counted = [[side.get(name, 0) for name in names] for side in sides]
    rest = [one.rows - one.nulls - sum(counts) for one, counts in zip((reference, window), counted, strict=True)]
    table = np.array([[*counts, max(0, over)] for counts, over in zip(counted, rest, strict=True)])
    pooled = two_sample.table(Levels(reference=table[0], window=table[1]))
    found = two_sample.chi2(pooled)
    # An error of counts changes the shares by as much, and the square root of the statistic in proportion.
    surely = max(0.0, found.effect - 2 * error(reference, window)) / found.effect if found.effect else 0.0
    if surely == 1.0:
        return found
    from scipy.stats import chi2

    p_value = float(chi2.sf(found.statistic * surely**2, max(1, pooled.shape[1] - 1)))
    return Measurement(statistic=found.statistic, p_value=p_value, effect=found.effect)


def nulls(reference: ColumnSketch, window: ColumnSketch) -> Measurement:
    """Fisher's exact test of the share of nulls: profiles count rows and nulls exactly."""
    return two_sample.nulls(reference=(reference.nulls, reference.rows), window=(window.nulls, window.rows))
