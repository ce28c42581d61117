"""A notebook that fits its model to all its rows: some are held back from it, and the model is asked about them later.

The call that reads the raw rows gives the others. What the notebook fits is verified on these, as a prediction is; then
the rows held back take the same way, their outcome too.

Input: a tape of such a run. Output: `HeldOut` and `Recovery`, as for a notebook that splits its rows itself.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from proveout.recovery.held_out import HeldOut
from proveout.recovery.replay import Replay
from proveout.recovery.row_origin import origin_of
from proveout.recovery.tables import flat, rows_of
from proveout.recovery.tape import Key, Prediction, Tape
from proveout.recovery.verification import Recovery, model_then, verify

_MOST_ALONE = 300  # rows asked one by one, where together they have no answer
_MOST_FITS = 8  # models looked at for the call that reads the rows


class NoneHeldBack(Exception):
    """None of the rows that were held back has an answer and an outcome."""


def fits_of(tape: Tape) -> list[HeldOut]:
    """The last fit of each model to rows with a truth, in the order of the run, as if it were a prediction of them."""
    last: dict[int, HeldOut] = {}
    for fit in tape.fits:
        if fit.name != "fit" or fit.truth is None or not hasattr(fit.model, "predict") or not tape.is_rows(fit.inputs):
            continue
        last.pop(id(fit.model), None)
        prediction = Prediction(
            key=fit.key, name="fit", model=fit.model, state=dict(tape.frozen.get(fit.key) or {}), inputs=fit.inputs,
            inputs_id=id(fit.inputs), inputs_name=None, rows=rows_of(fit.inputs), answers=None, truth=fit.truth,
        )  # fmt: skip
        last[id(fit.model)] = HeldOut(prediction=prediction, split=None, truth=fit.truth)
    return list(last.values())


def source_of_fits(tape: Tape) -> Key | None:
    """The call that reads the rows that a model was fitted to; None if no model's inputs come from raw rows."""
    for one in reversed(fits_of(tape)[-_MOST_FITS:]):
        found = verify(tape, one)
        if found.level == "raw" and (found.target or found.outcome) is not None and found.primary is not None:
            return found.primary.key
    return None


def asked(tape: Tape, one: HeldOut, found: Recovery) -> tuple[HeldOut, Recovery]:
    """A fit whose way was verified, and instead of its own rows those held back. Raises: NoneHeldBack."""
    assert tape.held_back is not None
    assert found.replay is not None
    assert found.primary is not None
    whole, back = tape.held_back
    learned = np.flatnonzero(~back)[list(found.rows)]
    model, truths = model_then(one.prediction), Replay(tape, replace(one.prediction, argument=1), found.replay.left)
    places, inputs, answers, truth = _answered(found, truths, model, whole, np.flatnonzero(back))
    outcome = None if found.outcome is None else replace(found.outcome, truth=flat(truth)[:, 0])
    prediction = replace(one.prediction, inputs=inputs, rows=len(places), answers=answers, truth=truth)
    return replace(one, prediction=prediction, truth=truth), replace(
        found,
        raw=whole,
        rows=tuple(int(place) for place in places),
        positions=tuple(range(len(places))),
        inputs=inputs,
        answers=answers,
        outcome=outcome,
        compared=(len(places), int(back.sum())),
        learned=tuple(int(place) for place in learned),
    )


def _answered(
    found: Recovery, truths: Replay, model: Any, whole: pd.DataFrame, places: NDArray[Any]
) -> tuple[NDArray[Any], Any, Any, Any]:
    """Of the rows at `places` those with an answer and an outcome: places, inputs, answers, truth.

    Rows that the notebook would have left out are on no side. Together, if a row does not stop the others; else alone.
    """
    places = places[_kept(found, whole.iloc[places])]
    try:
        return _together(found, truths, model, whole, places)
    except Exception:  # what the statements of the notebook say of a value that they never saw
        single = [place for place in places[:_MOST_ALONE] if _has_answer(found, truths, model, whole, place)]
    if not single:
        raise NoneHeldBack("none of the rows that were held back has an answer")
    return _together(found, truths, model, whole, np.array(single))


def _together(
    found: Recovery, truths: Replay, model: Any, whole: pd.DataFrame, places: NDArray[Any]
) -> tuple[NDArray[Any], Any, Any, Any]:
    assert found.replay is not None
    assert found.primary is not None
    rows = whole.iloc[places].reset_index(drop=True)
    truth = np.asarray(truths.run(rows, found.primary))
    known = ~pd.isna(flat(truth)).any(axis=1)
    if not known.all():
        return _together(found, truths, model, whole, places[known])
    if not len(places):
        raise NoneHeldBack("none of the rows that were held back has an outcome")
    inputs = found.replay.run(rows, found.primary)
    return places, inputs, model.predict(inputs), truth


def _has_answer(found: Recovery, truths: Replay, model: Any, whole: pd.DataFrame, place: int) -> bool:
    try:
        _together(found, truths, model, whole, np.array([place]))
    except Exception:
        return False
    return True


def _kept(found: Recovery, rows: pd.DataFrame) -> NDArray[Any]:
    """Which of the rows the notebook's filters leave; all, if that cannot be told."""
    everything = np.arange(len(rows))
    assert found.replay is not None
    assert found.primary is not None
    rows = rows.reset_index(drop=True)
    try:
        made = found.replay.run(rows, found.primary, keep_filters=True)
        left = None if rows_of(made) == len(rows) else origin_of(found.replay, found.primary, rows, made)
    except Exception:  # a filter of many rows may leave none
        return everything
    return everything if left is None else np.sort(left.rows)
