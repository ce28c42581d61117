"""A slice is accepted only if it gives the pilot's inputs: for all held-out rows, and for each alone.

Alone means: with another row's target, so that inputs which contain the target are found.

Input: a tape and a held-out prediction. Output: `Recovery`, with its level and the reason where it is not `raw`.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from proveout.model import native_boosters
from proveout.recovery import other_rows, outcome_way
from proveout.recovery.held_out import HeldOut
from proveout.recovery.left_values import LeftValues
from proveout.recovery.outcome_way import NoWay, OutcomeWay
from proveout.recovery.replay import Replay
from proveout.recovery.row_origin import Origin, origin_of, rows_labelled
from proveout.recovery.tables import as_frame, equal_rows, flat, places_by_content, rows_of, some_rows, target_column
from proveout.recovery.tape import JOINS, Prediction, Source, Tape

# raw: from raw rows, each alone. inputs: only what the model is given. leak: the inputs contain the target.
Level = Literal["raw", "inputs", "leak", "failed"]
SINGLES = 40
_SINGLES_S, _FEWEST_SINGLES = 20.0, 8  # rows asked alone: fewer where that takes longer
_FEWEST_REAL = 20  # held-out rows that are no synthetic ones


@dataclass(frozen=True, kw_only=True, eq=False)
class Recovery:
    """How far the way from raw rows to a model's inputs was found.

    `rows` are the raw rows (places in `raw`) that were compared, `inputs` what the pilot gave the model for them and
    `answers` what it answered. `target` is the raw column that holds the truth; where no column does, `outcome` is the
    way to it from several, and `no_outcome` why there is none.
    """

    level: Level
    reason: str
    replay: Replay | None = None
    primary: Source | None = None
    raw: pd.DataFrame | None = None
    target: str | None = None
    outcome: OutcomeWay | None = None
    no_outcome: str = ""
    rows: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()  # of these rows among those that the pilot asked about
    inputs: Any = None
    answers: Any = None
    alone: tuple[int, int] = (0, 0)  # rows that were equal alone, and rows asked alone
    compared: tuple[int, int] = (0, 0)  # held-out rows that were found, and held-out rows
    raised_cells: tuple[int, ...] = ()  # cells of the slice that raised in the pilot
    learned: tuple[int, ...] | None = None  # the raw rows that were learned from, where that is known already


def verify(tape: Tape, one: HeldOut, *, singles: int = SINGLES) -> Recovery:
    """What was found for a model. Nothing of the notebook's own state is changed."""
    try:
        replay = Replay(tape, one.prediction)
    except Exception as error:  # a slice of somebody's code: whatever it is, it is the reason
        return Recovery(level="failed", reason=f"the statements before it cannot be cut out: {_said(error)}")
    failed = tape.failed - (tape.unshown - {one.prediction.key.statement})
    raised = tuple(sorted({tape.statements[place].cell for place in replay.places if place in failed}))
    found = Recovery(level="inputs", reason="no call that reads rows leads to it", replay=replay, raised_cells=raised)
    without_outcome: Recovery | None = None
    for primary in replay.sources:
        try:
            found = _from_source(tape, replay, primary, one, singles=singles)
            found = replace(_with_left_values(tape, found, one, singles=singles), raised_cells=raised)
        except Exception as error:  # inputs of a kind that nothing here knows
            found = replace(found, level="failed", reason=f"its inputs cannot be compared: {_said(error)}")
        if found.level == "raw" and primary.name in JOINS and found.target is None and found.outcome is None:
            without_outcome = without_outcome or found  # one of the files that were joined may have it
        elif found.level in ("raw", "leak"):
            return found
    return without_outcome or found


