"""Fairness: rates by group, and the difference between the extreme groups.

Input: labels, scores, a threshold, the column with the group of each row. Output: `Evidence`, to be stated by a check:

    evidence(fairness.rates(holdout.labels, scores, by=holdout.records["carrier"], threshold=0.3, rate="true positive"))
    evidence(
        fairness.ratio(
            holdout.labels, scores, by=holdout.records["origin"], threshold=0.3, rate="true positive", at_least=0.8
        )
    )

For one class of a multi-class model, pass `labels == "cancelled"` and `predicted == "cancelled"` with `threshold=0.5`.
For predicted numbers, and for losses of any task, see `mean_gap`.

People have to decide which rate should be equal: if groups have different base rates, not all rates can be equal at
once (Kleinberg, Mullainathan and Raghavan, Inherent Trade-Offs, ITCS 2017).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import permutations
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

from proveout.errors import UsageError
from proveout.evaluation import metrics
from proveout.evaluation.slices import not_judged
from proveout.evaluation.stats import array_checks
from proveout.evaluation.stats import groups as parts
from proveout.records.verdict import Evidence

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Rate = Literal["selection", "true positive", "false positive", "precision"]
COVERS = ("model-7",)
FEWEST = 100  # rows that a rate is computed over; it is then accurate to about 0.1


@dataclass(frozen=True, kw_only=True)
class Group:
    """The counts of a group."""

    name: str
    members: int
    rows: int  # that the rate is computed over: all, true, false, or predicted true
    hits: int
    worth: float  # effective number of independent rows: below `rows` if rows of a cluster are correlated


def rates(
    labels: "ArrayLike",
    scores: "ArrayLike",
    *,
    by: Any,
    threshold: float,
    rate: Rate = "selection",
    at_least: float | None = None,
    at_most: float | None = None,
    surely: bool = False,
    fewest: int = FEWEST,
    unjudged_at_most: float | None = 0.05,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> tuple[Evidence, ...]:
    """The rate of each group, with Wilson's interval; last, the share of rows in groups too small to judge.

    Args:
        labels: true or false, shape (rows,).
        scores: of the model, shape (rows,).
        by: a column such as `records["carrier"]`; several, as a DataFrame or a mapping of names to values, are crossed.
        threshold: a row is predicted true from this score on.
        rate: `selection`, the share predicted true; `true positive`, the same share of true rows; `false positive`, the
            same share of false rows; `precision`, the share of true rows among those predicted true.
        fewest: fewest rows that a group's rate may be computed over; for the true positive rate, true rows.
        unjudged_at_most: share of all rows that may be in unjudged groups, 0 to 1.
        clusters: shape (rows,), such as the day of each flight: rows of one cluster are correlated, which reduces a
            group's effective number of rows.
    Raises: UsageError for an unknown rate, a missing score, or columns of another length.

    >>> carrier = ["UA"] * 200 + ["MQ"] * 200
    >>> labels = [True, False] * 200
    >>> scores = [0.9] * 60 + [0.1] * 140 + [0.9] * 40 + [0.1] * 160
    >>> for one in rates(labels, scores, by={"carrier": carrier}, threshold=0.5, rate="true positive", at_least=0.25):
    ...     print(one.slice or one.name, one.rows, one.value, "holds" if one.holds else "does not hold")
    carrier=MQ 100 0.2 does not hold
    carrier=UA 100 0.3 holds
    rows not judged 400 0.0 holds
    """
    groups = _groups(labels, scores, by=by, threshold=threshold, rate=rate, clusters=clusters, level=level)
    large = _large(groups, fewest)
    found = [
        Evidence(
            name=f"{rate} rate" if rate != "precision" else rate,
            slice=one.name, value=value if one.rows else None, rows=one.rows, low=low, high=high, level=level,
            at_least=at_least, at_most=at_most, surely=surely, covers=COVERS,
            unjudged="" if one in large else f"{one.rows:,} rows, asked for {max(fewest, 1):,}",
        )
        for one, (value, low, high) in ((one, _share(one, level)) for one in groups)
    ]  # fmt: skip
    return (*found, _rest(groups, large, at_most=unjudged_at_most))


def gap(
    labels: "ArrayLike",
    scores: "ArrayLike",
    *,
    by: Any,
    threshold: float,
    rate: Rate = "selection",
    at_most: float | None = None,
    surely: bool = False,
    fewest: int = FEWEST,
    unjudged_at_most: float | None = 0.05,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> tuple[Evidence, ...]:
    """The largest rate of a group less the smallest, 0 to 1; last, the share of rows in groups too small to judge.

    The two groups are selected because they are the extremes, which makes equal groups look unequal. So the interval
    holds
    for all pairs at once: each pair's difference has Newcombe's score interval, widened as Tukey's range for this
    number of groups requires (Agresti, Bini, Bertaccini and Ryu, Simultaneous confidence intervals for comparing
    binomial parameters, Biometrics 64 (2008)). At least one pair differs by the low end or more, and none by more than
    the high end.

    >>> carrier = ["UA"] * 200 + ["MQ"] * 200
    >>> labels = [True, False] * 200
    >>> scores = [0.9] * 60 + [0.1] * 140 + [0.9] * 40 + [0.1] * 160
    >>> found, rest = gap(labels, scores, by={"carrier": carrier}, threshold=0.5, at_most=0.05)
    >>> round(found.low, 2), round(found.value, 2), round(found.high, 2), found.holds
    (0.02, 0.1, 0.18, False)
    >>> found.decision
    'from 0.2 on carrier=MQ to 0.3 on carrier=UA'
    """
    groups = _groups(labels, scores, by=by, threshold=threshold, rate=rate, clusters=clusters, level=level)
    return _extremes(
        groups, _difference, pick=max, of="gap", rate=rate,
        fewest=fewest, unjudged_at_most=unjudged_at_most, level=level, bounds={"at_most": at_most, "surely": surely},
    )  # fmt: skip


def ratio(
    labels: "ArrayLike",
    scores: "ArrayLike",
    *,
    by: Any,
    threshold: float,
    rate: Rate = "selection",
    at_least: float | None = None,
    surely: bool = False,
    fewest: int = FEWEST,
    unjudged_at_most: float | None = 0.05,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> tuple[Evidence, ...]:
    """The smallest group rate divided by the largest, 0 to 1; last, the share of rows in groups too small to judge.

    `at_least=0.8` is the four-fifths rule of the Uniform Guidelines on Employee Selection Procedures (29 CFR 1607.4 D),
    which is about the selection rate. The interval is made as in `gap`, with limits for the ratio of each pair (Donner
    and Zou, Statistical Methods in Medical Research 21 (2012)). Not judged if no group has a hit.

    >>> carrier = ["UA"] * 200 + ["MQ"] * 200
    >>> labels = [True, False] * 200
    >>> scores = [0.9] * 60 + [0.1] * 140 + [0.9] * 40 + [0.1] * 160
    >>> found, rest = ratio(labels, scores, by={"carrier": carrier}, threshold=0.5, at_least=0.8)
    >>> round(found.low, 2), round(found.value, 2), round(found.high, 2), found.holds
    (0.47, 0.67, 0.94, False)
    """
    groups = _groups(labels, scores, by=by, threshold=threshold, rate=rate, clusters=clusters, level=level)
    return _extremes(
        groups, _quotient, pick=min, of="ratio", rate=rate,
        fewest=fewest, unjudged_at_most=unjudged_at_most, level=level, bounds={"at_least": at_least, "surely": surely},
    )  # fmt: skip


def mean_gap(
    values: "ArrayLike",
    *,
    by: Any,
    name: str,
    at_most: float | None = None,
    surely: bool = False,
    fewest: int = FEWEST,
    unjudged_at_most: float | None = 0.05,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> tuple[Evidence, ...]:
    """The largest mean of a group less the smallest; last, the share of rows in groups too small to judge.

    For predicted numbers and for losses of any task: `predictions` shows whether groups get equal predictions;
    `predictions - outcomes`, whether a group's predictions are too high; absolute errors or log losses, whether a group
    has worse predictions. The interval holds for all pairs of groups at once, as in `gap`, from each mean's Student t
    interval. With `clusters` it is conservative (too wide), because groups share bad days.

    Args:
        values: a finite number per row, shape (rows,).
        by: a column such as `records["carrier"]`; several, as a DataFrame or a mapping of names to values, are crossed.
        name: the name of the mean, such as "mae".
        fewest: fewest rows of a judged group.
    Raises: UsageError for a missing value, or columns of another length.

    >>> errors = [10.0, 12.0, 14.0] * 100 + [20.0, 22.0, 24.0] * 100
    >>> found, rest = mean_gap(errors, by={"carrier": ["UA"] * 300 + ["MQ"] * 300}, name="mae", at_most=5.0)
    >>> round(found.low, 1), round(found.value, 1), round(found.high, 1), found.holds
    (9.7, 10.0, 10.3, False)
    """
    from scipy.stats import t

    array_checks.within("level", level, 0.0, 1.0)
    known = array_checks.numbers(values, "values")
    together = array_checks.groups(clusters, len(known))
    split = parts.split(by, rows=len(known))
    large, known_of = [], []
    for part in split:
        here = known[part.rows]
        cluster_of = None if together is None else array_checks.groups(together[part.rows], len(here))
        units = len(here) if cluster_of is None else int(cluster_of.max()) + 1
        if len(here) >= max(fewest, 1) and units > 1:
            large.append(part)
            known_of.append((float(here.mean()), metrics.error_of_mean(here, cluster_of), units))
    stated = Evidence(
        name=f"{name}, gap between groups", value=None, rows=sum(len(one.rows) for one in large), covers=COVERS,
        at_most=at_most, surely=surely,
    )  # fmt: skip
    judged = sum(len(one.rows) for one in large)
    if len(large) < 2:
        why = f"{len(large)} of {len(split)} groups with {fewest:,} rows, two are needed"
        return replace(stated, unjudged=why), not_judged(
            len(known), len(known), at_most=unjudged_at_most, covers=COVERS
        )
    each = 2 * NormalDist().cdf(_range_quantile(level, len(large)) / math.sqrt(2)) - 1
    ends = [
        (mean, mean - half, mean + half)
        for mean, error, units in known_of
        for half in (float(t.ppf((1 + each) / 2, units - 1)) * error,)
    ]
    pairs = [_difference(one, other) for one, other in permutations(ends, 2)]
    value, low, high = (max(one[end] for one in pairs) for end in range(3))
    means = [mean for mean, _, _ in known_of]
    least, most = (extreme(range(len(means)), key=means.__getitem__) for extreme in (min, max))
    decision = f"from {means[least]:.3g} on {large[least].name} to {means[most]:.3g} on {large[most].name}"
    return (
        replace(stated, value=value, low=max(low, 0.0), high=high, level=level, decision=decision),
        not_judged(len(known) - judged, len(known), at_most=unjudged_at_most, covers=COVERS),
    )


Ends = tuple[float, float, float]  # a value and its interval


def _extremes(
    groups: list[Group],
    compare: "Callable[[Ends, Ends], Ends]",
    *,
    pick: Callable[..., Any],
    of: str,
    rate: Rate,
    fewest: int,
    unjudged_at_most: float | None,
    level: float,
    bounds: dict[str, Any],
) -> tuple[Evidence, ...]:
    """The most unequal pair of groups, with an interval that holds for all pairs at once."""
    large = _large(groups, fewest)
    named = f"{rate} rate, {of} between groups" if rate != "precision" else f"{rate}, {of} between groups"
    stated = Evidence(name=named, value=None, rows=sum(one.rows for one in large), covers=COVERS, **bounds)
    why = "" if len(large) > 1 else f"{len(large)} of {len(groups)} groups with {fewest:,} rows, two are needed"
    if not why and of == "ratio" and not any(one.hits for one in large):
        why = "no group has a single hit"
    if why:
        # Without a comparison, no row was judged, however large the one group is.
        return replace(stated, unjudged=why), _rest(groups, [], at_most=unjudged_at_most)
    each = 2 * NormalDist().cdf(_range_quantile(level, len(large)) / math.sqrt(2)) - 1
    known = [_share(one, each) for one in large]
    pairs = [compare(one, other) for one, other in permutations(known, 2)]
    value, low, high = (pick(one[end] for one in pairs) for end in range(3))
    least, most = (extreme(large, key=lambda one: one.hits / one.rows) for extreme in (min, max))
    decision = f"from {least.hits / least.rows:.3g} on {least.name} to {most.hits / most.rows:.3g} on {most.name}"
    return (
        replace(stated, value=value, low=max(low, 0.0), high=min(high, 1.0), level=level, decision=decision),
        _rest(groups, large, at_most=unjudged_at_most),
    )


def _difference(one: Ends, other: Ends) -> Ends:
    """Difference of two shares or means, with limits after Newcombe, Statistics in Medicine 17 (1998), method 10."""
    (a, a_low, a_high), (b, b_low, b_high) = one, other
    return a - b, a - b - math.hypot(a - a_low, b_high - b), a - b + math.hypot(a_high - a, b - b_low)


def _quotient(one: Ends, other: Ends) -> Ends:
    """The ratio of two shares, with limits after Donner and Zou (2012), equation 9, in a numerically stable form."""
    (a, a_low, a_high), (b, b_low, b_high) = one, other
    if b == 0:
        return math.inf, (a_low / b_high), math.inf
    product = a * b
    down = a_low * (2 * a - a_low)
    below = product + math.sqrt(max(product**2 - down * b_high * (2 * b - b_high), 0.0))
    over = b_low * (2 * b - b_low)
    above = product + math.sqrt(max(product**2 - a_high * (2 * a - a_high) * over, 0.0))
    return a / b, down / below if below else 0.0, above / over if over else math.inf


def _groups(
    labels: "ArrayLike",
    scores: "ArrayLike",
    *,
    by: Any,
    threshold: float,
    rate: Rate,
    clusters: "ArrayLike | None",
    level: float,
) -> list[Group]:
    import numpy as np

    array_checks.within("level", level, 0.0, 1.0)
    truth, said = array_checks.truths(labels), array_checks.numbers(scores, "scores")
    array_checks.same_length(len(truth), scores=said)
    called = said >= threshold
    over_and_hit = {
        "selection": (np.ones(len(truth), dtype=bool), called),
        "true positive": (truth, called),
        "false positive": (~truth, called),
        "precision": (called, truth),
    }
    if rate not in over_and_hit:
        raise UsageError(f"There is no rate called {rate}. There are: {', '.join(over_and_hit)}.")
    over, hit = over_and_hit[rate]
    together = array_checks.groups(clusters, len(truth))

    def group(part: parts.Slice) -> Group:
        rows = part.rows[over[part.rows]]
        hits = hit[rows]
        worth = len(rows) if together is None else metrics.worth(hits, together[rows], level=level)
        return Group(name=part.name, members=len(part.rows), rows=len(rows), hits=int(hits.sum()), worth=worth)

    return [group(part) for part in parts.split(by, rows=len(truth))]


def _large(groups: list[Group], fewest: int) -> list[Group]:
    return [one for one in groups if one.rows >= max(fewest, 1)]


def _rest(groups: list[Group], judged: list[Group], *, at_most: float | None) -> Evidence:
    rows = sum(one.members for one in groups)
    return not_judged(rows - sum(one.members for one in judged), rows, at_most=at_most, covers=COVERS)


def _share(group: Group, level: float) -> Ends:
    """The share of a group with Wilson's interval; 0 to 1 if it has no rows."""
    if not group.rows:
        return 0.0, 0.0, 1.0
    p = group.hits / group.rows
    return p, *metrics.wilson(p, group.worth, level=level)


def _range_quantile(level: float, groups: int) -> float:
    """The quantile at `level` of the range of `groups` standard normal numbers.

    This is Tukey's range for known variances. SciPy's version supports all degrees of freedom, and takes seconds.

    >>> round(_range_quantile(0.95, 3), 2)
    3.31
    """
    import numpy as np
    from scipy.integrate import trapezoid
    from scipy.optimize import brentq
    from scipy.special import ndtr

    smallest = np.linspace(-9, 9, 2_001)
    density = np.exp(-(smallest**2) / 2) / math.sqrt(2 * math.pi)

    def missing(width: float) -> float:
        inside = groups * density * (ndtr(smallest + width) - ndtr(smallest)) ** (groups - 1)
        return float(trapezoid(inside, smallest)) - level

    return float(brentq(missing, 0.0, 20.0))
