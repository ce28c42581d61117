"""Compares a batch of data with earlier batches: does it differ more than batches usually do?

Input: batches of guarded rows. Output: `Distributions`, a distance for each column. Only `of` reads data.

A significance test is useless here: batches are large and differ, so every test would be significant. So the distance
of a batch is compared with the distances of earlier batches from each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from proveout.errors import NotFound
from proveout.monitoring.drift_tests.column_kind import MISSING, Column, kind_of
from proveout.project import open_ledger, open_store
from proveout.records.snapshot import Snapshot
from proveout.settings import Settings


@dataclass(frozen=True, kw_only=True)
class ColumnShift:
    """One column of a batch compared with earlier batches."""

    column: str
    kind: str  # numeric, text or empty
    distance: float  # 0 alike, 1 nothing in common
    usual: float | None  # largest distance of an earlier batch from the others; None if there is only one
    missing_before: float
    missing: float

    @property
    def beyond(self) -> bool:
        """Whether the distance is larger than for any earlier batch."""
        return self.usual is not None and self.distance > self.usual


@dataclass(frozen=True, kw_only=True)
class Distributions:
    """A batch compared with earlier batches."""

    batch: str
    rows: int
    earlier: tuple[str, ...]
    earlier_rows: int
    columns: tuple[ColumnShift, ...]  # those furthest beyond the usual first
    left_out: tuple[str, ...]  # columns of the event key

    @property
    def beyond(self) -> tuple[str, ...]:
        """The columns with a larger distance than in any earlier batch."""
        return tuple(shift.column for shift in self.columns if shift.beyond)


def of(settings: Settings, batch: str | None) -> tuple[Distributions, Mapping[str, pd.DataFrame]]:
    """The report of the newest batch of the newest snapshot, or of `batch`, and the rows of all compared batches.

    Raises: NotFound if there is no such batch, or no earlier one.
    """
    from proveout.data import features, snapshots
    from proveout.data.splits import BATCH
    from proveout.ledger.ledger import read

    with open_ledger(settings) as ledger:
        newest = ledger.entries(kind="snapshot", limit=1, newest_first=True)
    if not newest:
        raise NotFound("snapshot", "yet", "Make one: python flows/ingest.py run")
    names = [known.name for known in read(Snapshot, newest[0]).batches]
    asked = names[-1] if batch is None else batch
    if asked not in names:
        raise NotFound("batch", asked, f"The newest snapshot has {', '.join(names)}")
    until = names[: names.index(asked) + 1]
    if len(until) < 2:
        raise NotFound("batch", f"before {asked}", "There is nothing to compare it with yet")
    rows = snapshots.read(open_store(settings), newest[0].subject, batches=until)
    batches = {name: rows[rows[BATCH] == name] for name in until}
    return compare(batches, asked, features.request_columns(settings), left_out=settings.event_key), batches


def compare(
    batches: Mapping[str, pd.DataFrame], batch: str, columns: Sequence[str], *, left_out: Sequence[str] = ()
) -> Distributions:
    """Compare `batch` with all others together, column by column.

    Args:
        batches: rows by batch name, including `batch`, shape (rows, columns) each.
        left_out: columns of the event key, which change by nature: not compared if they are numeric.
    """
    now, before = batches[batch], {name: rows for name, rows in batches.items() if name != batch}
    together = pd.concat(before.values(), ignore_index=True)
    named = tuple(name for name in columns if name in left_out and kind_of(together[name]) == "numeric")
    shifts = [_shift(name, now[name], before) for name in columns if name not in named]
    return Distributions(
        batch=batch,
        rows=len(now),
        earlier=tuple(before),
        earlier_rows=len(together),
        columns=tuple(sorted(shifts, key=lambda shift: (shift.usual or 0.0) - shift.distance)),
        left_out=named,
    )


def _shift(name: str, now: Column, before: Mapping[str, pd.DataFrame]) -> ColumnShift:
    columns = [rows[name] for rows in before.values()]
    together = pd.concat(columns, ignore_index=True)
    apart = [
        distance(column, pd.concat([*columns[:place], *columns[place + 1 :]], ignore_index=True))
        for place, column in enumerate(columns)
        if len(columns) > 1
    ]
    return ColumnShift(
        column=name,
        kind=kind_of(together),
        distance=distance(now, together),
        usual=max(apart, default=None),
        missing_before=float(together.isna().mean()),
        missing=float(now.isna().mean()),
    )


def distance(one: Column, other: Column) -> float:
    """The distance of two samples of a column, from 0 (equal) to 1 (nothing in common); null counts as a value.

    For numbers, the largest difference of the cumulative shares, with nulls last; for texts, the total variation of the
    shares of their levels.

    >>> round(distance(pd.Series([1.0, 2.0, None]), pd.Series([1.0, 2.0, 3.0])), 3)
    0.333
    >>> distance(pd.Series(["a", "b"]), pd.Series(["c", "c"]))
    1.0
    """
    if "text" in {kind_of(one), kind_of(other)}:
        return float(_shares(one).sub(_shares(other), fill_value=0.0).abs().sum() / 2)
    first, second = (np.sort(column.dropna().to_numpy(dtype=np.float64)) for column in (one, other))
    at = np.concatenate([first, second])
    below = [
        np.searchsorted(first, at, side="right") / len(one),
        np.searchsorted(second, at, side="right") / len(other),
    ]
    return float(np.abs(below[0] - below[1]).max()) if len(at) else 0.0


def _shares(column: Column) -> "pd.Series[float]":
    return column.astype(object).where(column.notna(), MISSING).value_counts(normalize=True)


def headline(found: Distributions) -> str:
    """The result in one sentence."""
    if all(shift.usual is None for shift in found.columns):
        return f"{found.batch} is the second batch: what is usual shows from the third on."
    before = f"the {len(found.earlier)} batches before it"
    if not found.beyond:
        return f"{found.batch} is like {before}: no column is further away than usual."
    return f"{found.batch} is further from {before} than usual in {len(found.beyond)} of {len(found.columns)} columns."


def chance(found: Distributions) -> str:
    """What would happen by pure chance, in a sentence."""
    times = len(found.earlier) + 1
    return f"were the order of the batches chance, each column would be beyond the usual in 1 of {times} batches"
