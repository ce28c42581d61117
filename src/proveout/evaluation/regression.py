"""Metrics of predicted numbers: errors, explained variance, quantiles, prediction intervals, bias.

Input: outcomes and predictions, a number per row. Output: `Evidence` with an interval. In a check, with
`predictions = candidate.predict(holdout.records)`, it is stated with a bound:
`evidence(regression.mae(holdout.labels, predictions), at_most=12.0)`.

Each function takes `(outcomes, predictions)` and `clusters=`, so it can be used in `slices.judge` and `slices.gap`. The
losses per row (`absolute_errors`, `squared_errors`, `pinball_losses`, `interval_scores`) are for `compare.rows`,
together with those of the champion, and for `slice_search.search`.
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from proveout.errors import UsageError
from proveout.evaluation import metrics
from proveout.evaluation.stats import array_checks, jackknife
from proveout.records.verdict import Evidence
from proveout.task import conformal
from proveout.task.conformal import COVERAGE
from proveout.task.regression import Regression

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

# --- errors -----------------------------------------------------------------------------------------------------------


def mae(
    outcomes: "ArrayLike", predictions: "ArrayLike", *, level: float = 0.95, clusters: "ArrayLike | None" = None
) -> Evidence:
    """The mean absolute error, in the outcome's unit, with Student's t interval.

    Args:
        outcomes, predictions: finite numbers, shape (rows,).
        clusters: shape (rows,), such as the day of each flight: rows of one cluster are correlated.
    Returns: not judged with fewer than two rows, or two clusters.
    Raises: UsageError for a missing outcome, a prediction that is NaN or infinite, or different lengths.

    >>> found = mae([1.0, 2.0, 3.0, 4.0], [1.5, 2.0, 2.0, 4.5])
    >>> round(found.low, 2), found.value, round(found.high, 2)
    (-0.15, 0.5, 1.15)
    """
    return metrics.mean(absolute_errors(outcomes, predictions), name="mae", level=level, clusters=clusters)


def rmse(
    outcomes: "ArrayLike", predictions: "ArrayLike", *, level: float = 0.95, clusters: "ArrayLike | None" = None
) -> Evidence:
    """The root of the mean squared error, in the outcome's unit. Interval: jackknife, on the logarithm.

    Squared errors are skewed, so a symmetric interval of their mean would be too short at its upper end. Arguments,
    returns and raises: as in `mae`.

    >>> found = rmse([1.0, 2.0, 3.0, 4.0] * 20, [1.5, 2.0, 2.0, 4.5] * 20)
    >>> round(found.low, 2), round(found.value, 2), round(found.high, 2)
    (0.55, 0.61, 0.68)
    """
    squared = squared_errors(outcomes, predictions)
    found = metrics.mean(squared, name="rmse", level=level, clusters=clusters)
    if found.value is None:
        return found
    root = math.sqrt(found.value)
    if found.unjudged:
        return replace(found, value=root)
    groups = array_checks.groups(clusters, len(squared))
    units = len(squared) if groups is None else int(groups.max()) + 1
    error = metrics.error_of_mean(squared, groups)
    low, high = jackknife.log_ends(found.value, error, units=units, level=level)
    return replace(found, value=root, low=math.sqrt(low), high=math.sqrt(high))


def r2(
    outcomes: "ArrayLike", predictions: "ArrayLike", *, level: float = 0.95, clusters: "ArrayLike | None" = None
) -> Evidence:
    """The share of the outcomes' variance that the predictions explain: 1 at best, below 0 if the mean is better.

    The mean is that of these rows. For a comparison with the mean of the training rows, which a naive model would
    predict, see `skill`.

    Returns: not judged with fewer than three rows, with one cluster, or for a constant outcome, which has no variance
        to explain.
    Raises: as in `mae`.

    >>> found = r2([1.0, 2.0, 3.0, 4.0] * 20, [1.5, 2.0, 2.0, 4.5] * 20)
    >>> round(found.low, 2), round(found.value, 2), round(found.high, 2)
    (0.58, 0.7, 0.78)
    >>> r2([3.0, 3.0, 3.0], [3.1, 2.9, 3.0]).unjudged
    'all 3 outcomes are 3: there is no variance to explain; ask for the MAE'
    """
    import numpy as np

    array_checks.within("level", level, 0.0, 1.0)
    known, said = _answers(outcomes, predictions)
    groups = array_checks.groups(clusters, len(known))
    units = len(known) if groups is None else int(groups.max(initial=-1)) + 1
    if len(known) < 3 or units < 2:  # two rows can always be fitted exactly
        why = f"{len(known)} rows, three are needed" if len(known) < 3 else "one cluster, an interval needs two"
        return Evidence(name="r2", value=None, rows=len(known), unjudged=why)
    if np.ptp(known) == 0:
        why = f"all {len(known):,} outcomes are {known[0]:g}: there is no variance to explain; ask for the MAE"
        return Evidence(name="r2", value=None, rows=len(known), unjudged=why)
    off = known - known.mean()  # centred, because squares of large numbers would lose precision
    errors = np.square(known - said)
    rows = jackknife.without_each(np.ones(len(off)), groups)
    spread = jackknife.without_each(np.square(off), groups) - np.square(jackknife.without_each(off, groups)) / rows
    return metrics.saved(
        float(errors.sum()),
        float(np.square(off).sum()),
        jackknife.without_each(errors, groups),
        spread,
        name="r2",
        rows=len(known),
        level=level,
    )


def skill(
    outcomes: "ArrayLike",
    predictions: "ArrayLike",
    *,
    naive: "ArrayLike",
    loss: Literal["absolute", "squared"] = "absolute",
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """The share of a naive model's error that the predictions save: 1 at best, 0 if naive is as good.

    Args:
        naive: the naive prediction: one number, such as the median (for squared errors, the mean) of the training rows;
            or one per row, such as the outcome a week before.
        loss: `absolute` or `squared`.
    Returns, raises: as `metrics.skill` and `mae`.

    >>> found = skill([1.0, 2.0, 3.0, 4.0] * 20, [1.5, 2.0, 2.0, 4.5] * 20, naive=2.5)
    >>> found.name, round(found.low, 2), found.value, round(found.high, 2)
    ('mae, share saved', 0.39, 0.5, 0.59)
    """
    import numpy as np

    known, said = _answers(outcomes, predictions)
    plain = np.asarray(naive)
    theirs = np.full(len(known), plain) if plain.ndim == 0 else plain
    of_rows = {"absolute": absolute_errors, "squared": squared_errors}
    if loss not in of_rows:
        raise UsageError(f"skill() has no loss called {loss}. It has: {', '.join(of_rows)}.")
    named = {"absolute": "mae", "squared": "mse"}[loss]
    return metrics.skill(
        of_rows[loss](known, said),
        of_rows[loss](known, theirs),
        name=f"{named}, share saved",
        level=level,
        clusters=clusters,
    )


def error_quantile(
    outcomes: "ArrayLike",
    predictions: "ArrayLike",
    *,
    share: float = 0.9,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """A quantile of the absolute error: with `share=0.9`, nine of ten rows have at most this error.

    The interval is from order statistics, so it holds for any distribution. With `clusters` it is that of the effective
    number of rows (Woodruff, Confidence intervals for medians and other position measures, JASA 47 (1952)).

    Returns: not judged with too few rows for the ends of the interval, or with one cluster.
    Raises: as in `mae`; UsageError if `share` is not between 0 and 1.

    >>> found = error_quantile([0.0] * 100, [row / 100 for row in range(1, 101)])
    >>> found.name, found.low, round(found.value, 3), found.high
    ('p90 of the absolute error', 0.84, 0.901, 0.96)
    """
    import numpy as np
    from scipy.stats import binom

    array_checks.within("level", level, 0.0, 1.0)
    array_checks.within("share", share, 0.0, 1.0)
    errors = np.sort(absolute_errors(outcomes, predictions))
    rows, name = len(errors), f"p{100 * share:g} of the absolute error"
    if not rows:
        return Evidence(name=name, value=None, rows=0, unjudged="no rows")
    value = float(np.quantile(errors, share))
    groups = array_checks.groups(clusters, rows)
    worth = rows
    if groups is not None:
        if groups.max() < 1:
            return Evidence(name=name, value=value, rows=rows, unjudged="one cluster, an interval needs two")
        below = absolute_errors(outcomes, predictions) <= value
        worth = max(1, math.floor(metrics.worth(below, groups, level=level)))
    # The ranks of the ends, from the binomial distribution for the effective number of rows.
    low, high = (float(binom.ppf(tail, worth, share)) for tail in ((1 - level) / 2, (1 + level) / 2))
    if low < 1 or high + 1 > worth:
        counted = f"{rows:,} rows" if groups is None else f"{rows:,} rows in clusters, worth {worth:,},"
        why = f"{counted} do not reach the ends of a {level:.0%} interval"
        return Evidence(name=name, value=value, rows=rows, unjudged=why)
    ends = [min(rows, max(1, math.ceil(rank / worth * rows))) - 1 for rank in (low, high + 1)]
    return Evidence(
        name=name, value=value, rows=rows, low=float(errors[ends[0]]), high=float(errors[ends[1]]), level=level
    )


# --- bias -------------------------------------------------------------------------------------------------------------


def bias(
    outcomes: "ArrayLike",
    predictions: "ArrayLike",
    *,
    within: float | None = None,
    surely: bool = False,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """The mean of predicted less observed: above 0, predictions are too high. `within` bounds it on both sides.

    By slice: `slices.judge(regression.bias, ...)`. By the predicted value: `by=slices.quantile_bands(predictions)`.
    Arguments, returns, raises: as in `mae`.

    >>> found = bias([1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 4.0, 4.0], within=0.25)
    >>> found.value, found.holds
    (0.5, False)
    """
    known, said = _answers(outcomes, predictions)
    found = metrics.mean(said - known, name="predicted less observed", level=level, clusters=clusters)
    return found if within is None else replace(found, at_least=-within, at_most=within, surely=surely)


# --- quantiles and prediction intervals -------------------------------------------------------------------------------


def pinball(
    outcomes: "ArrayLike",
    predictions: "ArrayLike",
    *,
    quantile: float,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """The mean pinball loss of a predicted quantile, in the outcome's unit, with Student's t interval.

    Args:
        predictions: of the quantile; with 0.9, nine of ten outcomes should be below; shape (rows,).
    Returns, raises: as in `mae`; UsageError if `quantile` is not between 0 and 1.

    >>> round(pinball([1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 2.0, 2.0], quantile=0.75).value, 3)
    0.625
    """
    found = pinball_losses(outcomes, predictions, quantile=quantile)
    return metrics.mean(found, name=f"pinball loss at {quantile:g}", level=level, clusters=clusters)


def coverage(
    outcomes: "ArrayLike", ranges: "ArrayLike", *, level: float = 0.95, clusters: "ArrayLike | None" = None
) -> Evidence:
    """The share of outcomes that lie within their prediction interval, ends included, with Wilson's interval.

    Give bounds on both sides, such as `at_least=0.88, at_most=0.94` for a promised 0.9: intervals that cover too much
    are too wide.

    Args:
        ranges: the lower and the upper end of each row's interval, shape (rows, 2).
    Returns: not judged without rows, or with one cluster.
    Raises: UsageError for a missing outcome, an end that is NaN, or a lower end above the upper one.

    >>> found = coverage([1.0, 2.0, 3.0, 9.0] * 25, [(0, 2), (1, 3), (2, 4), (3, 5)] * 25)
    >>> round(found.low, 2), found.value, round(found.high, 2)
    (0.66, 0.75, 0.82)
    """
    known = array_checks.outcomes(outcomes)
    ends = _ranges(ranges, rows=len(known))
    inside = (ends[:, 0] <= known) & (known <= ends[:, 1])
    return metrics.share_of_rows(inside, name="interval coverage", level=level, clusters=clusters)


def conformal_coverage(
    outcomes: "ArrayLike",
    predictions: "ArrayLike",
    *,
    promised: float = COVERAGE,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """The share of outcomes within intervals of one width around the predictions, as in a bundle of a regression.

    In a check: `evidence(regression.conformal_coverage(holdout.labels, scores), at_least=0.87, at_most=0.93)`.

    The bundle's own width was computed on the held-out rows and covers those by construction. So each row is judged
    with a width from other rows, see `conformal_inside`.

    Args:
        promised: the promised coverage: `candidate.task.coverage`.
    Returns: as in `coverage`. Raises: as in `mae`.

    >>> found = conformal_coverage([row / 400 for row in range(400)], [0.5] * 400, promised=0.75)
    >>> found.name, round(found.value, 2)
    ('interval coverage', 0.75)
    """
    inside = conformal_inside(outcomes, predictions, promised=promised, clusters=clusters)
    return metrics.share_of_rows(inside, name="interval coverage", level=level, clusters=clusters)


def conformal_inside(
    outcomes: "ArrayLike",
    predictions: "ArrayLike",
    *,
    promised: float = COVERAGE,
    clusters: "ArrayLike | None" = None,
) -> "NDArray[np.bool_]":
    """Whether each outcome lies in an interval whose width comes from other rows, shape (rows,).

    By slice: `slices.judge(lambda outcomes, inside: metrics.share_of_rows(inside), holdout.labels, inside, by=...)`.

    Args:
        clusters: shape (rows,): a cluster stays together when rows are divided.

    >>> conformal_inside([0.0] * 20, [1.0] * 19 + [5.0]).tolist().count(False)
    1
    """
    known, said = _answers(outcomes, predictions)
    return conformal.covered(known - said, coverage=promised, clusters=clusters)


def width(ranges: "ArrayLike", *, level: float = 0.95, clusters: "ArrayLike | None" = None) -> Evidence:
    """The mean width of prediction intervals, in the outcome's unit, with Student's t interval.

    Args:
        ranges: the lower and the upper end of each row's interval, shape (rows, 2).

    >>> width([(0, 2), (1, 3), (2, 6)]).value == 8 / 3
    True
    """
    ends = _ranges(ranges)
    return metrics.mean(ends[:, 1] - ends[:, 0], name="interval width", level=level, clusters=clusters)


# --- losses of single rows --------------------------------------------------------------------------------------------


def absolute_errors(outcomes: "ArrayLike", predictions: "ArrayLike") -> "NDArray[np.float64]":
    """The absolute error of each prediction, shape (rows,); their mean is the MAE.

    >>> absolute_errors([1.0, 2.0], [1.5, 2.0]).tolist()
    [0.5, 0.0]
    """
    return Regression().losses(*_answers(outcomes, predictions), name="absolute")


def squared_errors(outcomes: "ArrayLike", predictions: "ArrayLike") -> "NDArray[np.float64]":
    """The squared error of each prediction, shape (rows,); the root of their mean is the RMSE.

    >>> squared_errors([1.0, 2.0], [1.5, 2.0]).tolist()
    [0.25, 0.0]
    """
    return Regression().losses(*_answers(outcomes, predictions), name="squared")


def pinball_losses(outcomes: "ArrayLike", predictions: "ArrayLike", *, quantile: float) -> "NDArray[np.float64]":
    """The pinball loss of each row: `quantile` per unit that the outcome is above, `1 - quantile` per unit below.

    Source: R. Koenker and G. Bassett, Regression quantiles, Econometrica 46 (1978).

    >>> pinball_losses([3.0, 1.0], [2.0, 2.0], quantile=0.75).tolist()
    [0.75, 0.25]
    """
    import numpy as np

    array_checks.within("quantile", quantile, 0.0, 1.0)
    known, said = _answers(outcomes, predictions)
    off = known - said
    return np.asarray(np.maximum(quantile * off, (quantile - 1) * off))


def interval_scores(outcomes: "ArrayLike", ranges: "ArrayLike", *, promised: float) -> "NDArray[np.float64]":
    """The interval score of each row: the interval's width, plus 2 / (1 - promised) per unit that it misses by.

    Narrow intervals with the right coverage have the lowest score, so this one number compares two models' intervals.

    Args:
        ranges: the lower and the upper end of each row's interval, shape (rows, 2).
        promised: the promised coverage, such as 0.9.
    Source: T. Gneiting and A. E. Raftery, Strictly proper scoring rules, JASA 102 (2007), section 6.2.

    >>> interval_scores([1.0, 5.0], [(0, 2), (0, 4)], promised=0.5).tolist()
    [2.0, 8.0]
    """
    import numpy as np

    array_checks.within("promised", promised, 0.0, 1.0)
    known = array_checks.outcomes(outcomes)
    ends = _ranges(ranges, rows=len(known))
    missed = np.maximum(ends[:, 0] - known, 0) + np.maximum(known - ends[:, 1], 0)
    return np.asarray(ends[:, 1] - ends[:, 0] + 2 / (1 - promised) * missed)


def _answers(outcomes: "ArrayLike", predictions: "ArrayLike") -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    known, said = array_checks.outcomes(outcomes), array_checks.numbers(predictions, "predictions")
    array_checks.same_length(len(known), predictions=said)
    return known, said


def _ranges(ranges: "ArrayLike", *, rows: int | None = None) -> "NDArray[np.float64]":
    import numpy as np

    try:
        found = np.asarray(ranges, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"The prediction intervals are no numbers: {error}") from error
    if found.ndim != 2 or found.shape[1] != 2:  # a lower and an upper end
        raise UsageError(f"The prediction intervals have the shape {found.shape}, expected: (rows, 2), low and high.")
    if rows is not None:
        array_checks.same_length(rows, prediction_intervals=found)
    # An end may be infinite, which promises nothing, but not NaN.
    bad = np.flatnonzero(np.isnan(found).any(axis=1) | (found[:, 0] > found[:, 1]))
    if len(bad):
        raise UsageError(
            f"{len(bad):,} of {len(found):,} prediction intervals have an end that is NaN, or end below their start; "
            f"the first is row {bad[0]}: {found[bad[0]].tolist()}."
        )
    return found
