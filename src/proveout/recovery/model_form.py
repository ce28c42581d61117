"""The pilot's model in the form that a bundle holds: an estimator that takes a table and gives probabilities.

Input: the fitted model, what it was given, and the transformers before it. Output: an estimator that answers the same.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from proveout.records.adopted_notebook import RenamedClass
from proveout.recovery import folds, own_code, votes
from proveout.recovery.tables import as_table, flat, rows_of


class Unpackable(Exception):
    """A model that no bundle can hold, with the reason."""


def best(model: Any) -> Any:
    """The estimator that a search has found; any other model as it is.

    statsmodels' least squares become a linear regression and its logit a logistic one. A pipeline of imbalanced-learn
    becomes one of scikit-learn: what it does to rows of a class it does in training alone.
    """
    if type(model).__module__.startswith("imblearn.pipeline"):
        return _without_samplers(model)
    if type(getattr(model, "model", None)).__name__ in _LEAST_SQUARES and hasattr(model, "params"):
        return _linear(np.asarray(model.params, dtype=float))
    if is_logit(model):
        return _logistic(np.asarray(model.params, dtype=float))
    if not (hasattr(model, "cv_results_") and hasattr(model, "best_params_")):
        return model
    if not hasattr(model, "best_estimator_"):
        raise Unpackable(f"{type(model).__name__} has no best_estimator_: search with refit=True")
    return best(model.best_estimator_)


def _without_samplers(pipeline: Any) -> Any:
    from sklearn.pipeline import Pipeline

    steps = [(name, step) for name, step in pipeline.steps if not hasattr(step, "fit_resample")]
    return steps[0][1] if len(steps) == 1 else Pipeline(steps)


_LEAST_SQUARES = frozenset({"OLS", "WLS", "GLS"})


def _linear(weights: NDArray[Any]) -> Any:
    """A linear regression with these weights. statsmodels has a column of ones where there is an intercept."""
    from sklearn.linear_model import LinearRegression

    model = LinearRegression(fit_intercept=False)
    model.coef_, model.intercept_, model.n_features_in_ = weights, 0.0, len(weights)
    return model


def is_logit(model: Any) -> bool:
    """Whether it is what statsmodels' `Logit` found, or its `GLM` of a binomial family."""
    asked: Any = getattr(model, "model", None)
    family: Any = getattr(asked, "family", None)
    binomial = type(family).__name__ == "Binomial" and type(family.link).__name__ in ("Logit", "logit")
    return hasattr(model, "params") and (
        type(asked).__name__ == "Logit" or (type(asked).__name__ == "GLM" and binomial)
    )


