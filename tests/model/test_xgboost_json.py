"""model/xgboost_json.py: no JSON makes XGBoost walk out of its trees."""

import boosted_models
import numpy as np
import orjson
import pytest
import xgboost
from packaging.version import Version

from proveout.errors import BundleError
from proveout.model import xgboost_json


@pytest.fixture(scope="module")
def written():
    """The JSON of a booster with three classes; and of one whose columns have categories."""
    named = {}
    for key, name in (("plain", "xgboost, three classes"), ("categories", "xgboost, categories")):
        booster = boosted_models.fitted(name)[0].get_booster()
        named[key] = xgboost_json.dumped(booster, name="model")
    return named


BOOSTER = ("learner", "gradient_booster", "model")
TREE = (*BOOSTER, "trees", 0)
FAULTS = {
    "child outside": ("plain", (*TREE, "left_children", 0), 10**6, "leads outside"),
    "child that is the node": ("plain", (*TREE, "left_children", 1), 1, "or back"),
    "child above": ("plain", (*TREE, "left_children", 2), 0, "or back"),
    "right child elsewhere": ("plain", (*TREE, "right_children", 0), 10**6, "leads outside"),
    "negative child": ("plain", (*TREE, "left_children", 0), -7, "leads outside"),
    "child of 64 bits": ("plain", (*TREE, "left_children", 0), 2**40, "whole one of 32 bits"),
    "child that is a fraction": ("plain", (*TREE, "left_children", 0), 1.5, "whole one"),
    "feature outside": ("plain", (*TREE, "split_indices", 0), 2, "a feature that no row has"),
    "feature below": ("plain", (*TREE, "split_indices", 0), -1, "a feature that no row has"),
    "parent outside": ("plain", (*TREE, "parents", 1), 10**6, "hangs under one"),
    "parent below": ("plain", (*TREE, "parents", 1), -1, "hangs under one"),
    "no node": ("plain", (*TREE, "tree_param", "num_nodes"), "0", "fewer nodes"),
    "more nodes than said": ("plain", (*TREE, "tree_param", "num_nodes"), "3", "fewer nodes"),
    "threshold that is text": ("plain", (*TREE, "split_conditions", 0), "x", "no number"),
    "leaf of many values": ("plain", (*TREE, "tree_param", "size_leaf_vector"), "9", "several values"),
    "class outside": ("plain", (*BOOSTER, "tree_info", 0), 3, "of a class that is not listed"),
    "class below": ("plain", (*BOOSTER, "tree_info", 0), -1, "of a class that is not listed"),
    "round outside": ("plain", (*BOOSTER, "iteration_indptr", 1), 10**6, "its rounds"),
    "rounds beyond the trees": ("plain", (*BOOSTER, "iteration_indptr", -1), 10**6, "its rounds"),
    "more trees than said": ("plain", (*BOOSTER, "gbtree_model_param", "num_trees"), "1", "fewer trees"),
    "weights of more trees": ("plain", (*BOOSTER, "weight_drop"), [1.0] * 99, "weights that are none"),
    "fewer features": ("plain", ("learner", "learner_model_param", "num_feature"), "1", "other features"),
    "a number as Python reads one": ("plain", ("learner", "learner_model_param", "num_feature"), "1_0", "whole number"),
    "more classes in the objective": (
        "plain", ("learner", "objective", "softmax_multiclass_param", "num_class"), "9", "not one of 3 classes",
    ),
    "more classes in the model": (
        "plain", ("learner", "learner_model_param", "num_class"), "9", "for each class|not one of 9 classes",
    ),
    "fewer first scores": ("plain", ("learner", "learner_model_param", "base_score"), "[1E0,2E0]", "for each class"),
    "first score that is none": ("plain", ("learner", "learner_model_param", "base_score"), "nan", "with a score"),
    "attribute that is a number": ("plain", ("learner", "attributes"), {"best_iteration": 3}, "no texts"),
    "another key": ("plain", ("learner", "more"), 1, "its learner says more"),
    "no learner": ("plain", ("learner",), None, "not subscriptable"),
    "categories outside": ("categories", (*TREE, "categories_segments", 0), 10**6, "not listed"),
    "more categories than listed": ("categories", (*TREE, "categories_sizes", 0), 10**6, "not listed"),
    "categories of no node": ("categories", (*TREE, "categories_nodes", 0), 10**6, "not its own"),
    "category below": ("categories", (*TREE, "categories", 0), -1, "no number that XGBoost has"),
    "name outside": ("categories", (*BOOSTER, "cats", "enc", 0, "offsets", 1), 10**6, "names of its categories"),
    "names of more": ("categories", (*BOOSTER, "cats", "feature_segments", -1), 10**6, "other categories"),
    "order outside": ("categories", (*BOOSTER, "cats", "sorted_idx", 0), 10**6, "not in order"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_json_that_leads_out_of_the_model_is_refused(fault, written):
    """XGBoost would read or write foreign memory, die, or walk for ever."""
    kind, path, value, why = FAULTS[fault]
    if "cats" in path and Version(xgboost.__version__) < Version("3.1"):
        pytest.skip("XGBoost stores the names of categories since 3.1")
    model = orjson.loads(written[kind])
    part = model
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value

    with pytest.raises(BundleError, match=why):
        xgboost_json.opened(orjson.dumps(model), name="model")


def test_categories_without_end_are_refused(written):
    """A line that names category 16,000,000 takes two megabytes, and there may be a million such lines."""
    model = orjson.loads(written["categories"])
    trees = model["learner"]["gradient_booster"]["model"]["trees"]
    for tree in trees:
        tree["categories"] = [2**24 - 1 for _ in tree["categories"]]
    count = 2**28 // 2**24 // sum(len(tree["categories_nodes"]) for tree in trees) + 1
    many = [{**tree, "id": place} for place, tree in enumerate(trees * count)]
    booster = model["learner"]["gradient_booster"]["model"]
    booster |= {"trees": many, "tree_info": [0] * len(many), "iteration_indptr": [0, len(many)]}
    booster["gbtree_model_param"]["num_trees"] = str(len(many))

    with pytest.raises(BundleError, match="categories without end"):
        xgboost_json.opened(orjson.dumps(model), name="model")


@pytest.mark.parametrize(
    "packed", [b"", b"{", b"[]", b"null", b"binf", b"\xff" * 40, b"[" * 200_000, b'{"learner": 1}']
)
def test_what_is_no_json_of_a_booster_is_refused(packed):
    """XGBoost has older formats, which are not validated here."""
    with pytest.raises(BundleError, match="its booster of XGBoost is none"):
        xgboost_json.opened(packed, name="model")


def test_all_digits_are_kept(written):
    """What is written anew is the model that was trained."""
    model, rows = boosted_models.fitted("xgboost, three classes")
    once = xgboost_json.opened(written["plain"], name="model")

    assert xgboost_json.dumped(once, name="model") == written["plain"]
    assert np.array_equal(once.inplace_predict(rows), model.predict_proba(rows))
