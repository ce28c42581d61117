"""Gets the scores of a task from a scikit-learn estimator, whatever the names of its classes.

Input: a fitted estimator, the task and the name of the target. Output: a `Question`, which says which method and column
of the estimator give the scores, and the scores; or a BundleError that says what the estimator lacks. scikit-learn
sorts classes by name, so the event is not always the second one: "default" comes before "paid".
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proveout.errors import BundleError
from proveout.records.answer import TaskFacts, TaskName
from proveout.records.values import TargetValue
from proveout.task.plain_values import class_of, class_text
from proveout.task.question import Question

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_FILE = "model.skops"
_OWN_THRESHOLD = {"FixedThresholdClassifier", "TunedThresholdClassifierCV"}
_STOPPING = ("early_stopping", "early_stopping_round", "early_stopping_rounds", "n_iter_no_change")  # LightGBM's
_BACKWARDS = 4.0  # standard errors below an AUC of 0.5: by chance once in 30,000 packings


def question(model: Any, task: TaskName, *, label: str) -> Question:
    """Which method and column of `model` give the scores. Raises: BundleError if it does not fit the task."""
    if task == "multiclass":
        classes(model)
        return Question(method="predict_proba")
    if task == "regression":
        _refuse_classifier(model)
        return Question(method="predict")
    return Question(method="predict_proba", column=event_place(model, label=label))


def completed(model: Any, facts: TaskFacts) -> TaskFacts:
    """The facts of the task, with the estimator's classes. Raises: BundleError."""
    return replace(facts, classes=classes(model)) if facts.task == "multiclass" else facts


def classes(model: Any) -> tuple[TargetValue, ...]:
    """The classes of a multi-class estimator, in the order of its scores. Raises: BundleError if it has none."""
    known = _known_classes(model)
    found = [class_of(one) for one in known]
    if len(known) < 2:
        remedy = "Train on rows of at least two classes: another split, or more batches"
        raise BundleError(_FILE, f"{_name(model)} has learned from one class alone, {known[0]!r}", remedy)
    plain = tuple(one for one in found if one is not None)
    if len(plain) < len(found):
        strange = known[found.index(None)]
        raise BundleError(
            _FILE,
            f"one of its classes is {strange!r}, which is no text, no whole number and neither true nor false",
            'Fit it to classes, or set task = "regression" in [tool.proveout] for a number that is measured',
        )
    return plain


def _refuse_classifier(model: Any) -> None:
    from sklearn.base import is_classifier

    if is_classifier(model):
        remedy = (
            "Fit a regressor: Ridge, HistGradientBoostingRegressor, RandomForestRegressor; or set task = "
            '"binary" or "multiclass" in [tool.proveout]'
        )
        raise BundleError(_FILE, f"{_name(model)} names classes, and the task is a regression", remedy)
    if not hasattr(model, "predict"):
        raise BundleError(_FILE, f"{_name(model)} has no predict", "Hand over a fitted regressor, or a pipeline of one")


def _name(model: Any) -> str:
    return type(_last(model)).__name__


def _known_classes(model: Any) -> list[Any]:
    """The classes of an estimator that gives probabilities. Raises: BundleError for one that does not."""
    name = _name(model)
    if not hasattr(model, "predict_proba"):
        raise BundleError(_FILE, f"{name} gives no probabilities (no predict_proba)", _instead(model))
    if not hasattr(model, "classes_"):
        raise BundleError(_FILE, f"{name} is not fitted (no classes_)", "Fit it in the notebook: model.fit(X, y)")
    return [_plain(one) for one in model.classes_]


def event_place(model: Any, *, label: str) -> int:
    """The index in `model.classes_`, 0 or 1, of the class that means the event.

    It is the class with the label's name, or True or 1 if the other one is False, 0 or -1.

    Raises: BundleError if the model is not a binary classifier with probabilities.
    """
    name = type(_last(model)).__name__
    if name in _OWN_THRESHOLD:
        remedy = "Put its threshold into [decision] of train.toml, and hand over model.estimator_"
        raise BundleError(
            _FILE, f"{name} decides at a threshold of its own, and a bundle at that of train.toml", remedy
        )
    known = _known_classes(model)
    shown = ", ".join(map(repr, known))
    if len(known) < 2:
        remedy = "Train on rows of both outcomes: another split, or more batches"
        raise BundleError(_FILE, f"{name} has learned from one class alone, {shown}", remedy)
    if len(known) > 2:
        remedy = (
            f"Fit it to the boolean column `{label}` of the table the notebook is given, or set task = "
            '"multiclass" in [tool.proveout]'
        )
        raise BundleError(
            _FILE, f"{name} has {len(known)} classes, {shown:.80}, and a bundle answers yes or no", remedy
        )
    if label in known:
        return known.index(label)
    # As scikit-learn's own metrics have it: https://scikit-learn.org/stable/glossary.html#term-positive-class
    if not any(isinstance(one, str) for one in known) and set(known) in ({0, 1}, {-1, 1}):
        return known.index(1)
    raise BundleError(
        _FILE,
        f"its classes {shown} do not tell which of them is the event, `{label}`",
        f"Fit it to True and False, to 1 and 0, or to a class called {label!r}",
    )


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _last(model: Any) -> Any:
    return model.steps[-1][1] if hasattr(model, "steps") else model


