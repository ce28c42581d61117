"""Numerical tolerance: how far two computations of the same answer may differ. Decided only here.

Input: a fitted model. Output: a tolerance, and its reason. Trees, counts and look-ups always give the same answer to
the last bit. Sums do not: BLAS and solvers add in an order that depends on the processor, the number of threads and the
memory layout, and a forest with several jobs adds its trees in the order in which the threads finish.
"""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proveout.fastpath.model_parts import met

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUMMED = 1e-10
"""Relative tolerance of an answer computed by sums. Answers below 0.01 count as 0.01."""
SINGLE = 1e-6
"""The same for XGBoost, which computes in single precision: the last of seven digits depends on the processor."""
FITTED = 1e-6
"""The same for the answers of a refitted model: where a solver stops depends on rounding."""
_LEAST = 0.01

# scikit-learn classes that predict without sums, or with sums in a fixed order.
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
    """The tolerances of a model. `why` names the part that takes sums; empty if answers must be equal."""

    answers: float = 0.0  # between two predictions of the same model
    fitted: float = 0.0  # between two fits of the same model
    why: str = ""


def tolerance(model: Any) -> Tolerance:
    """The tolerances for the answers of `model`."""
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
    of_arrays = getattr(part, "func", None)  # the function of a FunctionTransformer
    return of_arrays is None or isinstance(of_arrays, functools.partial)


def _in_jobs(part: Any) -> bool:
    # With several jobs the trees are the same, but they are added in another order.
    return type(part).__name__ in _FORESTS and part.n_jobs not in {None, 1}


def apart(found: "NDArray[Any]", wanted: "NDArray[Any]", allowed: float) -> "NDArray[np.bool_]":
    """Which rows differ by more than `allowed` in one of their scores, relative to the wanted one, shape (rows,).

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
