"""A fitted scikit-learn model as plain functions of NumPy arrays, without column names, validation and tables.

Input: a fitted estimator and its columns. Output: a function from a `Block` to scores. The arithmetic of the common
transformers is written out here; their own checks and wrappers take a hundred times as long. Every other fitted step is
called unchanged, on NumPy arrays. `parity` uses the result only if its answers equal the estimator's.
"""

import copy
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proveout.fastpath import boosted_models, fused_trees
from proveout.fastpath.frame import Block
from proveout.fastpath.series import NULL_TEXT, NotDirect
from proveout.task.question import Question

Matrix = NDArray[Any]
Score = Callable[[Matrix], NDArray[np.float64]]
Step = Callable[[Matrix], Matrix]


def scorer(model: Any, columns: Sequence[str], *, asked: Question) -> Callable[[Block], NDArray[np.float64]]:
    """The scores of each row of a Block with `columns`.

    Args:
        asked: which output of the model the scores are.
    Raises: NotDirect if `model` has steps that cannot be called on arrays.
    """
    *steps, last = _flat(model)
    score = predictor(last, asked)
    entrance: Callable[[Block], Matrix]
    if steps and type(steps[0]).__name__ == "ColumnTransformer":
        entrance = _by_columns(steps.pop(0), columns)
    else:
        entrance = partial(_matrix, columns=columns)
    middle = [transformer(step) for step in steps]

    def run(block: Block) -> NDArray[np.float64]:
        matrix = entrance(block)
        for step in middle:
            matrix = step(matrix)
        return score(matrix)

    return run


def _flat(model: Any) -> list[Any]:
    """The steps of a pipeline, with nested pipelines flattened."""
    if type(model).__name__ != "Pipeline":
        return [model]
    steps = [step for _, step in model.steps if step is not None and step != "passthrough"]
    return [inner for step in steps for inner in _flat(step)]


def _matrix(block: Block, columns: Sequence[str]) -> Matrix:
    """Some columns as a matrix: of floats; or of objects, with `NULL_TEXT` for unknown, if one of them is text."""
    arrays = [block.array(name) for name in columns]
    if any(array.dtype.kind == "O" for array in arrays):
        made = np.empty((len(block), len(arrays)), dtype=object)
        for place, array in enumerate(arrays):
            made[:, place] = [NULL_TEXT if value is None else value for value in array.tolist()]
        return made
    matrix = np.empty((len(block), len(arrays)))
    for place, array in enumerate(arrays):
        matrix[:, place] = array
    return matrix


# --- columns ----------------------------------------------------------------------------------------------------------


def _by_columns(transformers: Any, columns: Sequence[str]) -> Callable[[Block], Matrix]:
    """A fitted ColumnTransformer: apply each part to its columns, and concatenate the results."""
    if transformers.transformer_weights:
        raise NotDirect("a ColumnTransformer with weights")
    parts = [
        (names, _part(step))
        for _, step, chosen in transformers.transformers_
        if not (isinstance(step, str) and step == "drop") and (names := _names(chosen, columns))
    ]

    def run(block: Block) -> Matrix:
        made = [part(_matrix(block, names)) for names, part in parts]
        return made[0] if len(made) == 1 else np.concatenate(made, axis=1)

    return run


def _names(chosen: Any, columns: Sequence[str]) -> list[str]:
    if isinstance(chosen, str):
        raise NotDirect(f"a transformer of one column as such, {chosen},")
    names = [columns[name] if isinstance(name, int) and not isinstance(name, bool) else name for name in chosen]
    if not all(isinstance(name, str) for name in names):
        raise NotDirect("a choice of columns that is neither names nor places")
    return names


def _part(step: Any) -> Step:
    if isinstance(step, str) and step == "passthrough":
        return _numbers
    steps = [transformer(inner) for inner in _flat(step)]
    if len(steps) == 1:
        return steps[0]

    def run(matrix: Matrix) -> Matrix:
        for inner in steps:
            matrix = inner(matrix)
        return matrix

    return run


def _numbers(matrix: Matrix) -> Matrix:
    return matrix if matrix.dtype.kind != "O" else matrix.astype(np.float64)


# --- transformers -----------------------------------------------------------------------------------------------------


def transformer(step: Any) -> Step:
    """The fitted `step` as a function of a matrix: written out for simple steps, else its own `transform`."""
    own = {
        "FunctionTransformer": _function,
        "OrdinalEncoder": _ordinal,
        "OneHotEncoder": _one_hot,
        "StandardScaler": _standard,
        "SimpleImputer": _imputed,
    }.get(type(step).__name__)
    made = own(step) if own is not None and type(step).__module__.startswith("sklearn.") else None
    return made if made is not None else _as_it_is(step)


def _function(step: Any) -> Step | None:
    return _numbers if step.func is None and not step.validate else None


def _not_infinite(matrix: Matrix) -> Matrix:
    if np.isinf(matrix).any():
        raise NotDirect("infinity")  # the estimator itself raises on it
    return matrix


