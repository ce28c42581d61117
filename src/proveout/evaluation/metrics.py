"""Metrics on held-out rows, with confidence intervals.

Input: arrays, a value per row. Output: `Evidence`, to be stated by a check:

    evidence(metrics.auc(holdout.labels, scores), at_least=0.7)

If there is no answer (no rows, one class), the evidence is not judged and says why. Invalid arguments (a missing score,
different lengths) raise UsageError.
"""

from collections.abc import Callable
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from proveout.errors import UsageError
from proveout.evaluation.stats import array_checks, jackknife
from proveout.records.verdict import Evidence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

NO_LOSS = 1e-12  # share of the naive loss left without one row; below it is rounding
Metric = Callable[[Any, Any], float]
"""`(labels, scores)` to a number, such as scikit-learn's metrics."""


def share(hits: int, rows: int, *, name: str = "share", level: float = 0.95) -> Evidence:
    """`hits` of `rows` as a share, with Wilson's score interval. No rows: not judged.

    Source: E. B. Wilson, Probable inference, JASA 22 (1927).

    >>> found = share(8, 10)
    >>> round(found.low, 3), found.value, round(found.high, 3)
    (0.49, 0.8, 0.943)
    """
    array_checks.within("level", level, 0.0, 1.0)
    if not 0 <= hits <= rows:
        raise UsageError(f"{hits} of {rows} rows are no share of them.")
    if rows == 0:
        return Evidence(name=name, value=None, rows=0, unjudged="no rows")
    p = int(hits) / int(rows)
    low, high = wilson(p, rows, level=level)
    return Evidence(name=name, value=p, rows=int(rows), low=low, high=high, level=level)


