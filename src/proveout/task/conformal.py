"""Split-conformal intervals: how wide an interval around a value has to be to hold the outcome with a stated chance.

Input: errors of values on held-out rows. Output: a half width, and which rows an honest interval would have
covered. Source: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, Distribution-free predictive inference for regression
(2018). The promise holds for rows that are exchangeable with the held-out ones; where time or groups move, it is what
the gate and the monitor measure.
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

COVERAGE = 0.9
"""Share of the outcomes that an interval is to hold."""
FOLDS = 10


def half_width(errors: "ArrayLike", *, coverage: float = COVERAGE) -> float:
    """The half width of an interval that holds a new outcome with a chance of at least `coverage`.

    Args:
        errors: outcome less value on rows that the model has not learned from, shape (rows,).
    Returns: the k-th smallest error without its sign, k = ceil((rows + 1) * coverage); infinity for so few rows that no
        finite interval has that chance.

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
    """Whether each outcome lies in an interval whose width the other rows gave: the coverage without self-praise.

    A half width that was measured on these same rows covers them by construction. Here they are parted into folds at
    random, and each is judged by the half width of the others.

    Args:
        errors: outcome less value, shape (rows,).
        clusters: the group of each row, such as a day or a customer; a group is never parted.
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
