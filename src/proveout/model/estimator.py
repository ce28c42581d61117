"""A scikit-learn estimator as proveout asks it: how probable the event is, whatever its two classes are called.

Comes in: a fitted estimator and what the label is called. Goes out: probabilities, or a BundleError that says what the
estimator lacks. scikit-learn sorts the classes it has learned, so the event is no more often the second of them than
"default" comes after "paid".
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from proveout.errors import BundleError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_FILE = "model.skops"
_OWN_THRESHOLD = {"FixedThresholdClassifier", "TunedThresholdClassifierCV"}
_BACKWARDS = 4.0  # standard errors below a coin's AUC: chance alone falls as low once in 30,000 packings


def event_place(model: Any, *, label: str) -> int:
    """The place in `model.classes_`, 0 or 1, of the class that means that the event came true.

    It is the class called as the label is, or True or 1 beside False, 0 or -1.

    Raises: BundleError for anything that does not answer yes or no with a probability.
    """
    name = type(_last(model)).__name__
    if name in _OWN_THRESHOLD:
        remedy = "Put its threshold into [decision] of train.toml, and hand over model.estimator_"
        raise BundleError(
            _FILE, f"{name} decides at a threshold of its own, and a bundle at that of train.toml", remedy
        )
    if not hasattr(model, "predict_proba"):
        raise BundleError(_FILE, f"{name} gives no probabilities (no predict_proba)", _instead(model))
    if not hasattr(model, "classes_"):
        raise BundleError(_FILE, f"{name} is not fitted (no classes_)", "Fit it in the notebook: model.fit(X, y)")
    classes = [_plain(one) for one in model.classes_]
    shown = ", ".join(map(repr, classes))
    if len(classes) < 2:
        remedy = "Train on rows of both outcomes: another split, or more batches"
        raise BundleError(_FILE, f"{name} has learned from one class alone, {shown}", remedy)
    if len(classes) > 2:
        remedy = f"Fit it to the boolean column `{label}` of the table the notebook is given"
        raise BundleError(
            _FILE, f"{name} has {len(classes)} classes, {shown:.80}, and a bundle answers yes or no", remedy
        )
    if label in classes:
        return classes.index(label)
    # As scikit-learn's own metrics have it: https://scikit-learn.org/stable/glossary.html#term-positive-class
    if not any(isinstance(one, str) for one in classes) and set(classes) in ({0, 1}, {-1, 1}):
        return classes.index(1)
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


def probabilities(model: Any, columns: "pd.DataFrame", *, label: str) -> "NDArray[np.float64]":
    """How probable the event is for each row, shape (rows,), 0 to 1.

    Raises: BundleError as `event_place`, or if there is not one answer for each row; whatever the model raises.
    """
    import numpy as np

    place = event_place(model, label=label)
    found = np.asarray(model.predict_proba(columns))
    if found.shape != (len(columns), 2):
        raise BundleError(
            _FILE,
            f"it gives {len(found)} answers for {len(columns)} rows: its first step, {_first(model)}, does not take a "
            "table. A vectorizer takes one column, and counts the names of the columns where it is handed a table",
            'Name the column: make_pipeline(make_column_transformer((TfidfVectorizer(), "text")), ...)',
        )
    return cast("NDArray[np.float64]", found[:, place])


def _first(model: Any) -> str:
    return type(model.steps[0][1] if hasattr(model, "steps") else model).__name__


def fit_again(
    model: Any,
    columns: "pd.DataFrame",
    labels: "NDArray[np.bool_]",
    *,
    label: str,
    changes: Mapping[str, Any] | None = None,
) -> Any:
    """The same steps and parameters, fitted to other rows: to the classes that `model` knows, not to booleans.

    `class_weight` and `priors` are by class, and would mean nothing, or the opposite, under other names.

    Args:
        changes: parameters that are to be others, by the name that scikit-learn gives them.
    """
    import numpy as np
    from sklearn.base import clone

    place = event_place(model, label=label)
    classes = np.asarray(model.classes_)
    unfitted = clone(model).set_params(**(changes or {}))
    return unfitted.fit(columns, classes[np.where(labels, place, 1 - place)])


def refuse_backwards(scores: "NDArray[np.float64]", labels: "NDArray[np.bool_]", *, label: str) -> None:
    """Return if rows with the event, which the model has learned from, are not surely scored below those without.

    Numbers do not tell when a notebook has turned them round: `fit(X, np.where(late, 0, 1))` looks like any other.

    Raises: BundleError.
    """
    import numpy as np
    from sklearn.metrics import roc_auc_score

    yes, no = int(labels.sum()), int((~labels).sum())
    if not yes or not no or not np.isfinite(scores).all():
        return
    found = float(roc_auc_score(labels, scores))
    error = math.sqrt((yes + no + 1) / (12 * yes * no))  # of the Mann-Whitney statistic, of a model that knows nothing
    if found < 0.5 - _BACKWARDS * error:
        raise BundleError(
            _FILE,
            f"it answers the opposite: on rows it has learned from, its AUC for `{label}` is {found:.3f}",
            f"Fit it to the column `{label}` as the table has it, where True or 1 is the event",
        )
