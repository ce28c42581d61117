"""The parts of a fitted model: every object in it, each once.

Input: a fitted or loaded model. Output: its parts, each with the estimator that checks the number of features for it.
Pure: calls nothing of the model.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

TREES = frozenset({"Tree", "TreePredictor", "KDTree", "BallTree"})
"""scikit-learn's types for a single tree, which contain only numbers."""

_UNCHECKED = {"sklearn.ensemble._forest", "sklearn.ensemble._gb"}


def met(model: Any) -> Iterator[tuple[Any, Any]]:
    """Each part of `model`, with the estimator that checks the number of features before it calls the part."""
    met: set[tuple[int, int]] = set()
    waiting: list[tuple[Any, Any]] = [(None, model)]
    while waiting:
        owner, part = waiting.pop()
        # One tree can be in two places, and valid in only one of them.
        place = (id(owner), id(part))
        if place in met or isinstance(part, (str, bytes, int, float, type(None))):
            continue
        met.add(place)
        yield owner, part
        if type(part).__name__ in TREES and type(part).__module__.startswith("sklearn."):
            continue
        if hasattr(part, "n_features_in_") and not _counts_for(owner, part):
            owner = part
        waiting.extend((owner, one) for one in parts(part))


def _counts_for(owner: Any, part: Any) -> bool:
    """Whether `owner` is a forest, which checks the number of features itself and calls its trees unchecked."""
    return type(owner).__module__ in _UNCHECKED and type(part).__module__.startswith("sklearn.tree.")


def parts(part: Any) -> list[Any]:
    """The direct parts of `part`: elements of an object array or a collection, or attributes of an object."""
    if isinstance(part, np.ndarray):
        return list(part.ravel()) if part.dtype == object else []
    if isinstance(part, Mapping):
        return [*part.values()]
    if isinstance(part, (list, tuple, set, frozenset)):
        return [*part]
    return [*vars(part).values()] if hasattr(part, "__dict__") and not isinstance(part, type) else []
