"""The area under the ROC curve as a mean over rows: what each row adds to it, and how far chance moves it.

Input: labels, scores of one model or of two. Output: an AUC, or the gain of one on the other, with its interval.
Source: E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, Comparing the areas under two or more correlated receiver
operating characteristic curves, Biometrics 44 (1988), by midranks after X. Sun and W. Xu, IEEE Signal Processing
Letters 21 (2014); clusters after N. A. Obuchowski, Nonparametric analysis of clustered ROC curve data, Biometrics 53
(1997).
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from proveout.evaluation.stats import bootstrap
from proveout.evaluation.stats.noninferiority import NO_GAIN, Gain

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Truths = NDArray[np.bool_]
    Scores = NDArray[np.float64]
    Groups = NDArray[np.intp]

BESIDE = 1e-9


@dataclass(frozen=True)
class Ranking:
    """How scores rank true rows above false ones."""

    auc: float
    ranks: "Scores"  # from 1 to rows, equal scores share their middle one
    influence: "Scores"  # what each row moves the AUC by, shape (rows,); the sum is 0


def rank(labels: "Truths", scores: "Scores") -> Ranking:
    """The AUC of `scores`, half a point for a tie. Both classes have to be there. O(n log n)."""
    import numpy as np
    from scipy.stats import rankdata

    true, false = scores[labels], scores[~labels]
    ranks = rankdata(scores)
    # Of a true row: the share of false rows below it. Of a false row: the share of true rows above it.
    above = (ranks[labels] - rankdata(true)) / len(false)
    below = 1 - (ranks[~labels] - rankdata(false)) / len(true)
    auc = float(above.mean())
    influence = np.empty(len(scores))
    influence[labels] = (above - auc) / len(true)
    influence[~labels] = (below - auc) / len(false)
    return Ranking(auc, ranks, influence)


def spread(influence: "Scores", labels: "Truths", groups: "Groups | None" = None) -> tuple[float, float]:
    """The variance of an AUC, or of the difference of two (from the difference of their influences), and its freedom.

    Infinite for fewer than two rows of a class, or two clusters: then nothing is known of it. Degrees of freedom are
    Satterthwaite's, as E. Brunner and U. Munzel have them for ranks (Biometrical Journal 42 (2000)): with ten true rows
    the normal quantile would be too sure.
    """
    import numpy as np

    if groups is not None:
        sums = np.bincount(groups, weights=influence)
        units = len(sums)
        return (float(units / (units - 1) * np.square(sums).sum()), units - 1.0) if units > 1 else (np.inf, 1.0)
    parts = []
    for rows in (influence[labels], influence[~labels]):
        if len(rows) < 2:
            return np.inf, 1.0
        parts.append((len(rows) / (len(rows) - 1) * float(np.square(rows).sum()), len(rows) - 1))
    both = sum(part for part, _ in parts)
    freedom = sum(part**2 / free for part, free in parts)
    return both, both**2 / freedom if freedom else np.inf


def interval(found: Ranking, labels: "Truths", groups: "Groups | None", level: float) -> tuple[float, float]:
    """The confidence interval of an AUC, 0 to 1.

    On the logit scale: the plain one covers less than it says near 1, where models are, and may pass 1. Where the rows
    show no variance (every true row above every false one, or all scores equal), or too little to know one (a class of
    one row), it is Newcombe's, which needs none: nobody is sure of an AUC of 1 after ten rows.
    Source: M. S. Pepe, The Statistical Evaluation of Medical Tests (2003), 5.2; R. G. Newcombe, Confidence intervals
    for an effect size measure based on the Mann-Whitney statistic, part 2, Statistics in Medicine 25 (2006), method 5.
    """
    import numpy as np
    from scipy.special import expit, logit
    from scipy.stats import norm, t

    variance, freedom = spread(found.influence, labels, groups)
    if not 0 < variance < np.inf or found.auc in {0.0, 1.0}:
        return _newcombe(found.auc, int(labels.sum()), int((~labels).sum()), float(norm.ppf((1 + level) / 2)))
    half = t.ppf((1 + level) / 2, freedom) * np.sqrt(variance) / (found.auc * (1 - found.auc))
    middle = logit(found.auc)
    return float(expit(middle - half)), float(expit(middle + half))


def gain(
    labels: "Truths", candidate: "Scores", champion: "Scores", groups: "Groups | None", level: float
) -> tuple[Ranking, Gain]:
    """How much better `candidate` ranks than `champion`, by a paired interval; with the champion's own ranking.

    The interval is DeLong's, or where it is wider the one that two single intervals and the correlation of the two AUCs
    give. DeLong's alone lets through too many models that are worse by a margin, near 1 and with few true rows: the
    luck that makes a candidate look good makes its variance look small, too.
    Of clusters it is instead of DeLong's the jackknife's, see `bootstrap.skewed`; each class has to be in two of them.
    Source: G. Y. Zou, Toward using confidence intervals to compare correlations, Psychological Methods 12 (2007).
    """
    import numpy as np
    from scipy.stats import t

    ours, theirs = rank(labels, candidate), rank(labels, champion)
    value = ours.auc - theirs.auc
    if np.array_equal(ours.ranks, theirs.ranks):  # the same model, or one that was only calibrated anew
        return theirs, NO_GAIN
    variance, freedom = spread(ours.influence - theirs.influence, labels, groups)
    error = float(np.sqrt(variance))
    half = float(t.ppf((1 + level) / 2, freedom)) * error
    found = Gain(value=value, low=value - half, high=value + half, error=error)
    if groups is not None:
        found = bootstrap.skewed(value, without(labels, candidate, groups) - without(labels, champion, groups), level)
    alone = [spread(one.influence, labels, groups)[0] for one in (ours, theirs)]
    product = float(np.sqrt(alone[0] * alone[1]))
    correlation = (alone[0] + alone[1] - variance) / 2 / product if 0 < product < np.inf else 0.0
    (our_low, our_high), (their_low, their_high) = (interval(one, labels, groups, level) for one in (ours, theirs))
    down = _joined(ours.auc - our_low, their_high - theirs.auc, correlation)
    up = _joined(our_high - ours.auc, theirs.auc - their_low, correlation)
    low, high = min(found.low, value - down), max(found.high, value + up)
    return theirs, replace(found, low=max(-1.0, low), high=min(1.0, high))


def without(labels: "Truths", scores: "Scores", groups: "Groups") -> "Scores":
    """The AUC of the rows that are left without each cluster, shape (clusters,). O(n log n), not a ranking for each."""
    import numpy as np
    from scipy.stats import rankdata

    units, places = int(groups.max()) + 1, np.unique(scores, return_inverse=True)[1]
    trues, falses = np.bincount(groups[labels], minlength=units), np.bincount(groups[~labels], minlength=units)

    def won(keys: "Groups") -> "tuple[NDArray[Any], NDArray[Any]]":
        """By cluster: the pairs that its true rows win, and those that its false rows do not lose."""
        ranks = rankdata(keys)
        above = ranks[labels] - rankdata(keys[labels])
        below = ranks[~labels] - rankdata(keys[~labels])  # true rows below each false row
        return np.bincount(groups[labels], above, units), np.bincount(groups[~labels], below, units)

    by_true, below = won(places)
    by_false = labels.sum() * falses - below
    # Clusters behind each other: a true row is above its own false rows and above all those of clusters before.
    within = won(groups * len(labels) + places)[0] - trues * (np.cumsum(falses) - falses)
    pairs = (labels.sum() - trues) * ((~labels).sum() - falses)
    left: Scores = (by_true.sum() - by_true - by_false + within) / pairs
    return left


def _joined(one: float, other: float, correlation: float) -> float:
    """The length of a difference's interval to one side, from the lengths of the two."""
    return float(max(0.0, one**2 + other**2 - 2 * correlation * one * other) ** 0.5)


def _newcombe(auc: float, trues: int, falses: int, quantile: float) -> tuple[float, float]:
    """Newcombe's method 5: the AUCs from which this one is `quantile` standard errors away."""
    from scipy.optimize import brentq

    def away(truth: float) -> float:
        middle = (trues + falses) / 2 - 1
        variance = truth * (1 - truth) * (1 + middle * ((1 - truth) / (2 - truth) + truth / (1 + truth)))
        return float((auc - truth) ** 2 - quantile**2 * variance / (trues * falses))

    # At 0 and at 1 nothing is away from itself: the other root is looked for from beside it.
    low = 0.0 if auc == 0 else float(brentq(away, 0.0, min(auc, 1 - BESIDE)))
    high = 1.0 if auc == 1 else float(brentq(away, max(auc, BESIDE), 1.0))
    return low, high
