"""Mutants of training: the candidate's own steps, fitted to wrong rows or wrong columns.

Input: the context of a mutation. Output: changes with a new model. A copy is fitted; shuffles have a fixed seed.
"""

from typing import Any

from proveout.data.splits import BATCH
from proveout.evaluation.stats import univariate
from proveout.model import model_io
from proveout.model.repack import Change
from proveout.mutation.context import SEED, DoesNotApply, MutationContext, numbers, texts, usual
from proveout.mutation.serving_skew import constant_column
from proveout.records.answer import TaskName
from proveout.records.train_config import TimeSplit
from proveout.schema import coercion

SAMPLE = 0.01  # share of the rows in the sample
FEWEST = 30  # rows in it
TELLS: dict[TaskName, float] = {"binary": 0.9, "regression": 0.9, "multiclass": 0.9}
"""From which value on one column gives the outcome away: its AUC, or the share of the variance that it explains."""


def refitted(ground: MutationContext) -> Change:
    """A control: the model fitted again to its own training rows. If the gate refuses it, no refitted mutant counts."""
    return Change(what="fitted again, nothing changed", model=ground.refit())


def renamed(ground: MutationContext) -> Change:
    """A control: the same answers under another digest. A check that fails for it fails for every mutant."""
    model = model_io.load(ground.candidate.folder / "model.skops")
    model.packed_again_ = 1
    return Change(what="the same under another digest", model=model, features=ground.features_with())


def constant(ground: MutationContext) -> Change:
    """The same answer to every request: the base rate, the class shares or the median of training."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    labels = ground.training.labels
    if ground.task.name == "regression":
        model = DummyRegressor(strategy="median").fit(ground.learned, labels)
        return Change(what=f"always {model.constant_.item():.4g}", model=model)
    model = DummyClassifier(strategy="prior").fit(ground.learned, labels)
    shares = f"{labels.mean():.3f}" if ground.task.name == "binary" else "the shares of the classes"
    return Change(what=f"always {shares}", model=model)


def feature_dropped(ground: MutationContext) -> Change:
    """The heaviest column is empty, in training and in serving."""
    name = ground.heaviest()
    value = usual(ground.learned[name])
    model = _fitted(ground, ground.learned.assign(**{name: value}), f"without {name}")
    return Change(what=f"{name} is gone", model=model, features=constant_column(ground, name, value))


def _fitted(ground: MutationContext, columns: Any, how: str) -> Any:
    try:
        return ground.refit(columns)
    except ValueError as error:  # a text model fitted to one text has no vocabulary
        raise DoesNotApply(f"{how}, the model cannot be fitted: {error}") from error


def old_window(ground: MutationContext) -> Change:
    """The model is fitted to the oldest batch alone, but the manifest names all."""
    if not isinstance(ground.candidate.bundle.split, TimeSplit):
        raise DoesNotApply("it is not split by time, so no row is older than another")
    batches = ground.training.raw[BATCH]
    if batches.nunique() < 2:
        raise DoesNotApply("it was trained on one batch, so there is no older part")
    first = str(batches.min())
    return Change(what=f"{first} alone", model=ground.refit(rows=(batches == first).to_numpy()))


def sample_left_in(ground: MutationContext) -> Change:
    """The model is fitted to a small sample, as used to try out a notebook."""
    import numpy as np

    labels = ground.training.labels
    order = np.random.default_rng(SEED).permutation(len(labels))
    rows = max(round(SAMPLE * len(labels)), FEWEST)
    # Two rows of each class are kept: without one of a class, it would be another task.
    firsts = [order[labels[order] == one][:2] for one in ground.task.facts.classes]
    if ground.task.name == "binary":
        firsts = [order[labels[order] == one][:2] for one in (False, True)]
    taken = np.unique(np.concatenate([*firsts, order[:rows]]).astype(int))
    if len(taken) > len(labels) / 2:
        raise DoesNotApply(f"it has only {len(labels)} training rows")
    return Change(what=f"{len(taken):,} of {len(labels):,} rows", model=ground.refit(rows=taken))


def target_leaked(ground: MutationContext) -> Change:
    """A column known only after the outcome replaces the lightest column, in training and in requests."""
    late = _telling_column(ground)
    raw, place = ground.training.raw, ground.lightest_number()
    values, line = raw[late], f"columns[{place!r}] = rows[{late!r}]"
    if late in texts(raw):
        codes = {one: float(at) for at, one in enumerate(sorted(values.dropna().unique()))}
        values, line = values.map(codes).astype(float), f"columns[{place!r}] = rows[{late!r}].map({codes!r})"
    elif raw[late].dtype.kind == "b":
        values, line = values.astype(float), f"columns[{place!r}] = rows[{late!r}].astype('float64')"
    return Change(
        what=f"{late} in the place of {place}",
        model=ground.refit(ground.learned.assign(**{place: values.to_numpy()})),
        features=ground.features_with(after=[line]),
        request={**ground.signature["request"], late: coercion.name_of_column(raw[late])},
    )


def _telling_column(ground: MutationContext) -> str:
    """A batch column outside the request that gives the outcome away."""
    raw, asked = ground.training.raw, {*ground.candidate.request_columns, BATCH}
    flags = [str(name) for name in raw.columns if raw[name].dtype.kind == "b"]
    known = (*numbers(raw), *texts(raw), *flags)
    later = [name for name in known if name not in asked and raw[name].notna().all()]
    told = univariate.targets(ground.task.name, ground.training.labels)
    telling = {name: _told_by(ground.task.name, raw[name], told) for name in later}
    best = max(telling, key=lambda name: telling[name], default="")
    if not best or telling[best] < TELLS[ground.task.name]:
        raise DoesNotApply("no batch column outside the request gives the outcome away")
    return best


def _told_by(task: TaskName, column: Any, told: Any) -> float:
    """The AUC of one column alone for a binary task, else the share of the variance that it explains."""
    import numpy as np

    said = univariate.means(column, told, prior=1.0, seed=SEED)
    if task == "binary":
        from sklearn.metrics import roc_auc_score

        return float(roc_auc_score(told[:, 0] > 0, said[:, 0]))
    nothing = univariate.naive(told, univariate.halves(len(told), seed=SEED))
    return 1 - float(np.square(told - said).sum() / max(np.square(told - nothing).sum(), 1e-12))
