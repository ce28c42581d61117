"""How sure a number is: a metric on held-out rows, with its confidence interval.

Comes in: arrays, a value per row. Goes out: `Evidence`, to be stated by a check: `evidence(auc(labels, scores), at_least=0.7)`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from proveout.records import Evidence

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Metric = Callable[[Any, Any], float]
"""`(labels, scores)` to a number, such as scikit-learn's metrics."""


def share(hits: int, rows: int, *, name: str = "share", level: float = 0.95) -> Evidence:
    """`hits` of `rows` as a share, with Wilson's score interval. No rows: not judged.

    Source: E. B. Wilson, Probable inference, JASA 22 (1927).

    >>> found = share(8, 10)
    >>> round(found.low, 3), found.value, round(found.high, 3)
    (0.49, 0.8, 0.943)
    """
    from statistics import NormalDist

    if rows == 0:
        return Evidence(name=name, value=None, rows=0, unjudged="no rows")
    z = NormalDist().inv_cdf((1 + level) / 2)
    p = hits / rows
    middle = (p + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * ((p * (1 - p) / rows + z * z / (4 * rows * rows)) ** 0.5)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Evidence(name=name, value=p, rows=rows, low=low, high=high, level=level)


def auc(labels: "ArrayLike", scores: "ArrayLike", *, level: float = 0.95) -> Evidence:
    """How well `scores` rank true `labels` above false ones, 0 to 1, with DeLong's interval, shape (rows,) each.

    One class alone: not judged. Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988).
    """
    raise NotImplementedError  # being written


def mean(values: "ArrayLike", *, name: str = "mean", level: float = 0.95) -> Evidence:
    """The mean of a number per row, with its interval."""
    raise NotImplementedError  # being written


def metric(
    function: Metric,
    labels: "ArrayLike",
    scores: "ArrayLike",
    *,
    name: str | None = None,
    level: float = 0.95,
    resamples: int = 1_000,
    clusters: "ArrayLike | None" = None,
    seed: int = 0,
) -> Evidence:
    """Any metric, with a bootstrap interval; `clusters` (shape (rows,)) are drawn whole, such as the days of flights."""
    raise NotImplementedError  # being written
