"""How far two computations of one answer may be apart. The one place that decides it.

Input: a fitted model. Output: a tolerance, and its reason. Trees, counts and look-ups give the same answer to the
last bit, however they are asked. A sum does not: BLAS and solvers add in an order that hangs on the processor, on the
number of threads and on how arrays lie in memory, and a forest with several jobs adds its trees as their threads end.
"""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proveout.fastpath.model_parts import met

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUMMED = 1e-10
"""How far an answer that rests on sums may be off, as a share of it; of answers below a hundredth, of a hundredth."""
SINGLE = 1e-6
"""The same for XGBoost, which computes in single precision: seven digits, the last of them as the processor has it."""
FITTED = 1e-6
"""The same for the answers of a model fitted again: a solver stops near its aim, and rounding moves where."""
_LEAST = 0.01

# What of scikit-learn takes no sum when it answers, or always takes it in the same order.
_EXACT = {
    "Binarizer", "CalibratedClassifierCV", "ColumnTransformer", "CountVectorizer", "DecisionTreeClassifier",
    "DecisionTreeRegressor", "DummyClassifier", "DummyRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor",
    "ExtraTreesClassifier", "ExtraTreesRegressor", "FeatureUnion", "FrozenEstimator", "FunctionTransformer",
    "GradientBoostingClassifier", "GradientBoostingRegressor", "HistGradientBoostingClassifier",
    "HistGradientBoostingRegressor", "IsotonicRegression", "KBinsDiscretizer", "LabelEncoder", "MaxAbsScaler",
    "MinMaxScaler", "MissingIndicator", "OneHotEncoder", "OrdinalEncoder", "Pipeline", "RandomForestClassifier",
    "RandomForestRegressor", "RobustScaler", "SelectKBest", "SelectPercentile", "SimpleImputer", "StandardScaler",
    "TargetEncoder", "VarianceThreshold", "_BinMapper", "_CalibratedClassifier", "_IsotonicCalibration",
    "_SigmoidCalibration",
}  # fmt: skip


_FORESTS = {"ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier", "RandomForestRegressor"}


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """What `apart` allows. `why` names the part of the model that takes sums; empty where answers must be equal."""

    answers: float = 0.0  # of one model asked twice
    fitted: float = 0.0  # of one model fitted twice
    why: str = ""


def tolerance(model: Any) -> Tolerance:
    """What two computations of the answers of `model` may differ by."""
    parts = [part for _, part in met(model) if hasattr(part, "get_params") and not isinstance(part, type)]
    sums = next((f"{type(part).__name__} takes sums of its own" for part in parts if not _exact(part)), "")
    jobs = next((f"{type(part).__name__} adds its trees as its jobs end" for part in parts if _in_jobs(part)), "")
    answers = SUMMED if sums or jobs else 0.0
    if any(type(part).__module__.startswith("xgboost.") for part in parts):
        answers = SINGLE
    return Tolerance(answers=answers, fitted=FITTED if sums else 0.0, why=sums or jobs)


def _exact(part: Any) -> bool:
    if type(part).__name__ not in _EXACT or not type(part).__module__.startswith("sklearn."):
        return False
    of_arrays = getattr(part, "func", None)  # what a FunctionTransformer computes
    return of_arrays is None or isinstance(of_arrays, functools.partial)


def _in_jobs(part: Any) -> bool:
    # The trees learn the same with any number of jobs: it is their mean that is taken in another order.
    return type(part).__name__ in _FORESTS and part.n_jobs not in {None, 1}


def apart(found: "NDArray[Any]", wanted: "NDArray[Any]", allowed: float) -> "NDArray[np.bool_]":
    """Which rows differ by more than `allowed` in one of their scores, as a share of the one wanted, shape (rows,).

    NaN equals NaN.

    >>> import numpy as np
    >>> apart(np.array([0.5, 0.5]), np.array([0.5 + 1e-12, 0.6]), 1e-10).tolist()
    [False, True]
    """
    import numpy as np

    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    with np.errstate(invalid="ignore"):
        near = np.abs(found - wanted) <= allowed * np.maximum(np.abs(wanted), _LEAST)
    differs = ~(same | near)
    result: NDArray[np.bool_] = differs if differs.ndim < 2 else np.asarray(differs.any(axis=1))
    return result
