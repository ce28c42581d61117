"""Which predictions of a run were made on held-out rows, with which truth, and what they answer.

Input: a tape. Output: one `HeldOut` for each model that answered rows kept from it.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd

from proveout.model import native_boosters
from proveout.recovery.program_slice import backward
from proveout.recovery.tables import rows_of
from proveout.recovery.tape import ANSWER, Fit, Key, MetricCall, Prediction, Split, Tape

_MOST_CLASSES = 50  # distinct numbers; more are a regression
_MOST_AGAIN = 20  # questions about the same rows that are looked at: some notebooks try thousands of models
_RANK = {"predict": 2, "score": 1}

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """A model's last prediction on held-out rows. `split` is None where other rows than fitted on were asked.

    `learned` is the fit that would be given the truth, where the notebook itself measures in another unit.
    """

    prediction: Prediction
    split: Split | None
    truth: Any
    learned: Key | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Run:
    """What a tape holds, by what is looked for: a notebook that tries thousands of models has as many of each."""

    tape: Tape
    asked: Mapping[tuple[int, int | None], Sequence[Prediction]]  # by their inputs and how many rows these have
    fits: Mapping[int, Sequence[Fit]]  # by their model
    metrics: Mapping[int, Sequence[MetricCall]]  # by each of their arguments
    splits: Mapping[int | None, Sequence[Split]]  # by how many rows they hold out
    sides: Mapping[int, Sequence[Split]]  # by each table that they gave
    training_sizes: frozenset[int]

    @classmethod
    def of(cls, tape: Tape) -> "_Run":
        return cls(
            tape=tape,
            asked=_grouped(((one.inputs_id, one.rows), one) for one in tape.predictions),
            fits=_grouped((id(one.model), one) for one in tape.fits),
            metrics=_grouped((id(tape.whole(part)), one) for one in tape.metrics for part in one.arguments),
            splits=_grouped((len(one.test), one) for one in tape.splits),
            sides=_grouped((side, one) for one in tape.splits for side in one.sides),
            training_sizes=frozenset(len(one.train) for one in tape.splits),
        )


def _grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    found: dict[K, list[V]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def held_out(tape: Tape) -> list[HeldOut]:
    """One for each model object, in the order of the run; then the author's own functions that a metric measured."""
    run = _Run.of(tape)
    best: dict[int, tuple[tuple[bool, int], Prediction, Split | None]] = {}
    for prediction in tape.predictions:
        split = _split_of(run, prediction)
        if split is None and (_on_training_rows(run, prediction) or not tape.is_rows(prediction.inputs)):
            continue
        # A file of rows without a truth is often asked about last.
        rank, known = (split is not None, _RANK.get(prediction.name, 0)), best.get(id(prediction.model))
        if known is None or rank >= known[0]:
            best[id(prediction.model)] = (rank, prediction, split)
    found = [
        HeldOut(prediction=_by_own_class(one), split=split, truth=_truth_of(run, one, split))
        for _, one, split in best.values()
    ]
    return found + _by_metric(run)


def _by_own_class(prediction: Prediction) -> Prediction:
    """A prediction of a class that the notebook defines is no estimator's: its answers are what has to be reached."""
    if type(prediction.model).__module__ != "__main__" or prediction.name != "predict":
        return prediction
    return replace(prediction, name="own", model=None, state={}, inputs=prediction.answers, argument=ANSWER)


def _split_of(run: _Run, prediction: Prediction) -> Split | None:
    """The split whose test side was asked about; None if none fits, or its training side was."""
    fitting = reversed(run.splits.get(prediction.rows, ()))
    return next((one for one in fitting if one.sides.get(prediction.inputs_id, 1) == 1), None)


def _on_training_rows(run: _Run, prediction: Prediction) -> bool:
    fits = run.fits.get(id(prediction.model), ())
    same = bool(fits) and rows_of(fits[-1].inputs) == prediction.rows and id(fits[-1].inputs) == prediction.inputs_id
    return same or prediction.rows in run.training_sizes