def wilson(p: float, rows: float, *, level: float) -> tuple[float, float]:
    """Wilson's score interval of a share `p` of `rows`, above 0; not necessarily whole, as an effective number of rows.

    >>> low, high = wilson(0.8, 10, level=0.95)
    >>> round(low, 3), round(high, 3)
    (0.49, 0.943)
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (p + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * ((p * (1 - p) / rows + z * z / (4 * rows * rows)) ** 0.5)
    # At 0 and at 1, the interval ends exactly there, despite rounding.
    return 0.0 if p == 0 else max(0.0, middle - half), 1.0 if p == 1 else min(1.0, middle + half)


def share_of_rows(
    hits: "ArrayLike", *, name: str = "share", level: float = 0.95, clusters: "ArrayLike | None" = None
) -> Evidence:
    """The share of rows that are hits, with Wilson's interval; with `clusters`, for the effective number of rows.

    Args:
        hits: true or false, shape (rows,).
        clusters: shape (rows,), such as the day of each flight: correlated rows have less information.
    Returns: not judged without rows, or with one cluster.

    >>> found = share_of_rows([True] * 8 + [False] * 2)
    >>> round(found.low, 3), found.value, round(found.high, 3)
    (0.49, 0.8, 0.943)
    """
    array_checks.within("level", level, 0.0, 1.0)
    known = array_checks.truths(hits)
    groups = array_checks.groups(clusters, len(known))
    if groups is None or not len(known):
        return share(int(known.sum()), len(known), name=name, level=level)
    p = float(known.mean())
    if groups.max() < 1:
        return Evidence(name=name, value=p, rows=len(known), unjudged="one cluster, an interval needs two")
    low, high = wilson(p, worth(known, groups, level=level), level=level)
    return Evidence(name=name, value=p, rows=len(known), low=low, high=high, level=level)


def worth(hits: "NDArray[np.bool_]", groups: "NDArray[np.intp]", *, level: float) -> float:
    """The effective number of rows: how many independent rows give the share of `hits` as exactly as these clusters.

    Source: E. L. Korn and B. I. Graubard, Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data, Survey Methodology 24 (1998). If all rows hit or none, clusters show no
    difference, and each counts as one row.

    >>> import numpy as np
    >>> worth(np.array([True, True, False, False]), np.array([0, 0, 1, 1]), level=0.95) < 2
    True
    """
    import numpy as np
    from scipy.stats import t

    _, numbered = np.unique(groups, return_inverse=True)
    units = int(numbered.max()) + 1 if len(hits) else 0
    p = float(hits.mean()) if len(hits) else 0.0
    if units < 2 or p in (0.0, 1.0):
        return float(units)
    error = error_of_mean(hits.astype(float), numbered)
    if error == 0:
        return float(len(hits))
    quantile = (1 + level) / 2
    wider = t.ppf(quantile, len(hits) - 1) / t.ppf(quantile, units - 1)
    return float(min(len(hits), p * (1 - p) * (wider / error) ** 2))


def auc(
    labels: "ArrayLike", scores: "ArrayLike", *, level: float = 0.95, clusters: "ArrayLike | None" = None
) -> Evidence:
    """How well `scores` rank true `labels` above false ones, 0 to 1, with DeLong's interval on the logit scale.

    Args:
        labels, scores: shape (rows,) each.
        clusters: shape (rows,), such as the day of each flight: flights of one day are correlated, so there is less
            information than in independent rows.
    Returns: not judged with one class alone, or one cluster. With few rows of a class, the interval is wide.
    Raises: UsageError for a score that is missing or infinite, and for labels that are not true or false.
    Source: see `delong.interval`.

    >>> found = auc([0, 0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    >>> round(found.low, 2), round(found.value, 2), round(found.high, 2)
    (0.09, 0.89, 1.0)
    """
    from proveout.evaluation.stats import delong

    array_checks.within("level", level, 0.0, 1.0)
    truth, said = array_checks.truths(labels), array_checks.numbers(scores, "scores")
    array_checks.same_length(len(truth), scores=said)
    groups = array_checks.groups(clusters, len(truth))
    if not truth.any() or truth.all():
        why = f"{len(truth):,} rows, all of them {'true' if truth.any() else 'false'}" if len(truth) else "no rows"
        return Evidence(name="auc", value=None, rows=len(truth), unjudged=why)
    found = delong.rank(truth, said)
    if groups is not None and groups.max() < 1:
        return Evidence(name="auc", value=found.auc, rows=len(truth), unjudged="one cluster, an interval needs two")
    low, high = delong.interval(found, truth, groups, level)
    return Evidence(name="auc", value=found.auc, rows=len(truth), low=low, high=high, level=level)


def mean(
    values: "ArrayLike", *, name: str = "mean", level: float = 0.95, clusters: "ArrayLike | None" = None
) -> Evidence:
    """The mean of a number per row, with Student's t interval. Fewer than two rows, or clusters: not judged.

    Args:
        values: shape (rows,), such as the squared error of each row.
        clusters: shape (rows,), such as the day of each flight; accounts for correlation within a cluster.
    Raises: UsageError for a value that is missing or infinite.

    >>> found = mean([1, 2, 3, 4, 5])
    >>> round(found.low, 3), found.value, round(found.high, 3)
    (1.037, 3.0, 4.963)
    """
    from scipy.stats import t

    array_checks.within("level", level, 0.0, 1.0)
    known = array_checks.numbers(values, "values")
    groups = array_checks.groups(clusters, len(known))
    if not len(known):
        return Evidence(name=name, value=None, rows=0, unjudged="no rows")
    value = float(known.mean())
    units = len(known) if groups is None else int(groups.max()) + 1
    if units < 2:
        why = f"one {'row' if groups is None else 'cluster'}, an interval needs two"
        return Evidence(name=name, value=value, rows=len(known), unjudged=why)
    half = float(t.ppf((1 + level) / 2, units - 1)) * error_of_mean(known, groups)
    return Evidence(name=name, value=value, rows=len(known), low=value - half, high=value + half, level=level)


def error_of_mean(values: "NDArray[np.float64]", groups: "NDArray[np.intp] | None" = None) -> float:
    """The standard error of a mean of at least two rows or clusters, by the jackknife, which leaves out one at a time.

    Source: J. G. MacKinnon, M. Ø. Nielsen and M. D. Webb, Fast and reliable jackknife and bootstrap methods for
    cluster-robust inference, Journal of Applied Econometrics 38 (2023): of the simple estimates, only this one is not
    too small for clusters of unequal size.

    >>> import numpy as np
    >>> values = np.array([1.0, 1.0, 3.0, 3.0])
    >>> round(error_of_mean(values), 3), error_of_mean(values, np.array([0, 0, 1, 1]))
    (0.577, 1.0)
    """
    import numpy as np

    off = values - values.mean()
    sums, sizes = (off, np.ones(len(off))) if groups is None else (np.bincount(groups, off), np.bincount(groups))
    moved = sums / (len(values) - sizes)  # change of the mean if a row or a cluster is left out
    return float(np.sqrt((len(sums) - 1) / len(sums) * np.square(moved).sum()))


def skill(
    losses: "ArrayLike",
    naive_losses: "ArrayLike",
    *,
    name: str = "skill",
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """The share of a naive model's loss that the model saves: 1 for a perfect model, 0 for one as good as naive.

    With squared errors and the mean as the naive answer this is R²; with log losses and the shares of the classes,
    McFadden's. The interval is by the jackknife, on the logarithm of the ratio of the two losses.

    Args:
        losses, naive_losses: of the same rows, 0 or more, lower is better, shape (rows,).
        clusters: shape (rows,), such as the day of each flight.
    Returns: not judged with fewer than two rows or two clusters, or if the naive model has no loss (a constant
    outcome).
    Raises: UsageError for a loss that is missing, below 0, or of another length.

    >>> found = skill([0.5, 0.2, 0.1, 0.4] * 25, [1.0, 0.9, 0.8, 0.7] * 25)
    >>> round(found.low, 2), round(found.value, 2), round(found.high, 2)
    (0.61, 0.65, 0.68)
    """
    array_checks.within("level", level, 0.0, 1.0)
    ours, theirs = (
        array_checks.numbers(losses, "losses"),
        array_checks.numbers(naive_losses, "losses of the naive model"),
    )
    array_checks.same_length(len(ours), losses_of_the_naive_model=theirs)
    if len(ours) and min(ours.min(), theirs.min()) < 0:
        raise UsageError(
            f"A loss is {min(ours.min(), theirs.min()):g}, expected: 0 or more, such as an absolute error."
        )
    groups = array_checks.groups(clusters, len(ours))
    units = len(ours) if groups is None else int(groups.max(initial=-1)) + 1
    if units < 2:
        of = "row" if groups is None else "cluster"
        why = f"{units} {of}{'s' * (units != 1)}, two are needed"
        return Evidence(name=name, value=None, rows=len(ours), unjudged=why)
    return saved(
        float(ours.sum()),
        float(theirs.sum()),
        jackknife.without_each(ours, groups),
        jackknife.without_each(theirs, groups),
        name=name,
        rows=len(ours),
        level=level,
    )


def saved(
    loss: float,
    naive: float,
    loss_without: "NDArray[np.float64]",
    naive_without: "NDArray[np.float64]",
    *,
    name: str,
    rows: int,
    level: float,
) -> Evidence:
    """1 less the ratio of two sums of losses, with an interval from both sums without each unit, shape (units,)."""
    if min(naive, float(naive_without.min())) <= NO_LOSS * naive or naive == 0:
        why = "the naive model has no loss on these rows: the outcome hardly varies"
        return Evidence(name=name, value=None, rows=rows, unjudged=why)
    ratio = loss / naive
    error = jackknife.error(loss_without / naive_without)
    low, high = jackknife.log_ends(ratio, error, units=len(loss_without), level=level)
    return Evidence(name=name, value=1 - ratio, rows=rows, low=1 - high, high=1 - low, level=level)


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
    """Any metric, with a bootstrap interval.

    Args:
        function: `(labels, scores)` to a number, such as `sklearn.metrics.average_precision_score`.
        labels, scores: whatever `function` accepts, a value per row, shape (rows, ...).
        clusters: shape (rows,), such as the day of each flight: whole clusters are drawn.
    Returns: not judged with fewer than ten rows or ten clusters, or if the metric has no value in so many draws (for
        example with one class) that they reach an end of the interval.
    Raises: UsageError for a score that is missing or infinite; what `function` raises on all rows.

    >>> from sklearn.metrics import accuracy_score
    >>> found = metric(accuracy_score, [0, 1] * 50, [0, 1] * 45 + [1, 0] * 5)
    >>> found.name, round(found.low, 2), found.value, round(found.high, 2)
    ('accuracy_score', 0.84, 0.9, 0.96)
    """
    import math

    from proveout.evaluation.stats import bootstrap

    array_checks.within("level", level, 0.0, 1.0)
    name = name or name_of(function)
    truth, said = array_checks.values_of(labels, "labels"), array_checks.values_of(scores, "scores")
    array_checks.same_length(len(truth), scores=said)
    groups = array_checks.groups(clusters, len(truth))
    if not len(truth):
        return Evidence(name=name, value=None, rows=0, unjudged="no rows")
    value = float(function(truth, said))
    if not math.isfinite(value):
        return Evidence(name=name, value=None, rows=len(truth), unjudged=f"{name} has no value on these rows")
    found = bootstrap.bootstrap(
        function,
        truth,
        [said],
        level=level,
        resamples=resamples,
        groups=groups,
        seed=seed,
        combined=lambda of: of[:, 0],
    )
    if found.unjudged:
        return Evidence(name=name, value=value, rows=len(truth), unjudged=found.unjudged)
    return Evidence(name=name, value=value, rows=len(truth), low=found.low, high=found.high, level=level)


def name_of(function: Metric) -> str:
    """The name of a metric; for a `functools.partial`, of its function.

    >>> from functools import partial
    >>> from sklearn.metrics import fbeta_score
    >>> name_of(partial(fbeta_score, beta=2))
    'fbeta_score'
    """
    return str(getattr(getattr(function, "func", function), "__name__", "metric"))
