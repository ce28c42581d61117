"""How a column is compared: as numbers or as levels.

Input: a column. Output: its kind, its numbers, or its rows per level on both sides. Pure.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

MISSING = "(missing)"

Column: TypeAlias = "pd.Series[Any]"


@dataclass(frozen=True, kw_only=True)
class Levels:
    """Rows per level of a column on both sides, without nulls: two arrays of one length, each level on one side or
    both."""

    reference: npt.NDArray[np.int64]
    window: npt.NDArray[np.int64]

    @property
    def both(self) -> npt.NDArray[np.int64]:
        """Rows per level of both sides together."""
        together: npt.NDArray[np.int64] = self.reference + self.window
        return together


def kind_of(values: Column) -> Literal["numeric", "text", "empty"]:
    """How a column is compared; a column without values takes the kind of the other side."""
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    # To look for nulls among texts costs more than their test, and of texts alone one is none.
    if inferred == "empty" or _all_null(values, inferred):
        return "empty"
    return "numeric" if inferred in {"integer", "floating", "mixed-integer-float"} else "text"


def _all_null(values: Column, inferred: str) -> bool:
    # Of Python's objects the values were asked, of pandas' own types only the type.
    asked = values.dtype == object and inferred in {"string", "boolean"}
    return not asked and not values.notna().any()


def numbers(values: Column) -> npt.NDArray[np.float64]:
    """The values of a numeric column, without nulls."""
    found: npt.NDArray[np.float64] = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return found[~np.isnan(found)]


def levels(reference: Column, window: Column) -> Levels:
    """The rows per level of a text column."""
    sides = [side.astype(object) if side.dtype.name == "category" else side for side in (reference, window)]
    if sides[0].dtype != sides[1].dtype:
        sides = [side.astype(object) for side in sides]
    codes, names = pd.factorize(pd.concat(sides, ignore_index=True))
    known = codes >= 0
    before = np.arange(len(codes)) < len(reference)
    return Levels(
        reference=np.bincount(codes[known & before], minlength=len(names)),
        window=np.bincount(codes[known & ~before], minlength=len(names)),
    )
