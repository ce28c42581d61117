"""How the outcome that a model learned comes from raw rows: its truth has a way from them, as the inputs have.

The way ends at a call that was given the truth: the split, a metric, `score` or `fit`. It is accepted only if it gives
the pilot's truth, for all held-out rows and for each alone, with another row's values in all columns but its own.

Input: a tape, a held-out prediction, and its raw rows. Output: `OutcomeWay`, with the raw columns that it is made of.
"""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from proveout.recovery.held_out import HeldOut
from proveout.recovery.replay import SPLIT, Replay
from proveout.recovery.tables import equal_rows, flat, rows_of
from proveout.recovery.tape import Key, Prediction, Source, Tape

NAME = "truth"  # of the prediction that stands for the call which was given the truth
_MOST_POINTS = 4
_TRIED = 400  # rows that columns are tried on; fewer rows are taken several times
_DRAWS = 2
_SINGLES, _SINGLES_S = 20, 5.0
_OTHER_ROWS = re.compile(
    r"\.(shift|diff|pct_change|rolling|expanding|ewm|rank|cumsum|cummax|cummin|cumprod|cumcount|ffill|bfill)\("
)


class NoWay(Exception):
    """The outcome cannot be computed from raw rows, each alone. The message says why, as a clause."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OutcomeWay:
    """The way from raw rows to the outcome.

    `columns` are the raw columns whose change changes it, `optional` those of them that may be null. `truth` is that of
    the rows that were compared, `name` what the notebook calls it, "" where nothing does.
    """

    replay: Replay
    columns: tuple[Any, ...]
    optional: tuple[Any, ...]
    truth: NDArray[Any]
    name: str


def find(
    tape: Tape, one: HeldOut, raw: pd.DataFrame, primary: Source, *, rows: Sequence[int], positions: Sequence[int]
) -> OutcomeWay:
    """The way to the truth of a prediction.

    Args:
        rows: the raw rows that were compared, `positions` of them among those that were asked about.
    Raises: NoWay.
    """
    known = (one.prediction.key, one.learned, primary.key, tuple(rows))
    if known not in tape.outcomes:
        try:
            tape.outcomes[known] = _found(tape, one, raw, primary, rows=rows, positions=positions)
        except NoWay as error:
            tape.outcomes[known] = error
    found: OutcomeWay | NoWay = tape.outcomes[known]
    if isinstance(found, NoWay):
        raise found
    return found


def _found(
    tape: Tape, one: HeldOut, raw: pd.DataFrame, primary: Source, *, rows: Sequence[int], positions: Sequence[int]
) -> OutcomeWay:
    size = rows_of(one.truth)
    if size is None or size != one.prediction.rows or np.size(one.truth) != size:
        raise NoWay("the pilot never said what is true of the held-out rows")
    if primary.name == SPLIT:
        raise NoWay("no call that reads rows leads to it")
    truth = flat(one.truth)[list(positions), 0]
    reason = "no call was given it"
    for point in _points(tape, one):
        try:
            return _followed(Replay(tape, point), raw, primary, list(rows), truth)
        except NoWay as error:
            reason = str(error)
        except Exception as error:  # a slice of somebody's code: whatever it is, it is the reason
            reason = f"the statements before it cannot be cut out: {type(error).__name__}: {str(error)[:150]}"
    raise NoWay(reason)


def of_all(tape: Tape, one: HeldOut, raw: pd.DataFrame, primary: Source, origin: NDArray[Any]) -> NDArray[Any] | None:
    """The outcome of the raw rows at `origin`, where the pilot's filters may apply; None where it cannot be told."""
    if rows_of(one.truth) != one.prediction.rows or np.size(one.truth) != one.prediction.rows or primary.name == SPLIT:
        return None
    for point in _points(tape, one):
        try:
            replay = Replay(tape, point)
            for keep_filters in (True, False):
                made = replay.run(raw, primary, keep_filters=keep_filters)
                if rows_of(made) in (len(origin), len(raw)):
                    return flat(made)[:, 0] if rows_of(made) == len(origin) else flat(made)[origin, 0]
        except BaseException as error:  # also what is no Exception: the notebook's own exits
            if isinstance(error, KeyboardInterrupt):
                raise
    return None


# --- where the truth was given ----------------------------------------------------------------------------------------


def _points(tape: Tape, one: HeldOut) -> list[Prediction]:
    """Calls that were given the truth, the nearest to the raw rows first."""
    found: dict[tuple[Key, int], Prediction] = {}
    for key, argument in _given(tape, one):
        found.setdefault(
            (key, argument),
            Prediction(
                key=key, name=NAME, model=None, state={}, inputs=one.truth, inputs_id=0, inputs_name=None,
                rows=rows_of(one.truth), answers=one.truth, truth=None, argument=argument,
            ),
        )  # fmt: skip
    return list(found.values())[:_MOST_POINTS]


