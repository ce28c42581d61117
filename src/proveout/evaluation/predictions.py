"""A candidate is asked: what of, by which way, row by row or many at once; and how far two sets of answers are apart.

Takes the candidate and rows. Gives rows to ask, and scores, shape (rows,) or (rows, classes). Two ways lead to an
answer: a table, as the gate judges, and arrays, as a server asks.
"""

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from proveout.model import threads

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.model.bundle import OpenBundle

TOGETHER = 256  # rows that are asked at once, as served


# --- what of ----------------------------------------------------------------------------------------------------------


def spread(rows: "pd.DataFrame", most: int) -> "pd.DataFrame":
    """As many rows as asked, from all over a table: rows in a row are of one day."""
    import numpy as np

    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))]


def extreme(candidate: "OpenBundle", rows: "pd.DataFrame") -> "pd.DataFrame":
    """The awkward rows, and the first with each number as far off as its type goes, alone and all together."""
    import numpy as np
    import pandas as pd

    first = rows.iloc[[0]]
    floats = [name for name in candidate.request_columns if rows[name].dtype.kind == "f"]
    whole = [name for name in candidate.request_columns if rows[name].dtype.kind in "iu"]
    farthest: list[dict[str, Any]] = []
    for far in (np.finfo(float).max, np.finfo(float).min, np.finfo(float).tiny):
        farthest += [{name: far} for name in floats] + [dict.fromkeys(floats, far)]
    farthest += [{name: far} for far in (2**31 - 1, -(2**31)) for name in whole]
    return pd.concat([candidate.awkward(rows), *(first.assign(**change) for change in farthest)], ignore_index=True)


# --- by which way -----------------------------------------------------------------------------------------------------


def as_served(candidate: "OpenBundle", rows: "pd.DataFrame") -> "NDArray[np.float64]":
    """What is said of all rows as arrays: in portions, as requests travel, for which the direct path is made."""
    import numpy as np

    portions = [rows[start : start + TOGETHER] for start in range(0, len(rows), TOGETHER)]
    return np.concatenate([candidate.predict_columns(candidate.arrays(portion)) for portion in portions])


def each(candidate: "OpenBundle", rows: "pd.DataFrame", *, served: bool) -> "NDArray[np.float64]":
    """What is said of each row by itself, in the shape of the task's scores; minus infinity where the model raises."""
    import numpy as np

    said = np.full(candidate.task.shape(len(rows)), -math.inf)
    # With one thread, as served. Two that share a row wait for each other at each tree, and for whoever else computes.
    with threads.limited():
        for place in range(len(rows)):
            row = rows.iloc[[place]]
            with suppress(Exception):  # whatever it raises: it has not answered
                said[place] = (as_served(candidate, row) if served else candidate.predict(row))[0]
    return said


# --- how far apart ----------------------------------------------------------------------------------------------------


def largest_difference(one: "NDArray[np.float64]", other: "NDArray[np.float64]") -> float:
    """The largest distance of two answers to one question: 0 for the same, NaN included, else 1 at least for NaN.

    >>> import numpy as np
    >>> largest_difference(np.array([0.5, np.nan]), np.array([0.25, np.nan]))
    0.25
    """
    import numpy as np

    if one.shape != other.shape:
        return math.inf
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(one - other))
    return float(np.where(np.isfinite(apart), apart, 1.0).max(initial=0.0))
