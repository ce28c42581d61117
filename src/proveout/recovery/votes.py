"""A classifier that counts the votes of others, with probabilities: `VotingClassifier(voting="hard")` gives none.

It becomes a StackingClassifier over the same fitted members, whose last step weighs their votes as the pilot's does: a
softmax of the votes for each class, with one parameter. The class with most votes, of equal ones the first, stays the
answer.

Input: a fitted VotingClassifier and its training rows. Output: an estimator that answers the same.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proveout.recovery import folds

_LEAST, _MOST, _TRIED = 1 / 64, 8.0, 64  # values of the parameter
_STEP = 64  # parts of one that binary numbers hold: they keep equal votes equal


def counts_votes(model: Any) -> bool:
    """Whether the model answers with the class that most of its members answer."""
    return type(model).__name__ == "VotingClassifier" and getattr(model, "voting", "") == "hard"


def with_shares(model: Any, inputs: Any, truth: NDArray[Any]) -> Any:
    """The estimator that gives probabilities by the votes.

    Args:
        inputs, truth: of the training rows.
    """
    from sklearn.ensemble import StackingClassifier

    weights = np.array(model._weights_not_none or np.ones(len(model.estimators_)), dtype=float)
    classes = np.arange(len(model.classes_))
    said = folds.left_out(model, inputs, truth, method="transform")  # a number of a class of each member
    votes = (said[:, :, None] == classes[None, None, :]).astype(float)
    steepness = _steepness(np.einsum("rmc,m->rc", votes, weights), model.le_.transform(truth))
    last = _last_step(weights, len(classes), steepness)
    made = StackingClassifier(
        model.estimators,
        final_estimator=_unfitted(last),
        stack_method="predict",
        cv=folds.shuffled(),
        n_jobs=model.n_jobs,
    )
    return _fitted(made, model.estimators_, last, encoder=model.le_)


def with_one_vote(model: Any, inputs: Any, truth: NDArray[Any]) -> Any:
    """The estimator whose only member is a classifier: the class that it answers is the most probable one.

    For a classifier whose decision values contradict its answers, as those of support vectors do where pairs of classes
    disagree. How probable the answer is says how often such answers were right.
    """
    from sklearn.ensemble import StackingClassifier
    from sklearn.preprocessing import LabelEncoder

    classes, encoder = np.asarray(model.classes_), LabelEncoder().fit(np.asarray(model.classes_))
    said = folds.left_out(model, inputs, truth, method="predict")
    votes = (said[:, None] == classes[None, :]).astype(float)
    last = _of_names(classes, _steepness(votes, encoder.transform(truth)))
    member = [("model", model)]
    made = StackingClassifier(member, final_estimator=_unfitted(last), stack_method="predict", cv=folds.shuffled())
    return _fitted(made, [model], last, encoder=encoder)


def _fitted(made: Any, members: Sequence[Any], last: Any, *, encoder: Any) -> Any:
    made.estimators_, made.stack_method_, made.final_estimator_ = list(members), ["predict"] * len(members), last
    made._label_encoder, made.classes_ = encoder, encoder.classes_
    return made


def _steepness(votes: NDArray[np.float64], truth: NDArray[np.int_]) -> float:
    """The factor before the votes that makes the truth most likely."""
    rows = np.arange(len(truth))

    def loss(factor: float) -> float:
        scores = factor * (votes - votes.max(axis=1, keepdims=True))
        return float((np.log(np.exp(scores).sum(axis=1)) - scores[rows, truth]).mean())

    return min((round(float(one) * _STEP) / _STEP for one in np.geomspace(_LEAST, _MOST, _TRIED)), key=loss)


def _last_step(weights: NDArray[np.float64], classes: int, steepness: float) -> Any:
    """What weighs the members' answers, numbers of classes, shape (rows, members)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    model = LogisticRegression()
    model.classes_ = np.arange(classes)
    if classes == 2:
        model.coef_, model.intercept_ = 2 * steepness * weights[None, :], np.array([-steepness * weights.sum()])
        model.n_features_in_ = len(weights)
        return model
    numbers = [np.arange(classes)] * len(weights)
    encoder = OneHotEncoder(categories=numbers, handle_unknown="ignore").fit(np.column_stack(numbers))
    model.coef_ = steepness * np.hstack([weight * np.eye(classes) for weight in weights])
    model.intercept_, model.n_features_in_ = np.zeros(classes), classes * len(weights)
    return Pipeline([("votes", encoder), ("weights", model)])


def _of_names(classes: NDArray[Any], steepness: float) -> Any:
    """What makes probabilities of one member's answers, names of classes."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    encoder = OneHotEncoder(categories=[classes], handle_unknown="ignore").fit(classes[:, None])
    model = LogisticRegression()
    model.coef_ = steepness * np.eye(len(classes))
    if len(classes) == 2:
        model.coef_ = np.diff(model.coef_, axis=0)
    model.intercept_, model.n_features_in_ = np.zeros(len(model.coef_)), len(classes)
    model.classes_ = np.arange(len(classes))
    return Pipeline([("answers", encoder), ("weights", model)])


def _unfitted(last: Any) -> Any:
    from sklearn.base import clone

    return clone(last)
