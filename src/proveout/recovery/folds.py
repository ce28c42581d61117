"""What a model says of training rows that it did not learn from, for a curve over its answers.

Input: a fitted estimator and its training rows. Output: its answers, of rows left out of a fit.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FOLDS, _MOST_ROWS = 3, 5_000  # training rows that are fitted again


def shuffled() -> Any:
    """Three folds. In the order of a file, rows that stand together are often alike; those of a split are not."""
    from sklearn.model_selection import StratifiedKFold

    return StratifiedKFold(_FOLDS, shuffle=True, random_state=0)


def left_out(model: Any, inputs: Any, truth: NDArray[Any], *, method: str) -> NDArray[Any]:
    """What `method` of the model gives for each row, fitted without it; where that cannot be, of those learned."""
    from sklearn.base import clone
    from sklearn.model_selection import cross_val_predict

    if len(truth) <= _MOST_ROWS:
        try:
            return np.asarray(cross_val_predict(clone(model), inputs, truth, cv=shuffled(), method=method))
        except Exception:  # noqa: S110  # a class of two rows, a fit that does not end: then by what was learned
            pass
    return np.asarray(getattr(model, method)(inputs))
