"""The bootstrap: what a metric would have been on other rows of the same kind, drawn from those that there are.

Comes in: a metric, labels, scores of one model or of two. Goes out: the ends of an interval, or why there are none.
Source: B. Efron, Bootstrap methods, Annals of Statistics 7 (1979); whole clusters after A. C. Davison and D. V.
Hinkley, Bootstrap Methods and their Application (1997), 3.8; the wider percentiles after T. C. Hesterberg, What
teachers should know about the bootstrap, The American Statistician 69 (2015).
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Draw = NDArray[np.intp]
    Groups = NDArray[np.intp]

FEWEST_UNITS = 10  # rows or clusters to draw from: draws from fewer do not reach the ends of an interval


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """Where a metric would have been on other rows; `unjudged` says why the draws do not tell."""

    low: float = math.nan
    high: float = math.nan
    error: float = math.nan  # the standard error
    unjudged: str = ""


def bootstrap(
    function: Callable[[Any, Any], float],
    labels: "NDArray[Any]",
    scores: "Sequence[NDArray[Any]]",
    *,
    level: float,
    resamples: int,
    groups: "Groups | None",
    seed: int,
    combined: "Callable[[NDArray[np.float64]], NDArray[np.float64]]",
) -> Bootstrap:
    """The interval of what `combined` makes of the metric of each of `scores`, all of them measured on the same draws.

    Args:
        groups: the number of each row's cluster, shape (rows,): clusters are drawn whole.
        combined: from shape (resamples, len(scores)) to (resamples,), such as the difference of two.
    """
    import numpy as np

    units = len(labels) if groups is None else int(groups.max()) + 1
    if units < FEWEST_UNITS:
        return Bootstrap(
            unjudged=f"{units} {'rows' if groups is None else 'clusters'}, a bootstrap needs {FEWEST_UNITS}"
        )
    values = combined(resampled(function, labels, scores, resamples=resamples, groups=groups, seed=seed))
    known = np.sort(values[np.isfinite(values)])
    outside = _outside(resamples, level=level, units=units)
    if outside < 1:
        why = (
            f"{resamples:,} resamples do not reach the ends of a {level:.0%} interval of {units:,} draws: ask for more"
        )
        return Bootstrap(unjudged=why)
    # A draw without a value is taken for the worst one at both ends: to leave it out, or to draw again, would be to
    # look only at the draws that went well.
    left = outside - (resamples - len(known))
    if left < 1:
        return Bootstrap(unjudged=f"no value in {resamples - len(known):,} of {resamples:,} resamples")
    return Bootstrap(low=float(known[left - 1]), high=float(known[-left]), error=float(known.std(ddof=1)))


def resampled(
    function: Callable[[Any, Any], float],
    labels: "NDArray[Any]",
    scores: "Sequence[NDArray[Any]]",
    *,
    resamples: int,
    groups: "Groups | None",
    seed: int,
) -> "NDArray[np.float64]":
    """`function` of each of `scores` on each draw, shape (resamples, len(scores)); NaN where it has no value.

    A draw may hold one class alone, and many a metric has no value there: it raises, or says NaN.
    """
    import numpy as np

    measure = _weighted_auc(labels, scores) if _is_auc(function, labels, scores) else _by_rows(function, labels, scores)
    found = np.full((resamples, len(scores)), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of each draw of one class
        for number, draw in enumerate(draws(len(labels), resamples=resamples, groups=groups, seed=seed)):
            found[number] = measure(draw)
    return found


def draws(rows: int, *, resamples: int, groups: "Groups | None", seed: int) -> "Iterator[Draw]":
    """Row numbers of each resample, drawn with replacement; whole clusters where there are some."""
    import numpy as np

    rng = np.random.default_rng(seed)
    if groups is None:
        for _ in range(resamples):
            yield rng.integers(rows, size=rows)
        return
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1])
    for _ in range(resamples):
        yield np.concatenate([members[one] for one in rng.integers(len(members), size=len(members))])


def _outside(resamples: int, *, level: float, units: int) -> int:
    """The place of each end among the sorted draws, counted from outside, from 1.

    Percentiles are moved out as Student's t and n / (n - 1) ask: plain ones are too narrow for few units.
    """
    from statistics import NormalDist

    from scipy.stats import t

    quantile = float(t.ppf((1 + level) / 2, units - 1)) * math.sqrt(units / (units - 1))
    return math.floor((resamples + 1) * NormalDist().cdf(-quantile))


def _by_rows(
    function: Callable[[Any, Any], float], labels: "NDArray[Any]", scores: "Sequence[NDArray[Any]]"
) -> "Callable[[Draw], list[float]]":
    def measure(draw: "Draw") -> list[float]:
        truth = labels[draw]
        try:
            return [float(function(truth, one[draw])) for one in scores]
        except (ValueError, ArithmeticError):
            return [math.nan] * len(scores)

    return measure


def _is_auc(function: Callable[[Any, Any], float], labels: "NDArray[Any]", scores: "Sequence[NDArray[Any]]") -> bool:
    from sklearn.metrics import roc_auc_score

    return function is roc_auc_score and labels.dtype.kind in "bi" and all(one.ndim == 1 for one in scores)


def _weighted_auc(labels: "NDArray[Any]", scores: "Sequence[NDArray[Any]]") -> "Callable[[Draw], list[float]]":
    """The AUC of a draw from how often each row is in it: the scores are sorted once, not once for each draw."""
    import numpy as np

    truth = labels == 1
    sorted_once = []
    for one in scores:
        order = np.argsort(one, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(one[order]) > 0])  # of each run of equal scores
        sorted_once.append((order, truth[order], starts))

    def measure(draw: "Draw") -> list[float]:
        times = np.bincount(draw, minlength=len(truth))
        found = []
        for order, true, starts in sorted_once:
            here = times[order]
            trues = np.add.reduceat(here * true, starts)
            falses = np.add.reduceat(here * ~true, starts)
            pairs = int(trues.sum()) * int(falses.sum())
            won = float(trues @ (np.cumsum(falses) - falses / 2))
            found.append(won / pairs if pairs else math.nan)
        return found

    return measure