def _with_left_values(tape: Tape, found: Recovery, one: HeldOut, *, singles: int) -> Recovery:
    """The recovery; where one row alone gives other inputs, with what statements have left of the pilot's rows."""
    replay, raw, primary = found.replay, found.raw, found.primary
    if found.level != "inputs" or replay is None or raw is None or primary is None:
        return found
    left = LeftValues()
    for row in [*found.rows[:1], *found.rows[-1:]] or [0, len(raw) - 1]:
        try:
            more = replay.left_otherwise(raw.iloc[[row]].reset_index(drop=True), primary)
        except BaseException as error:
            _let_go(error)
            return found
        left.values = {place: left.values.get(place, {}) | one for place, one in (left.values | more.values).items()}
        left.instead |= more.instead
    if not left.values:
        return found
    again = _from_source(tape, Replay(tape, one.prediction, left), primary, one, singles=singles)
    return again if again.level == "raw" else found


def _from_source(tape: Tape, replay: Replay, primary: Source, one: HeldOut, *, singles: int) -> Recovery:
    raw = as_frame(tape.frozen[primary.key])
    prediction, split = one.prediction, one.split
    labels = rows_labelled([split.labels[place] for place in split.test], tape, primary) if split is not None else None
    target = target_column(raw, one.truth, labels) if labels is not None else None
    base = Recovery(level="inputs", reason="", replay=replay, primary=primary, raw=raw, target=target)
    made = _all_rows(base, prediction, labels)
    origin = made.origin
    if origin is None:
        return replace(base, reason=made.reason)
    wanted, got = prediction.inputs, flat(made.inputs)
    place = {row: position for position, row in enumerate(origin)}
    here: list[int | None] = [place.get(row) for row in labels] if labels is not None else [None]
    if labels is None and equal_rows(got, wanted).all():  # the same rows in the same order: equal ones are told apart
        here, labels = list(range(len(got))), [int(row) for row in origin]
        base = replace(base, target=target_column(raw, one.truth, labels))
    known = [position for position in here if position is not None]
    if len(known) < len(here) or not equal_rows(got[known], wanted).all():
        here = _by_content(tape, one, base, got, origin)
        found = [position for position, row in enumerate(here) if row is not None]
        synthetic = any(tape.kinds[key] == "fit_resample" for key in tape.kinds if key.statement in replay.places)
        base = replace(base, compared=(len(found), len(here)))
        if len(found) < len(here) and not (synthetic and len(found) > _FEWEST_REAL):
            return replace(
                base, reason=f"its inputs are not those of the notebook: {len(found)} of {len(here)} rows are"
            )
        labels = [int(origin[row]) for row in here if row is not None]
        wanted = some_rows(wanted, found)
        whole = rows_of(one.truth) == prediction.rows == np.size(one.truth)
        truth = flat(one.truth)[found, 0] if whole else None
        base = replace(base, target=target_column(raw, truth, labels))
        answers = flat(prediction.answers)[found] if prediction.name not in ("score", "fit") else None
    else:
        found = list(range(len(here)))
        base = replace(base, compared=(len(here), len(here)))
        answers = prediction.answers if prediction.name != "score" else None
    assert labels is not None
    rows = tuple(int(row) for row in labels)
    base = replace(base, rows=rows, positions=tuple(found), inputs=wanted, answers=answers)
    if base.target is None:
        base = with_outcome(base, tape, one)
    return _alone(base, prediction, singles=singles, both_sides=made.both_sides)


def _by_content(tape: Tape, one: HeldOut, base: Recovery, got: Any, origin: NDArray[Any]) -> list[int | None]:
    """For each row that was asked about, one of `got` with the same inputs: of several, one with the same outcome."""
    assert base.raw is not None
    assert base.primary is not None
    wanted = flat(one.prediction.inputs)
    here = places_by_content(got, wanted)
    if None in here or not pd.DataFrame(got).duplicated().any():
        return here
    outcomes = outcome_way.of_all(tape, one, base.raw, base.primary, origin)
    if outcomes is None:
        return here
    codes = pd.factorize(np.array([*map(str, outcomes), *map(str, flat(one.truth)[:, 0])], dtype=object))[0]
    joint = places_by_content(
        np.column_stack([got, codes[: len(outcomes)]]), np.column_stack([wanted, codes[len(outcomes) :]])
    )
    return here if None in joint else joint