def _standard(step: Any) -> Step | None:
    mean = step.mean_ if step.with_mean else np.zeros(1)
    scale = step.scale_ if step.with_std else np.ones(1)
    return lambda matrix: (_not_infinite(_numbers(matrix)) - mean) / scale


def _imputed(step: Any) -> Step | None:
    known = np.asarray(step.statistics_)
    missing_is_nan = isinstance(step.missing_values, float) and np.isnan(step.missing_values)
    if step.add_indicator or not missing_is_nan or known.dtype.kind not in "iuf" or np.isnan(known).any():
        return None

    def run(matrix: Matrix) -> Matrix:
        numbers = _not_infinite(_numbers(matrix))
        return np.where(np.isnan(numbers), known, numbers)

    return run


def _ordinal(step: Any) -> Step | None:
    lenient = step.handle_unknown == "use_encoded_value"
    if getattr(step, "_infrequent_enabled", False) or np.dtype(step.dtype) != np.float64:
        return None
    tables = [_table(categories, missing=float(step.encoded_missing_value)) for categories in step.categories_]
    unseen = float(step.unknown_value) if lenient else None

    def run(matrix: Matrix) -> Matrix:
        made = np.empty(matrix.shape)
        for place, table in enumerate(tables):
            made[:, place] = [_code(table, value, unseen) for value in matrix[:, place].tolist()]
        return made

    return run


def _one_hot(step: Any) -> Step | None:
    lenient = step.handle_unknown in ("ignore", "warn")
    if getattr(step, "_infrequent_enabled", False) or step.drop is not None or np.dtype(step.dtype) != np.float64:
        return None
    tables, width = [], 0
    for categories in step.categories_:
        tables.append({key: code + width for key, code in _table(categories, missing=None).items()})
        width += len(categories)
    unseen = float(width) if lenient else None

    def run(matrix: Matrix) -> Matrix:
        made = np.zeros((len(matrix), width + 1))  # the last column is for unseen categories
        rows = np.arange(len(matrix))
        for place, table in enumerate(tables):
            codes = [_code(table, value, unseen) for value in matrix[:, place].tolist()]
            made[rows, np.array(codes, dtype=np.intp)] = 1.0
        return made[:, :width]

    return run


_MISSING = object()


def _table(categories: Any, *, missing: float | None) -> dict[Any, float]:
    """The code of each category.

    Args:
        missing: the code of NaN; None if it has a code like the other categories, as None always has.
    """
    codes: dict[Any, float] = {}
    for code, category in enumerate(np.asarray(categories, dtype=object).tolist()):
        if category != category:  # noqa: PLR0124  # NaN
            codes[_MISSING] = float(code) if missing is None else missing
        else:
            codes[category] = float(code)
    return codes


def _code(table: dict[Any, float], value: Any, unseen: float | None) -> float:
    code = table.get(value)
    if code is not None:
        return code
    if value != value:  # noqa: PLR0124  # NaN
        code = table.get(_MISSING)
    if code is None:
        code = unseen
    if code is None or value in (math.inf, -math.inf):
        raise NotDirect(f"a category that was never seen, {value!r},")  # the estimator itself raises on it
    return code


def _as_it_is(step: Any) -> Step:
    nameless = _nameless(step)
    if not hasattr(nameless, "transform"):
        raise NotDirect(f"{type(step).__name__}, which does not transform,")

    def run(matrix: Matrix) -> Matrix:
        made = _calmly(nameless.transform, matrix)
        made = made.toarray() if hasattr(made, "toarray") else np.asarray(made)
        if made.ndim != 2 or len(made) != len(matrix):
            raise NotDirect(f"{type(step).__name__}, whose result has the shape {made.shape},")
        return made

    return run


def _nameless(step: Any) -> Any:
    # scikit-learn warns if an estimator that was fitted with column names gets an array.
    nameless = copy.copy(step)
    nameless.__dict__.pop("feature_names_in_", None)
    return nameless


def _calmly(function: Callable[[Matrix], Any], matrix: Matrix) -> Any:
    import sklearn

    with sklearn.config_context(skip_parameter_validation=True, transform_output="default"):
        return function(matrix)


# --- classifiers and regressors ---------------------------------------------------------------------------------------


def predictor(step: Any, asked: Question) -> Score:
    """The scores of the fitted `step`, as a function of a matrix."""
    if not hasattr(step, asked.method):
        raise NotDirect(f"{type(step).__name__}, which has no {asked.method},")
    own = fused_trees.scorer(step, asked) or boosted_models.scorer(step, asked)
    if own is not None:
        return lambda matrix: own(_numbers(matrix))
    method = getattr(_nameless(step), asked.method)

    def run(matrix: Matrix) -> NDArray[np.float64]:
        found = np.asarray(_calmly(method, matrix), dtype=np.float64)
        if asked.column is not None:
            return np.asarray(found[:, asked.column])
        return found[:, 0] if asked.method == "predict" and found.ndim == 2 and found.shape[1] == 1 else found

    return run
