"""XGBoost and LightGBM models, called through their boosters, without the scikit-learn estimator around them.

Input: a fitted estimator. Output: a function from a matrix to its scores; None if the estimator does more than pass the
matrix on. Imports neither library: a process that has such a model has imported it already.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proveout.task.question import Question

Score = Callable[[NDArray[Any]], NDArray[np.float64]]


def scorer(model: Any, asked: Question) -> Score | None:
    """A fast function for the scores of `model`; None if there is none."""
    make = {"xgboost.sklearn": _of_xgboost, "lightgbm.sklearn": _of_lightgbm}.get(type(model).__module__)
    ask = None if make is None else make(model)
    if ask is None:
        return None

    def score(matrix: NDArray[Any]) -> NDArray[np.float64]:
        found = ask(np.ascontiguousarray(matrix, dtype=np.float64))
        if asked.method == "predict_proba" and found.ndim == 1:  # the probability of the second of two classes
            found = np.stack([1.0 - found, found], axis=1)
        chosen = found if asked.column is None else found[:, asked.column]
        return np.asarray(chosen, dtype=np.float64)

    return score


def _of_xgboost(model: Any) -> Callable[[NDArray[Any]], NDArray[Any]] | None:
    if model.objective == "multi:softmax":  # the estimator computes its probabilities itself
        return None
    booster, missing = model.get_booster(), model.missing
    best = booster.attr("best_iteration")
    rounds = (0, 0 if best is None else int(best) + 1)

    def ask(matrix: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(booster.inplace_predict(matrix, iteration_range=rounds, missing=missing))

    return ask


def _of_lightgbm(model: Any) -> Callable[[NDArray[Any]], NDArray[Any]] | None:
    if any(name.startswith("pred") for name in model.get_params()):
        return None
    booster = model.booster_
    return lambda matrix: np.asarray(booster.predict(matrix, num_threads=1))
