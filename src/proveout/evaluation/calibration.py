"""Calibration: of a hundred rows with a probability of 30 %, are about thirty true?

Input: labels and probabilities. Output: `Evidence`, to be stated by a check, and a table:

    evidence(calibration.error(holdout.labels, scores, at_most=0.08))
    evidence(calibration.in_the_large(holdout.labels, scores, within=0.08))
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from proveout.errors import UsageError
from proveout.evaluation import metrics
from proveout.evaluation.stats import array_checks
from proveout.records.verdict import Evidence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

FEWEST_CLUSTERS = 10


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Rows with similar probabilities: the mean probability, and the observed share."""

    lowest: float  # the lowest probability in it
    highest: float
    rows: int
    promised: float  # mean probability
    observed: float  # share of true labels
    observed_low: float  # Wilson's interval of that share
    observed_high: float


def error(
    labels: "ArrayLike",
    probabilities: "ArrayLike",
    *,
    at_most: float | None = None,
    surely: bool = False,
    bins: int = 15,
    fewest: int = 200,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
    resamples: int = 1_000,
    seed: int = 0,
    name: str = "calibration error",
) -> Evidence:
    """The calibration error: the root mean squared difference of promised and observed shares over bins, 0 to 1.

    The plain estimate is above 0 even for a perfect model, and more so with few rows. Here the expected contribution of
    chance is subtracted from the squared differences (Kumar, Liang and Ma, Verified Uncertainty Calibration, NeurIPS
    2019), so a perfect model is at 0 within the interval. Differences that cancel out within a bin are not seen.

    The interval contains every true error for which the observed one is not unusually large or small. The variation by
    chance comes from a bootstrap of the rows; it is added to the observed differences, scaled up and down. Plain
    bootstrap percentiles cannot be used, because each draw contains the variation by chance twice.
    Measured on 200 models with 5,000 rows at 95 %: 96 % of the intervals contain the 0 of a perfect model, 90 % the
    0.05 of a model whose probabilities are all 0.05 too high.

    Args:
        labels: true or false, shape (rows,).
        probabilities: that the label is true, 0 to 1, shape (rows,).
        bins: number of bins with equally many rows; equal probabilities are in one bin.
        fewest: with fewer rows, it is not judged.
        clusters: such as the day of each row, shape (rows,): rows of one cluster are correlated, so the variation by
            chance is larger.

    >>> from random import Random
    >>> chance = Random(0)
    >>> said = [chance.random() for _ in range(2_000)]
    >>> happened = [chance.random() < probability for probability in said]
    >>> found = error(happened, said, at_most=0.05)
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2), found.decision
    (0.01, 0.0, 0.04, 'no further off than chance')
    >>> found = error(happened, [probability**2 for probability in said], at_most=0.05)
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2), found.decision
    (0.17, 0.15, 0.19, 'further off than chance')
    """
    import numpy as np

    truth, said = _answers(labels, probabilities)
    groups = array_checks.groups(clusters, len(truth))
    units = len(truth) if groups is None else len(np.unique(groups))
    unjudged = f"{len(truth):,} rows, asked for {fewest:,}" if len(truth) < fewest else ""
    if not unjudged and units < FEWEST_CLUSTERS:
        unjudged = f"{units} clusters, a bootstrap needs {FEWEST_CLUSTERS}"
    if unjudged:
        return Evidence(name=name, value=None, rows=len(truth), at_most=at_most, surely=surely, unjudged=unjudged)
    place = _binned(said, bins)
    off, count = said - truth, int(place.max()) + 1
    weights = np.bincount(place) / len(place)
    distance = _means(off, place, count)
    drawn = _drawn(off, place, count, groups, resamples=resamples, seed=seed)
    chance = np.nan_to_num(drawn - distance) * (units / (units - 1)) ** 0.5
    squared = float(weights @ distance**2)
    unbiased = squared - float(weights @ (chance**2).mean(axis=0))
    low, high = _ends(distance, chance, weights, level=level)
    return Evidence(
        name=name, value=max(unbiased, 0.0) ** 0.5, low=low, high=high, level=level, rows=len(truth), at_most=at_most,
        surely=surely, decision="further off than chance" if low > 0 else "no further off than chance",
    )  # fmt: skip


