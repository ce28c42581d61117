"""The outcome of a project, where the pilot's own statements make it of several raw columns: of rows that are known.

Input: rows, the columns that the outcome is made of, and the pilot's statements as a function. Output: the outcome of
each row, None while it is unknown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from proveout.recovery.tables import completed, flat, with_text_names

_TRIED = 8  # rows, before a few are taken for wrong
_MOST_TIMES = 5_000


def outcome(
    made_by: Callable[..., Any],
    rows: pd.DataFrame,
    columns: Mapping[str, str],
    state: Mapping[str, Any] | None = None,
    *,
    example: pd.DataFrame | None = None,
    index: Sequence[Any] = (),
    optional: Sequence[str] = (),
) -> "pd.Series[Any]":
    """The outcome of each row, by what its own columns hold and nothing else.

    Args:
        columns: those that the outcome is made of, with their dtypes in the pilot.
        state: the second argument of `made_by`, if it takes one.
        example: a raw row, for other columns that the pilot's statements name.
        index: columns that were the index of the pilot's rows.
        optional: columns that may be null: one that all rows of the pilot had is unknown while it is null.
    """
    made = pd.Series([None] * len(rows), index=rows.index, dtype=object)
    own = with_text_names(rows)[list(columns)]
    null = own.isna()
    unknown = null.all(axis=1) | null[[name for name in columns if name not in optional]].any(axis=1)
    known = own[~unknown.to_numpy()].reset_index(drop=True)
    if known.empty:
        return made
    frame = _typed(known, columns) if example is None else completed(known, example, index)
    values = _Asked(made_by=made_by, state=state).values(frame)
    found = np.empty(len(values), dtype=object)
    found[:] = values
    made[~unknown.to_numpy()] = found
    return made


@dataclass
class _Asked:
    """The pilot's statements, asked for rows. A row that they raise for has no outcome, and takes it from no other."""

    made_by: Callable[..., Any]
    state: Mapping[str, Any] | None
    times: int = 0  # asked again

    def values(self, frame: pd.DataFrame) -> list[Any]:
        """The outcome of each row."""
        try:
            return self._together(frame)
        except Exception:
            some = np.linspace(0, len(frame) - 1, _TRIED).astype(int)
            if len(frame) > _TRIED and all(self._parts(frame.iloc[[place]]) == [None] for place in some):
                raise  # the statements themselves are wrong, not a few rows that the pilot never had
            return self._parts(frame)

    def _together(self, frame: pd.DataFrame) -> list[Any]:
        rows = frame.reset_index(drop=True)
        values = flat(self.made_by(rows) if self.state is None else self.made_by(rows, self.state))[:, 0].tolist()
        if len(values) != len(rows):
            raise ValueError(f"the outcome's statements gave {len(values)} values for {len(rows)} rows")
        return [None if pd.isna(one) else one for one in values]

    def _parts(self, frame: pd.DataFrame) -> list[Any]:
        self.times += 1
        try:
            return self._together(frame)
        except Exception:
            if self.times > _MOST_TIMES:
                raise
            if len(frame) == 1:
                return [None]
        middle = len(frame) // 2
        return self._parts(frame.iloc[:middle]) + self._parts(frame.iloc[middle:])


def _typed(rows: pd.DataFrame, dtypes: Mapping[str, str]) -> pd.DataFrame:
    """The rows with the dtypes that the pilot's own had: of whole numbers beside a null, floats were made."""
    made = rows.copy()
    for name, dtype in dtypes.items():
        try:
            made[name] = rows[name].astype(pd.api.types.pandas_dtype(dtype))
        except (ValueError, TypeError):  # another kind of value: what it means is up to the statements
            made[name] = rows[name]
    return made
