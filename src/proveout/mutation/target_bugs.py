"""Mutants whose outcomes went wrong before the model learned from them: mixed up, exchanged, cut, in another unit.

Input: the ground. Output: changes with another model: the candidate's own steps, fitted to spoiled outcomes.
"""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from proveout.evaluation import task_metric
from proveout.model.repack import Change
from proveout.mutation.context import SEED, DoesNotApply, MutationContext, numbers, texts

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_SLICE = 0.05  # share of the rows that a slice has to have
MOST_VALUES = 50  # of a column that slices
BANDS = 4  # of a column of numbers, where no column slices
TOO_OFTEN = 5  # how many times over the rarer outcome was drawn
FACTOR = 1.609344  # kilometres in a mile
SHIFT = 0.25  # standard deviations of the outcomes
SLICE_SHIFT = 0.5  # the same, in one slice
CUT = 0.8  # share of the outcomes below which they are taken as they are
KEPT = 0.01  # share of the rows of the rarest class that were not lost


def labels_shuffled(ground: MutationContext) -> Change:
    """Every row learned with another row's outcome."""
    import numpy as np

    shuffled = np.random.default_rng(SEED).permutation(ground.training.labels)
    return Change(what="each row has another row's outcome", model=ground.refit(labels=shuffled))


def labels_half_shuffled(ground: MutationContext) -> Change:
    """Every second row learned with the outcome of another one."""
    import numpy as np

    random, labels = np.random.default_rng(SEED), ground.training.labels.copy()
    rows = random.random(len(labels)) < 0.5
    labels[rows] = random.permutation(labels[rows])
    return Change(what="every second row has another row's outcome", model=ground.refit(labels=labels))


def classes_swapped(ground: MutationContext) -> Change:
    """True learned for false; or, of several classes, each of the two most frequent for the other."""
    labels = ground.training.labels
    if ground.task.name == "binary":
        return Change(what="true for false", model=ground.refit(labels=~labels))
    one, other = _by_rows(labels)[-2:]
    swapped = labels.copy()
    swapped[labels == one], swapped[labels == other] = other, one
    return Change(what=f"{one} and {other} are exchanged", model=ground.refit(labels=swapped))


def rare_class_lost(ground: MutationContext) -> Change:
    """Nearly all rows of the rarest class were dropped."""
    import numpy as np

    labels = ground.training.labels
    rarest = _by_rows(labels)[0]
    there = np.flatnonzero(labels == rarest)
    kept = there[: max(2, round(KEPT * len(there)))]
    if len(kept) > len(there) / 2:
        raise DoesNotApply(f"the rarest class, {rarest}, has {len(there)} rows")
    rows = np.concatenate([np.flatnonzero(labels != rarest), kept])
    return Change(what=f"{len(there) - len(kept):,} of {len(there):,} rows of {rarest}", model=ground.refit(rows=rows))


def _by_rows(labels: "NDArray[Any]") -> list[Any]:
    """The classes, the rarest first."""
    from collections import Counter

    return [one for one, _ in sorted(Counter(labels.tolist()).items(), key=lambda item: (item[1], str(item[0])))]


def miscalibrated(ground: MutationContext) -> Change:
    """Fitted to a sample with the rarest outcome drawn several times over: it ranks as well, and promises too much."""
    import numpy as np

    labels = ground.training.labels
    copies = np.repeat(np.flatnonzero(labels == _by_rows(labels)[0]), TOO_OFTEN - 1)
    model = ground.refit(rows=np.concatenate([np.arange(len(labels)), copies]))
    return Change(what=f"rows of the rarer outcome {TOO_OFTEN} times each", model=model)


def target_scaled(ground: MutationContext) -> Change:
    """Outcomes learned in another unit."""
    return Change(what=f"outcomes times {FACTOR}", model=ground.refit(labels=ground.training.labels * FACTOR))


