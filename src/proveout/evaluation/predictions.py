"""Predictions of a candidate: with tables or arrays, row by row or together; and the difference of two sets of them.

Input: the candidate and rows. Output: rows to predict, and scores, shape (rows,) or (rows, classes). A candidate can
predict from a table, as in the gate, and from arrays, as in the server.
"""

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from proveout.model import threads
from proveout.schema import bounds
from proveout.schema.spec import RequestSchema

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.model.bundle import OpenBundle

TOGETHER = 256  # rows predicted at once, as in the server


# --- what of ----------------------------------------------------------------------------------------------------------


def spread(rows: "pd.DataFrame", most: int) -> "pd.DataFrame":
    """At most `most` rows, spread over the table, because neighbouring rows may be of one day."""
    import numpy as np

    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))]


def extreme(candidate: "OpenBundle", rows: "pd.DataFrame") -> "pd.DataFrame":
    """The awkward rows, and the first row with its numbers at the limits of their types, one by one and together."""
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


def at_limits(rows: "pd.DataFrame", schema: RequestSchema) -> "pd.DataFrame":
    """The first row, and it with its numbers at the ends of what a request may hold, one by one and together."""
    import pandas as pd

    first = rows.iloc[[0]]
    allowed = {one.name: bounds.of(one) for one in schema.fields if one.name in first and one.kind in ("float", "int")}
    changes: list[dict[str, Any]] = [{}]
    for ends in ({name: one.low for name, one in allowed.items()}, {name: one.high for name, one in allowed.items()}):
        known = {name: end for name, end in ends.items() if end is not None}
        changes += [*({name: end} for name, end in known.items()), known]
    return pd.concat([first.assign(**change) for change in changes], ignore_index=True)


# --- by which way -----------------------------------------------------------------------------------------------------


def as_served(candidate: "OpenBundle", rows: "pd.DataFrame") -> "NDArray[np.float64]":
    """The scores of all rows predicted as arrays, in portions like in the server."""
    import numpy as np

    portions = [rows[start : start + TOGETHER] for start in range(0, len(rows), TOGETHER)]
    return np.concatenate([candidate.predict_columns(candidate.arrays(portion)) for portion in portions])


def each(candidate: "OpenBundle", rows: "pd.DataFrame", *, served: bool) -> "NDArray[np.float64]":
    """The scores of each row predicted alone, in the shape of the task's scores; minus infinity if the model raises."""
    import numpy as np

    said = np.full(candidate.task.shape(len(rows)), -math.inf)
    # One thread, as in the server. Several threads on one row would wait for each other at each tree.
    with threads.limited():
        for place in range(len(rows)):
            row = rows.iloc[[place]]
            with suppress(Exception):  # whatever it raises: no answer
                said[place] = (as_served(candidate, row) if served else candidate.predict(row))[0]
    return said


# --- how far apart ----------------------------------------------------------------------------------------------------


def largest_difference(one: "NDArray[np.float64]", other: "NDArray[np.float64]") -> float:
    """The largest difference of two sets of scores; of a score above 1, as a share of it.

    The last bit of a price of 200,000 is 1e-11, of a probability 1e-16. Two NaN are equal; NaN and a number differ by
    at least 1.

    >>> import numpy as np
    >>> largest_difference(np.array([0.5, np.nan]), np.array([0.25, np.nan]))
    0.25
    >>> largest_difference(np.array([200_001.0]), np.array([200_000.0]))
    5e-06
    """
    import numpy as np

    if one.shape != other.shape:
        return math.inf
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(one - other) / np.maximum(np.abs(other), 1.0))
    return float(np.where(np.isfinite(apart), apart, 1.0).max(initial=0.0))
