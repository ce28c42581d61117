"""Validates the trees of a model, because scikit-learn follows their indices without checking.

Input: a loaded model. Output: nothing, or BundleError. A node that refers to a missing node, a missing feature or
itself would let the process read foreign memory, crash, or loop forever. The same holds for search trees of neighbours,
and for neighbours with labels that do not exist.
"""

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from proveout.errors import BundleError
from proveout.fastpath.model_parts import met

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check(model: Any, *, name: str) -> None:
    """Return if all trees in `model` are valid, and every neighbour has a label.

    Args:
        name: names the model's file in errors.
    Raises: BundleError.
    """
    for owner, part in met(model):
        problem = _problem_of(owner, part)
        if problem:
            raise BundleError(name, problem, "Do not use this file: no training makes one like it")


def _problem_of(owner: Any, part: Any) -> str | None:
    kind = type(part).__name__
    if isinstance(part, functools.partial):
        return _problem_of_partial(part)
    if not type(part).__module__.startswith("sklearn."):
        return None
    if kind in _PROBLEMS:
        problem = _PROBLEMS[kind](owner, part)
        return f"one of its trees is none: {problem}" if problem else None
    return _problem_of_neighbours(part) if hasattr(part, "_fit_X") and hasattr(part, "classes_") else None


def _problem_of_tree(owner: Any, tree: Any) -> str | None:
    left, right = tree.children_left, tree.children_right
    if owner is not None and tree.n_features != owner.n_features_in_:
        return f"it looks at {tree.n_features} features, and a row has {owner.n_features_in_}"
    return _problem(left, right, tree.feature, splits=left != -1, features=int(tree.n_features))


def _problem_of_nodes(owner: Any, predictor: Any) -> str | None:
    nodes = predictor.nodes
    if nodes.ndim != 1 or not {"left", "right", "feature_idx", "is_leaf", "is_categorical"} <= set(
        nodes.dtype.names or ()
    ):
        return "its nodes are no nodes"
    splits = nodes["is_leaf"] == 0
    by_category = splits & (nodes["is_categorical"] != 0)
    listed = predictor.raw_left_cat_bitsets
    if by_category.any() and (listed.ndim != 2 or listed.shape[1] != _WORDS or not _knows_categories(owner)):
        return "its categories are no categories"
    if (nodes["bitset_idx"][by_category] >= len(listed)).any():
        return "a node asks for categories that are not listed"
    if not set(nodes["feature_idx"][by_category].tolist()) <= _categorical(owner):
        return "a node asks for categories of a feature that has none"
    features = 0 if owner is None else int(owner.n_features_in_)
    return _problem(
        nodes["left"].astype(np.int64),
        nodes["right"].astype(np.int64),
        nodes["feature_idx"].astype(np.int64),
        splits=splits,
        features=features,
    )


def _problem(
    left: "NDArray[Any]", right: "NDArray[Any]", feature: "NDArray[Any]", *, splits: "NDArray[np.bool_]", features: int
) -> str | None:
    here, size = np.flatnonzero(splits), len(left)
    if size == 0:
        return "it has no node"
    for side in (left[here], right[here]):
        # A child node comes after its parent, so every walk ends.
        if (side <= here).any() or (side >= size).any():
            return "a node leads outside of it, or back"
    if (feature[here] < 0).any() or (feature[here] >= features).any():
        return "a node asks for a feature that no row has"
    return None


def _knows_categories(owner: Any) -> bool:
    told = getattr(getattr(owner, "_bin_mapper", None), "is_categorical_", None)
    return isinstance(told, np.ndarray) and told.shape == (owner.n_features_in_,)


def _categorical(owner: Any) -> set[int]:
    """The categorical features. Their category data is indexed by the position among these."""
    return set(np.flatnonzero(owner._bin_mapper.is_categorical_).tolist()) if _knows_categories(owner) else set()


# --- neighbours -------------------------------------------------------------------------------------------------------


def _problem_of_search(owner: Any, tree: Any) -> str | None:
    """The problem of a neighbour search tree: node i must be a leaf or have the children 2i + 1 and 2i + 2."""
    data, rows, nodes, bounds, _, _, count, *_, distance, _ = tree.__getstate__()
    samples, features = data.shape
    starts, ends = nodes["idx_start"], nodes["idx_end"]
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    if owner is not None and features != owner.n_features_in_:
        return f"it looks at {features} features, and a row has {owner.n_features_in_}"
    if not np.array_equal(np.sort(rows), np.arange(samples)):
        return "it does not name each of its rows once"
    corners = 2 if type(tree).__name__ == "KDTree" else 1
    if not count or len(nodes) != count or bounds.shape != (corners, count, features):
        return "its nodes are no nodes"
    if (starts < 0).any() or (ends > samples).any() or (starts > ends).any() or (2 * inner + 2 >= count).any():
        return "a node leads outside of it"
    if type(distance).__name__.startswith("Minkowski") and len(distance.__getstate__()[1]) not in {0, features}:
        return "its distance weighs features that no row has"
    return None


def _problem_of_neighbours(model: Any) -> str | None:
    """The problem of neighbours: each class index must be within the array of class counts."""
    labels, learned = np.asarray(model._y), model._fit_X
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or learned.shape != (len(labels), model.n_features_in_):
        return "its neighbours have no labels"
    if len(labels) and (labels.min() < 0 or labels.max() >= len(model.classes_)):
        return "one of its neighbours is of a class that is not listed"
    return None


# --- functions --------------------------------------------------------------------------------------------------------


def _problem_of_partial(part: Any) -> str | None:
    """The problem of a partial: only the one in scikit-learn's boosted trees with categories is allowed."""
    from sklearn.utils import check_array

    return None if part.func is check_array and not part.args else "it calls a function that is not scikit-learn's"


_WORDS = 8  # of 32 bits: categories are below 256
_PROBLEMS = {
    "Tree": _problem_of_tree,
    "TreePredictor": _problem_of_nodes,
    "KDTree": _problem_of_search,
    "BallTree": _problem_of_search,
}