def with_outcome(base: Recovery, tape: Tape, one: HeldOut) -> Recovery:
    """The recovery with the way to its outcome, if there is one."""
    assert base.raw is not None
    assert base.primary is not None
    try:
        way = outcome_way.find(tape, one, base.raw, base.primary, rows=base.rows, positions=base.positions)
    except NoWay as error:
        return replace(base, no_outcome=str(error))
    return replace(base, outcome=way)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Made:
    """Inputs of many rows and the raw row of each; without them, what went wrong."""

    inputs: Any = None
    origin: NDArray[Any] | None = None
    both_sides: bool = True  # whether a split gave the rows asked to its training side, too
    reason: str = ""


def _all_rows(base: Recovery, prediction: Prediction, labels: list[int] | None) -> _Made:
    """Inputs of the held-out rows, else of all raw rows.

    The held-out rows first: others may hold what nothing was fitted for.
    """
    replay, raw, primary = base.replay, base.raw, base.primary
    assert replay is not None
    assert raw is not None
    assert primary is not None
    asked = labels or []
    for both_sides in (False, True) if asked else ():
        # A second split may cut the training side of the first: then rows go to both sides.
        try:
            made = replay.run(raw.iloc[asked].reset_index(drop=True), primary, both_sides=both_sides)
        except BaseException as error:  # also what is no Exception: the notebook's own exits
            _let_go(error)
            continue
        if rows_of(made) == len(asked) and equal_rows(made, prediction.inputs).all():
            return _Made(inputs=made, origin=np.array(asked), both_sides=both_sides)
    reason = ""
    tried: list[tuple[tuple[int, bool], Any, Origin]] = []  # held-out rows that were found and if surely, inputs
    for keep_filters in (True, False):
        try:
            made = replay.run(raw, primary, keep_filters=keep_filters)
            places = (
                Origin(rows=np.arange(len(raw)), sure=True)
                if rows_of(made) == len(raw)
                else origin_of(replay, primary, raw, made, keep_filters=keep_filters)
            )
        except BaseException as error:
            _let_go(error)
            statement = replay.tape.statements[replay.at]
            reason = f"cell {statement.cell}, `{statement.source.splitlines()[0][:70]}`: {_said(error)}"
            continue
        if places is None:
            reason = f"{len(raw)} raw rows gave {rows_of(made)}, and which they are cannot be told"
            continue
        here = places_by_content(made, prediction.inputs)
        tried.append(((sum(row is not None for row in here), places.sure), made, places))
        if tried[-1][0] == (len(here), True):
            break
    if not tried:
        return _Made(reason=reason)
    _, made, places = max(tried, key=lambda one: one[0])
    return _Made(inputs=made, origin=places.rows)


def _let_go(error: BaseException) -> None:
    """A person's Ctrl-C ends the work; what the notebook raises does not."""
    if isinstance(error, KeyboardInterrupt):
        raise error


def _alone(base: Recovery, prediction: Prediction, *, singles: int, both_sides: bool) -> Recovery:
    """Each row by itself and with another row's target: the same inputs, and from them the same answer?"""
    assert base.raw is not None
    assert base.primary is not None
    assert base.replay is not None
    replay = base.replay
    chosen = np.linspace(0, len(base.rows) - 1, min(singles, len(base.rows))).astype(int)
    columns = _outcome_columns(base)
    others = _others(base)
    leaking: dict[Any, None] = {}  # columns of the outcome that change the inputs
    right, leaks, asked, reason, began = 0, 0, 0, "", time.monotonic()
    for place in np.random.default_rng(0).permutation(chosen):
        if asked >= _FEWEST_SINGLES and (not right + leaks or time.monotonic() - began > _SINGLES_S):
            break
        asked += 1
        row = base.raw.iloc[[base.rows[place]]].reset_index(drop=True)
        wanted = flat(base.inputs)[[place]]
        strange = base.raw.iloc[[others[place]]]
        foreign = _with_columns(row, strange, columns)
        try:
            made = replay.run(foreign, base.primary, both_sides=both_sides)
            same = bool(equal_rows(made, wanted).all()) and _answers_alike(prediction, made, base.answers, int(place))
        except BaseException as error:
            _let_go(error)
            statement = replay.tape.statements[replay.at]
            reason = reason or (
                f"one row alone, cell {statement.cell}, `{statement.source.splitlines()[0][:70]}`: {_said(error)}"
                f"{other_rows.in_file(replay.tape, replay.at)}"
            )
            continue
        right += same
        if not same and columns and _gives(replay, base, row, wanted, both_sides=both_sides):
            leaks += 1
            apart = (_with_columns(row, strange, [one]) for one in columns)
            leaking |= {
                column: None
                for column, changed in zip(columns, apart, strict=True)
                if column not in leaking and not _gives(replay, base, changed, wanted, both_sides=both_sides)
            }
        if not same and not reason:
            reason = f"one row alone gives other inputs: {_columns_apart(made, wanted)}{other_rows.in_slice(replay)}"
    level: Level = "raw" if right == asked else "leak" if leaks else "inputs"
    if level == "leak":
        reason = _leak(base, list(leaking))
    return replace(base, level=level, reason="" if level == "raw" else reason, alone=(right, asked))


