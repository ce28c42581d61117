"""Rows that the pilot's reading call gives in the place of its own: the project's snapshot, or a part of them.

Input: rows as Parquet, with text as names of columns, and the record of the adopted notebook. Output: the rows as the
pilot read them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from proveout.records.adopted_notebook import AdoptedNotebook, CallPlace, RawColumn, SourceForm
from proveout.recovery.places import key_of
from proveout.recovery.tables import as_frame, from_frame
from proveout.recovery.tape import Key, Tape

SHARE = 0.2  # of the rows, held back from a notebook that holds out none
_SEED = 0


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
    made = {column.name: _as(rows[str(column.name)], column) for column in adopted.columns}
    return HandedRows(
        frame=pd.DataFrame(made, columns=[column.name for column in adopted.columns]),
        place=adopted.source,
        form=adopted.source_form,
        index=tuple(column.name for column in adopted.columns if column.index),
    )


def _as(values: "pd.Series[Any]", column: RawColumn) -> "pd.Series[Any]":
    if column.dtype == "object":
        return values.astype(object).where(values.notna(), np.nan)  # as a reader leaves a hole
    if column.categories:
        more = sorted({*values.dropna().tolist()} - {*column.categories}, key=str)  # of a later batch
        return values.astype(object).astype(pd.CategoricalDtype([*column.categories, *more], ordered=column.ordered))
    try:
        return values.astype(pd.api.types.pandas_dtype(column.dtype))
    except (ValueError, TypeError):  # new rows have holes where there were none: the notebook meets them
        return values


@dataclass(frozen=True, kw_only=True)
class HoldBack:
    """Of the rows that the call at `place` reads, a share is held back from the notebook."""

    place: CallPlace
    share: float

    def is_for(self, tape: Tape, key: Key) -> bool:
        """Whether rows of this call of the run that is on `tape` are held back."""
        return key == key_of(tape, self.place)

    def rows(self, size: int) -> NDArray[np.bool_]:
        """Which of `size` rows are held back. Rows that come later change nothing for those before them."""
        chosen: NDArray[np.bool_] = np.random.default_rng(_SEED).random(size) < self.share
        return chosen

    def rest(self, answer: Any) -> tuple[pd.DataFrame, Any]:
        """All rows of an answer as a table, and the answer without those held back."""
        whole = as_frame(answer)
        return whole, from_frame(whole[~self.rows(len(whole))].reset_index(drop=True), answer)
