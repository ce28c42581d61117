"""Models that keep their training rows as a sparse matrix, as support vectors and neighbours of texts do.

No file may hold such a matrix. The same model over a dense one answers the same, behind a step that makes rows dense.

Input: a fitted estimator, and some sparse rows of its inputs. Output: an estimator that can be stored.
"""

import copy
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

_MATRICES = ("support_vectors_", "dual_coef_", "_dual_coef_", "_fit_X")
_MOST_VALUES = 10_000_000  # of a matrix that is written out: 80 MB


def with_dense_rows(model: Any, inputs: Any) -> Any:
    """The estimator over a dense matrix; the same one where it holds no sparse matrix, or too many values of such.

    Args:
        inputs: rows that the model was asked about.
    """
    steps = list(model.steps) if hasattr(model, "steps") else [(type(model).__name__.lower(), model)]
    name, last = steps[-1]
    held = {id(one): one for one in _matrices(last)}
    same = {_content(one): one for one in held.values()}  # each model of a class keeps a copy of the same rows
    if not held or sum(one.shape[0] * one.shape[1] for one in same.values()) > _MOST_VALUES:
        return model
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    rows = inputs[:2]
    for _, step in steps[:-1]:
        rows = step.transform(rows) if hasattr(step, "transform") else rows
    dense = ColumnTransformer([("all", "passthrough", slice(0, rows.shape[1]))], sparse_threshold=0).fit(rows)
    arrays = {content: one.toarray() for content, one in same.items()}
    made = _dense(last, {key: arrays[_content(one)] for key, one in held.items()}, {})
    return Pipeline([*steps[:-1], ("dense", dense), (name, made)])


def _matrices(model: Any) -> Iterator[Any]:
    """The sparse matrices of an estimator, and of those that it is made of: one for each class, for one."""
    for name, value in vars(model).items():
        if name in _MATRICES and hasattr(value, "toarray"):
            yield value
        for part in value if isinstance(value, list | tuple) else (value,):
            if _is_part(part):
                yield from _matrices(part)


def _content(matrix: Any) -> tuple[Any, ...]:
    """Equal for equal matrices."""
    rows = matrix.tocsr()
    digest = hashlib.sha256()
    for part in (rows.indptr, rows.indices, rows.data):
        digest.update(part.tobytes())
    return rows.shape, str(rows.dtype), digest.digest()


def _is_part(value: Any) -> bool:
    """Whether a value is an estimator, or what calibrates one."""
    return hasattr(value, "__dict__") and hasattr(value, "predict_proba" if hasattr(value, "calibrators") else "fit")


def _dense(model: Any, arrays: Mapping[int, Any], made: dict[int, Any]) -> Any:
    """A copy over dense matrices. What is one object in the estimator is one in the copy.

    Args:
        arrays: by the id of the matrix that each takes the place of.
        made: copies by the id of what they are of.
    """
    if id(model) in made:
        return made[id(model)]
    copied = made[id(model)] = copy.copy(model)
    for name, value in vars(model).items():
        if id(value) in arrays:
            setattr(copied, name, arrays[id(value)])
        elif _is_part(value):
            setattr(copied, name, _dense(value, arrays, made))
        elif isinstance(value, dict) and any(map(_is_part, value.values())):
            named = copy.copy(value)
            named.update((key, _dense(one, arrays, made)) for key, one in value.items() if _is_part(one))
            setattr(copied, name, named)
        elif isinstance(value, list | tuple) and any(map(_is_part, value)):
            setattr(copied, name, type(value)(_dense(one, arrays, made) if _is_part(one) else one for one in value))
    if hasattr(copied, "_sparse"):
        copied._sparse = False  # what support vectors ask before they take rows
    return copied