def _logistic(weights: NDArray[Any]) -> Any:
    """A logistic regression with these weights, for the classes 0 and 1."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(fit_intercept=False)
    model.coef_, model.intercept_, model.n_features_in_ = weights[None, :], np.zeros(1), len(weights)
    model.classes_ = np.array([0, 1])
    return model


def of_table(model: Any, steps: Sequence[Any], inputs: Any) -> Any:
    """An estimator that takes the table of `inputs`, as `as_table` makes it.

    Args:
        steps: fitted transformers between the inputs and the model.
        inputs: some rows, in the form that the first step (or the model) took.
    """
    from sklearn.pipeline import Pipeline

    table = as_table(inputs, pd.RangeIndex(rows_of(inputs) or 0))
    chain = [*steps, *(step for _, step in model.steps)] if isinstance(model, Pipeline) else [*steps, model]
    texts = not isinstance(inputs, pd.DataFrame) and (isinstance(inputs, pd.Series) or np.ndim(inputs) == 1)
    if texts:
        chain[0] = _of_column(chain[0], table)
    if len(chain) == 1:
        return _named(copy.copy(model), inputs, [str(name) for name in table.columns])
    if isinstance(model, Pipeline) and not steps and not texts:
        return model
    names = [f"{type(step).__name__.lower()}_{place}" for place, step in enumerate(chain)]
    return Pipeline(list(zip(names, chain, strict=True)))


def _of_column(step: Any, table: pd.DataFrame) -> Any:
    """A fitted vectorizer for the one column of a table."""
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import FunctionTransformer

    if not hasattr(step, "transform"):
        raise Unpackable(f"{type(step).__name__} takes a list and no table")
    [column] = table.columns
    # Fitted with a stand-in: fitting the vectorizer again would give other words.
    made = ColumnTransformer([("text", FunctionTransformer(), [column])]).fit(table)
    made.transformers = [("text", step, column)]
    made.transformers_ = [("text", step, column)]
    made.sparse_output_ = True
    return made


def _named(model: Any, inputs: Any, names: list[str]) -> Any:
    """A model that was fitted to an array, with the names that its columns have now."""
    if isinstance(inputs, pd.DataFrame) and all(isinstance(name, str) for name in inputs.columns):
        return model
    booster = model.get_booster() if hasattr(model, "get_booster") else None
    if booster is not None:
        booster.feature_names = names
    elif not hasattr(model, "feature_names_in_"):
        model.feature_names_in_ = np.array(names, dtype=object)
    return model


def with_classes(model: Any, renamed: Sequence[RenamedClass]) -> Any:
    """A copy that calls its classes otherwise. Raises: Unpackable for one whose classes are not an attribute."""
    if not renamed:
        return model
    now = {one.was: one.now for one in renamed}
    model = copy.copy(model)
    if hasattr(model, "steps"):
        model.steps = [*model.steps[:-1], (model.steps[-1][0], with_classes(model.steps[-1][1], renamed))]
        return model
    known = [_plain(one) for one in model.classes_]
    if known == [now.get(one, one) for one in known]:
        return model
    names = np.array([now.get(one, one) for one in known])
    try:
        model.classes_ = names
    except AttributeError as error:
        raise Unpackable(f"the classes of {type(model).__name__} cannot be renamed from {known}") from error
    for attribute in _ENCODERS:
        if hasattr(getattr(model, attribute, None), "classes_"):
            encoder = copy.copy(getattr(model, attribute))
            encoder.classes_ = names
            setattr(model, attribute, encoder)
    return model


# These make the answer of numbers of classes, in models of models and neural networks.
_ENCODERS = ("le_", "_label_encoder", "_label_binarizer")


def with_probabilities(model: Any, inputs: Any, truth: Any) -> Any:
    """A classifier with `predict_proba`: one that answers by its decision values alone gets a curve over them.

    The curve has one parameter, so that the answers stay those of the model: a softmax with a temperature (Guo et al.
    2017), of two classes one half where the decision value is 0. It is fitted to decision values of training rows that
    were not learned from, by three folds, as CalibratedClassifierCV does it without an ensemble: fitted again to other
    rows, it is made in the same way. Before scikit-learn 1.8 it is a logistic curve for each class (Platt 1999, without
    the offset).

    Args:
        inputs, truth: of the training rows.
    Raises: Unpackable for a model without decision values.
    """
    from sklearn.base import is_classifier

    if hasattr(model, "steps") and is_classifier(model) and inputs is not None:
        return _of_last_step(model, inputs, truth, with_probabilities)
    if not is_classifier(model) or (hasattr(model, "predict_proba") and _answers_by_them(model, inputs)):
        return model
    if inputs is None:
        raise Unpackable(f"{type(model).__name__} gives no probabilities, and what it learned from cannot be told")
    if votes.counts_votes(model):
        return votes.with_shares(model, inputs, np.asarray(truth).ravel())
    if not hasattr(model, "decision_function"):
        raise Unpackable(f"{type(model).__name__} gives neither probabilities nor decision values")
    from sklearn import calibration

    known = np.asarray(truth).ravel()
    values = folds.left_out(model, inputs, known, method="decision_function").astype(float)
    classes = np.asarray(model.classes_)
    scaling = getattr(calibration, "_TemperatureScaling", None)  # since scikit-learn 1.8
    if scaling is not None:
        method, curves = "temperature", [scaling().fit(values, np.searchsorted(classes, known).astype(float))]
    else:
        method, slope = "sigmoid", _slope(values, known, classes)
        curves = [calibration._SigmoidCalibration() for _ in range(values.shape[1] if values.ndim == 2 else 1)]
        for curve in curves:
            curve.a_, curve.b_ = -slope, 0.0  # scikit-learn's sign: 1 / (1 + exp(a * value + b))
    made = calibration.CalibratedClassifierCV(model, method=method, cv=folds.shuffled(), ensemble=False)
    part = calibration._CalibratedClassifier(model, curves, classes=classes, method=method)
    made.calibrated_classifiers_ = [part]
    made.classes_ = classes
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(model, name):
            setattr(made, name, getattr(model, name))
    return made


def with_its_answers(model: Any, inputs: Any, truth: Any) -> Any:
    """A classifier whose most probable class is its answer, whatever its decision values say.

    Args:
        inputs, truth: of the training rows.
    """
    if hasattr(model, "steps"):
        return _of_last_step(model, inputs, truth, with_its_answers)
    return votes.with_one_vote(model, inputs, np.asarray(truth).ravel())


def _of_last_step(model: Any, inputs: Any, truth: Any, change: Callable[[Any, Any, Any], Any]) -> Any:
    name, last = model.steps[-1]
    found = change(last, own_code.through([step for _, step in model.steps[:-1]], inputs), truth)
    return model if found is last else type(model)([*model.steps[:-1], (name, found)])


_MOST_ASKED = 5_000  # rows, of which the largest probability is compared with the answer


def _answers_by_them(model: Any, inputs: Any) -> bool:
    """Whether the most probable class is the answer. `SVC(probability=True)` has a curve that knows nothing of it."""
    if inputs is None or not hasattr(model, "decision_function"):
        return True
    some = (inputs.tocsr() if hasattr(inputs, "tocsr") else inputs)[:_MOST_ASKED]
    likely = np.asarray(model.classes_)[np.argmax(model.predict_proba(some), axis=1)]
    return bool((likely == np.asarray(model.predict(some))).all())


def of_answers(learned: NDArray[Any], truth: NDArray[Any], *, task: str, column: str) -> Any:
    """An estimator over one column that holds the answers already: it gives them on.

    Of two classes, the one that is answered has the share of training rows with a right answer as its probability. Of
    more, those near to it by their number have more of the rest.

    Args:
        learned, truth: the answers to the training rows and what was right.
        column: the name of the column.
    Raises: Unpackable for classes that are no numbers.
    """
    from sklearn.linear_model import LinearRegression, LogisticRegression

    if learned.dtype.kind not in "biuf" or truth.dtype.kind not in "biuf":
        raise Unpackable("a function of the notebook answers with texts")
    if task == "regression":
        model = LinearRegression()
        model.coef_, model.intercept_ = np.array([1.0]), 0.0
    else:
        classes = np.unique(truth)
        right = float(np.mean(learned == truth)) if len(truth) else 0.0
        share = min(max(right, 1 / len(classes) + 0.01), 0.999)
        # Of class c, c * x - c * c / 2 is largest for the class nearest to x.
        centres = classes.astype(float)
        weight = 2 * np.log(share * (len(classes) - 1) / (1 - share)) / np.diff(centres).min() ** 2
        model = LogisticRegression()
        model.coef_, model.intercept_ = weight * centres[:, None], -weight * centres**2 / 2
        if len(classes) == 2:
            model.coef_, model.intercept_ = np.diff(model.coef_, axis=0), np.diff(model.intercept_)
        model.classes_ = classes
    model.n_features_in_, model.feature_names_in_ = 1, np.array([column], dtype=object)
    return model


def _slope(values: NDArray[Any], truth: NDArray[Any], classes: NDArray[Any]) -> float:
    from sklearn.linear_model import LogisticRegression

    if values.ndim == 1:
        decided, right = values, truth == classes[1]
    else:
        decided, right = values.ravel(), (truth[:, None] == classes[None, :]).ravel()
    if len(set(right.tolist())) < 2:
        return 1.0
    found = LogisticRegression(fit_intercept=False).fit(flat(decided), right)
    return max(float(found.coef_[0, 0]), 1e-3)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