def _given(tape: Tape, one: HeldOut) -> Iterator[tuple[Key, int]]:
    """A call and the place of its argument."""
    if one.prediction.name == "fit":
        yield one.prediction.key, 1
        return
    if one.learned is not None:
        yield one.learned, 1
        return
    outputs = one.split.outputs if one.split is not None else ()
    sides = [(place // 2, output) for place, output in enumerate(outputs) if place % 2]
    if one.split is not None:
        yield from ((one.split.key, place) for place, output in sides if output is one.truth)
        yield from ((one.split.key, place) for place, output in sides if same(output, one.truth))
    if one.prediction.name == "score":
        yield one.prediction.key, 1
    for metric in tape.metrics:
        yield from ((metric.key, place) for place, given in enumerate(metric.arguments) if given is one.truth)
    for asked in tape.predictions:
        if asked.name == "score" and asked.truth is one.truth:
            yield asked.key, 1


def same(output: Any, truth: Any) -> bool:
    """Whether an output of a split is the truth, or equal to it."""
    alike = rows_of(output) == rows_of(truth) and np.size(output) == np.size(truth)
    return alike and bool(equal_rows(output, truth).all())


# --- followed ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, eq=False)
class _Way:
    replay: Replay
    primary: Source
    both_sides: bool

    def outcome(self, rows: pd.DataFrame) -> Any:
        """The outcome of each of the raw rows. Raises: NoWay."""
        try:
            return self.replay.run(rows, self.primary, both_sides=self.both_sides)
        except BaseException as error:  # also what is no Exception: the notebook's own exits
            if isinstance(error, KeyboardInterrupt):
                raise
            statement = self.replay.tape.statements[self.replay.at]
            line = statement.source.splitlines()[0][:70]
            raise NoWay(f"cell {statement.cell}, `{line}`: {type(error).__name__}: {str(error)[:150]}") from error

    def gives(self, rows: pd.DataFrame, truth: NDArray[Any]) -> bool:
        """Whether these rows have this outcome."""
        try:
            made = self.outcome(rows)
        except NoWay:
            return False
        return rows_of(made) == len(truth) and bool(equal_rows(made, truth).all())


def _followed(replay: Replay, raw: pd.DataFrame, primary: Source, places: list[int], truth: NDArray[Any]) -> OutcomeWay:
    if not any(source.key in replay.same_source(primary) for source in replay.sources):
        raise NoWay("it does not come from the rows that the inputs come from")
    rows = raw.iloc[places].reset_index(drop=True)
    way, made = _equal(replay, primary, rows, truth)
    columns = _columns(way, rows, truth)
    if not columns:
        raise NoWay("it does not change with any raw column")
    others = [column for column in rows if column not in columns]
    if not _alone(way, rows, truth, others):
        raise NoWay(f"one row alone gives another outcome{_beside(replay)}")
    name = made.columns[0] if isinstance(made, pd.DataFrame) else getattr(made, "name", None)
    return OutcomeWay(
        replay=replay,
        columns=tuple(columns),
        optional=tuple(column for column in columns if bool(rows[column].isna().any())),
        truth=truth,
        name="" if name is None or isinstance(name, int | np.integer) else str(name),
    )


def _equal(replay: Replay, primary: Source, rows: pd.DataFrame, truth: NDArray[Any]) -> tuple[_Way, Any]:
    """The way that gives the truth of the held-out rows, and what it gave. Raises: NoWay."""
    reason = ""
    for both_sides in (False, True):
        way = _Way(replay=replay, primary=primary, both_sides=both_sides)
        try:
            made = way.outcome(rows)
        except NoWay as error:
            reason = reason or str(error)
            continue
        right = int(equal_rows(made, truth).sum()) if rows_of(made) == len(truth) else 0
        if right == len(truth):
            return way, made
        reason = f"of {len(truth)} held-out rows, {right} have the pilot's outcome without the other rows"
    raise NoWay(reason + _beside(replay))


def _beside(replay: Replay) -> str:
    """The statement of the way that looks at the rows beside each one; "" for none."""
    for place in replay.places:
        statement = replay.tape.statements[place]
        found = _OTHER_ROWS.search(statement.source)
        if found is not None:
            return f" (cell {statement.cell} uses `{found[1]}`, which reads other rows)"
    return ""


def _columns(way: _Way, rows: pd.DataFrame, truth: NDArray[Any]) -> list[Any]:
    """The columns with another outcome when they hold other rows' values. Halves are tried first."""
    places = np.resize(np.arange(len(rows)), _TRIED) if len(rows) < _TRIED else np.arange(len(rows))[:_TRIED]
    tried, wanted = rows.iloc[places].reset_index(drop=True), truth[places]

    def changed(names: list[Any]) -> list[Any]:
        if all(way.gives(_foreign(tried, names, rows, draw), wanted) for draw in range(_DRAWS)):
            return []
        middle = len(names) // 2
        return names if len(names) == 1 else changed(names[:middle]) + changed(names[middle:])

    return changed(list(rows))


def _foreign(tried: pd.DataFrame, names: Sequence[Any], rows: pd.DataFrame, draw: int) -> pd.DataFrame:
    """The rows with other rows' values in some columns."""
    made, others = tried.copy(), rows.sample(len(tried), replace=True, random_state=draw)
    for name in names:
        made[name] = others[name].set_axis(made.index)
    return made


def _alone(way: _Way, rows: pd.DataFrame, truth: NDArray[Any], others: Sequence[Any]) -> bool:
    """Whether all rows, and each alone, have their outcome with other rows' values in `others`."""
    foreign = _foreign(rows, others, rows, _DRAWS)
    chosen = np.linspace(0, len(rows) - 1, min(_SINGLES, len(rows))).astype(int)
    began = time.monotonic()
    for place in chosen:
        if time.monotonic() - began < _SINGLES_S and not way.gives(
            foreign.iloc[[place]].reset_index(drop=True), truth[[place]]
        ):
            return False
    return way.gives(foreign, truth)
