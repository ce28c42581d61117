"""Tree ensembles evaluated in few calls. The only user of scikit-learn's private, compiled tree functions.

Input: a fitted ensemble. Output: a function from a matrix to its scores; None if this version of scikit-learn, or this
model, is built differently.

An ensemble has many small trees, and a call costs more than a row does in a tree. Here 32 trees are joined under a
small tree that splits by the tree's number. Each row is repeated with the numbers 0 to 31 and evaluated in one call.
The results are added in the order of the trees, as in scikit-learn, because floating-point sums depend on it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proveout.fastpath.series import NotDirect
from proveout.task.question import Question

_AT_ONCE = 32  # a larger number is faster for few rows, but slower for many: each row passes more levels
_FEW_ROWS = 256

Score = Callable[[NDArray[Any]], NDArray[np.float64]]


def scorer(model: Any, asked: Question) -> Score | None:
    """A fast function for the scores of `model`; None if there is none."""
    make = {
        "HistGradientBoostingClassifier": _boosted,
        "HistGradientBoostingRegressor": _boosted,
        "RandomForestClassifier": _forest,
        "RandomForestRegressor": _forest,
        "ExtraTreesClassifier": _forest,
        "ExtraTreesRegressor": _forest,
    }.get(type(model).__name__)
    if make is None or not type(model).__module__.startswith("sklearn."):
        return None
    try:
        return make(model, asked)
    except (ImportError, AttributeError, TypeError, ValueError, KeyError, IndexError):
        return None


def _boosted(model: Any, asked: Question) -> Score | None:
    from sklearn.ensemble._hist_gradient_boosting._predictor import _predict_from_raw_data
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

    each = int(model.n_trees_per_iteration_)  # one per class, if there are more than two classes
    if model._preprocessor is not None:
        return None
    grown = [[iteration[place] for iteration in model._predictors] for place in range(each)]
    if any(tree.nodes["is_categorical"].any() for singles in grown for tree in singles):
        return None
    known, places = model._bin_mapper.make_known_categories_bitsets()
    chosen = int(model.n_features_in_)  # the index of the extra feature: the tree's number
    starts = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1)
    trees = len(model._predictors)
    width = min(_AT_ONCE, trees)
    numbers = np.arange(width, dtype=np.float64)[:, None]
    hung = [_in_groups(singles, chosen) for singles in grown]
    bitsets = [singles[0].raw_left_cat_bitsets for singles in grown]

    def score(matrix: NDArray[Any]) -> NDArray[np.float64]:
        rows, features = matrix.shape
        if features != chosen:
            raise ValueError(f"{features} features instead of {chosen}")
        question = np.empty((width, rows, features + 1))
        question[:, :, :features] = matrix
        question[:, :, features] = numbers
        question = question.reshape(width * rows, features + 1)
        # For few rows, several threads would wait for each other longer than they work.
        threads = _openmp_effective_n_threads() if rows > _FEW_ROWS else 1
        raw = np.empty((rows, each))
        for place in range(each):
            found = np.empty((trees + 1) * rows)
            found[:rows] = starts[place]
            at = rows
            for nodes, count in hung[place]:
                until = at + count * rows
                some = question[: count * rows]
                _predict_from_raw_data(nodes, some, bitsets[place], known, places, threads, found[at:until])
                at = until
            # `accumulate` adds one after the other; `sum` would add in pairs.
            raw[:, place] = np.add.accumulate(found.reshape(trees + 1, rows), axis=0)[-1]
        return _linked(model, raw, asked)

    return score


def _in_groups(singles: list[Any], chosen: int) -> list[tuple[NDArray[Any], int]]:
    groups = [singles[first : first + _AT_ONCE] for first in range(0, len(singles), _AT_ONCE)]
    return [(_hung([single.nodes for single in group], chosen), len(group)) for group in groups]


def _linked(model: Any, raw: NDArray[np.float64], asked: Question) -> NDArray[np.float64]:
    """The scores, from the sums over all trees, shape (rows, trees per iteration)."""
    if raw.shape[1] > 1:
        every: NDArray[np.float64] = np.asarray(model._loss.predict_proba(raw), dtype=np.float64)
        return every if asked.column is None else every[:, asked.column]
    found = np.asarray(model._loss.link.inverse(raw[:, 0]), dtype=np.float64)
    if asked.method == "predict":
        return found
    both = np.stack([1 - found, found], axis=1)
    return both if asked.column is None else both[:, asked.column]


def _hung(parts: list[NDArray[Any]], chosen: int) -> NDArray[Any]:
    """Join several trees into one. Feature number `chosen` selects the tree, from 0 to len(parts) - 1."""
    inner = len(parts) - 1
    starts = (inner + np.cumsum([0, *(len(part) for part in parts)])).tolist()
    made = np.zeros(starts[-1], dtype=parts[0].dtype)
    for part, start in zip(parts, starts, strict=False):
        moved = part.copy()
        splits = moved["is_leaf"] == 0
        moved["left"][splits] += start
        moved["right"][splits] += start
        made[start : start + len(part)] = moved
    free = iter(range(inner))

    def hang(first: int, last: int) -> int:
        if first == last:
            return int(starts[first])
        place, middle = next(free), (first + last) // 2
        made[place]["feature_idx"], made[place]["num_threshold"] = chosen, middle
        made[place]["left"], made[place]["right"] = hang(first, middle), hang(middle + 1, last)
        return place

    hang(0, inner)
    return made


def _forest(model: Any, asked: Question) -> Score | None:
    if model.n_outputs_ != 1:
        return None
    grown = [tree.tree_ for tree in model.estimators_]
    width = 1 if asked.method == "predict" else len(model.classes_)
    unsupported = np.isinf if model.estimators_[0]._support_missing_values(np.zeros((1, 1))) else _not_finite

    def score(matrix: NDArray[Any]) -> NDArray[np.float64]:
        rows = np.ascontiguousarray(matrix, dtype=np.float32)  # scikit-learn trains its trees on this type
        if unsupported(rows).any():
            raise NotDirect("a value that is not finite")  # the forest itself raises on it
        total = np.zeros((len(rows), width))
        for tree in grown:
            total += tree.predict(rows)
        made: NDArray[np.float64] = total / len(grown)
        if asked.method == "predict":
            return made[:, 0]
        return made if asked.column is None else made[:, asked.column]

    return score


def _not_finite(matrix: NDArray[Any]) -> NDArray[np.bool_]:
    made: NDArray[np.bool_] = ~np.isfinite(matrix)
    return made
