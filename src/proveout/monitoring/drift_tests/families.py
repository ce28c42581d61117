"""Decisions about a family of tests: which alarm, and which are listed.

Input: p-values. Output: levels and flags. Pure.
"""

from collections.abc import Sequence

import numpy as np


def levels(weights: Sequence[float], *, alpha: float) -> tuple[float, ...]:
    """The p-value at which each test alarms, so that any of them does so by chance with probability `alpha` at most.

    Weighted Bonferroni: a test with a larger weight has a larger share of alpha.

    >>> levels([4, 4, 2], alpha=0.05)
    (0.02, 0.02, 0.01)
    """
    total = sum(weights)
    return tuple(alpha * weight / total for weight in weights)


def listed(p_values: Sequence[float], *, share: float) -> tuple[bool, ...]:
    """Which tests are worth a look: of those listed, about `share` at most are there by chance.

    Source: Y. Benjamini and Y. Hochberg, Controlling the false discovery rate, Journal of the Royal Statistical Society
        B
    57 (1995).

    >>> listed([0.001, 0.02, 0.9, 0.03], share=0.05)
    (True, True, False, True)
    """
    values = np.asarray(p_values, dtype=np.float64)
    if not len(values):
        return ()
    order = np.argsort(values, kind="stable")
    below = np.flatnonzero(values[order] <= share * np.arange(1, len(values) + 1) / len(values))
    limit = float(values[order][below[-1]]) if len(below) else -1.0
    return tuple(bool(value <= limit) for value in values)
