"""Measures the model on each slice, such as each carrier, airport or hour.

Input: a measure, labels, scores, and the column (or columns) that define the slices. Output: `Evidence` for each slice,
to be stated by a check, and one more for the rows in slices too small to judge:

    evidence(slices.judge(metrics.auc, holdout.labels, scores, by=holdout.records["carrier"], at_least=0.65))

Null is a separate slice, because requests may have null too.
"""

from collections.abc import Callable
from dataclasses import replace
from inspect import Parameter, signature
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, cast

from proveout.errors import UsageError
from proveout.evaluation import metrics
from proveout.evaluation.stats import array_checks
from proveout.evaluation.stats import groups as parts
from proveout.records.verdict import Evidence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from proveout.evaluation.metrics import Metric

Measure = Callable[..., "Evidence | float"]
"""`(labels, scores)` to evidence, such as `metrics.auc`, or to a plain number, such as scikit-learn's metrics."""

COVERS = ("model-6",)

bands = parts.bands  # a check reads slices.bands(hour, [0, 6, 12, 18, 24])
quantile_bands = parts.quantile_bands


def judge(
    measure: Measure,
    labels: "ArrayLike",
    scores: "ArrayLike",
    *,
    by: Any,
    champion: "ArrayLike | None" = None,
    clusters: "ArrayLike | None" = None,
    at_least: float | None = None,
    at_most: float | None = None,
    surely: bool = False,
    fewest: int = 200,
    fewest_of_each: int = 20,
    unjudged_at_most: float | None = 0.05,
    name: str | None = None,
) -> tuple[Evidence, ...]:
    """`measure` on each slice, with rows and interval; last, the share of rows in unjudged slices.

    With `surely`, the whole interval of every slice must be within the bounds. No correction for the number of slices
    is needed, because more slices can only refuse more. Without it, one of many slices may miss a bound by chance.

    Args:
        measure: such as `metrics.auc`. A plain number (a metric of scikit-learn) gets a bootstrap interval, which
            takes a second or more per slice; a mean does not need that: `lambda y, p: metrics.mean((p - y) ** 2)`.
        labels: outcomes of any kind that the measure accepts, shape (rows,).
        scores: of the model, shape (rows,) or (rows, ...).
        by: a column such as `records["carrier"]`; several, as a DataFrame or a mapping of names to values, are
            crossed. For numbers such as the hour see `bands`.
        champion: the champion's scores of the same rows, to show next to the candidate's.
        clusters: such as the day of each row, shape (rows,); intervals then account for correlation within clusters.
        fewest: fewest rows of a judged slice.
        fewest_of_each: fewest rows of each class in a judged slice, if labels are true or false.
        unjudged_at_most: share of all rows that may be in unjudged slices, 0 to 1.
        name: the name of the measure; default: that of its evidence.
    Raises: UsageError if columns differ in length, or define too many slices.

    >>> from random import Random
    >>> chance, carrier = Random(0), ["UA", "MQ"] * 400 + ["OO"] * 30
    >>> labels = [chance.random() < 0.3 for _ in carrier]
    >>> scores = [chance.gauss(label * (name != "MQ"), 1) for label, name in zip(labels, carrier)]
    >>> for one in judge(metrics.auc, labels, scores, by={"carrier": carrier}, at_least=0.65):
    ...     print(one.slice or one.name, one.unjudged or round(one.value, 2), "holds" if one.holds else "does not hold")
    carrier=MQ 0.51 does not hold
    carrier=OO 30 rows, asked for 200 does not hold
    carrier=UA 0.78 holds
    rows not judged 0.04 holds
    """
    truth, of_rows = array_checks.values_of(labels, "labels"), _measuring(measure, labels, scores, clusters)
    of_champion = None if champion is None else _measuring(measure, labels, champion, clusters)
    least = fewest_of_each if _is_binary(truth) else 0
    found = []
    for part in parts.split(by, rows=len(truth)):
        why = too_small(truth[part.rows], fewest=fewest, fewest_of_each=least)
        one = Evidence(name="", value=None, unjudged=why) if why else of_rows(part.rows)
        if of_champion is not None and not why:
            one = replace(one, champion=of_champion(part.rows).value)
        found.append(replace(one, slice=part.name, rows=len(part.rows)))
    name = name or next((one.name for one in found if one.name), getattr(measure, "__name__", "measure"))
    unjudged = sum(one.rows or 0 for one in found if one.unjudged)
    return (
        *(replace(one, name=name, at_least=at_least, at_most=at_most, surely=surely, covers=COVERS) for one in found),
        not_judged(unjudged, len(truth), at_most=unjudged_at_most, covers=COVERS),
    )


