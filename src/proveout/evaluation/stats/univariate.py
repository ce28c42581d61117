"""What one column tells of the label by itself: for each row, the label's rate among others with the same value.

Comes in: a candidate's columns and the labels. Goes out: scores, shape (rows,), higher where the label is likelier.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.model.bundle import OpenBundle

_BINS = 64
_PRIOR = 10.0  # rows by which the rate of a value is drawn to the rate of all
_TWINS = 0.95  # correlation of what two columns say, from which on they are one column twice


def each_column(candidate: "OpenBundle", records: "pd.DataFrame") -> "Iterator[tuple[str, pd.Series[Any]]]":
    """Each request column, and each model column that is not one of them under the same name."""
    made = candidate.model_columns(records)
    yield from ((str(name), records[name]) for name in records)
    for name in made:
        if name not in records or not made[name].equals(records[name]):
            yield (str(name) if name not in records else f"{name}, as the model has it"), made[name]


def rates(values: "pd.Series[Any]", labels: "NDArray[np.bool_]", *, seed: int) -> "NDArray[np.float64]":
    """The label's rate among rows of the other half that have the same value, shape (rows,)."""
    import numpy as np

    codes = _codes(values)
    half = np.random.default_rng(seed).random(len(labels)) < 0.5
    said = np.empty(len(labels))
    for here in (half, ~half):
        known, rate = ~here, labels[~here].mean() if (~here).any() else 0.5
        hits = np.bincount(codes[known], weights=labels[known], minlength=codes.max() + 1)
        seen = np.bincount(codes[known], minlength=codes.max() + 1)
        said[here] = ((hits + _PRIOR * rate) / (seen + _PRIOR))[codes[here]]
    return said


def _codes(values: "pd.Series[Any]") -> "NDArray[np.intp]":
    """Equal values, or neighbouring numbers, by one number from 1; 0 for what is not known."""
    import numpy as np
    import pandas as pd

    if values.dtype.kind in "iuf" and values.nunique() > _BINS:
        numbers = values.to_numpy(dtype=float)
        edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, _BINS + 1)[1:-1]))
        return np.where(np.isnan(numbers), 0, np.searchsorted(edges, numbers, side="right") + 1)
    return pd.factorize(values)[0] + 1


def say_the_same(one: "NDArray[np.float64]", other: "NDArray[np.float64]") -> bool:
    """Whether the rates of two columns go together so nearly that they are one column twice."""
    import numpy as np

    if one.std() == 0 or other.std() == 0:
        return False
    return bool(abs(np.corrcoef(one, other)[0, 1]) > _TWINS)