def of_classes(
    outcomes: "ArrayLike",
    probabilities: "ArrayLike",
    *,
    classes: Sequence[Any],
    at_most: float | None = None,
    surely: bool = False,
    bins: int = 15,
    fewest: int = 200,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
    resamples: int = 1_000,
    seed: int = 0,
) -> tuple[Evidence, ...]:
    """The calibration error of each class: of a hundred rows with 30 % for a class, about thirty have it as outcome.

    Args:
        outcomes: a class per row, shape (rows,).
        probabilities: of each class, shape (rows, classes).
        classes: the name of each column.
        at_most: the bound for each class; the other arguments are those of `error`.
    Raises: UsageError for a missing outcome, a class without a column, or an invalid probability.

    >>> from random import Random
    >>> chance = Random(0)
    >>> said = [[0.2, 0.3, 0.5] if chance.random() < 0.5 else [0.6, 0.3, 0.1] for _ in range(2_000)]
    >>> happened = [chance.choices("abc", row)[0] for row in said]
    >>> for one in of_classes(happened, said, classes=["a", "b", "c"], at_most=0.05):
    ...     print(one.slice, round(one.value, 2), one.decision)
    class=a 0.0 no further off than chance
    class=b 0.0 no further off than chance
    class=c 0.0 no further off than chance
    """
    known = array_checks.classes_of(outcomes, classes)
    said = array_checks.probabilities(probabilities, classes)
    array_checks.same_length(len(known), rows_of_probabilities=said)
    return tuple(
        replace(
            error(
                known == place, said[:, place].clip(0, 1), at_most=at_most, surely=surely, bins=bins, fewest=fewest,
                level=level, clusters=clusters, resamples=resamples, seed=seed,
            ),
            slice=f"class={called}",
        )
        for place, called in enumerate(classes)
    )  # fmt: skip


def of_top_label(
    outcomes: "ArrayLike",
    probabilities: "ArrayLike",
    *,
    classes: Sequence[Any],
    at_most: float | None = None,
    surely: bool = False,
    bins: int = 15,
    fewest: int = 200,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
    resamples: int = 1_000,
    seed: int = 0,
) -> Evidence:
    """The calibration error of the predicted class: of a hundred predictions with 80 %, about eighty are right.

    Arguments and raises: as in `of_classes`.

    >>> from random import Random
    >>> chance = Random(0)
    >>> said = [[0.6, 0.3, 0.1] if chance.random() < 0.5 else [0.9, 0.05, 0.05] for _ in range(2_000)]
    >>> happened = [chance.choices("abc", row)[0] if row[0] < 0.9 else "a" for row in said]
    >>> found = of_top_label(happened, said, classes=["a", "b", "c"], at_most=0.05)
    >>> round(found.low, 2), round(found.value, 2), round(found.high, 2), found.decision
    (0.06, 0.07, 0.07, 'further off than chance')
    """
    known = array_checks.classes_of(outcomes, classes)
    said = array_checks.probabilities(probabilities, classes)
    array_checks.same_length(len(known), rows_of_probabilities=said)
    return error(
        said.argmax(axis=1) == known, said.max(axis=1, initial=0).clip(0, 1), at_most=at_most, surely=surely, bins=bins,
        fewest=fewest, level=level, clusters=clusters, resamples=resamples, seed=seed,
        name="top-label calibration error",
    )  # fmt: skip