def gap(
    measure: Measure,
    labels: "ArrayLike",
    scores: "ArrayLike",
    *,
    by: Any,
    clusters: "ArrayLike | None" = None,
    at_most: float | None = None,
    surely: bool = False,
    fewest: int = 200,
    fewest_of_each: int = 20,
    unjudged_at_most: float | None = 0.05,
    name: str | None = None,
) -> tuple[Evidence, ...]:
    """The largest difference of a slice from all other rows; last, the share of unjudged rows.

    The interval is for the largest true difference, although the slice was selected by its difference: each slice's
    interval is widened until all hold at once (Bonferroni). Both sides of a difference have different rows, so its ends
    follow from theirs (MOVER: Zou and Donner, Statistics in Medicine 27 (2008)). With `clusters`, both sides share
    clusters, and the interval is conservative (too wide). Arguments: as in `judge`.

    >>> from random import Random
    >>> chance, carrier = Random(0), ["UA", "MQ"] * 400
    >>> labels = [chance.random() < 0.3 for _ in carrier]
    >>> scores = [chance.gauss(label * (name != "MQ"), 1) for label, name in zip(labels, carrier)]
    >>> furthest, rest = gap(metrics.auc, labels, scores, by={"carrier": carrier}, at_most=0.10)
    >>> furthest.slice, round(furthest.low, 2), round(furthest.value, 2), round(furthest.high, 2), furthest.holds
    ('carrier=UA', 0.07, 0.17, 0.26, False)
    """
    import numpy as np

    truth, of_rows = array_checks.values_of(labels, "labels"), _measuring(measure, labels, scores, clusters)
    least, sides, judged = fewest_of_each if _is_binary(truth) else 0, [], 0
    for part in parts.split(by, rows=len(truth)):
        rest = np.delete(np.arange(len(truth)), part.rows)
        if any(too_small(truth[rows], fewest=fewest, fewest_of_each=least) for rows in (part.rows, rest)):
            continue
        here, there = of_rows(part.rows), of_rows(rest)
        if not here.unjudged and not there.unjudged:
            sides.append((part.name, here, there))
            judged += len(part.rows)
    name = name or next((here.name for _, here, _ in sides), getattr(measure, "__name__", "measure"))
    furthest = Evidence(
        name=f"{name}, largest distance of a slice from the rest",
        value=None, rows=len(truth), at_most=at_most, surely=surely, covers=COVERS,
        unjudged="" if sides else "no slice is large enough to judge, and leaves as much beside it",
    )  # fmt: skip
    if sides:
        ends = [(*_distance(here, there, of=len(sides)), where) for where, here, there in sides]
        value, _, _, where = max(ends)
        low, high = max(low for _, low, _, _ in ends), max(high for _, _, high, _ in ends)
        furthest = replace(furthest, value=value, low=low, high=high, level=sides[0][1].level, slice=where)
    return furthest, not_judged(len(truth) - judged, len(truth), at_most=unjudged_at_most, covers=COVERS)


def too_small(labels: "NDArray[Any]", *, fewest: int, fewest_of_each: int) -> str:
    """Why a slice with these labels cannot be judged; empty if it can.

    Args:
        fewest_of_each: fewest rows of each class, if labels are true and false; else 0.

    >>> import numpy as np
    >>> too_small(np.array([True] * 31), fewest=200, fewest_of_each=20)
    '31 rows, asked for 200'
    """
    if len(labels) < fewest:
        return f"{len(labels):,} rows, asked for {fewest:,}"
    if fewest_of_each:
        rarer = int(min(labels.sum(), len(labels) - labels.sum()))
        if rarer < fewest_of_each:
            return f"{rarer:,} rows of the rarer class, asked for {fewest_of_each:,}"
    return ""


def _is_binary(labels: "NDArray[Any]") -> bool:
    """Whether all labels are true or false. Counts are not binary, even if a slice has only 0 and 1."""
    import numpy as np

    return labels.dtype == bool or bool(np.isin(labels, (0, 1)).all())


def not_judged(rows: int, of: int, *, at_most: float | None, covers: tuple[str, ...]) -> Evidence:
    """The share of rows in unjudged slices or groups, so that a check cannot pass without judging anything.

    >>> found = not_judged(30, 830, at_most=0.02, covers=COVERS)
    >>> round(found.value, 3), found.holds
    (0.036, False)
    """
    share = rows / of if of else 1.0
    if share == 1 and (at_most is None or at_most >= 1):
        # If all rows are unjudged, there is no answer, whatever the bound.
        return Evidence(
            name="rows not judged", value=share, rows=of, at_most=1.0, covers=covers, unjudged="all of them"
        )
    return Evidence(name="rows not judged", value=share, rows=of, at_most=at_most, covers=covers)


def _measuring(
    measure: Measure, labels: "ArrayLike", scores: "ArrayLike", clusters: "ArrayLike | None"
) -> "Callable[[NDArray[np.intp]], Evidence]":
    """A function that measures any of these rows, given by position."""
    truth, said = array_checks.values_of(labels, "labels"), array_checks.values_of(scores, "scores")
    array_checks.same_length(len(truth), scores=said)
    groups = array_checks.groups(clusters, len(truth))
    parameters = signature(measure).parameters
    takes_any = any(one.kind is Parameter.VAR_KEYWORD for one in parameters.values())
    knows_clusters = groups is not None and ("clusters" in parameters or takes_any)

    def of_rows(rows: "NDArray[np.intp]") -> Evidence:
        together = None if groups is None else groups[rows]
        with_them = {"clusters": together} if knows_clusters else {}
        found = measure(truth[rows], said[rows], **with_them)
        if not isinstance(found, Evidence):
            return metrics.metric(cast("Metric", measure), truth[rows], said[rows], clusters=together)
        if together is not None and not knows_clusters:
            raise UsageError("The measure takes no clusters=, so its interval would not know of them: leave them out.")
        return found

    return of_rows


def _distance(here: Evidence, there: Evidence, *, of: int) -> tuple[float, float, float]:
    """The difference of two values, with ends that hold for `of` such differences at once."""
    wider = _z(1 - (1 - (here.level or 0.95)) / of) / _z(here.level or 0.95)
    a, b = here.value or 0.0, there.value or 0.0
    down = ((a - _end(here.low)) ** 2 + (_end(there.high) - b) ** 2) ** 0.5 * wider
    up = ((_end(here.high) - a) ** 2 + (b - _end(there.low)) ** 2) ** 0.5 * wider
    low, high = a - b - down, a - b + up
    return abs(a - b), max(low, -high, 0.0), max(high, -low)


def _end(end: float | None) -> float:
    return float("nan") if end is None else end  # without an interval, nothing is significant


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)
