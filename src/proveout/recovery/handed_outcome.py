"""What a recovered model leaves behind of its outcome, where no raw column holds it as it is.

Input: a tape, a held-out prediction and its recovery. Output: files in the model's folder, and `HandedOutcome`.

    target.py        what gives the outcome of raw rows, as text: a project puts its own function below it
    target_state/    what it has learned, where that cannot be written into the text
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from proveout.recovery import outcome_way, outcome_writer
from proveout.recovery.held_out import HeldOut
from proveout.recovery.outcome_way import NoWay, OutcomeWay
from proveout.recovery.rewritten_slice import Unwritable
from proveout.recovery.state_files import Unstorable
from proveout.recovery.tables import equal_rows, flat, rows_of
from proveout.recovery.tape import Tape
from proveout.recovery.verification import Recovery

TARGET = "target.py"


@dataclass(frozen=True, kw_only=True)
class ClassName:
    """A code that the notebook gave a class, and the class."""

    code: int
    name: str


@dataclass(frozen=True, kw_only=True)
class HandedOutcome:
    """How the outcome is computed: `call` is an expression of `rows` below the text of target.py.

    `columns` are the raw columns that it is made of, `name` what the notebook calls it, or "". `names` are those of
    classes that the notebook encoded.
    """

    columns: tuple[str, ...]
    call: str
    name: str
    names: tuple[ClassName, ...] = ()
    state: tuple[str, ...] = ()


def hand_over(
    tape: Tape, one: HeldOut, found: Recovery, folder: Path, *, rows: Sequence[int] = ()
) -> HandedOutcome | str:
    """Write the outcome of a model into its folder; "" if a raw column is the outcome, or why it cannot be written.

    Args:
        rows: the raw rows of either side: a column that is null in one of them may be null.
    """
    try:
        way = found.outcome or _way(tape, one, found)
        if way is None:
            return found.no_outcome
        assert found.raw is not None
        holes = found.raw[list(way.columns)].iloc[list(rows)].isna().any()
        optional = tuple(column for column in way.columns if column in way.optional or holes[column])
        way = replace(way, optional=optional)
        module = outcome_writer.write(tape, found, way, folder)
    except (NoWay, Unwritable, Unstorable) as error:
        return str(error)
    except Exception as error:  # somebody's statements: an outcome that a raw column tells needs none of it
        return f"it could not be written: {type(error).__name__}: {str(error)[:150]}"
    (folder / TARGET).write_text(module.text, encoding="utf-8")
    return HandedOutcome(
        columns=tuple(map(str, way.columns)),
        call=module.call,
        name=module.name,
        names=_names(tape, one, way),
        state=module.files,
    )


def _way(tape: Tape, one: HeldOut, found: Recovery) -> OutcomeWay | None:
    """The way to an outcome that a raw column may tell, if none tells it value by value. Raises: NoWay."""
    assert found.raw is not None
    assert found.primary is not None
    target = next((column for column in found.raw if str(column) == found.target), None)
    if target is None or rows_of(one.truth) != one.prediction.rows:
        return None
    truth = flat(one.truth)[list(found.positions), 0]
    values = found.raw[target].iloc[list(found.rows)]
    pairs = pd.DataFrame({"value": values.astype(str).to_numpy(), "truth": pd.Series(truth).astype(str)})
    pairs = pairs.drop_duplicates()
    if equal_rows(values, truth).all() or (pairs.value.is_unique and len(pairs) < max(len(truth) / 4, 3)):
        return None
    return outcome_way.find(tape, one, found.raw, found.primary, rows=found.rows, positions=found.positions)


def _names(tape: Tape, one: HeldOut, way: OutcomeWay) -> tuple[ClassName, ...]:
    """The classes behind the codes of an encoder that the notebook fitted to the outcome itself."""
    split = one.split
    codes = np.unique(way.truth)
    for fit in reversed(tape.fits):
        if type(fit.model).__name__ != "LabelEncoder" or fit.key.statement not in way.replay.places:
            continue  # of a booster, what is frozen is itself
        state: Mapping[str, Any] = tape.frozen.get(fit.key) or {}
        classes = state.get("classes_")
        if classes is None:
            continue
        values = np.asarray(fit.inputs).ravel()
        whole = split is not None and len(values) == split.of
        given = values[split.test] if split is not None and whole else values
        if len(given) != rows_of(one.truth) or codes.dtype.kind not in "iu" or codes.max() >= len(classes):
            continue
        if equal_rows(np.asarray(classes)[flat(one.truth)[:, 0].astype(int)], given).all():
            return tuple(ClassName(code=code, name=str(name)) for code, name in enumerate(np.asarray(classes).tolist()))
    return ()