def in_the_large(
    labels: "ArrayLike",
    probabilities: "ArrayLike",
    *,
    within: float | None = None,
    surely: bool = False,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """What is promised on average less what happens on average, -1 to 1; `within` bounds it to either side.

    >>> in_the_large([True, False, False, True], [0.5, 0.3, 0.3, 0.5]).value
    -0.1
    """
    truth, said = _answers(labels, probabilities)
    found = metrics.mean(said - truth, name="promised less observed", level=level, clusters=clusters)
    return found if within is None else replace(found, at_least=-within, at_most=within, surely=surely)


def table(labels: "ArrayLike", probabilities: "ArrayLike", *, bins: int = 15, level: float = 0.95) -> tuple[Bin, ...]:
    """The reliability table: bins of about equally many rows, from the least probable up. No rows, no bins.

    >>> for one in table([False, False, True, False, True, True], [0.1, 0.2, 0.2, 0.7, 0.8, 0.9], bins=2):
    ...     print(one.rows, "rows:", round(one.promised, 2), "promised,", round(one.observed, 2), "observed")
    3 rows: 0.17 promised, 0.33 observed
    3 rows: 0.8 promised, 0.67 observed
    """
    import numpy as np

    truth, said = _answers(labels, probabilities)
    place = _binned(said, bins)
    found = []
    for number in np.unique(place):
        here = place == number
        seen = metrics.share(int(truth[here].sum()), int(here.sum()), level=level)
        found.append(
            Bin(
                lowest=float(said[here].min()), highest=float(said[here].max()), rows=int(here.sum()),
                promised=float(said[here].mean()), observed=float(truth[here].mean()),
                observed_low=seen.low or 0.0, observed_high=1.0 if seen.high is None else seen.high,
            )
        )  # fmt: skip
    return tuple(found)


def _answers(labels: "ArrayLike", probabilities: "ArrayLike") -> "tuple[NDArray[np.bool_], NDArray[np.float64]]":
    truth, said = array_checks.truths(labels), array_checks.numbers(probabilities, "probabilities")
    array_checks.same_length(len(truth), probabilities=said)
    if len(said) and not 0 <= said.min() <= said.max() <= 1:
        raise UsageError(f"Probabilities are 0 to 1, and here they go from {said.min():.6g} to {said.max():.6g}.")
    return truth, said


def _binned(said: "NDArray[np.float64]", bins: int) -> "NDArray[np.intp]":
    """The bin of each row, 0 upwards without gaps: equally many rows in each, and equal probabilities together."""
    import numpy as np

    if not len(said):
        return np.zeros(0, dtype=int)
    edges = np.unique(np.quantile(said, np.linspace(0, 1, bins + 1)[1:-1]))
    _, place = np.unique(np.searchsorted(edges, said, side="left"), return_inverse=True)
    return place


def _means(values: "NDArray[np.float64]", place: "NDArray[np.intp]", count: int) -> "NDArray[np.float64]":
    """The mean of each bin; NaN where a draw has none of its rows."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        return np.asarray(np.bincount(place, values, minlength=count) / np.bincount(place, minlength=count))


def _drawn(
    values: "NDArray[np.float64]",
    place: "NDArray[np.intp]",
    count: int,
    groups: "NDArray[np.intp] | None",
    *,
    resamples: int,
    seed: int,
) -> "NDArray[np.float64]":
    """The mean of each bin in each bootstrap draw of rows, or of whole groups of them, shape (resamples, bins)."""
    import numpy as np

    random = np.random.default_rng(seed)
    if groups is None:
        draws = (random.integers(len(values), size=len(values)) for _ in range(resamples))
        return np.array([_means(values[rows], place[rows], count) for rows in draws])
    units = int(groups.max()) + 1
    cell = groups * count + place
    sums, rows = np.bincount(cell, values, minlength=units * count), np.bincount(cell, minlength=units * count)
    times = random.multinomial(units, np.full(units, 1 / units), size=resamples)
    with np.errstate(invalid="ignore"):
        return np.asarray((times @ sums.reshape(units, count)) / (times @ rows.reshape(units, count)))


def _ends(
    distance: "NDArray[np.float64]", chance: "NDArray[np.float64]", weights: "NDArray[np.float64]", *, level: float
) -> tuple[float, float]:
    """The least and the largest error under which what was observed is not rare."""
    # With true distances of `times` the observed ones, a draw shows times² squared + 2 times between + alone.
    squared = float(weights @ distance**2)
    between, alone = chance @ (weights * distance), chance**2 @ weights
    rare = (1 - level) / 2

    def share_above(times: float) -> float:
        return float((times**2 * squared + 2 * times * between + alone >= squared).mean())

    by_chance = float(alone.mean()) ** 0.5
    if squared == 0:
        return 0.0, by_chance
    most = 1 + float(alone.max() / squared) ** 0.5
    low = _last(lambda times: share_above(times) <= rare, most)
    high = _last(lambda times: 1 - share_above(times) >= rare, most)
    # A distance smaller than chance makes is luck: it rules out no error that chance would hide.
    return low * squared**0.5, max(high * squared**0.5, by_chance)


def _last(holds: "Callable[[float], bool]", most: float) -> float:
    """The largest number from 0 to `most` for which `holds` is true; it must be false beyond. 0 if there is none."""
    low, high = 0.0, most
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
