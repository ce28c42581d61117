"""Whether the trees of a model are trees. scikit-learn follows their numbers without looking where they lead.

Comes in: a loaded model. Goes out: nothing, or BundleError. A node that names another one outside of the table, a
feature that no row has, or itself would let the process read foreign memory, die, or walk in a circle for ever.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from proveout.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UNCHECKED = {"sklearn.ensemble._forest", "sklearn.ensemble._gb"}


def check(model: Any, *, name: str) -> None:
    """Return if every tree in `model` leads from its root to its leaves.

    Args:
        name: what to call the model's file in an error.
    Raises: BundleError.
    """
    for owner, tree in _trees(model):
        problem = _problem_of_tree(owner, tree) if hasattr(tree, "children_left") else _problem_of_nodes(owner, tree)
        if problem:
            problem = f"one of its trees is none: {problem}"
            raise BundleError(name, problem, "Do not use this file: no training makes one like it")


def _trees(model: Any) -> Iterator[tuple[Any, Any]]:
    """Each tree in `model`, and the estimator that counts the features of a row before the tree is asked."""
    met: set[tuple[int, int]] = set()
    waiting: list[tuple[Any, Any]] = [(None, model)]
    while waiting:
        owner, part = waiting.pop()
        # One tree can hang in two places, and be sound in one of them alone.
        place = (id(owner), id(part))
        if place in met or isinstance(part, (str, bytes, int, float, type(None))):
            continue
        met.add(place)
        if type(part).__name__ in {"Tree", "TreePredictor"} and type(part).__module__.startswith("sklearn."):
            yield owner, part
            continue
        if hasattr(part, "n_features_in_") and not _counts_for(owner, part):
            owner = part
        waiting.extend((owner, one) for one in _parts(part))


def _counts_for(owner: Any, part: Any) -> bool:
    """A forest counts the features itself and asks its trees unchecked, whatever they say of themselves."""
    return type(owner).__module__ in _UNCHECKED and type(part).__module__.startswith("sklearn.tree.")


def _parts(part: Any) -> list[Any]:
    if isinstance(part, np.ndarray):
        return list(part.ravel()) if part.dtype == object else []
    if isinstance(part, Mapping):
        return [*part.values()]
    if isinstance(part, (list, tuple, set, frozenset)):
        return [*part]
    return [*vars(part).values()] if hasattr(part, "__dict__") and not isinstance(part, type) else []


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
    if (nodes["bitset_idx"][by_category] >= len(predictor.raw_left_cat_bitsets)).any():
        return "a node asks for categories that are not listed"
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
        # Whoever grows a tree writes a node before what hangs under it: so a walk down always ends.
        if (side <= here).any() or (side >= size).any():
            return "a node leads outside of it, or back"
    if (feature[here] < 0).any() or (feature[here] >= features).any():
        return "a node asks for a feature that no row has"
    return None
