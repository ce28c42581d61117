"""Two-sample tests of one column: Kolmogorov-Smirnov, pooled chi-square, null share, new levels, cardinality.

Input: the numbers or the rows per level of both sides. Output: `Measurement`. Pure. All of them treat both sides as
samples: if the reference counts as the exact distribution, most windows without drift raise an alarm.
"""

import math

import numpy as np
import numpy.typing as npt

from proveout.monitoring.drift_tests.column_kind import Levels
from proveout.monitoring.drift_tests.measurement import ALIKE, Measurement

FEWEST_EXPECTED = 5.0
"""Least expected count of a cell in the contingency table for chi-square to be valid (Cochran 1954)."""

EXACT_ROWS = 4_000
"""Up to this many rows of both sides the Kolmogorov-Smirnov p-value is exact, ties included."""

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]


def cumulated(before: Shares, after: Shares) -> tuple[Counts, Counts]:
    """Rows of both sides up to and including each unique value, the values in order."""
    first, rows_first = np.unique(before, return_counts=True)
    second, rows_second = np.unique(after, return_counts=True)
    # Two sorted runs: a stable sort merges them in linear time.
    at = np.sort(np.concatenate([first, second]), kind="stable")
    at = at[np.concatenate([[True], at[1:] != at[:-1]])] if len(at) else at
    counted = []
    for values, rows in ((first, rows_first), (second, rows_second)):
        below = np.concatenate([[0], np.cumsum(rows)])
        counted.append(below[np.searchsorted(values, at, side="right")])
    return counted[0], counted[1]


def ks(below_before: Counts, below_after: Counts) -> Measurement:
    """Kolmogorov-Smirnov, from the rows up to each unique value (see `cumulated`).

    The p-value is exact given the ties, up to 4,000 rows; beyond that it is the asymptotic one, which ties make larger,
    never smaller. The effect is the statistic: the largest difference of the cumulative shares, 0 to 1.
    Source: G. Schröer and D. Trenkler, Exact and randomization distributions of Kolmogorov-Smirnov tests for two or
    three samples, Computational Statistics & Data Analysis 20 (1995).
    """
    from scipy.special import kolmogorov

    n, m = (int(side[-1]) if len(side) else 0 for side in (below_before, below_after))
    if not n or not m:
        return ALIKE
    statistic = float(np.abs(below_before / n - below_after / m).max())
    if statistic == 0:
        return ALIKE
    exact = n + m <= EXACT_ROWS
    p_value = (
        _exact(n, m, below_before + below_after, statistic)
        if exact
        else float(kolmogorov(statistic * math.sqrt(n * m / (n + m))))
    )
    return Measurement(statistic=statistic, p_value=min(1.0, p_value), effect=statistic)


def _exact(n: int, m: int, ends: Counts, statistic: float) -> float:
    """The share of all orders of the rows whose largest difference is at least `statistic`.

    Rows are drawn one by one without replacement. `alive` is the probability of each number of reference rows among
    those drawn, with no large difference so far; a difference counts only where a group of ties ends.
    """
    rows = n + m
    # The difference is less than `statistic` if the number of reference rows is so far from its mean at most.
    width, lost, low, alive = (statistic - 1e-9) * n * m / rows, 0.0, 0, np.ones(1)
    checked = np.zeros(rows + 1, dtype=bool)
    checked[ends] = True
    rest = np.concatenate([np.arange(n, 0, -1.0), np.zeros(m + 2)])
    for drawn, asked in enumerate(checked[1:].tolist(), start=1):
        up = alive * rest[low : low + len(alive)] / (rows - drawn + 1)
        grown = np.zeros(len(alive) + 1)
        grown[:-1] = alive - up
        grown[1:] += up
        alive = grown
        if low < drawn - m:  # impossible, and zero but for rounding
            alive, low = alive[1:], low + 1
        if asked:
            mean = drawn * n / rows
            first = max(0, math.floor(mean - width) + 1 - low)
            end = min(len(alive), math.ceil(mean + width) - low)
            if first > 0 or end < len(alive):
                lost += float(alive[:first].sum() + alive[max(end, first) :].sum())
                alive, low = alive[first:end], low + first
                if not len(alive):
                    return lost
    return lost


def table(levels: Levels) -> Counts:
    """Rows per side and level, shape (2, levels), with rare levels pooled.

    Rare levels are chosen by the sum of both sides, so that the choice does not depend on a row's side, which would
    make the p-value wrong.
    """
    sides, both = np.vstack([levels.reference, levels.window]), levels.both
    totals = sides.sum(axis=1)
    if not totals.all():
        return sides[:, :0]
    smaller = totals.min() / totals.sum()
    rare = both * smaller < FEWEST_EXPECTED
    kept, pool = sides[:, ~rare], sides[:, rare].sum(axis=1, keepdims=True)
    if not pool.any():
        return kept
    if kept.shape[1] > 1 and pool.sum() * smaller < FEWEST_EXPECTED:
        least = int(np.argmin(kept.sum(axis=0)))  # if the pool itself is rare, it joins the smallest level
        kept[:, [least]] += pool
        return kept
    return np.hstack([kept, pool])


