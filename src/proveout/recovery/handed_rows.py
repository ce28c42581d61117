"""Rows that the pilot's reading call gives in the place of its own: those of the project's snapshot.

Input: rows as Parquet, with text as names of columns, and the record of the adopted notebook. Output: the rows as the
pilot read them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from proveout.records.adopted_notebook import AdoptedNotebook, CallPlace, SourceForm
from proveout.recovery.places import key_of
from proveout.recovery.tables import from_frame
from proveout.recovery.tape import Key, Tape


@dataclass(frozen=True, kw_only=True, eq=False)
class HandedRows:
    """Rows for the call at `place`."""

    frame: pd.DataFrame
    place: CallPlace
    form: SourceForm
    index: tuple[str | int, ...] = ()  # columns that are the index

    def is_for(self, tape: Tape, key: Key) -> bool:
        """Whether the rows are those of this call of the run that is on `tape`."""
        return key == key_of(tape, self.place)

    def like(self, answer: Any) -> Any:
        """The rows in the form of `answer`."""
        return from_frame(self.frame, answer)

    def table(self) -> pd.DataFrame:
        """The rows as a table, with the index that the pilot's own had."""
        return self.frame.set_index(list(self.index)) if self.index else self.frame.copy()


def read(adopted: AdoptedNotebook, file: Path) -> HandedRows:
    """The rows of a file, with the names and dtypes that the pilot's own had."""
    rows = pd.read_parquet(file)
    made = {column.name: _as(rows[str(column.name)], column.dtype) for column in adopted.columns}
    return HandedRows(
        frame=pd.DataFrame(made, columns=[column.name for column in adopted.columns]),
        place=adopted.source,
        form=adopted.source_form,
        index=tuple(column.name for column in adopted.columns if column.index),
    )


def _as(values: "pd.Series[Any]", dtype: str) -> "pd.Series[Any]":
    if dtype == "object":
        return values.astype(object).where(values.notna(), np.nan)  # as a reader leaves a hole
    try:
        return values.astype(pd.api.types.pandas_dtype(dtype))
    except (ValueError, TypeError):  # new rows have holes where there were none: the notebook meets them
        return values