def _truth_of(run: _Run, prediction: Prediction, split: Split | None) -> Any:
    """The true values of the rows asked: what a metric or `score` was given, else the partner of what fit learned.

    Of the same rows, which a model may be asked about again to show its answers, the truth is the same.
    """
    same = run.asked[prediction.inputs_id, prediction.rows]
    for one in (prediction, *reversed(same[-_MOST_AGAIN:])):
        truth = _measured(run, one)
        if truth is not None:
            return truth
    if split is None:
        return _by_labels(run, prediction)
    # `train_test_split(X, y, df.index)`: the last output is not the truth.
    learned = [fit.truth for fit in run.fits.get(id(prediction.model), ()) if fit.truth is not None]
    for place in range(0, len(split.outputs), 2):
        if learned and split.outputs[place] is learned[-1]:
            return split.outputs[place + 1]
    if len(split.outputs) > 3:
        return split.outputs[3]  # X_train, X_test, y_train, y_test
    return _by_labels(run, prediction, split)


def _by_labels(run: _Run, prediction: Prediction, split: Split | None = None) -> Any:
    """The values of the column that the model learned from, for the labels of the rows asked: folds have no partner.

    An array has no labels: they are those of the split, where the whole table was split.
    """
    labels = getattr(prediction.inputs, "index", None)
    if not isinstance(labels, pd.Index) and split is not None:
        labels = pd.Index([split.labels[place] for place in split.test])
    learned = [fit.truth for fit in run.fits.get(id(prediction.model), ()) if isinstance(fit.truth, pd.Series)]
    if not isinstance(labels, pd.Index) or not labels.is_unique or not learned:
        return None
    known = learned[-1]
    tables = [one for one in run.tape.names.values() if isinstance(one, pd.Series | pd.DataFrame)]
    columns = (one[known.name] if isinstance(one, pd.DataFrame) and known.name in one else one for one in tables)
    for column in columns:
        whole = isinstance(column, pd.Series) and column.index.is_unique and labels.isin(column.index).all()
        if whole and known.index.isin(column.index).all() and column.loc[known.index].equals(known):
            # Rows of a file without the outcome, joined to those with it, have a hole there.
            return column.loc[labels] if column.loc[labels].notna().any() else None
    return None


def _measured(run: _Run, prediction: Prediction) -> Any:
    """What the answers were compared with; None where they were not."""
    if prediction.truth is not None:
        return prediction.truth
    for metric in run.metrics.get(id(prediction.answers), ()):
        whole = run.tape.whole
        other = next((one for one in metric.arguments if whole(one) is not prediction.answers), None)
        if other is not None:
            return other
    return None


def _by_metric(run: _Run) -> list[HeldOut]:
    """The last prediction that no model object gave: `accuracy_score(y_test, f(X_test, weights))`.

    What is computed from a model's prediction is none: `roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])`.
    """
    tape, known = run.tape, {id(one.answers) for one in run.tape.predictions}
    asked = {(one.key.statement, one.rows) for one in tape.predictions}
    sources = [statement.source for statement in tape.statements]
    before: dict[int, list[int]] = {}
    for metric in reversed(tape.metrics):
        arrays = [one for one in metric.arguments if rows_of(one) is not None][:2]
        for place, one in enumerate(arrays) if len(arrays) > 1 else ():
            other, rows = arrays[1 - place], rows_of(one)
            for split in reversed(run.sides.get(id(other), ()) if id(one) not in known else ()):
                if rows != len(split.test) or id(one) in split.sides:
                    continue
                at = metric.key.statement
                before[at] = before.get(at) or backward(sources, at)
                if any((statement, rows) in asked for statement in before[at]):
                    continue
                prediction = Prediction(
                    key=metric.key, name="own", model=None, state={}, inputs=one, inputs_id=0, inputs_name=None,
                    rows=rows, answers=one, truth=other, argument=place,
                )  # fmt: skip
                return [HeldOut(prediction=prediction, split=split, truth=other)]
    return []


def task_of(one: HeldOut) -> Literal["binary", "multiclass", "regression"]:
    """What kind of question the model answers."""
    from sklearn.base import is_classifier, is_regressor

    model = one.prediction.model
    if native_boosters.is_booster(model) and (kind := native_boosters.kind_of(model)) is not None:
        return kind
    asked = model if hasattr(model, "__sklearn_tags__") or hasattr(model, "_estimator_type") else None
    values = np.asarray(one.truth).ravel() if one.truth is not None else np.array([])
    many = values.dtype.kind in "fiu" and len(np.unique(values)) > _MOST_CLASSES
    if asked is not None and is_regressor(asked):
        return "regression"
    if many and (asked is None or not is_classifier(asked)):
        return "regression"
    classes = getattr(model, "classes_", None)
    count = len(classes) if classes is not None and np.ndim(classes) == 1 else len(np.unique(values.astype(str)))
    return "binary" if count == 2 else "multiclass"  # two classes
