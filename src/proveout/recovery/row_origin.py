"""Which raw row each row of a model's inputs is, where the notebook has left rows out on the way.

Its index may say so; but `reset_index` and an array between two tables count the rows anew, and a filter behind them
leaves labels that look like raw rows. So an origin is tried: those raw rows have to give these inputs.

Input: a replay, raw rows, and what all of them gave. Output: `Origin`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from proveout.recovery.frozen_calls import ROW
from proveout.recovery.replay import Replay
from proveout.recovery.tables import as_frame, equal_rows, rows_of, some_rows
from proveout.recovery.tape import Source, Tape

_TRIED = 50  # rows that have to give the same inputs
_MOST_CANDIDATES = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Origin:
    """The raw row of each row; `sure` where raw rows of it were asked and gave the same inputs."""

    rows: NDArray[Any]
    sure: bool


def rows_labelled(labels: Sequence[Any], tape: Tape, primary: Source) -> list[int] | None:
    """The raw rows with these labels; None where they are no labels of raw rows.

    Labels are those of the index that rows were read with (`index_col="Id"` counts from 1), else places.
    """
    table = tape.frozen[primary.key]
    index, rows = getattr(table, "index", None), len(as_frame(table))
    if isinstance(index, pd.Index) and index.is_unique and len(index) == rows:
        own = index.get_indexer(pd.Index(labels))
        if len(own) and own.min() >= 0:
            return [int(place) for place in own]
    places = all(isinstance(label, int | np.integer) and not isinstance(label, bool) for label in labels)
    return [int(label) for label in labels] if labels and places and max(labels) < rows and min(labels) >= 0 else None


def origin_of(
    replay: Replay, primary: Source, raw: pd.DataFrame, made: Any, *, keep_filters: bool = True
) -> Origin | None:
    """Which row of `raw` each row of `made` is: the first origin that holds, else the first of all."""
    first: NDArray[Any] | None = None
    for place, rows in enumerate(_candidates(replay, primary, raw, made, keep_filters=keep_filters)):
        if place == _MOST_CANDIDATES:
            break
        if len(rows) == rows_of(made) and _holds(replay, primary, raw, made, rows):
            return Origin(rows=rows, sure=True)
        if first is None and len(rows) == rows_of(made):
            first = rows
    return None if first is None else Origin(rows=first, sure=False)


def _candidates(
    replay: Replay, primary: Source, raw: pd.DataFrame, made: Any, *, keep_filters: bool
) -> Iterator[NDArray[Any]]:
    """Its index, a column that is handed in once, the last table with as many rows; then these by tables before."""
    size = rows_of(made) or 0
    own, of_table, gaps = getattr(made, "index", None), replay.indexes.get(size), dict(replay.gaps)
    yield from _by_index(replay, primary, raw, own)
    try:
        replay.run(raw.assign(**{ROW: np.arange(len(raw))}), primary, keep_filters=keep_filters)
    except BaseException as error:  # also what is no Exception: the notebook's own exits
        if isinstance(error, KeyboardInterrupt):
            raise
    if replay.origin is not None:
        yield replay.origin
    yield from _by_index(replay, primary, raw, of_table)
    yield from _by_index(replay, primary, raw, gaps.get(size))
    for index in (own, of_table, gaps.get(size), pd.RangeIndex(size)):
        for before in _before(index, gaps, depth=2):
            yield from _by_index(replay, primary, raw, before)


def _by_index(replay: Replay, primary: Source, raw: pd.DataFrame, index: Any) -> Iterator[NDArray[Any]]:
    """The raw rows of an index that rows were left out of; none where it counts from 0, as after `reset_index`."""
    if not isinstance(index, pd.Index) or not index.is_unique or counts_up(index):
        return
    rows = rows_labelled(list(index), replay.tape, primary)
    if rows is not None and max(rows, default=0) < len(raw):
        yield np.array(rows)


def _before(index: Any, gaps: dict[int, "pd.Index[Any]"], *, depth: int) -> "Iterator[pd.Index[Any]]":
    """What an index stood for before the rows were counted anew: labels of an earlier, longer table."""
    if not depth or not isinstance(index, pd.Index) or index.dtype.kind not in "iu" or not len(index):
        return
    for earlier in sorted(gaps.values(), key=len):
        if len(earlier) > index.max() and index.min() >= 0 and earlier is not index:
            made = earlier[index.to_numpy()]
            yield made
            yield from _before(made, gaps, depth=depth - 1)


def counts_up(index: "pd.Index[Any]") -> bool:
    """Whether an index counts from 0, so that it tells nothing.

    >>> counts_up(pd.Index([0, 1, 2])), counts_up(pd.Index([0, 2]))
    (True, False)
    """
    return bool((index == np.arange(len(index))).all())


def _holds(replay: Replay, primary: Source, raw: pd.DataFrame, made: Any, rows: NDArray[Any]) -> bool:
    """Whether some of these raw rows give the inputs that they are said to have given."""
    tried = np.linspace(0, len(rows) - 1, min(_TRIED, len(rows))).astype(int)
    try:
        again = replay.run(raw.iloc[rows[tried]].reset_index(drop=True), primary)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return False
    return rows_of(again) == len(tried) and bool(equal_rows(again, some_rows(made, list(tried))).all())
