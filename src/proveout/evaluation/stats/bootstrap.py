"""What a metric would have been on other rows of the same kind: the bootstrap draws them from those that there are, the
jackknife leaves one cluster out at a time.

Input: a metric, labels, scores of one model or of two. Output: the ends of an interval, or why there are none.
Source: B. Efron, Bootstrap methods, Annals of Statistics 7 (1979); whole clusters after A. C. Davison and D. V.
Hinkley, Bootstrap Methods and their Application (1997), 3.8; the wider percentiles after T. C. Hesterberg, What
teachers should know about the bootstrap, The American Statistician 69 (2015); of the jackknife, see `skewed`.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from proveout.evaluation.stats.noninferiority import Gain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Draw = NDArray[np.intp]
    Groups = NDArray[np.intp]

NO_SKEWNESS, MOST_SKEWNESS = 1e-6, 0.5  # of a mean: without effect; beyond, the cubic transformation has no meaning
NO_SPREAD = 1e-6  # of gains, the largest of which is 1: below it they are alike, and their cubes mostly rounding
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


def left_out(
    function: Callable[[Any, Any], float],
    labels: "NDArray[Any]",
    scores: "Sequence[NDArray[Any]]",
    *,
    groups: "Groups",
    most: int,
) -> "NDArray[np.float64]":
    """`function` of each of `scores` without one cluster, shape (clusters, len(scores)); NaN where it has no value.

    More than `most` clusters are left out together, every so many of them: many small ones say of chance what all do.
    """
    import numpy as np

    groups = groups % most
    measure = _weighted_auc(labels, scores) if _is_auc(function, labels, scores) else _by_rows(function, labels, scores)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.array([measure(np.flatnonzero(groups != one)) for one in range(int(groups.max()) + 1)])


def skewed(value: float, without: "NDArray[np.float64]", level: float) -> Gain:
    """The interval of a gain, from what it is without each of the clusters, shape (clusters,), two or more.

    Student's t interval of the jackknife, less the jackknife's bias, and bent as Hall's transformation asks. The gains
    of days are skewed: a candidate that is worse mostly loses on a few bad days. A hold-out that by luck has few of
    them shows a small loss and a small spread at once, and t lets twice as many of these candidates through as it
    says. Each end takes the skewness for the worst that these clusters are compatible with (that of a sample is too
    near 0), so that a symmetric gain has an interval a tenth wider at 30 clusters, and hardly wider at a thousand. How
    sure the skewness is the clusters say themselves: see `_error_of_skewness`.
    Source: P. Hall, On the removal of skewness by transformation, Journal of the Royal Statistical Society B 54 (1992);
    X.-H. Zhou and S. Gao, One-sided confidence intervals for means of positively skewed distributions, The American
    Statistician 54 (2000); the jackknife as in `metrics.error_of_mean`.

    >>> import numpy as np
    >>> of_days = np.array([0.02, 0.01, 0.02, 0.01, 0.02, 0.01, 0.02, 0.01, 0.01, -0.13])
    >>> found = skewed(0.0, (of_days.sum() - of_days) / 9, level=0.9)
    >>> round(found.low, 3), round(found.high, 3)
    (-0.057, 0.043)
    """
    import numpy as np
    from scipy.stats import t

    units = len(without)
    moved = (units - 1) * (value - without)  # each cluster's own gain, less the whole
    middle, off = value + float(moved.mean()), moved - moved.mean()
    error = math.sqrt(float(np.square(moved).sum()) / units / (units - 1))
    if error == 0:
        return Gain(value=value, low=value, high=value, error=0.0)
    quantile = float(t.ppf((1 + level) / 2, units - 1))
    off = off / np.abs(off).max() if off.any() else off  # cubes of gains near 0 would be 0
    skewness = float((off**3).mean() / np.square(off).mean() ** 1.5) if off.any() else 0.0
    unsure = NormalDist().inv_cdf((1 + level) / 2) * _error_of_skewness(off)
    down = _bent(quantile, (skewness - unsure) / math.sqrt(units))
    up = _bent(quantile, (-skewness - unsure) / math.sqrt(units))
    low, high = min(value, middle - down * error), max(value, middle + up * error)
    return Gain(value=value, low=low, high=high, error=error, clusters=units)


def _bent(quantile: float, skewness: float) -> float:
    """How many standard errors a mean lies above the truth at most, where one of that skewness is not lucky.

    `skewness` is that of a cluster, over the root of their number: 0 gives the quantile itself, below 0 more.
    """
    if abs(skewness) < NO_SKEWNESS:
        return quantile
    skewness = max(-MOST_SKEWNESS, min(skewness, MOST_SKEWNESS))
    return 3 / skewness * (math.cbrt(1 + skewness * (quantile - skewness / 6)) - 1)


def _error_of_skewness(off: "NDArray[np.float64]") -> float:
    """The standard error of the skewness of `off`, shape (clusters,): the jackknife's, and at least a normal sample's.

    A normal sample's alone is too small by several times for gains with bad days: there one day more or less makes the
    skewness another one, which the jackknife sees. The jackknife's alone varies itself, and with luck is near 0.
    Infinite where all clusters but one are alike.
    Source: B. Efron and C. Stein, The jackknife estimate of variance, Annals of Statistics 9 (1981).
    """
    import numpy as np

    units = len(off)
    if units < 3:  # two have no skewness
        return 0.0
    normal = math.sqrt(6 * units * (units - 1) / (units - 2) / (units + 1) / (units + 3))
    # The moments of the others, and from them their skewness, for each cluster that is left out.
    first, second, third = (((off**power).sum() - off**power) / (units - 1) for power in (1, 2, 3))
    spread = second - first**2
    if not (spread > NO_SPREAD).all():
        return math.inf
    without = (third - 3 * first * second + 2 * first**3) / spread**1.5
    return max(normal, math.sqrt((units - 1) / units * float(np.square(without - without.mean()).sum())))


def _outside(resamples: int, *, level: float, units: int) -> int:
    """The place of each end among the sorted draws, counted from outside, from 1.

    Percentiles are moved out as Student's t and n / (n - 1) ask: plain ones are too narrow for few units.
    """
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
