"""Is the candidate as good as the champion? A paired comparison on the same held-out rows, with a stated margin.

Input: labels and the scores of both. Output: one `Evidence`: the gain (positive if the candidate is better, also for
metrics that are better when lower), its interval, and the decision, to be stated by a check:

    evidence(compare.auc(holdout.labels, scores, champion_scores, margin=0.01))

`margin=0.01` requires that the candidate is significantly not worse by 0.01 or more. A model that is worse by exactly
the margin passes in at most 1 - `level` of runs (5 %); if two plain numbers were compared, it would pass in half of
them. `better=True` requires significantly better; the margin then only distinguishes "not worse" from "undecided".
`level` is that of the one-sided test. The shown interval has two ends, so its level is 2 * level - 1: 0.90 for 0.95.

The decision is one of four words, followed by what this number of rows can show: "not worse; an equal model is refused
in 2 % of runs". A holdout that is too small for its margin refuses equal models, and the decision shows it. Without a
champion (None), the candidate's own value is stated without a bound, and the decision says that it is the first.

With `clusters=`, the 5 % is only approximate if there are few clusters, and below sixty the decision says so: with 30
days of flights, 3 to 8 % of models that were worse by the margin passed (bench/gate_calibration.py), with 60 days 4 to
7 %. Skewed gains are accounted for (`bootstrap.skewed`; with Student's t 6 to 12 % passed), but a loss that is caused
by few days may not show in thirty of them. An equally good model with its own bad days is refused more often.

The same training with another seed does not give an equal model: its metric varies between seeds. Train with a few
seeds, and state the standard deviation of the metric as `spread=`. The decision then says how often such a model is
refused ("a model of another seed is refused in 25 % of runs"), which shows whether the margin is wide enough.
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from proveout.evaluation import metrics
from proveout.evaluation.metrics import Metric
from proveout.evaluation.stats import array_checks
from proveout.evaluation.stats.noninferiority import NO_GAIN, Asked, Gain
from proveout.records.verdict import Evidence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


def auc(
    labels: "ArrayLike",
    candidate: "ArrayLike",
    champion: "ArrayLike | None",
    *,
    margin: float,
    better: bool = False,
    level: float = 0.95,
    spread: float = 0.0,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """The candidate's gain in AUC, by DeLong's paired test.

    Args:
        labels: true and false, shape (rows,).
        candidate, champion: scores of these rows, higher for more likely; shape (rows,).
        spread: the standard deviation of the AUC over trainings that differ only in their seed; it changes what the
            decision says, not the decision.
        clusters: shape (rows,), such as the day of each flight: flights of one day are correlated.
    Returns: not judged with fewer than two rows of a class, or two clusters.
    Raises: UsageError for scores that are missing or of another length.

    >>> from random import Random
    >>> chance = Random(0)
    >>> labels = [chance.random() < 0.3 for _ in range(2_000)]
    >>> champion = [chance.gauss(label, 1) for label in labels]
    >>> candidate = [score + chance.gauss(0, 0.1) for score in champion]
    >>> found = auc(labels, candidate, champion, margin=0.01)
    >>> found.name, found.decision, found.holds
    ('auc, gain on the champion', 'not worse; an equal model is refused in under 1 % of runs', True)
    """
    import numpy as np

    from proveout.evaluation.stats import delong

    truth, ours = array_checks.truths(labels), array_checks.numbers(candidate, "scores of the candidate")
    array_checks.same_length(len(truth), scores_of_the_candidate=ours)
    asked = Asked(name="auc", rows=len(truth), margin=margin, better=better, level=level, spread=spread)
    if champion is None:
        return asked.first(metrics.auc(truth, ours, level=asked.shown, clusters=clusters))
    theirs = array_checks.numbers(champion, "scores of the champion")
    array_checks.same_length(len(truth), scores_of_the_champion=theirs)
    groups = array_checks.groups(clusters, len(truth))
    trues, falses = int(truth.sum()), int((~truth).sum())
    if min(trues, falses) < 2:
        return asked.unjudged(f"{trues:,} true and {falses:,} false rows, two of each are needed")
    if groups is not None and groups.max() < 1:
        return asked.unjudged("one cluster, two are needed")
    for kind, of_kind in (("true", truth), ("false", ~truth)):
        if groups is not None and np.ptp(groups[of_kind]) == 0:
            return asked.unjudged(f"all {kind} rows are in one cluster, two are needed")
    before, gain = delong.gain(truth, ours, theirs, groups, asked.shown)
    return asked.answer(gain, champion=before.auc)


def labels(
    labels: "ArrayLike",
    candidate: "ArrayLike",
    champion: "ArrayLike | None",
    *,
    threshold: float | None,
    margin: float,
    champion_threshold: float | None = None,
    better: bool = False,
    level: float = 0.95,
    spread: float = 0.0,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """The candidate's gain in accuracy, by McNemar's test on the rows that only one of the two gets right.

    Args:
        labels: true and false, shape (rows,); of any kind if `threshold` is None.
        candidate, champion: scores, true from `threshold` on; or the labels themselves if it is None.
        champion_threshold: the champion's threshold, if it differs.
        clusters: shape (rows,); rows of one cluster are correlated. The test is then that of `rows`.
    Raises: UsageError for scores that are missing or of another length.

    >>> labels([1] * 90 + [0] * 10, [1] * 97 + [0] * 3, [1] * 90 + [1] * 10, threshold=None, margin=0.05).decision
    'not worse; an equal model is refused in 24 % of runs'
    """
    import numpy as np

    from proveout.evaluation.stats import mcnemar

    right = _right(labels, candidate, threshold, "candidate")
    asked = Asked(name="accuracy", rows=len(right), margin=margin, better=better, level=level, spread=spread)
    if champion is None:
        if clusters is not None:
            return asked.first(metrics.mean(right, name="accuracy", level=asked.shown, clusters=clusters))
        return asked.first(metrics.share(int(right.sum()), len(right), name="accuracy", level=asked.shown))
    other = threshold if champion_threshold is None else champion_threshold
    before = _right(labels, champion, other, "champion")
    if clusters is not None:
        return _of_means(asked, right.astype(float), before.astype(float), clusters, sign=1)
    if not len(right):
        return asked.unjudged("no rows")
    share = float(before.mean())
    if threshold is not None and threshold == other and np.array_equal(np.asarray(candidate), np.asarray(champion)):
        return asked.answer(NO_GAIN, champion=share)
    won, lost = int((right & ~before).sum()), int((~right & before).sum())
    low, high = mcnemar.interval(won, lost, len(right), level=asked.shown)
    error = (won + lost) ** 0.5 / len(right)
    return asked.answer(Gain(value=(won - lost) / len(right), low=low, high=high, error=error), champion=share)


def rows(
    losses_candidate: "ArrayLike",
    losses_champion: "ArrayLike | None",
    *,
    margin: float,
    name: str,
    better: bool = False,
    level: float = 0.95,
    spread: float = 0.0,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """The candidate's gain in a mean loss, such as the squared error per row, by a paired t interval.

    Args:
        losses_candidate, losses_champion: a loss per row, lower is better, shape (rows,).
        name: the name of the mean, such as "brier".
        clusters: shape (rows,), such as the day of each flight.
    Returns: not judged with fewer than two rows, or two clusters.
    Raises: UsageError for losses that are missing or of another length.

    >>> found = rows([0.1, 0.2, 0.1, 0.3] * 9, [0.2, 0.3, 0.1, 0.2] * 9, margin=0.05, name="brier")
    >>> round(found.value, 3), round(found.low, 3), found.decision
    (0.025, 0.001, 'better; an equal model is refused in 3 % of runs')
    """
    ours = array_checks.numbers(losses_candidate, "losses of the candidate")
    asked = Asked(name=name, rows=len(ours), margin=margin, better=better, level=level, spread=spread)
    if losses_champion is None:
        return asked.first(metrics.mean(ours, name=name, level=asked.shown, clusters=clusters))
    theirs = array_checks.numbers(losses_champion, "losses of the champion")
    array_checks.same_length(len(ours), losses_of_the_champion=theirs)
    return _of_means(asked, ours, theirs, clusters, sign=-1)


def metric(
    function: Metric,
    labels: "ArrayLike",
    candidate: "ArrayLike",
    champion: "ArrayLike | None",
    *,
    margin: float,
    higher_is_better: bool = True,
    name: str | None = None,
    better: bool = False,
    level: float = 0.95,
    spread: float = 0.0,
    clusters: "ArrayLike | None" = None,
    resamples: int = 1_000,
    seed: int = 0,
) -> Evidence:
    """The candidate's gain in any metric, by the paired bootstrap: both are measured on the same draws of rows.

    Args:
        function: `(labels, scores)` to a number, such as `sklearn.metrics.average_precision_score`.
        clusters: shape (rows,), such as the day of each flight: whole clusters are drawn.
    Returns: not judged with fewer than ten rows or ten clusters, or if the metric has no value in too many draws. A
        draw without a value counts as both the worst and the best one.
    Raises: UsageError for scores that are missing or of another length; what `function` raises on all rows.

    >>> from sklearn.metrics import f1_score
    >>> found = metric(f1_score, [0, 1] * 50, [0, 1] * 50, [0, 1] * 49 + [1, 1], margin=0.05, resamples=200)
    >>> round(found.value, 3), found.low, found.decision.partition(";")[0]
    (0.01, 0.0, 'not worse')
    """
    import numpy as np

    from proveout.evaluation.stats import bootstrap

    name = name or metrics.name_of(function)
    truth, ours = array_checks.values_of(labels, "labels"), array_checks.values_of(candidate, "scores of the candidate")
    array_checks.same_length(len(truth), scores_of_the_candidate=ours)
    asked = Asked(name=name, rows=len(truth), margin=margin, better=better, level=level, spread=spread)
    if champion is None:
        own = metrics.metric(
            function, truth, ours, name=name, level=asked.shown, clusters=clusters, resamples=resamples, seed=seed
        )
        return asked.first(own)
    theirs = array_checks.values_of(champion, "scores of the champion")
    array_checks.same_length(len(truth), scores_of_the_champion=theirs)
    groups = array_checks.groups(clusters, len(truth))
    if not len(truth):
        return asked.unjudged("no rows")
    after, before = float(function(truth, ours)), float(function(truth, theirs))
    sign = 1 if higher_is_better else -1
    value = sign * (after - before)
    if not math.isfinite(value):
        return asked.unjudged(f"{name} has no value on these rows")
    found = bootstrap.bootstrap(
        function,
        truth,
        [ours, theirs],
        level=asked.shown,
        resamples=resamples,
        groups=groups,
        seed=seed,
        combined=lambda of: sign * (of[:, 0] - of[:, 1]),
    )
    if found.unjudged:
        return asked.unjudged(found.unjudged, value=value, champion=before)
    gain = Gain(value=value, low=found.low, high=found.high, error=found.error)
    if groups is not None:
        left = bootstrap.left_out(function, truth, [ours, theirs], groups=groups, most=resamples)
        if not np.isfinite(left).all():
            return asked.unjudged(f"{name} has no value without one of the clusters", value=value, champion=before)
        bent = bootstrap.skewed(value, sign * (left[:, 0] - left[:, 1]), asked.shown)
        gain = replace(bent, low=min(gain.low, bent.low), high=max(gain.high, bent.high), error=gain.error)
    return asked.answer(gain, champion=before)


def _of_means(
    asked: Asked,
    ours: "NDArray[np.float64]",
    theirs: "NDArray[np.float64]",
    clusters: "ArrayLike | None",
    *,
    sign: int,
) -> Evidence:
    """The gain in a mean over rows; `sign` is -1 if lower is better."""
    import numpy as np

    from proveout.evaluation.stats import bootstrap

    gains = sign * (ours - theirs)
    found = metrics.mean(gains, level=asked.shown, clusters=clusters)
    before = float(theirs.mean()) if len(theirs) else None
    if found.value is None or found.low is None or found.high is None or before is None:
        return asked.unjudged(found.unjudged, value=found.value, champion=before)
    groups = array_checks.groups(clusters, len(gains))
    if groups is not None:
        left = (gains.sum() - np.bincount(groups, gains)) / (len(gains) - np.bincount(groups))
        return asked.answer(bootstrap.skewed(found.value, left, asked.shown), champion=before)
    error = metrics.error_of_mean(gains)
    return asked.answer(Gain(value=found.value, low=found.low, high=found.high, error=error), champion=before)


def _right(labels: "ArrayLike", said: "ArrayLike", threshold: float | None, who: str) -> "NDArray[np.bool_]":
    """Which rows have the right label, shape (rows,)."""
    import numpy as np

    if threshold is None:
        truth, calls = array_checks.values_of(labels, "labels"), array_checks.values_of(said, f"calls of the {who}")
        array_checks.same_length(len(truth), **{f"calls_of_the_{who}": calls})
        right: NDArray[np.bool_] = np.equal(calls, truth)
        return right
    truth, scores = array_checks.truths(labels), array_checks.numbers(said, f"scores of the {who}")
    array_checks.same_length(len(truth), **{f"scores_of_the_{who}": scores})
    return np.equal(scores >= threshold, truth)
