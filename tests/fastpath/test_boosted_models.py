"""fastpath/boosted_models.py: a booster asked without its estimator says what the estimator says."""

import boosted_models
import numpy as np
import pytest

from proveout.data import request_columns
from proveout.data.features import compute
from proveout.fastpath import parity, tolerance
from proveout.model import estimator

DTYPES = {"hour": "float64", "wind": "float64", "port": "str"}
ROWS = boosted_models.TABLE[list(DTYPES)]
NAMES = [name for name in boosted_models.MODELS if ", categories" not in name]  # a Block has no categories
TASKS = {"value": "regression", "three": "multiclass", "against": "multiclass"}


@pytest.mark.parametrize("name", NAMES)
def test_each_model_has_a_direct_path_that_says_the_same(name):
    """To the last bit, on the same processor: the same trees are added up in the same order."""
    model, rows = boosted_models.fitted(name)
    columns = list(rows.columns)

    def features(requests):
        return requests[columns].copy()

    task = "binary" if hasattr(model, "predict_proba") else "regression"
    asked = estimator.question(
        model, task if len(getattr(model, "classes_", "ab")) == 2 else "multiclass", label="late"
    )

    def plain(requests):
        made = compute(features, request_columns.typed(requests, DTYPES), tuple(DTYPES), name="features")
        return estimator.scores(model, made, asked)

    found = parity.find(model, features, DTYPES, asked=asked, plain=plain, reference=ROWS)

    assert found.why == parity.ON
    assert found.tolerance == (tolerance.SINGLE if "xgboost" in name or "both" in name else tolerance.SUMMED)
    for part in (slice(0, 1), slice(3, 40), slice(None)):
        said = found.direct.predict(request_columns.arrays(ROWS[part], DTYPES))
        assert np.array_equal(said, plain(ROWS[part]))