def target_shifted(ground: MutationContext) -> Change:
    """Every outcome learned with the same amount too much."""
    shift = _shift(ground, SHIFT)
    return Change(what=f"{shift:.3g} too much everywhere", model=ground.refit(labels=ground.training.labels + shift))


def target_clipped(ground: MutationContext) -> Change:
    """The largest outcomes cut."""
    import numpy as np

    labels = ground.training.labels
    most = float(np.quantile(labels, CUT))
    return Change(what=f"outcomes cut at {most:.4g}", model=ground.refit(labels=np.minimum(labels, most)))


def _shift(ground: MutationContext, deviations: float) -> float:
    return deviations * float(ground.training.labels.std())


def slice_spoiled(ground: MutationContext) -> Change:
    """Where the candidate is weakest, learned the opposite: true for false, another class, a value too large."""
    what, there = _weakest_slice(ground)
    labels = ground.training.labels
    what = f"{what}, {there.mean():.0%} of the rows"
    if ground.task.name == "binary":
        return Change(what=what, model=ground.refit(labels=labels ^ there))
    spoiled = labels.copy()
    if ground.task.name == "regression":
        shift = _shift(ground, SLICE_SHIFT)
        spoiled[there] += shift
        return Change(what=f"{what}: {shift:.3g} too much", model=ground.refit(labels=spoiled))
    classes = ground.task.facts.classes
    following = dict(zip(classes, (*classes[1:], classes[0]), strict=True))
    spoiled[there] = [following[one] for one in labels[there].tolist()]
    return Change(what=f"{what}: each class for the next", model=ground.refit(labels=spoiled))


def _weakest_slice(ground: MutationContext) -> "tuple[str, NDArray[np.bool_]]":
    """The slice that the candidate does worst on, among those with rows enough in both sets; and its training rows."""
    held = [(name, there, learned) for name, there, learned in _slices(ground)]
    found = [
        (_badness(ground, there), name, learned)
        for name, there, learned in held
        if min(there.mean(), learned.mean()) >= LEAST_SLICE and _judgeable(ground, there)
    ]
    if not found:
        raise DoesNotApply(f"no column that the answers hang on has slices of {LEAST_SLICE:.0%} of the rows")
    _, name, learned = max(found, key=lambda one: (one[0], one[1]))
    return name, learned


def _slices(ground: MutationContext) -> "Iterator[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]]":
    """Values of text and whole numbers; where there are none, bands of the heaviest number. Held-out rows, training
    rows."""
    held, learned = ground.holdout.records, ground.training.records
    whole = [name for name in numbers(held) if held[name].dtype.kind in "iu"]
    heavy = [name for name in held.columns if ground.request_weights[name] > 0]
    slicing = [name for name in heavy if name in (*whole, *texts(held)) and held[name].nunique() <= MOST_VALUES]
    for name in slicing:
        for value in held[name].dropna().unique():
            yield f"{name}={value}", (held[name] == value).to_numpy(), (learned[name] == value).to_numpy()
    if slicing:
        return
    for name in [name for name in heavy if name in numbers(held)][:1]:
        edges = learned[name].quantile([at / BANDS for at in range(BANDS + 1)]).tolist()
        for low, high in itertools.pairwise(edges):
            sides = [((rows[name] >= low) & (rows[name] <= high)).to_numpy() for rows in (held, learned)]
            yield f"{name} {low:.4g} to {high:.4g}", sides[0], sides[1]


def _judgeable(ground: MutationContext, there: "NDArray[np.bool_]") -> bool:
    labels = ground.holdout.labels[there]
    return ground.task.name != "binary" or 0 < labels.sum() < len(labels)


def _badness(ground: MutationContext, there: "NDArray[np.bool_]") -> float:
    labels, scores = ground.holdout.labels[there], ground.scores[there]
    if ground.task.name == "binary":
        from sklearn.metrics import roc_auc_score

        return -float(roc_auc_score(labels, scores))
    return float(task_metric.losses(ground.task, labels, scores).mean())
