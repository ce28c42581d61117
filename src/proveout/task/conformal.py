"""Split-conformal intervals: the width that an interval needs to contain the outcome with a stated probability.

Input: errors of predictions on held-out rows. Output: a half width, and which rows an honest interval would have
covered. Source: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, Distribution-free predictive inference for regression
(2018). The coverage is guaranteed for rows that are exchangeable with the held-out ones. If data changes over time or
between groups, it is not, so the gate and the monitor measure it.
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

COVERAGE = 0.9
"""Share of the outcomes that intervals should contain, by default."""
FOLDS = 10


def half_width(errors: "ArrayLike", *, coverage: float = COVERAGE) -> float:
    """The half width of an interval that contains a new outcome with a probability of at least `coverage`.

    Args:
        errors: outcome less prediction on rows that the model was not trained on, shape (rows,).
    Returns: the k-th smallest absolute error, k = ceil((rows + 1) * coverage); infinity if there are too few rows for a
        finite interval.

    >>> half_width([1, -2, 3, -4, 5, -6, 7, -8, 9], coverage=0.8)
    8.0
    """
    import numpy as np

    ordered = np.sort(np.abs(np.asarray(errors, dtype=float)))
    place = math.ceil((len(ordered) + 1) * coverage - 1e-9)
    return float(ordered[place - 1]) if place <= len(ordered) else math.inf


def covered(
    errors: "ArrayLike", *, coverage: float = COVERAGE, clusters: "ArrayLike | None" = None, seed: int = 0
) -> "NDArray[np.bool_]":
    """Whether each outcome lies in an interval whose width comes from other rows: an unbiased coverage.

    A half width computed from the same rows covers them by construction. So the rows are divided into random folds, and
    each fold is judged with the half width of the others.

    Args:
        errors: outcome less prediction, shape (rows,).
        clusters: the group of each row, such as a day or a customer; a group stays in one fold.
    Returns: shape (rows,).
    """
    import numpy as np

    found = np.asarray(errors, dtype=float)
    names, group = np.unique(np.arange(len(found)) if clusters is None else np.asarray(clusters), return_inverse=True)
    folds = min(FOLDS, len(names))
    fold = np.random.default_rng(seed).permutation(len(names))[group] % max(folds, 1)
    inside = np.zeros(len(found), dtype=bool)
    for number in range(folds):
        here = fold == number
        inside[here] = np.abs(found[here]) <= half_width(found[~here], coverage=coverage)
    return inside
