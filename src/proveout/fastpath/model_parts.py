"""The parts of a fitted model: every object that it holds, each once.

Input: a fitted or loaded model. Output: its parts, with the estimator that counts the features of a row for each. Pure:
nothing of the model is called.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

TREES = frozenset({"Tree", "TreePredictor", "KDTree", "BallTree"})
"""Types of scikit-learn that are one tree: numbers, and nothing else inside."""

_UNCHECKED = {"sklearn.ensemble._forest", "sklearn.ensemble._gb"}


def met(model: Any) -> Iterator[tuple[Any, Any]]:
    """Each part of `model`, and the estimator that counts the features of a row before the part is asked."""
    met: set[tuple[int, int]] = set()
    waiting: list[tuple[Any, Any]] = [(None, model)]
    while waiting:
        owner, part = waiting.pop()
        # One tree can hang in two places, and be sound in one of them alone.
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
    """A forest counts the features itself and asks its trees unchecked, whatever they say of themselves."""
    return type(owner).__module__ in _UNCHECKED and type(part).__module__.startswith("sklearn.tree.")


def parts(part: Any) -> list[Any]:
    """What `part` directly holds: the elements of an array of objects, of a list, the attributes of an object."""
    if isinstance(part, np.ndarray):
        return list(part.ravel()) if part.dtype == object else []
    if isinstance(part, Mapping):
        return [*part.values()]
    if isinstance(part, (list, tuple, set, frozenset)):
        return [*part]
    return [*vars(part).values()] if hasattr(part, "__dict__") and not isinstance(part, type) else []
