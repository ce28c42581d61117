"""Mutants that come from a training gone wrong: the candidate's own steps, fitted to something else.

Input: the ground. Output: changes with another model. What is fitted is a copy; shuffles are always the same.
"""

from typing import TYPE_CHECKING, Any

from proveout.data.splits import BATCH
from proveout.model import model_io
from proveout.model.repack import Change
from proveout.mutation.context import SEED, DoesNotApply, MutationContext, numbers, texts
from proveout.records import TimeSplit
from proveout.schema import coercion

if TYPE_CHECKING:
    import pandas as pd

LEAST_SLICE = 0.05  # share of the rows that a slice has to have
MOST_VALUES = 50  # of a column that slices
TOO_OFTEN = 5  # how many times over the rarer outcome was drawn
TELLS = 0.9  # AUC from which one column gives the outcome away


def refitted(ground: MutationContext) -> Change:
    """No mutant: the model fitted again to what it learned from. If the gate refuses that, no refit says anything."""
    return Change(what="fitted again, nothing changed", model=ground.refit())


def renamed(ground: MutationContext) -> Change:
    """No mutant: the same answers under another digest. A check that fails for it fails for every mutant."""
    model = model_io.load(ground.candidate.folder / "model.skops")
    model.packed_again_ = 1
    return Change(what="the same under another digest", model=model, features=ground.features_with())


def labels_shuffled(ground: MutationContext) -> Change:
    """Every row learned with another row's outcome."""
    import numpy as np

    shuffled = np.random.default_rng(SEED).permutation(ground.training.labels)
    return Change(what="each row has another row's outcome", model=ground.refit(labels=shuffled))


def constant(ground: MutationContext) -> Change:
    """The same answer for everybody: the share there was in training."""
    from sklearn.dummy import DummyClassifier

    model = DummyClassifier(strategy="prior").fit(ground.learned, ground.training.labels)
    return Change(what=f"always {ground.training.labels.mean():.3f}", model=model)


def feature_dropped(ground: MutationContext) -> Change:
    """The heaviest column empty in training and in serving alike."""
    name = ground.heaviest_number()
    value = _usual(ground.learned[name])
    model = ground.refit(ground.learned.assign(**{name: value}))
    return Change(what=f"{name} is gone", model=model, features=_constant(ground, name, value))


def feature_frozen(ground: MutationContext) -> Change:
    """The heaviest column constant in serving, learned as it is."""
    name = ground.heaviest_number()
    value = _usual(ground.learned[name])
    return Change(what=f"{name} is always {value:g}", features=_constant(ground, name, value))


def _usual(column: "pd.Series[Any]") -> Any:
    """A value that the column has, as near to its middle as there is one."""
    return column.quantile(0.5, interpolation="lower").item()


def _constant(ground: MutationContext, name: str, value: Any) -> str:
    return ground.features_with(after=[f"columns[{name!r}] = {value!r}"])


def old_window(ground: MutationContext) -> Change:
    """Fitted to the oldest batch alone, while the manifest still says what was asked for."""
    if not isinstance(ground.candidate.bundle.split, TimeSplit):
        raise DoesNotApply("no row is older than another: it is not split by time")
    batches = ground.training.raw[BATCH]
    if batches.nunique() < 2:
        raise DoesNotApply("it was trained on one batch, so there is no older part of it")
    first = str(batches.min())
    return Change(what=f"{first} alone", model=ground.refit(rows=(batches == first).to_numpy()))


def miscalibrated(ground: MutationContext) -> Change:
    """Fitted to a sample with the rarer outcome drawn several times over: it ranks as well, and promises too much."""
    import numpy as np

    labels = ground.training.labels
    rare = bool(labels.mean() < 0.5)
    copies = np.repeat(np.flatnonzero(labels == rare), TOO_OFTEN - 1)
    model = ground.refit(rows=np.concatenate([np.arange(len(labels)), copies]))
    return Change(what=f"rows of the rarer outcome {TOO_OFTEN} times each", model=model)


def slice_flipped(ground: MutationContext) -> Change:
    """Learned the opposite where the candidate is weakest."""
    column, value = _weakest_slice(ground)
    there = (ground.training.records[column] == value).to_numpy()
    model = ground.refit(labels=ground.training.labels ^ there)
    return Change(what=f"{column}={value}, {there.mean():.0%} of the rows", model=model)


def _weakest_slice(ground: MutationContext) -> tuple[str, Any]:
    """The slice of one column with the lowest AUC, among those with rows enough in both sets."""
    from sklearn.metrics import roc_auc_score

    held, learned, labels = ground.holdout.records, ground.training.records, ground.holdout.labels
    whole = {name for name in numbers(held) if held[name].dtype.kind in "iu"}
    found: list[tuple[float, str, Any]] = []
    for column in held.columns:
        slices = column in whole or column in texts(held)
        if not slices or ground.request_weights[column] == 0 or held[column].nunique() > MOST_VALUES:
            continue
        shares = held[column].value_counts(normalize=True)
        trained = learned[column].value_counts(normalize=True)
        for value in shares.index[shares >= LEAST_SLICE]:
            there = (held[column] == value).to_numpy()
            if trained.get(value, 0) >= LEAST_SLICE and 0 < labels[there].sum() < there.sum():
                found.append((float(roc_auc_score(labels[there], ground.scores[there])), str(column), value))
    if not found:
        raise DoesNotApply(f"no text or whole number that the answers hang on has {LEAST_SLICE:.0%} of the rows")
    _, column, value = min(found, key=lambda one: (one[0], one[1], str(one[2])))
    return column, value


def target_leaked(ground: MutationContext) -> Change:
    """A column known only later is in the request, takes the place of one that matters little, and is learned from."""
    late, place = _telling_column(ground), ground.lightest_number()
    raw = ground.training.raw
    model = ground.refit(ground.learned.assign(**{place: raw[late].to_numpy()}))
    return Change(
        what=f"{late} in the place of {place}",
        model=model,
        features=ground.features_with(after=[f"columns[{place!r}] = rows[{late!r}]"]),
        request={**ground.signature["request"], late: coercion.name_of(raw[late].dtype)},
    )


def _telling_column(ground: MutationContext) -> str:
    """A column of the batch, none of the request's, that gives the outcome away."""
    from sklearn.metrics import roc_auc_score

    raw, labels = ground.training.raw, ground.training.labels
    asked = {*ground.candidate.request_columns, BATCH}
    later = [name for name in numbers(raw) if name not in asked and raw[name].notna().all()]
    telling = {name: abs(float(roc_auc_score(labels, raw[name])) - 0.5) + 0.5 for name in later}
    best = max(telling, key=lambda name: telling[name], default="")
    if not best or telling[best] < TELLS:
        raise DoesNotApply("no column of the batches, beside the request's, gives the outcome away")
    return best
