"""Compares a multi-class candidate with the champion: by macro recall, precision or F1, and by the class shares.

Input: outcomes and the labels of both models, a class per row. Output: `Evidence`. Other comparisons use `compare`:
McNemar's test on right answers is `compare.labels(..., threshold=None)`, and log losses are compared by
`compare.rows(multiclass.log_losses(...), ...)`.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from proveout.errors import UsageError
from proveout.evaluation import metrics, multiclass
from proveout.evaluation.stats import array_checks, bootstrap, confusion, mcnemar
from proveout.evaluation.stats.confusion import Of
from proveout.evaluation.stats.noninferiority import NO_GAIN, Asked
from proveout.records.verdict import Evidence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


def macro(
    outcomes: "ArrayLike",
    candidate: "ArrayLike",
    champion: "ArrayLike | None",
    *,
    margin: float,
    of: Of = "f1",
    better: bool = False,
    level: float = 0.95,
    spread: float = 0.0,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """The candidate's gain in macro recall, precision or F1, by the paired jackknife with a correction for skewness.

    Other arguments, the decision and `spread` are as in `compare.auc`.

    Args:
        outcomes, candidate, champion: a class per row, shape (rows,).
        of: `recall` (macro recall is balanced accuracy), `precision` or `f1`; over the classes that are an outcome.
    Returns: not judged if all outcomes are one class, or with one cluster.
    Raises: UsageError for a missing outcome or label, or different lengths.

    >>> outcomes = ["a", "b", "c"] * 100
    >>> found = macro(outcomes, ["a", "b", "c"] * 95 + ["a"] * 15, ["a", "b", "c"] * 94 + ["b"] * 18, margin=0.05)
    >>> found.name, found.decision.partition(";")[0]
    ('macro F1, gain on the champion', 'not worse')
    """
    import numpy as np

    name = f"macro {multiclass.NAMES.get(of, of)}"
    first = multiclass.macro(outcomes, candidate, of=of, level=2 * level - 1, clusters=clusters)
    asked = Asked(name=name, rows=first.rows or 0, margin=margin, better=better, level=level, spread=spread)
    if champion is None:
        return asked.first(first)
    if first.value is None:
        return asked.unjudged(first.unjudged)
    truth = array_checks.plain_classes(outcomes, "outcomes")
    said = [
        array_checks.plain_classes(one, f"labels of the {who}")
        for one, who in ((candidate, "candidate"), (champion, "champion"))
    ]
    array_checks.same_length(len(truth), labels_of_the_champion=said[1])
    classes = array_checks.sorted_classes([*truth, *said[0], *said[1]])
    known, ours, theirs = (array_checks.places_of(one, classes) for one in (truth, *said))
    judged = np.bincount(known, minlength=len(classes)) > 0
    after, before = (
        float(confusion.margins(known, one, len(classes)).values(of)[judged].mean()) for one in (ours, theirs)
    )
    if np.array_equal(ours, theirs):
        return asked.answer(NO_GAIN, champion=before)
    groups = array_checks.groups(clusters, len(known))
    left = [confusion.means_without_each(known, one, of, judged, groups) for one in (ours, theirs)]
    gain = bootstrap.skewed(after - before, left[0] - left[1], asked.shown)
    return asked.answer(gain if groups is not None else replace(gain, clusters=None), champion=before)


def shares(
    labels: "ArrayLike",
    others: "ArrayLike",
    *,
    at_most: float | None = None,
    surely: bool = False,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """The largest difference between candidate and champion in the share of a predicted class, 0 to 1.

    With outcomes as `others`, it compares predicted with observed shares. The interval holds for all classes at once
    (Bonferroni); each class uses Tango's score interval, or Student's t with `clusters`. The decision gives the p-value
    of the test that all shares are equal: Stuart and Maxwell's, or Hotelling's T² with `clusters`. A few bad days can
    mislead the latter: with 60 days of flights, it found a difference in 12 % of trials without one.
    Source: A. Stuart, A test for homogeneity of the marginal distributions in a two-way classification, Biometrika 42
    (1955); A. E. Maxwell, Comparing the classification of subjects by two independent judges, British Journal of
    Psychiatry 116 (1970).

    Args:
        labels, others: a class per row, of the same rows, shape (rows,).
    Returns: not judged without rows, or with one cluster.
    Raises: UsageError for a missing label, or different lengths.

    >>> found = shares(["a", "b", "c"] * 40, ["a", "b", "b"] * 30 + ["a", "b", "c"] * 10, at_most=0.1)
    >>> found.slice, round(found.low, 2), round(found.value, 2), round(found.high, 2), found.decision
    ('class=b', 0.17, 0.25, 0.35, 'shares differ (p < 0.001)')
    """

    array_checks.within("level", level, 0.0, 1.0)
    said, other, classes = multiclass.coded(labels, others)
    groups = array_checks.groups(clusters, len(said))
    stated = Evidence(
        name="largest difference of a class's share", value=None, rows=len(said), at_most=at_most, surely=surely
    )
    if not len(said):
        return replace(stated, unjudged="no rows")
    if groups is not None and groups.max() < 1:
        return replace(stated, unjudged="one cluster, an interval needs two")
    each = 1 - (1 - level) / len(classes)
    ends = [_share_gain(said == place, other == place, groups, level=each) for place in range(len(classes))]
    largest = max(range(len(classes)), key=lambda place: abs(ends[place][0]))
    p = equal_shares_p(said, other, len(classes), groups)
    told = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    return replace(
        stated,
        value=abs(ends[largest][0]),
        low=max(max(low, -high, 0.0) for _, low, high in ends),
        high=max(max(high, -low) for _, low, high in ends),
        level=level,
        slice=f"class={classes[largest]}",
        decision=f"{'shares differ' if p < 1 - level else 'no surely different shares'} ({told})",
    )


def equal_shares_p(
    said: "NDArray[np.intp]", other: "NDArray[np.intp]", classes: int, groups: "NDArray[np.intp] | None"
) -> float:
    """The p-value of the test that both predict each class equally often; 1 without differences or with few clusters.

    >>> import numpy as np
    >>> round(equal_shares_p(np.array([0] * 9 + [1] * 3), np.array([1] * 9 + [0] * 3), 2, None), 4)  # McNemar's
    0.0833
    """
    import numpy as np
    from scipy.sparse.csgraph import connected_components
    from scipy.stats import chi2, f

    table = np.bincount(said * classes + other, minlength=classes**2).reshape(classes, classes).astype(float)
    both = table + table.T
    np.fill_diagonal(both, 0)
    # Groups of classes that are never confused with each other, not even through others, are independent. In each
    # group, one class follows from the rest.
    count, part = connected_components(both, directed=False)
    kept = np.concatenate([np.flatnonzero(part == one)[1:] for one in range(count)])
    if not len(kept):
        return 1.0
    gain = (table.sum(axis=1) - table.sum(axis=0))[kept]
    if groups is None:
        spread = (np.diag(both.sum(axis=1)) - both)[np.ix_(kept, kept)]
        return float(chi2.sf(gain @ np.linalg.solve(spread, gain), len(kept)))
    units = int(groups.max()) + 1
    if units <= len(kept) + 1:
        return 1.0
    own = np.zeros((units, classes))
    np.add.at(own, (groups, said), 1.0)
    np.add.at(own, (groups, other), -1.0)
    off = own[:, kept] - own[:, kept].mean(axis=0)
    spread = off.T @ off * units / (units - 1)
    try:
        squared = float(gain @ np.linalg.solve(spread, gain))
    except np.linalg.LinAlgError:  # all clusters have the same difference
        return 1.0
    degrees = len(kept)
    return float(f.sf(squared * (units - degrees) / (degrees * (units - 1)), degrees, units - degrees))


def _share_gain(
    said: "NDArray[np.bool_]", other: "NDArray[np.bool_]", groups: "NDArray[np.intp] | None", *, level: float
) -> tuple[float, float, float]:
    """The share of `said` less that of `other`, and its interval."""
    if groups is None:
        first, second = int((said & ~other).sum()), int((~said & other).sum())
        return (first - second) / len(said), *mcnemar.interval(first, second, len(said), level=level)
    found = metrics.mean(said.astype(float) - other, level=level, clusters=groups)
    if found.value is None or found.low is None or found.high is None:
        raise UsageError(f"The shares of a class cannot be compared: {found.unjudged}.")
    return found.value, max(found.low, -1.0), min(found.high, 1.0)
