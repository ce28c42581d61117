"""What one column tells of the outcome by itself: for each row, the mean outcome among others with the same value.

Takes a candidate's columns and outcomes of any task. Gives the means of the targets, shape (rows, targets).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from proveout.records.answer import TaskName

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.model.bundle import OpenBundle

_BINS, _FEWEST_BINS = 64, 8
_ROWS_OF_A_BIN = 40  # half of them tell, the other half are told
_TWINS = 0.95  # correlation of what two columns say, from which on they are one column twice


def each_column(candidate: "OpenBundle", records: "pd.DataFrame") -> "Iterator[tuple[str, pd.Series[Any]]]":
    """Each request column, and each model column that is not one of them under the same name."""
    made = candidate.model_columns(records)
    yield from ((str(name), records[name]) for name in records)
    for name in made:
        if name not in records or not made[name].equals(records[name]):
            yield (str(name) if name not in records else f"{name}, as the model has it"), made[name]


def targets(task: TaskName, outcomes: "NDArray[Any]") -> "NDArray[np.float64]":
    """What is told: whether an outcome is true, its rank from 0 to 1, or which class it is; shape (rows, targets).

    Of a regression the rank, since one outcome far off would outweigh all others.

    >>> import numpy as np
    >>> targets("regression", np.array([5.0, 1.0, 900.0])).ravel().tolist()
    [0.5, 0.0, 1.0]
    """
    import numpy as np
    from scipy.stats import rankdata

    if task == "binary":
        return outcomes.astype(float)[:, None]
    if task == "regression":
        return np.asarray((rankdata(outcomes) - 1) / max(len(outcomes) - 1, 1))[:, None]
    _, codes = np.unique(outcomes.astype(str), return_inverse=True)
    return np.eye(int(codes.max(initial=0)) + 1)[codes]


def means(values: "pd.Series[Any]", told: "NDArray[np.float64]", *, prior: float, seed: int) -> "NDArray[np.float64]":
    """The mean of each target among rows of the other half that have the same value, shape (rows, targets).

    Args:
        prior: rows by which the mean of a value is drawn to the mean of all.
    """
    import numpy as np

    codes = _codes(values)
    half = halves(len(told), seed=seed)
    said = np.empty(told.shape)
    for here in (half, ~half):
        known = ~here
        mean = told[known].mean(axis=0) if known.any() else np.full(told.shape[1], 0.5)
        seen = np.bincount(codes[known], minlength=codes.max() + 1)[:, None]
        sums = np.stack(
            [np.bincount(codes[known], weights=one[known], minlength=codes.max() + 1) for one in told.T], axis=1
        )
        said[here] = ((sums + prior * mean) / (seen + prior))[codes[here]]
    return said


def naive(told: "NDArray[np.float64]", half: "NDArray[np.bool_]") -> "NDArray[np.float64]":
    """The mean of each target in the other half, shape (rows, targets): what no column tells."""
    import numpy as np

    said = np.full(told.shape, 0.5)
    for here in (half, ~half):
        if here.any() and not here.all():
            said[here] = told[~here].mean(axis=0)
    return said


def halves(rows: int, *, seed: int) -> "NDArray[np.bool_]":
    """Which rows are in the first half, drawn at random, shape (rows,)."""
    import numpy as np

    return np.asarray(np.random.default_rng(seed).random(rows) < 0.5)


def _codes(values: "pd.Series[Any]") -> "NDArray[np.intp]":
    """Equal values, or neighbouring numbers, by one number from 1; 0 for what is not known."""
    import numpy as np
    import pandas as pd

    bins = min(_BINS, max(_FEWEST_BINS, len(values) // _ROWS_OF_A_BIN))
    if values.dtype.kind in "iuf" and values.nunique() > bins:
        numbers = values.to_numpy(dtype=float)
        edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, bins + 1)[1:-1]))
        return np.where(np.isnan(numbers), 0, np.searchsorted(edges, numbers, side="right") + 1)
    return pd.factorize(values)[0] + 1


def say_the_same(one: "NDArray[np.float64]", other: "NDArray[np.float64]") -> bool:
    """Whether the means of two columns go together so nearly that they are one column twice."""
    import numpy as np

    if one.std() == 0 or other.std() == 0:
        return False
    return bool(abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) > _TWINS)
