"""Held-out rows that are also training rows: equal in all columns, in all but one, or in all but the key.

Input: training and held-out rows. Output: the number of held-out rows of each kind. Rows are compared by sums of
hashes, so the hash of a row without a column is the row's hash less that of the column.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.evaluation.context import LabelledRows

_FEWEST_ALIKE = 5  # fewest equal columns of nearly equal rows


@dataclass(frozen=True, kw_only=True)
class Twins:
    """Held-out rows that equal a training row."""

    varying: int  # columns with more than one value in training
    equal: int  # rows, outcome included
    nearly: int | None  # rows that differ in one column, or in the key alone; None if too few columns vary


def find(training: "LabelledRows", holdout: "LabelledRows", *, key: Sequence[str]) -> Twins:
    """Count held-out rows with the varying request columns of a training row. `key`: columns that name one event."""
    import numpy as np

    varying = [str(name) for name in training.records if training.records[name].nunique(dropna=False) > 1]
    ours, theirs = _hashes(holdout.records[varying]), _hashes(training.records[varying])
    whole = np.isin(_sum(ours, *_outcomes(holdout)), _sum(theirs, *_outcomes(training)))
    ways = [[name] for name in varying] + [[name for name in varying if name in key]]
    enough = [left_out for left_out in ways if left_out and len(varying) - len(left_out) >= _FEWEST_ALIKE]
    nearly = np.zeros(holdout.rows, dtype=bool)
    for left_out in enough:
        rest = [name for name in varying if name not in left_out]
        nearly |= np.isin(_sum({name: ours[name] for name in rest}), _sum({name: theirs[name] for name in rest}))
    return Twins(varying=len(varying), equal=int(whole.sum()), nearly=int(nearly.sum()) if enough else None)


def _hashes(rows: "pd.DataFrame") -> "dict[str, NDArray[np.uint64]]":
    """A hash of each value of each column, which also depends on the column."""
    import numpy as np
    import pandas as pd

    salts = np.random.default_rng(0).integers(2**62, size=rows.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    with np.errstate(over="ignore"):
        return {
            name: pd.util.hash_pandas_object(rows[name], index=False).to_numpy() * salt
            for name, salt in zip(map(str, rows), salts, strict=True)
        }


def _outcomes(rows: "LabelledRows") -> "tuple[NDArray[np.uint64], ...]":
    """A hash of each outcome, for any task."""
    import numpy as np
    import pandas as pd

    return (pd.util.hash_pandas_object(pd.Series(rows.labels), index=False).to_numpy().astype(np.uint64),)


def _sum(hashes: "dict[str, NDArray[np.uint64]]", *more: "NDArray[np.uint64]") -> "NDArray[np.uint64]":
    import numpy as np

    with np.errstate(over="ignore"):
        return np.asarray(np.add.reduce(np.stack([*hashes.values(), *more]), axis=0, dtype=np.uint64), dtype=np.uint64)
