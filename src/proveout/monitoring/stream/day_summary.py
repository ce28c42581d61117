"""A day of rows as counts: a few kilobytes, however many rows it had, and merged by adding.

Input: rows. Output: counts per bin or level of each column. Pure. The bins come from the reference rows and never
change, so that days can be compared without their rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from proveout.monitoring.drift_tests.column_kind import Column, kind_of

BINS = 50
LEVELS = 200

_BEYOND = np.array([*np.arange(0.05, 1.01, 0.05), 1.5, 2, 3, 5, 10, 100])

Counts = npt.NDArray[np.int64]
Summary = tuple[Counts, ...]
"""Rows per bin of each column of a grid, nulls last."""


@dataclass(frozen=True, kw_only=True)
class Bins:
    """The bins of a column: the upper ends of ranges of numbers, or levels."""

    column: str
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    numeric: bool = True

    @property
    def width(self) -> int:
        """The length of its counts: the bins, one for what is beyond or unknown, and nulls."""
        return (len(self.edges) if self.numeric else len(self.levels)) + 2


def grid(reference: Mapping[str, Column], columns: Sequence[str]) -> tuple[Bins, ...]:
    """The bins of `columns`: of about equally many reference rows each; or the most frequent 200 levels.

    Numbers have bins beyond the range of the reference, too: in summer, all days are warmer than a winter's training
    rows, and are compared with each other.
    """
    return tuple(_bins(name, reference[name]) for name in columns)


def _bins(name: str, values: Column) -> Bins:
    if kind_of(values) == "numeric":
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        known = numbers[np.isfinite(numbers)]
        ends = np.quantile(known, np.linspace(0, 1, BINS + 1), method="inverted_cdf")
        far = float(np.ptp(np.quantile(known, [0.05, 0.95]))) * _BEYOND
        ends = np.unique(np.concatenate([ends, ends[0] - far, ends[-1] + far]))
        return Bins(column=name, edges=tuple(ends.tolist()))
    counted = values.dropna().astype(str).value_counts()
    return Bins(column=name, levels=tuple(sorted(counted.index[:LEVELS].tolist())), numeric=False)


def summarise(bins: Sequence[Bins], rows: pd.DataFrame) -> Summary:
    """The counts of `rows`. A column that the rows do not have is counted nowhere."""
    return tuple(_count(one, rows[one.column]) if one.column in rows else _none(one) for one in bins)


def _none(one: Bins) -> Counts:
    return np.zeros(one.width, dtype=np.int64)


def _count(one: Bins, values: Column) -> Counts:
    if one.numeric:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        places = np.searchsorted(one.edges, numbers, side="left")
        places[np.isnan(numbers)] = one.width - 1
    else:
        # An unknown level is -1 for pandas as a null is, and gets the place before the nulls.
        places = np.array(pd.Categorical(values.astype(object).map(str), categories=one.levels).codes, dtype=np.int64)
        places[places < 0] = one.width - 2
        places[values.isna().to_numpy()] = one.width - 1
    return np.bincount(places, minlength=one.width)


def merged(days: Iterable[Summary]) -> Summary:
    """The counts of several days together."""
    return tuple(np.sum(columns, axis=0) for columns in zip(*days, strict=True))


def distances(bins: Sequence[Bins], one: Summary, other: Summary) -> npt.NDArray[np.float64]:
    """How far apart two summaries are, column by column, from 0 to 1; NaN where a side has no rows.

    Of numbers the largest difference of the cumulated shares; of levels half the sum of the differences of the shares.
    A null is a value.
    """
    return np.array([_distance(kind, first, second) for kind, first, second in zip(bins, one, other, strict=True)])


def _distance(kind: Bins, one: Counts, other: Counts) -> float:
    if not one.sum() or not other.sum():
        return float("nan")
    apart = one / one.sum() - other / other.sum()
    return float(np.abs(np.cumsum(apart)).max() if kind.numeric else np.abs(apart).sum() / 2)


def gaps(bins: Sequence[Bins], one: Summary, other: Summary) -> npt.NDArray[np.float64]:
    """The differences of the shares of nulls and of unknown levels or numbers beyond all bins, the larger of both by
    column; NaN where a side has no rows. A distance of values drowns them on days of wild weather."""
    return np.array(
        [
            float("nan")
            if not first.sum() or not second.sum()
            else float(np.abs(first[-2:] / first.sum() - second[-2:] / second.sum()).max())
            for first, second in zip(one, other, strict=True)
        ]
    )
