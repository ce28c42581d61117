"""Boosters of `xgb.train` and `lgb.train`, as the estimators of scikit-learn's kind that answer the same.

Such a booster gives numbers: of two classes the probability of the second, of more one for each. The answer is the most
probable class, as the estimators of both libraries choose it.

Input: a booster, and what it was asked. Output: an estimator, the classes that it answers. xgboost and lightgbm are
imported where such a booster is there.
"""

import json
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

_THREADS = frozenset({"n_jobs", "nthread", "nthreads", "num_thread", "num_threads"})
_ROUNDS = frozenset(
    {"num_boost_round", "n_estimators", "num_iterations", "num_iteration", "num_tree", "num_trees", "num_round",
     "num_rounds", "nrounds", "n_iter", "max_iter", "early_stopping_round", "early_stopping_rounds",
     "n_iter_no_change", "num_class", "num_classes"}
)  # fmt: skip


def is_booster(model: Any) -> bool:
    """Whether it is a booster of one of the two libraries, and no estimator around it."""
    return type(model).__name__ == "Booster" and _library(model) in ("xgboost", "lightgbm")


def is_table_of(value: Any) -> bool:
    """Whether it is one of the tables that such a booster learns from."""
    return (type(value).__name__, _library(value)) in {("DMatrix", "xgboost"), ("Dataset", "lightgbm")}


def kind_of(booster: Any) -> Literal["binary", "multiclass", "regression"] | None:
    """What kind of question it answers; None for an objective that is none of them: a rank, one of the notebook."""
    objective = _objective(booster)
    if objective in ("binary:logistic", "binary"):
        return "binary"
    if objective.startswith(("multi:soft", "multiclass")):
        return "multiclass"
    numbers = ("reg:", "count:", "regression", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie")
    return "regression" if objective.startswith(numbers) and objective != "reg:logistic" else None


def answers_of(booster: Any, said: Any) -> NDArray[Any]:
    """The answers that the numbers of a booster mean, shape (rows,)."""
    values = np.asarray(said)
    values = values.reshape(len(values), -1)
    match kind_of(booster):
        case "binary":
            return np.asarray(values[:, 0] > 0.5, dtype=int)
        case "multiclass" if values.shape[1] > 1:
            return np.asarray(values.argmax(axis=1), dtype=int)
        case "multiclass":
            return values[:, 0].astype(int)
    return values[:, 0]


def asked(booster: Any, table: Any) -> Any:
    """What the booster says of a table."""
    if _library(booster) == "lightgbm":
        return booster.predict(table)
    import xgboost

    return booster.predict(table if is_table_of(table) else xgboost.DMatrix(table))


def as_estimators(booster: Any) -> Iterator[Any]:
    """Estimators with these trees, one of which answers as the notebook was answered; none for another objective.

    The second one ends at the best round: `predict` of a booster may be given an `iteration_range`.
    """
    kind = kind_of(booster)
    if kind is None:
        return
    if _library(booster) == "lightgbm":
        yield _of_lightgbm(booster, kind)
        return
    yield _of_xgboost(booster, kind, to_best=False)
    if booster.attr("best_iteration") is not None:
        yield _of_xgboost(booster, kind, to_best=True)


def _of_xgboost(booster: Any, kind: str, *, to_best: bool) -> Any:
    import xgboost

    trees = booster[: int(booster.attr("best_iteration")) + 1] if to_best else booster
    made = xgboost.Booster()
    made.load_model(bytearray(trees.save_raw("ubj")))
    made.set_attr(best_iteration=None, best_score=None)
    learner = json.loads(booster.save_config())["learner"]
    if kind == "multiclass":
        made.set_param({"objective": "multi:softprob"})
    make = xgboost.XGBRegressor if kind == "regression" else xgboost.XGBClassifier
    model = make(n_estimators=made.num_boosted_rounds(), **_xgboost_params(learner))
    model.load_model(bytearray(made.save_raw("ubj")))
    return model


def _xgboost_params(learner: Any) -> dict[str, Any]:
    """What a second training needs: the objective, and the size and the weight of a tree."""
    found: dict[str, Any] = {"objective": learner["objective"]["name"].replace("multi:softmax", "multi:softprob")}
    tree = learner["gradient_booster"].get("tree_train_param", {})
    kinds = {
        "max_depth": int, "learning_rate": float, "min_child_weight": float, "subsample": float, "reg_lambda": float,
        "reg_alpha": float, "gamma": float, "colsample_bytree": float,
    }  # fmt: skip
    named = {"reg_lambda": "lambda", "reg_alpha": "alpha"}
    for name, kind in kinds.items():
        value = tree.get(name, tree.get(named.get(name, name)))
        if value is not None:
            found[name] = kind(value)
    return found


def _of_lightgbm(booster: Any, kind: str) -> Any:
    import lightgbm

    rounds = booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration()
    plain = {
        name: value
        for name, value in booster.params.items()
        if isinstance(value, bool | int | float | str) and name not in _THREADS | _ROUNDS
    }
    make = lightgbm.LGBMRegressor if kind == "regression" else lightgbm.LGBMClassifier
    classes = max(booster.num_model_per_iteration(), 2)
    # Fitted to a stand-in of the same shape: the booster is put in the place of its own.
    rows, truth = np.zeros((2 * classes, booster.num_feature())), np.arange(2 * classes) % classes
    model = make(n_estimators=1, verbose=-1, n_jobs=1).fit(rows, truth)
    model._Booster = lightgbm.Booster(model_str=booster.model_to_string(num_iteration=rounds))
    return model.set_params(**{**plain, "n_estimators": rounds, "verbose": -1})


def _objective(booster: Any) -> str:
    if _library(booster) == "xgboost":
        return str(json.loads(booster.save_config())["learner"]["objective"]["name"])
    for line in booster.model_to_string(num_iteration=1).splitlines():
        if line.startswith("objective="):
            return str(line.removeprefix("objective=").split()[0])
    return ""


def _library(value: Any) -> str:
    return type(value).__module__.partition(".")[0]
