"""model/lightgbm_text.py: no text makes LightGBM walk out of its trees."""

import re

import boosted_models
import numpy as np
import pytest

from proveout.errors import BundleError
from proveout.model import lightgbm_text


@pytest.fixture(scope="module")
def written():
    """The text of a booster with three classes; and of one whose columns have categories."""
    named = {}
    for key, name in (("plain", "lightgbm, three classes"), ("categories", "lightgbm, categories")):
        named[key] = lightgbm_text.dumped(boosted_models.fitted(name)[0].booster_, name="model").decode()
    return named


FAULTS = {
    "child outside": ("plain", r"left_child=-?\d+", "left_child=1000000", "leads outside"),
    "child above": ("plain", r"right_child=-?\d+", "right_child=0", "or back"),
    "leaf outside": ("plain", r"left_child=-?\d+", "left_child=-1000000", "leads outside"),
    "fewer children": ("plain", r"left_child=-?\d+ ", "left_child=", "whole numbers"),
    "child that is a fraction": ("plain", r"left_child=-?\d+", "left_child=1.5", "whole numbers"),
    "child written otherwise": ("plain", r"left_child=-?\d+", "left_child=0x1", "whole numbers"),
    "child in other digits": ("plain", r"left_child=-?\d+", "left_child=١", "whole numbers"),
    "feature outside": ("plain", r"split_feature=\d+", "split_feature=2", "a feature that no row has"),
    "feature below": ("plain", r"split_feature=\d+", "split_feature=-1", "a feature that no row has"),
    "way to decide": ("plain", r"decision_type=\d+", "decision_type=4000", "a way that there is not"),
    "categories where there are none": ("plain", r"decision_type=\d+", "decision_type=1", "not listed"),
    "more leaves than listed": ("plain", r"num_leaves=\d+", "num_leaves=31", "whole numbers"),
    "no leaf": ("plain", r"num_leaves=\d+", "num_leaves=0", "no leaf"),
    "leaf without a value": ("plain", r"leaf_value=[^\n]*", "leaf_value=", "numbers"),
    "value that is no number": ("plain", r"leaf_value=\S+", "leaf_value=x", "numbers"),
    "line twice": ("plain", r"(num_leaves=\d+)\n", r"\1\n\1\n", "there twice"),
    "line of the head twice": ("plain", r"(max_feature_idx=\d+)\n", r"\1\nmax_feature_idx=999\n", "there twice"),
    "strange line": ("plain", r"shrinkage=", "shrunk=", "not LightGBM's"),
    "tree out of order": ("plain", r"Tree=1\n", "Tree=7\n", "not in order"),
    "more features": ("plain", r"max_feature_idx=\d+", "max_feature_idx=999", "for each feature"),
    "fewer features": ("plain", r"max_feature_idx=\d+", "max_feature_idx=0", "for each feature"),
    "more classes": ("plain", r"num_class=3\n", "num_class=9\n", "one tree for each class"),
    "more trees a round": ("plain", r"num_tree_per_iteration=3", "num_tree_per_iteration=2", "one tree for each class"),
    "more classes in the objective": ("plain", r"num_class:3", "num_class:999", "not one of 3 classes"),
    "classes without an objective": ("plain", r"objective=[^\n]*", "objective=binary sigmoid:1", "not one of 3"),
    "another version": ("plain", r"version=v4", "version=v3", "v4 is read"),
    "categories outside": ("categories", r"cat_boundaries=0 \d+", "cat_boundaries=0 1000000", "no categories"),
    "categories backwards": ("categories", r"cat_boundaries=0 ", "cat_boundaries=5 ", "no categories|whole numbers"),
    "fewer categories": ("categories", r"cat_threshold=\d+", "cat_threshold=", "no categories|whole numbers"),
    "more categories than there are": ("categories", r"num_cat=1\n", "num_cat=99\n", "whole numbers"),
    "names of categories that are none": ("categories", r"pandas_categorical:.*", "pandas_categorical:{}", "names of"),
    "a list for a name": ("categories", r"pandas_categorical:.*", "pandas_categorical:[[[1]]]", "plain"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_text_that_leads_out_of_the_model_is_refused(fault, written):
    """LightGBM would read foreign memory, die, or walk for ever."""
    kind, pattern, value, why = FAULTS[fault]
    changed, found = re.subn(pattern, value, written[kind], count=1)
    assert found == 1
    assert changed != written[kind]

    with pytest.raises(BundleError, match=why):
        lightgbm_text.opened(changed.encode(), name="model")


@pytest.mark.parametrize("packed", [b"", b"tree", b"tree\n\n", b"\xff\xfe", b"tree\n" * 1000, b"/etc/passwd"])
def test_what_is_no_text_of_a_booster_is_refused(packed):
    """The message names the model's file, and LightGBM sees nothing of it."""
    with pytest.raises(BundleError, match="its booster of LightGBM is none"):
        lightgbm_text.opened(packed, name="model")


def test_parameters_in_the_text_are_left_out(written):
    """They name files, machines and threads, and no answer needs them."""
    parameters = "\nparameters:\n[machines: evil:1]\n[num_threads: 64]\n\nend of parameters\n"
    text = written["plain"].replace("end of trees\n", f"end of trees\n{parameters}")

    booster = lightgbm_text.opened(text.encode(), name="model")

    assert "machines" not in booster.model_to_string()
    assert lightgbm_text.dumped(booster, name="model").decode() == written["plain"]


def test_all_digits_are_kept(written):
    """What is written anew is the model that was trained."""
    model, rows = boosted_models.fitted("lightgbm, three classes")
    once = lightgbm_text.opened(written["plain"].encode(), name="model")

    assert np.array_equal(once.predict(rows), model.predict_proba(rows))
