"""The population stability index, with what chance alone gives on as many rows.

Input: rows per bin of both sides. Output: `Stability`. Pure. A fixed threshold such as 0.1 is wrong for all sizes but
one: two samples of 100 rows exceed it by chance, two of 100,000 hide a real change below it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 10
"""Bins of numbers, of about equally many rows of both sides together."""

FEWEST_PER_BIN = 5


@dataclass(frozen=True, kw_only=True)
class Stability:
    """A stability index, and the value that chance alone exceeds with a stated probability."""

    index: float
    chance: float
    p_value: float


def bins(below_before: npt.NDArray[np.int64], below_after: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Rows per side and bin, shape (2, bins), from the rows up to each unique value; a value is in one bin only."""
    if not len(below_before) or not below_before[-1] or not below_after[-1]:
        return np.zeros((2, 0), dtype=np.int64)
    together = below_before + below_after
    number = max(2, min(BINS, int(min(below_before[-1], below_after[-1])) // FEWEST_PER_BIN))
    ends = np.unique(np.searchsorted(together, np.arange(1, number + 1) * (together[-1] / number) - 1e-9))
    return np.vstack([np.diff(side[ends], prepend=0) for side in (below_before, below_after)])


def stability(counted: npt.NDArray[np.int64], *, level: float) -> Stability:
    """The stability index of a table of rows per side and bin.

    Half a row is added to each bin, so that an empty one stays finite. Without drift the index over (1/n + 1/m) is
    about chi-square with one degree of freedom less than bins.

    Args:
        level: the probability that chance alone exceeds `chance`, above 0 and below 1.
    """
    from scipy.stats import chi2

    number = counted.shape[1]
    if number < 2:
        return Stability(index=0.0, chance=0.0, p_value=1.0)
    rows = counted.sum(axis=1)
    shares = (counted + 0.5) / (rows[:, None] + 0.5 * number)
    index = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
    scale = float((1 / rows).sum())
    return Stability(
        index=index,
        chance=scale * float(chi2.isf(level, number - 1)),
        p_value=float(chi2.sf(index / scale, number - 1)),
    )
