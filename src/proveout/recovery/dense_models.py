"""Models that keep their training rows as a sparse matrix, as support vectors and neighbours of texts do.

No file may hold such a matrix. The same model over a dense one answers the same, behind a step that makes rows dense.

Input: a fitted estimator, and some sparse rows of its inputs. Output: an estimator that can be stored.
"""

import copy
from typing import Any

_MATRICES = ("support_vectors_", "dual_coef_", "_dual_coef_", "_fit_X")
_MOST_VALUES = 10_000_000  # of a matrix that is written out: 80 MB


def with_dense_rows(model: Any, inputs: Any) -> Any:
    """The estimator over a dense matrix; the same one where it holds no sparse matrix, or too large a one.

    Args:
        inputs: rows that the model was asked about.
    """
    steps = list(model.steps) if hasattr(model, "steps") else [(type(model).__name__.lower(), model)]
    name, last = steps[-1]
    keeps = last.estimator if hasattr(last, "calibrated_classifiers_") else last
    held = [getattr(keeps, matrix) for matrix in _MATRICES if hasattr(getattr(keeps, matrix, None), "toarray")]
    if not held or any(one.shape[0] * one.shape[1] > _MOST_VALUES for one in held):
        return model
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    rows = inputs[:2]
    for _, step in steps[:-1]:
        rows = step.transform(rows) if hasattr(step, "transform") else rows
    dense = ColumnTransformer([("all", "passthrough", slice(0, rows.shape[1]))], sparse_threshold=0).fit(rows)
    return Pipeline([*steps[:-1], ("dense", dense), (name, _dense(last))])


def _dense(model: Any) -> Any:
    made = copy.copy(model)
    if hasattr(model, "calibrated_classifiers_"):
        made.estimator = _dense(model.estimator)
        made.calibrated_classifiers_ = [copy.copy(part) for part in model.calibrated_classifiers_]
        for part in made.calibrated_classifiers_:
            part.estimator = made.estimator
        return made
    for matrix in _MATRICES:
        if hasattr(getattr(made, matrix, None), "toarray"):
            setattr(made, matrix, getattr(made, matrix).toarray())
    if hasattr(made, "_sparse"):
        made._sparse = False  # what support vectors ask before they take rows
    return made
