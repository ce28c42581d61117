"""Mutants trained on wrong outcomes: shuffled, swapped, clipped, or in another unit.

Input: the context of a mutation. Output: changes with a new model: the candidate's own steps, fitted to wrong outcomes.
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

LEAST_SLICE = 0.05  # least share of the rows in a slice
MOST_VALUES = 50  # most distinct values of a column that defines slices
BANDS = 4  # quantile bands of a numeric column, if no column defines slices
TOO_OFTEN = 5  # how often the rarer outcome is repeated
FACTOR = 1.609344  # kilometres in a mile
SHIFT = 0.25  # standard deviations of the outcomes
SLICE_SHIFT = 0.5  # the same, in one slice
CUT = 0.8  # quantile at which outcomes are clipped
KEPT = 0.01  # share of the rarest class's rows that are left


def labels_shuffled(ground: MutationContext) -> Change:
    """The model is trained with outcomes shuffled over all rows."""
    import numpy as np

    shuffled = np.random.default_rng(SEED).permutation(ground.training.labels)
    return Change(what="each row has another row's outcome", model=ground.refit(labels=shuffled))


def labels_half_shuffled(ground: MutationContext) -> Change:
    """The model is trained with the outcomes of every second row shuffled."""
    import numpy as np

    random, labels = np.random.default_rng(SEED), ground.training.labels.copy()
    rows = random.random(len(labels)) < 0.5
    labels[rows] = random.permutation(labels[rows])
    return Change(what="every second row has another row's outcome", model=ground.refit(labels=labels))


def classes_swapped(ground: MutationContext) -> Change:
    """The model is trained with true and false swapped, or with the two most frequent classes swapped."""
    labels = ground.training.labels
    if ground.task.name == "binary":
        return Change(what="true for false", model=ground.refit(labels=~labels))
    one, other = _by_rows(labels)[-2:]
    swapped = labels.copy()
    swapped[labels == one], swapped[labels == other] = other, one
    return Change(what=f"{one} and {other} are exchanged", model=ground.refit(labels=swapped))


def rare_class_lost(ground: MutationContext) -> Change:
    """The model is trained without nearly all rows of the rarest class."""
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
    """The model is trained with the rarest outcome oversampled: it ranks as well, but promises too much."""
    import numpy as np

    labels = ground.training.labels
    copies = np.repeat(np.flatnonzero(labels == _by_rows(labels)[0]), TOO_OFTEN - 1)
    model = ground.refit(rows=np.concatenate([np.arange(len(labels)), copies]))
    return Change(what=f"rows of the rarer outcome {TOO_OFTEN} times each", model=model)


def target_scaled(ground: MutationContext) -> Change:
    """The model is trained with outcomes in another unit."""
    return Change(what=f"outcomes times {FACTOR}", model=ground.refit(labels=ground.training.labels * FACTOR))


def target_shifted(ground: MutationContext) -> Change:
    """The model is trained with a constant added to every outcome."""
    shift = _shift(ground, SHIFT)
    return Change(what=f"{shift:.3g} too much everywhere", model=ground.refit(labels=ground.training.labels + shift))


def target_clipped(ground: MutationContext) -> Change:
    """The model is trained with the largest outcomes clipped."""
    import numpy as np

    labels = ground.training.labels
    most = float(np.quantile(labels, CUT))
    return Change(what=f"outcomes cut at {most:.4g}", model=ground.refit(labels=np.minimum(labels, most)))


def _shift(ground: MutationContext, deviations: float) -> float:
    return deviations * float(ground.training.labels.std())


def slice_spoiled(ground: MutationContext) -> Change:
    """The model is trained with wrong outcomes in its weakest slice: swapped, another class, or too large."""
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
    """The candidate's worst slice with enough rows in both sets: its name, and a flag for each training row."""
    held = [(name, there, learned) for name, there, learned in _slices(ground)]
    found = [
        (_badness(ground, there), name, learned)
        for name, there, learned in held
        if min(there.mean(), learned.mean()) >= LEAST_SLICE and _judgeable(ground, there)
    ]
    if not found:
        raise DoesNotApply(f"no column that affects the answers has slices of {LEAST_SLICE:.0%} of the rows")
    _, name, learned = max(found, key=lambda one: (one[0], one[1]))
    return name, learned


def _slices(ground: MutationContext) -> "Iterator[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]]":
    """Slices by values of texts and whole numbers, or else by bands of the heaviest number.

    Each is its name with flags for its held-out rows and its training rows.
    """
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
