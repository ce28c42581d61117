"""The truth of held-out rows as the model learned it, where the notebook measures in another unit, or in other words.

A scaler of the outcome that is fitted after the split, and answers that are taken back before they are measured: the
truth that the metric got is a price, what the model answers is none.

Input: a held-out prediction and its recovery. Output: both, with the truth that `fit` would have been given.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from proveout.recovery import outcome_way
from proveout.recovery.held_out import HeldOut
from proveout.recovery.replay import Replay
from proveout.recovery.row_origin import rows_labelled
from proveout.recovery.tables import equal_rows, flat, rows_of, target_column
from proveout.recovery.tape import Fit, Split, Tape
from proveout.recovery.verification import Recovery, with_outcome


def of(tape: Tape, one: HeldOut, found: Recovery) -> tuple[HeldOut, Recovery]:
    """The prediction and its recovery, with the truth that was learned; as they are where that cannot be told."""
    at = one.prediction.key.statement
    fits = (fit for fit in reversed(tape.fits) if fit.model is one.prediction.model and fit.key.statement <= at)
    fit = next(fits, None)
    if fit is None or fit.truth is None or one.split is None or not _is_other(fit, one.split, one.truth):
        return one, found
    try:
        truth = _truth(tape, fit, one, found)
    except BaseException as error:  # also what is no Exception: the notebook's own exits
        if isinstance(error, KeyboardInterrupt):
            raise
        return one, found
    if truth is None:
        return one, found
    assert found.raw is not None
    one = replace(one, truth=truth, learned=fit.key)
    found = replace(found, target=target_column(found.raw, truth, found.rows), outcome=None, no_outcome="")
    return one, found if found.target is not None else with_outcome(found, tape, one)


def _is_other(fit: Fit, split: Split, truth: Any) -> bool:
    """Whether the model was fitted to other values than the partner of the truth, for the same rows."""
    if rows_of(fit.truth) != len(split.train) or np.size(fit.truth) != len(split.train):
        return False
    place = next((place for place, one in enumerate(split.outputs) if place % 2 and outcome_way.same(one, truth)), None)
    partner = split.before[place - 1] if place is not None else None
    return partner is not None and np.size(partner) == np.size(fit.truth) and not equal_rows(partner, fit.truth).all()


def _truth(tape: Tape, fit: Fit, one: HeldOut, found: Recovery) -> Any:
    """What `fit` would be given for the held-out rows; None if it is not given the pilot's own for the others."""
    split, raw, primary = one.split, found.raw, found.primary
    assert split is not None
    if raw is None or primary is None or len(found.rows) != one.prediction.rows:
        return None
    learned = rows_labelled([split.labels[place] for place in split.train], tape, primary)
    if learned is None:
        return None
    left = found.replay.left if found.replay is not None else None
    replay = Replay(tape, replace(one.prediction, key=fit.key, argument=1), left)
    if not equal_rows(replay.run(raw.iloc[learned].reset_index(drop=True), primary), fit.truth).all():
        return None
    return flat(replay.run(raw.iloc[list(found.rows)].reset_index(drop=True), primary))[:, 0]