def _instead(model: Any) -> str:
    from sklearn.base import is_classifier

    name = type(_last(model)).__name__
    if name == "VotingClassifier":
        return 'Let it vote by probabilities: VotingClassifier(..., voting="soft")'
    if name == "SGDClassifier":
        return 'Fit it with loss="log_loss", which has probabilities'
    if is_classifier(model):
        return f"Calibrate it: CalibratedClassifierCV({name}(...))"
    return "Fit a classifier to the label: LogisticRegression, HistGradientBoostingClassifier, RandomForestClassifier"


def scores(model: Any, columns: "pd.DataFrame", asked: Question) -> "NDArray[np.float64]":
    """The scores of each row, shape (rows,) or (rows, classes).

    Raises: BundleError if there is not one answer per row; any error of the model.
    """
    import numpy as np

    found = np.asarray(getattr(model, asked.method)(columns), dtype=float)
    width = len(model.classes_) if asked.method == "predict_proba" else None
    if asked.method == "predict" and found.shape == (len(columns), 1):
        found = found[:, 0]
    if found.shape != ((len(columns),) if width is None else (len(columns), width)):
        if asked.method == "predict" and found.ndim == 2 and len(found) == len(columns):
            problem = f"it gives {found.shape[1]} numbers for each row, and a bundle answers one"
            raise BundleError(_FILE, problem, "Fit one model for each target: each is a bundle of its own")
        raise BundleError(
            _FILE,
            f"it gives {len(found)} answers for {len(columns)} rows: its first step, {_first(model)}, does not take a "
            "table. A vectorizer takes one column, and counts the names of the columns where it is handed a table",
            'Name the column: make_pipeline(make_column_transformer((TfidfVectorizer(), "text")), ...)',
        )
    return found if asked.column is None else np.asarray(found[:, asked.column], dtype=float)


def reordered(
    found: "NDArray[np.float64]", own: tuple[TargetValue, ...], wanted: tuple[TargetValue, ...]
) -> "NDArray[np.float64]":
    """Scores for the classes `own` in the order of the classes `wanted`; 0 for a class that is not in `own`."""
    import numpy as np

    made = np.zeros((len(found), len(wanted)))
    for place, one in enumerate(own):
        if one in wanted:
            made[:, wanted.index(one)] = found[:, place]
    return made


def _first(model: Any) -> str:
    return type(model.steps[0][1] if hasattr(model, "steps") else model).__name__


def fit_again(
    model: Any,
    columns: "pd.DataFrame",
    labels: "NDArray[Any]",
    *,
    asked: Question,
    changes: Mapping[str, Any] | None = None,
) -> Any:
    """The same steps and parameters, fitted to other rows.

    A binary model is fitted to the two classes of `model`, not to booleans, because `class_weight` and `priors` are by
    class and would be wrong under other names.

    Args:
        changes: parameters to change, by scikit-learn's names.
    """
    import numpy as np
    from sklearn.base import clone

    unfitted = clone(model).set_params(**{**_rounds(model), **(changes or {})})
    if asked.column is None:
        return unfitted.fit(columns, labels)
    known = np.asarray(model.classes_)
    return unfitted.fit(columns, known[np.where(labels, asked.column, 1 - asked.column)])


def _rounds(model: Any) -> dict[str, Any]:
    """Parameters that fix the best number of rounds, because there are no rows for early stopping now."""
    changes: dict[str, Any] = {}
    for name, part in {"": model, **{f"{name}__": part for name, part in model.get_params().items()}}.items():
        library = type(part).__module__.partition(".")[0]
        state = vars(part) if library in {"xgboost", "lightgbm"} and hasattr(part, "get_params") else {}
        if library == "xgboost" and state.get("early_stopping_rounds") is not None and "_Booster" in state:
            changes |= {f"{name}early_stopping_rounds": None, f"{name}n_estimators": int(part.best_iteration) + 1}
        elif library == "lightgbm" and state.get("_best_iteration"):
            changes |= {f"{name}{one}": None for one in _STOPPING if one in part.get_params()}
            changes[f"{name}n_estimators"] = int(part.best_iteration_)
    return changes


def refuse_unknown_classes(known: tuple[TargetValue, ...], labels: "NDArray[Any]") -> None:
    """Return if the model knows all classes of the held-out rows. Raises: BundleError, naming the others."""
    strange = sorted({one for one in labels.tolist() if one not in known}, key=str)
    if strange:
        rows = sum(one in strange for one in labels.tolist())
        raise BundleError(
            _FILE,
            f"{rows:,} held-out rows are of classes that it never learned: {', '.join(map(class_text, strange))}",
            "Let each class be among the rows to learn from ([split] of train.toml: stratify, or another split), or "
            "give rare classes one name",
        )


def refuse_backwards(scores: "NDArray[np.float64]", labels: "NDArray[np.bool_]", *, label: str) -> None:
    """Return unless a binary model scores training rows with the event significantly below those without.

    Numeric classes do not show whether a notebook swapped them: `fit(X, np.where(late, 0, 1))` looks like any other.

    Raises: BundleError.
    """
    import numpy as np
    from sklearn.metrics import roc_auc_score

    yes, no = int(labels.sum()), int((~labels).sum())
    if not yes or not no or not np.isfinite(scores).all():
        return
    found = float(roc_auc_score(labels, scores))
    error = math.sqrt(
        (yes + no + 1) / (12 * yes * no)
    )  # standard error of the Mann-Whitney statistic without any skill
    if found < 0.5 - _BACKWARDS * error:
        raise BundleError(
            _FILE,
            f"it answers the opposite: on rows it has learned from, its AUC for `{label}` is {found:.3f}",
            f"Fit it to the column `{label}` as the table has it, where True or 1 is the event",
        )
