"""Models of XGBoost and LightGBM in a bundle: their parameters, and text instead of a booster.

Input: a model with such estimators anywhere in it. Output: the same model in a form that skops can write and read
without types that contain code: the estimators hold plain values, and a booster is bytes that `xgboost_json` and
`lightgbm_text` validate before their library reads them.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from proveout.errors import BundleError
from proveout.fastpath.model_parts import met
from proveout.model import lightgbm_text, xgboost_json

TRUSTED = (
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRFClassifier",
    "xgboost.sklearn.XGBRFRegressor",
    "xgboost.sklearn.XGBRegressor",
)
"""Their estimators. Each was reviewed: it only stores attributes from a file."""
_FORMS = {"xgboost": xgboost_json, "lightgbm": lightgbm_text}
_NAMES = {"xgboost": "XGBoost", "lightgbm": "LightGBM"}
_BOOSTER = "_Booster"
_NOTES: Mapping[str, Mapping[str, Any]] = {
    "xgboost": {"callbacks": None, "evals_result_": {}},
    "lightgbm": {"_best_score": {}, "_class_map": None, "_evals_result": {}},
}
"""Attributes from training that predictions do not need, and their replacements."""
_THREADS = ("n_jobs", "nthread", "nthreads", "num_thread", "num_threads")


@contextmanager
def as_text(model: Any, *, name: str) -> Iterator[None]:
    """Within the block, every booster in `model` is replaced by its text; afterwards `model` is unchanged.

    Args:
        name: names the model's file in errors.
    Raises: BundleError for a booster that could not be opened again.
    """
    before: list[tuple[dict[str, Any], dict[str, Any]]] = []
    try:
        for estimator in _estimators(model):
            library, state = _library(estimator), vars(estimator)
            before.append((state, dict(state)))
            state.update({key: value for key, value in _NOTES[library].items() if key in state})
            _take_one_thread(library, state)
            if state.get(_BOOSTER) is not None:
                state[_BOOSTER] = _FORMS[library].dumped(state[_BOOSTER], name=name)
        yield
    finally:
        for state, old in before:
            state.clear()
            state.update(old)


def restore(model: Any, *, name: str) -> None:
    """Replace the text by boosters that score in one thread. Raises: BundleError, as in `opened` of each module."""
    for estimator in _estimators(model):
        library, state = _library(estimator), vars(estimator)
        packed = state.get(_BOOSTER)
        if packed is None:
            continue  # not fitted: a template, of which a stack has fitted copies
        if not isinstance(packed, bytes):
            problem = f"its {type(estimator).__name__} holds a {type(packed).__name__} instead of a booster"
            raise BundleError(name, problem, "Do not use this file: no training makes one like it")
        state[_BOOSTER] = _FORMS[library].opened(packed, name=name)
        _take_one_thread(library, state)


def _take_one_thread(library: str, state: dict[str, Any]) -> None:
    """Set one thread, because the number is not part of a model. LightGBM ignores OMP_NUM_THREADS."""
    if library == "lightgbm":
        others = state.get("_other_params", {})
        state.update({key: 1 for key in _THREADS if key in state}, n_jobs=1)
        state["_other_params"] = {key: value for key, value in others.items() if key not in _THREADS}


def refuse_missing(types: list[str], *, name: str) -> None:
    """Return if the libraries of all these types are installed. Raises: BundleError that says what to install."""
    for library, shown in _NAMES.items():
        used = [one.rpartition(".")[2] for one in types if one in TRUSTED and one.startswith(f"{library}.")]
        if used and find_spec(library) is None:
            problem = f"it holds an {used[0]}, and {shown} is not installed here"
            raise BundleError(name, problem, f"pip install 'proveout[{library}]'")


def _estimators(model: Any) -> list[Any]:
    # An estimator in two places is visited twice.
    return [*{id(part): part for _, part in met(model) if _library(part)}.values()]


def _library(part: Any) -> str:
    kind = type(part)
    return kind.__module__.partition(".")[0] if f"{kind.__module__}.{kind.__name__}" in TRUSTED else ""