def chi2(counted: Counts) -> Measurement:
    """Pearson's chi-square of a table of `table`; with two levels, the p-value is Fisher's exact one.

    The effect is Cramér's V, 0 to 1.
    """
    from scipy.stats import chi2 as distribution

    counted = counted[:, counted.any(axis=0)]
    if counted.shape[1] < 2:
        return ALIKE
    rows = counted.sum()
    expected = counted.sum(axis=1, keepdims=True) * counted.sum(axis=0, keepdims=True) / rows
    statistic = float(((counted - expected) ** 2 / expected).sum())
    exact = counted.shape[1] == 2
    p_value = _fisher(counted) if exact else float(distribution.sf(statistic, counted.shape[1] - 1))
    return Measurement(statistic=statistic, p_value=p_value, effect=float(np.sqrt(statistic / rows)))


def _fisher(counted: Counts) -> float:
    from scipy.stats import fisher_exact

    return min(1.0, float(fisher_exact(counted).pvalue))


def nulls(*, reference: tuple[int, int], window: tuple[int, int]) -> Measurement:
    """Fisher's exact test of the share of nulls, from (nulls, rows) of each side. The effect is the difference."""
    (before, rows_before), (after, rows_after) = reference, window
    counted = np.array([[before, rows_before - before], [after, rows_after - after]])
    effect = after / rows_after - before / rows_before
    if not counted.any(axis=0).all():
        return ALIKE
    return Measurement(statistic=abs(effect), p_value=_fisher(counted), effect=effect)


def new_levels(levels: Levels) -> Measurement:
    """Whether more rows than by chance have a level that the reference does not have. The effect is their share.

    A level that appears for the first time is no wonder where the reference already has many levels seen once. If rows
    fall on either side by chance, each level misses the reference with a known probability; the levels do so negatively
    associated, and Chernoff's bound holds for such sums. So the p-value is never too small.
    Source: K. Joag-Dev and F. Proschan, Negative association of random variables, Annals of Statistics 11 (1983).
    """
    rows_before, rows_after = int(levels.reference.sum()), int(levels.window.sum())
    if not rows_before or not rows_after:
        return ALIKE
    statistic = int(levels.window[levels.reference == 0].sum())
    sizes, times = np.unique(levels.both, return_counts=True)
    p_value = _chernoff(statistic, weights=sizes, times=times, log_chances=_missed(sizes, rows_before, rows_after))
    return Measurement(statistic=float(statistic), p_value=p_value, effect=statistic / rows_after)


def cardinality(levels: Levels) -> Measurement:
    """Whether the window has more or fewer levels than rows drawn by chance would have: two tails of Chernoff's bound.

    The effect is the ratio of the found number to the expected one, less 1.
    """
    rows_before, rows_after = int(levels.reference.sum()), int(levels.window.sum())
    if not rows_before or not rows_after:
        return ALIKE
    statistic = int((levels.window > 0).sum())
    sizes, times = np.unique(levels.both, return_counts=True)
    gone = _missed(sizes, rows_after, rows_before)
    expected = float((times * -np.expm1(gone)).sum())
    one = np.ones(len(sizes))
    with np.errstate(divide="ignore"):
        there = np.log(-np.expm1(gone))
    more = _chernoff(statistic, weights=one, times=times, log_chances=there)
    fewer = _chernoff(int(times.sum()) - statistic, weights=one, times=times, log_chances=gone)
    return Measurement(
        statistic=float(statistic), p_value=min(1.0, 2 * min(more, fewer)), effect=statistic / expected - 1
    )


def _missed(sizes: Counts, drawn: int, rest: int) -> Shares:
    """The logarithm of the probability that none of a level's rows is among `drawn` rows, for each size of a level."""
    from scipy.special import gammaln

    rows = drawn + rest
    found = np.full(len(sizes), -np.inf)
    kept = sizes[sizes <= rest]
    found[sizes <= rest] = gammaln(rows - kept + 1) - gammaln(rest - kept + 1) - gammaln(rows + 1) + gammaln(rest + 1)
    return np.asarray(np.minimum(found, -1e-15), dtype=np.float64)


_EXPONENTS = np.concatenate([[0.0], np.logspace(-7, 2, 150)])


def _chernoff(found: int, *, weights: npt.NDArray[np.generic], times: Counts, log_chances: Shares) -> float:
    """An upper bound of the probability that a sum of independent or negatively associated events reaches `found`.

    Args:
        weights: what an event of each sort adds, and `times` how many events are of that sort.
        log_chances: the logarithm of the probability of each sort.
    """
    sizes = np.asarray(weights, dtype=np.float64)
    with np.errstate(divide="ignore"):
        stays = np.log(-np.expm1(log_chances))
    # Any exponent gives a bound; the best of a grid is a little above the best of all.
    both = np.logaddexp(stays[None, :], log_chances[None, :] + _EXPONENTS[:, None] * sizes[None, :])
    bound = both @ times.astype(np.float64) - _EXPONENTS * found
    return float(np.exp(min(0.0, float(bound.min()))))
