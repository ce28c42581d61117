"""Metrics of predicted classes: log loss, accuracy, and recall, precision and F1 per class and overall.

Input: outcomes of any kind (texts, whole numbers, booleans), and labels, shape (rows,), or probabilities with the names
of their columns, shape (rows, classes). Output: `Evidence` with an interval. In a check,
`probabilities = candidate.predict(holdout.records)`, `classes = candidate.task.facts.classes`, and the labels are
`multiclass.labels_of(probabilities, classes)`.

For calibration see `calibration.of_classes` and `.of_top_label`, to compare two models `compare_classes`.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from proveout.errors import UsageError
from proveout.evaluation import metrics
from proveout.evaluation.slices import not_judged
from proveout.evaluation.stats import array_checks, confusion, jackknife
from proveout.evaluation.stats.confusion import Of
from proveout.records.verdict import Evidence
from proveout.task.multiclass import Multiclass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

NAMES = {"recall": "recall", "precision": "precision", "f1": "F1"}
COVERS = ("model-6",)

# --- from probabilities -----------------------------------------------------------------------------------------------


def log_loss(
    outcomes: "ArrayLike",
    probabilities: "ArrayLike",
    *,
    classes: Sequence[Any],
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """The mean log loss in nats, with Student's t interval.

    Args:
        outcomes: a class per row, shape (rows,).
        probabilities: of each class, shape (rows, classes).
        classes: the name of each column.
        clusters: shape (rows,), such as the day of each flight.
    Returns: not judged with fewer than two rows or two clusters, or if all outcomes are one class.
    Raises: UsageError for a missing outcome, a class without a column, or an invalid probability.

    >>> said = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]] * 30
    >>> found = log_loss(["a", "b", "c"] * 30, said, classes=["a", "b", "c"])
    >>> round(found.low, 2), round(found.value, 2), round(found.high, 2)
    (0.34, 0.36, 0.39)
    """
    lost = log_losses(outcomes, probabilities, classes=classes)
    one_class = _one_class(array_checks.classes_of(outcomes, classes), classes)
    if one_class:
        return Evidence(name="log loss", value=None, rows=len(lost), unjudged=one_class)
    return metrics.mean(lost, name="log loss", level=level, clusters=clusters)


def top_k(
    outcomes: "ArrayLike",
    probabilities: "ArrayLike",
    *,
    classes: Sequence[Any],
    k: int,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """The share of rows whose outcome is among the `k` most probable classes, with Wilson's interval.

    For equal probabilities, the earlier column ranks higher, as for the label. Arguments and raises: as in `log_loss`;
    UsageError if `k` is not from 1 to the number of classes less one.

    >>> said = [[0.7, 0.2, 0.1], [0.4, 0.5, 0.1], [0.5, 0.3, 0.2]] * 30
    >>> found = top_k(["a", "a", "c"] * 30, said, classes=["a", "b", "c"], k=2)
    >>> found.name, round(found.low, 2), round(found.value, 2), round(found.high, 2)
    ('top-2 accuracy', 0.56, 0.67, 0.76)
    """
    import numpy as np

    known, said = _answers(outcomes, probabilities, classes)
    if not 1 <= k < len(classes):
        raise UsageError(f"k is {k}, expected: from 1 to {len(classes) - 1}, as there are {len(classes)} classes.")
    own = said[np.arange(len(said)), known][:, None]
    before = np.arange(said.shape[1]) < known[:, None]
    place = ((said > own) | ((said == own) & before)).sum(axis=1)
    return metrics.share_of_rows(place < k, name=f"top-{k} accuracy", level=level, clusters=clusters)


def labels_of(probabilities: "ArrayLike", classes: Sequence[Any]) -> "NDArray[Any]":
    """The most probable class of each row, shape (rows,); for equal probabilities, that of the earlier column.

    >>> labels_of([[0.4, 0.6], [0.5, 0.5]], ["a", "b"]).tolist()
    ['b', 'a']
    """
    import numpy as np

    found = np.empty(len(classes), dtype=object)
    found[:] = list(classes)
    return np.asarray(found[array_checks.probabilities(probabilities, classes).argmax(axis=1)])


# --- from labels ------------------------------------------------------------------------------------------------------


def accuracy(
    outcomes: "ArrayLike", labels: "ArrayLike", *, level: float = 0.95, clusters: "ArrayLike | None" = None
) -> Evidence:
    """The share of rows with the right label, with Wilson's interval. Raises: UsageError for what is missing.

    >>> found = accuracy(["a", "b", "c"] * 30, ["a", "b", "b"] * 30)
    >>> round(found.low, 2), round(found.value, 2), round(found.high, 2)
    (0.56, 0.67, 0.76)
    """
    known, said, _ = coded(outcomes, labels)
    return metrics.share_of_rows(known == said, name="accuracy", level=level, clusters=clusters)


def balanced_accuracy(
    outcomes: "ArrayLike", labels: "ArrayLike", *, level: float = 0.95, clusters: "ArrayLike | None" = None
) -> Evidence:
    """The mean recall of all classes. Always predicting the largest class does not score high.

    Arguments, returns, raises: as in `macro`.

    >>> found = balanced_accuracy(["a", "b", "b", "c"] * 30, ["a", "b", "b", "b"] * 30)
    >>> round(found.value, 2)
    0.67
    """
    return _macro(outcomes, labels, of="recall", level=level, clusters=clusters, name="balanced accuracy")


def macro(
    outcomes: "ArrayLike",
    labels: "ArrayLike",
    *,
    of: Of = "f1",
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """The plain mean of recall, precision or F1 over all classes that occur; a rare class counts as much as others.

    Each end of the interval is the wider one of two: that of the jackknife on the logit scale, which accounts for the
    correlation of classes, and the one that follows from Wilson's interval of each class (MOVER: Zou and Donner,
    Statistics in Medicine 27 (2008)), which is valid for classes with few rows.

    Args:
        outcomes, labels: a class per row, shape (rows,).
        of: `recall`, `precision` or `f1`.
        clusters: shape (rows,), such as the day of each flight.
    Returns: the mean over classes that are the outcome of at least one row; labels of other classes are wrong. The
        precision of a class that is never the label is 0. Not judged if all outcomes are one class, or with one
        cluster.
    Raises: UsageError for a missing outcome or label, or different lengths.

    >>> found = macro(["a", "b", "c"] * 30, ["a", "b", "b"] * 30, of="recall")
    >>> found.name, round(found.low, 2), round(found.value, 2), round(found.high, 2)
    ('macro recall', 0.61, 0.67, 0.7)
    """
    return _macro(outcomes, labels, of=of, level=level, clusters=clusters, name=f"macro {_name(of)}")


def each_class(
    outcomes: "ArrayLike",
    labels: "ArrayLike",
    *,
    of: Of = "recall",
    at_least: float | None = None,
    surely: bool = False,
    fewest: int = 20,
    unjudged_at_most: float | None = 0.05,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> tuple[Evidence, ...]:
    """The recall, precision or F1 of each class, with Wilson's interval; last, the share of rows in too small classes.

    Args:
        outcomes, labels: a class per row, shape (rows,).
        of: `recall`, over rows with the class as outcome; `precision`, over rows with it as label; `f1`, over both.
        fewest: fewest rows of a judged class.
        unjudged_at_most: share of all rows whose outcome may be an unjudged class, 0 to 1.
        clusters: shape (rows,), such as the day of each flight: reduces a class's effective number of rows.
    Returns: evidence for each class that occurs; its `slice` names the class.
    Raises: UsageError for a missing outcome or label, or different lengths.

    >>> for one in each_class(["a", "b", "c"] * 30, ["a", "b", "b"] * 30, of="recall", at_least=0.5):
    ...     print(one.slice or one.name, one.value, "holds" if one.holds else "does not hold")
    class=a 1.0 holds
    class=b 1.0 holds
    class=c 0.0 does not hold
    rows not judged 0.0 holds
    """
    name = _name(of)
    known, said, classes = coded(outcomes, labels)
    groups = array_checks.groups(clusters, len(known))
    found, left_out = [], 0
    for place, called in enumerate(classes):
        ends = _of_class(known, said, place, of=of, level=level, groups=groups)
        why = f"{ends.rows:,} rows, asked for {fewest:,}" if ends.rows < max(fewest, 1) else ""
        if why:
            left_out += int((known == place).sum())
        found.append(
            Evidence(
                name=name, slice=f"class={called}", value=ends.value if ends.rows else None, rows=ends.rows,
                low=ends.low, high=ends.high, level=level, at_least=at_least, surely=surely, covers=COVERS,
                unjudged=why,
            )
        )  # fmt: skip
    return (*found, not_judged(left_out, len(known), at_most=unjudged_at_most, covers=COVERS))


def worst_class(
    outcomes: "ArrayLike",
    labels: "ArrayLike",
    *,
    of: Of = "recall",
    fewest: int = 20,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """The lowest recall, precision or F1 of a class, with an interval for the lowest true value.

    Some class is the lowest by chance alone, so each class's interval is widened until all hold at once (Bonferroni).
    The lowest low end and the lowest high end form the interval. Arguments: as in `each_class`.

    Returns: not judged if fewer than two classes have `fewest` rows.

    >>> found = worst_class(["a", "b", "c"] * 30, ["a", "b", "b"] * 25 + ["a", "b", "c"] * 5)
    >>> found.slice, round(found.low, 2), round(found.value, 2), round(found.high, 2)
    ('class=c', 0.06, 0.17, 0.38)
    """
    array_checks.within("level", level, 0.0, 1.0)
    known, said, classes = coded(outcomes, labels)
    groups, name = array_checks.groups(clusters, len(known)), f"lowest {_name(of)} of a class"
    counted = confusion.margins(known, said, len(classes)).rows(of)
    judged = [place for place, rows in enumerate(counted) if rows >= max(fewest, 1)]
    if len(judged) < 2:
        why = f"{len(judged)} classes with {max(fewest, 1):,} rows, two are needed"
        return Evidence(name=name, value=None, rows=len(known), unjudged=why, covers=COVERS)
    each = 1 - (1 - level) / len(judged)
    ends = [_of_class(known, said, place, of=of, level=each, groups=groups) for place in judged]
    least = min(range(len(judged)), key=lambda at: ends[at].value)
    return Evidence(
        name=name, slice=f"class={classes[judged[least]]}", rows=ends[least].rows, covers=COVERS, level=level,
        value=ends[least].value, low=min(one.low for one in ends), high=min(one.high for one in ends),
    )  # fmt: skip


# --- losses of single rows --------------------------------------------------------------------------------------------


def log_losses(outcomes: "ArrayLike", probabilities: "ArrayLike", *, classes: Sequence[Any]) -> "NDArray[np.float64]":
    """The log loss of each row in nats, shape (rows,): minus the log of the probability of the outcome.

    It is finite, because probabilities are limited to the precision of a number near 1.

    >>> log_losses(["a", "b"], [[0.5, 0.5], [0.9, 0.1]], classes=["a", "b"]).round(3).tolist()
    [0.693, 2.303]
    """
    return _task_losses(outcomes, probabilities, classes, name="log_loss")


def brier_scores(outcomes: "ArrayLike", probabilities: "ArrayLike", *, classes: Sequence[Any]) -> "NDArray[np.float64]":
    """The squared difference of each row's probabilities from the outcome, 0 to 2, shape (rows,).

    >>> brier_scores(["a", "b"], [[0.5, 0.5], [0.9, 0.1]], classes=["a", "b"]).round(2).tolist()
    [0.5, 1.62]
    """
    return _task_losses(outcomes, probabilities, classes, name="brier")


def _task_losses(
    outcomes: "ArrayLike", probabilities: "ArrayLike", classes: Sequence[Any], *, name: str
) -> "NDArray[np.float64]":
    known, said = _answers(outcomes, probabilities, classes)
    places = tuple(range(len(classes)))  # class names do not matter for a loss
    return Multiclass(classes=places).losses(known, said, name=name)


def wrong_labels(outcomes: "ArrayLike", labels: "ArrayLike") -> "NDArray[np.float64]":
    """1 for each row with the wrong label, 0 for the others, shape (rows,).

    >>> wrong_labels(["a", "b"], ["a", "a"]).tolist()
    [0.0, 1.0]
    """
    import numpy as np

    known, said, _ = coded(outcomes, labels)
    return np.asarray(known != said, dtype=float)


def coded(outcomes: "ArrayLike", labels: "ArrayLike") -> "tuple[NDArray[np.intp], NDArray[np.intp], list[Any]]":
    """The index of each row's outcome and label among the classes that occur, and these classes, sorted if possible.

    Raises: UsageError for a missing outcome or label, or different lengths.

    >>> known, said, classes = coded(["b", "a"], ["a", "c"])
    >>> known.tolist(), said.tolist(), classes
    ([1, 0], [0, 2], ['a', 'b', 'c'])
    """
    found = array_checks.plain_classes(outcomes, "outcomes"), array_checks.plain_classes(labels, "labels")
    array_checks.same_length(len(found[0]), labels=found[1])
    classes = array_checks.sorted_classes([*found[0], *found[1]])
    known, said = (array_checks.places_of(one, classes) for one in found)
    return known, said, classes


class _Ends:
    """A share, and its interval."""

    def __init__(self, value: float, low: float, high: float, rows: int) -> None:
        self.value, self.low, self.high, self.rows = value, low, high, rows


def _of_class(
    known: "NDArray[np.intp]",
    said: "NDArray[np.intp]",
    place: int,
    *,
    of: Of,
    level: float,
    groups: "NDArray[np.intp] | None",
) -> _Ends:
    import numpy as np

    here = {"recall": known == place, "precision": said == place, "f1": (known == place) | (said == place)}[of]
    hits = (known == said)[here]
    if not len(hits):
        return _Ends(0.0, 0.0, 1.0, 0)
    p = float(hits.mean())
    worth = len(hits) if groups is None else metrics.worth(hits, groups[here], level=level)
    ends = np.array([p, *metrics.wilson(p, worth, level=level)])
    value, low, high = confusion.f1_of_share(ends) if of == "f1" else ends
    return _Ends(float(value), float(low), float(high), len(hits))


def _macro(
    outcomes: "ArrayLike", labels: "ArrayLike", *, of: Of, level: float, clusters: "ArrayLike | None", name: str
) -> Evidence:
    import numpy as np

    array_checks.within("level", level, 0.0, 1.0)
    known, said, classes = coded(outcomes, labels)
    groups = array_checks.groups(clusters, len(known))
    why = _one_class(known, classes)
    if not why and groups is not None and groups.max() < 1:
        why = "one cluster, an interval needs two"
    if why:
        return Evidence(name=name, value=None, rows=len(known), unjudged=why)
    judged = np.bincount(known, minlength=len(classes)) > 0
    value = float(confusion.margins(known, said, len(classes)).values(of)[judged].mean())
    without = confusion.means_without_each(known, said, of, judged, groups)
    low, high = jackknife.logit_ends(value, jackknife.error(without), units=len(without), level=level)
    of_each = [_of_class(known, said, int(one), of=of, level=level, groups=groups) for one in np.flatnonzero(judged)]
    down = math.sqrt(sum((one.value - one.low) ** 2 for one in of_each)) / len(of_each)
    up = math.sqrt(sum((one.high - one.value) ** 2 for one in of_each)) / len(of_each)
    return Evidence(
        name=name, value=value, rows=len(known), level=level,
        low=max(0.0, min(low, value - down)), high=min(1.0, max(high, value + up)),
    )  # fmt: skip


def _one_class(known: "NDArray[np.intp]", classes: Sequence[Any]) -> str:
    """Why outcomes of a single class are not judged; empty if there are more classes."""
    if not len(known):
        return "no rows"
    first = known[0]
    return f"{len(known):,} rows, all of them of class {classes[first]}" if (known == first).all() else ""


def _answers(
    outcomes: "ArrayLike", probabilities: "ArrayLike", classes: Sequence[Any]
) -> "tuple[NDArray[np.intp], NDArray[np.float64]]":
    known = array_checks.classes_of(outcomes, classes)
    said = array_checks.probabilities(probabilities, classes)
    array_checks.same_length(len(known), rows_of_probabilities=said)
    return known, said


def _name(of: Of) -> str:
    if of not in NAMES:
        raise UsageError(f"There is no {of} of a class. There are: {', '.join(NAMES)}.")
    return NAMES[of]
