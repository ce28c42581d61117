"""fastpath/fused_trees.py uses what scikit-learn does not promise to keep: what that is, and for which versions.

The range stands in pyproject.toml. Who widens it runs this first: where a name is gone, the fast path is off and the
pipeline answers, which is slow and right; where a name means something else, the parity tests fail.
"""

import re
import tomllib

import numpy as np
import pytest
import sklearn
from reference_project import ROOT
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier

from proveout.fastpath import parity

RANGE = "scikit-learn>=1.5,<1.10"
INSTALLED = tuple(map(int, sklearn.__version__.split(".")[:2]))
X = np.random.default_rng(0).normal(size=(200, 3))
Y = X[:, 0] > 0


def test_the_range_is_the_one_that_is_declared_and_installed():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    low, high = (tuple(map(int, bound.split("."))) for bound in re.findall(r"[<>]=?([\d.]+)", RANGE))

    assert RANGE in declared
    assert low <= INSTALLED < high
    assert [f"1.{minor}" for minor in range(low[1], high[1])] == list(parity.KNOWN)


def test_the_private_parts_of_boosted_trees_are_where_they_were():
    from sklearn.ensemble._hist_gradient_boosting._predictor import _predict_from_raw_data
    from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

    model = HistGradientBoostingClassifier(max_iter=3).fit(X, Y)
    [[first], *_] = model._predictors
    known, places = model._bin_mapper.make_known_categories_bitsets()
    found = np.empty(len(X))
    _predict_from_raw_data(first.nodes, X, first.raw_left_cat_bitsets, known, places, 1, found)

    fields = {"left", "right", "is_leaf", "feature_idx", "num_threshold", "is_categorical", "value"}
    assert fields <= set(first.nodes.dtype.names)
    assert model._preprocessor is None
    assert np.isfinite(model._baseline_prediction.item())
    assert model._loss.link.inverse(np.zeros(1)) == pytest.approx(0.5)
    assert _openmp_effective_n_threads() >= 1
    assert np.isfinite(found).all()


@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
def test_the_private_parts_of_forests_are_where_they_were(kind):
    model = kind(n_estimators=3).fit(X, Y)

    take_missing = kind is RandomForestClassifier or INSTALLED >= (1, 6)
    assert {tree._support_missing_values(X) for tree in model.estimators_} == {take_missing}
    assert model.estimators_[0].tree_.predict(X.astype(np.float32)).shape[0] == len(X)
