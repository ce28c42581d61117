"""Trees asked in few calls. Door to: what scikit-learn has compiled for its trees and does not promise to keep.

Comes in: a fitted ensemble. Goes out: a function from a matrix to the probability of one class, or None where
this version of scikit-learn, or this model, is built otherwise.

Boosted trees are many small trees, and a call for each costs more than a row does in it. Here 32 of them hang under
one tree more, which parts by the number of a tree: a row is asked 32 times, with 32 numbers, in one call. Sums are
taken in the order of the trees, as scikit-learn does: floating point sums depend on it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proveout.fastpath.series import NotDirect

_AT_ONCE = 32  # more would make few rows cheaper still, and many rows dearer: one level of the tree more for each
_FEW_ROWS = 256

Score = Callable[[NDArray[Any]], NDArray[np.float64]]


def scorer(model: Any, *, event: int) -> Score | None:
    """The fast way to ask `model` for the class in place `event`, 0 or 1; None if there is none."""
    make = {
        "HistGradientBoostingClassifier": _boosted,
        "RandomForestClassifier": _forest,
        "ExtraTreesClassifier": _forest,
    }.get(type(model).__name__)
    if make is None or not type(model).__module__.startswith("sklearn."):
        return None
    try:
        return make(model, event)
    except (ImportError, AttributeError, TypeError, ValueError, KeyError, IndexError):
        return None


def _boosted(model: Any, event: int) -> Score | None:
    from sklearn.ensemble._hist_gradient_boosting._predictor import _predict_from_raw_data
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

    if model._preprocessor is not None or model.n_trees_per_iteration_ != 1:
        return None
    singles = [predictor for (predictor,) in model._predictors]
    if any(single.nodes["is_categorical"].any() for single in singles):
        return None
    known, places = model._bin_mapper.make_known_categories_bitsets()
    bitsets = singles[0].raw_left_cat_bitsets
    chosen = int(model.n_features_in_)  # the feature that tells which tree is meant
    groups = [singles[first : first + _AT_ONCE] for first in range(0, len(singles), _AT_ONCE)]
    hung = [(_hung([single.nodes for single in group], chosen), len(group)) for group in groups]
    width, trees, start = min(_AT_ONCE, len(singles)), len(singles), float(model._baseline_prediction.item())
    numbers = np.arange(width, dtype=np.float64)[:, None]
    inverse = model._loss.link.inverse

    def score(matrix: NDArray[Any]) -> NDArray[np.float64]:
        rows, features = matrix.shape
        if features != chosen:
            raise ValueError(f"{features} features instead of {chosen}")
        asked = np.empty((width, rows, features + 1))
        asked[:, :, :features] = matrix
        asked[:, :, features] = numbers
        asked = asked.reshape(width * rows, features + 1)
        # Threads that share a few rows wait for each other longer than they work, and for whoever else computes.
        threads = _openmp_effective_n_threads() if rows > _FEW_ROWS else 1
        found = np.empty((trees + 1) * rows)
        found[:rows] = start
        at = rows
        for nodes, count in hung:
            until = at + count * rows
            _predict_from_raw_data(nodes, asked[: count * rows], bitsets, known, places, threads, found[at:until])
            at = until
        raw = np.add.accumulate(found.reshape(trees + 1, rows), axis=0)[-1]  # one after the other, never in pairs
        second = np.asarray(inverse(raw), dtype=np.float64)
        return second if event else 1 - second

    return score


def _hung(parts: list[NDArray[Any]], chosen: int) -> NDArray[Any]:
    """One tree out of several: feature number `chosen` says which of them a row means, 0 to len(parts) - 1."""
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


def _forest(model: Any, event: int) -> Score | None:
    if model.n_outputs_ != 1:
        return None
    grown = [tree.tree_ for tree in model.estimators_]
    strange = np.isinf if model.estimators_[0]._support_missing_values(np.zeros((1, 1))) else _not_finite

    def score(matrix: NDArray[Any]) -> NDArray[np.float64]:
        asked = np.ascontiguousarray(matrix, dtype=np.float32)  # what scikit-learn's trees were grown on
        if strange(asked).any():
            raise NotDirect("a value that is not finite")  # the forest itself raises on it
        total = np.zeros((len(asked), 2))
        for tree in grown:
            total += tree.predict(asked)
        made: NDArray[np.float64] = (total / len(grown))[:, event]
        return made

    return score


def _not_finite(matrix: NDArray[Any]) -> NDArray[np.bool_]:
    made: NDArray[np.bool_] = ~np.isfinite(matrix)
    return made