def _answers_alike(prediction: Prediction, made: Any, answers: Any, place: int) -> bool:
    if prediction.model is None or prediction.name != "predict" or answers is None:
        return True
    model = model_then(prediction)
    said = native_boosters.asked(model, made) if native_boosters.is_booster(model) else model.predict(made)
    return bool(equal_rows(said, flat(answers)[[place]]).all())


def model_then(prediction: Prediction) -> Any:
    """The model in the state in which it predicted: notebooks fit one object again and again.

    A booster of LightGBM or XGBoost is made by each training anew, and a copy of it would share its memory.
    """
    import copy

    if not hasattr(prediction.model, "fit"):
        return prediction.model
    model = copy.copy(prediction.model)
    if hasattr(model, "__dict__"):
        model.__dict__ = dict(prediction.state)
    return model


def _outcome_columns(base: Recovery) -> list[Any]:
    """The raw columns that hold the outcome, or that it is made of."""
    assert base.raw is not None
    if base.target is not None:
        return [column for column in base.raw if str(column) == base.target][:1]
    return list(base.outcome.columns) if base.outcome is not None else []


def _others(base: Recovery) -> list[int]:
    """For each row compared, another one whose outcome it is asked with."""
    assert base.raw is not None
    if base.target is not None:
        return [len(base.raw) - 1 - row for row in base.rows]
    return list(base.rows)[::-1]  # of rows with an outcome: its statements may not read others


def _with_columns(row: pd.DataFrame, other: pd.DataFrame, columns: Sequence[Any]) -> pd.DataFrame:
    """The row with the values of another one in some columns."""
    made = row.copy()
    for column in columns:
        made[column] = other[column].to_numpy()
    return made


def _leak(base: Recovery, leaking: Sequence[Any]) -> str:
    if base.target is not None:
        return f"the inputs contain the target, {base.target!r}: with another row's target they are others"
    named = ", ".join(repr(str(one)) for one in leaking or _outcome_columns(base))
    return (
        f"the inputs contain {named}, of which the outcome is made: with another row's values there they are others, "
        "and nobody knows these values who asks"
    )


def _gives(replay: Replay, base: Recovery, row: pd.DataFrame, wanted: NDArray[Any], *, both_sides: bool) -> bool:
    assert base.primary is not None
    try:
        return bool(equal_rows(replay.run(row, base.primary, both_sides=both_sides), wanted).all())
    except BaseException as error:
        _let_go(error)
        return False


def _columns_apart(made: Any, wanted: NDArray[Any]) -> str:
    values = flat(made)
    if len(values) != len(wanted):
        return f"{len(values)} rows for {len(wanted)}"
    if values.shape != wanted.shape:
        return f"{values.shape[1]} columns for {wanted.shape[1]}"
    names = list(getattr(made, "columns", range(values.shape[1])))
    apart = [
        names[place] for place in range(values.shape[1]) if not equal_rows(values[:, [place]], wanted[:, [place]]).all()
    ]
    return ", ".join(str(name) for name in apart[:5])


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:150]}"
