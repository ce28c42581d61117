"""A sample of rows, drawn at random.

Input: how many rows there are, and a seed. Output: places, by NumPy.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def sample(rows: int, most: int, *, seed: int) -> "NDArray[np.intp]":
    """Sorted positions of `most` random rows, or of all if there are no more.

    >>> sample(3, 5, seed=0).tolist(), len(sample(1_000, 5, seed=0))
    ([0, 1, 2], 5)
    """
    import numpy as np

    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, size=most, replace=False))
