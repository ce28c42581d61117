"""model/model_io.py, soundness.py: what people build is packed and answers the same, or they are told why not.

The models stand in usual_models.py.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skops.io
import usual_models
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer

from proveout.errors import BundleError
from proveout.fastpath import tolerance
from proveout.model import estimator, model_io, tree_check

OF_SEVERAL_OUTCOMES = {"ClassifierChain", "MultiOutputClassifier"}
REFUSED = {
    "FixedThresholdClassifier": r"decides at a threshold of its own.*hand over model\.estimator_",
    "TunedThresholdClassifierCV": r"nobody has read yet.*best_threshold_ there, and hand over model\.estimator_",
    "LinearSVC": r"gives no probabilities.*CalibratedClassifierCV\(LinearSVC",
    "NuSVC": r"gives no probabilities.*CalibratedClassifierCV\(NuSVC",
    "SVC": r"gives no probabilities.*CalibratedClassifierCV\(SVC",
    "OneVsOneClassifier": "gives no probabilities",
    "OutputCodeClassifier": "nobody has read yet|gives no probabilities",
    "PassiveAggressiveClassifier": "gives no probabilities",
    "Perceptron": "gives no probabilities",
    "RidgeClassifier": "gives no probabilities",
    "RidgeClassifierCV": "gives no probabilities",
    "SGDClassifier": r"gives no probabilities.*loss=.log_loss",
    "splines": r"nobody has read yet.*Use KBinsDiscretizer",
}
NAMES = sorted({*usual_models.classifiers(), *usual_models.PIPELINES} - OF_SEVERAL_OUTCOMES)


def packed(model):
    """What a server has of it."""
    opened = model_io.loads(skops.io.dumps(model), name="model.skops")
    estimator.event_place(opened, label="late")
    return opened


SAMPLE = {*usual_models.PIPELINES, "FixedThresholdClassifier", "LinearSVC", "RidgeClassifier", "SVC", "SGDClassifier"}


@pytest.mark.parametrize(
    "name", [name if name in SAMPLE else pytest.param(name, marks=pytest.mark.chaos) for name in NAMES]
)
def test_a_usual_model_answers_the_same_once_packed_or_is_refused_with_the_reason(name):
    """KNN, soft votes and boosting with categories were told not to be scikit-learn's own, which they are."""
    model, rows = usual_models.fitted(name)
    if name in REFUSED:
        with pytest.raises(BundleError, match=REFUSED[name]):
            packed(model)
        return

    said = estimator.scores(packed(model), rows, estimator.question(packed(model), "binary", label="late"))

    wanted = model.predict_proba(rows)[:, 1]
    assert not tolerance.apart(said, wanted, tolerance.tolerance(model).answers).any()
    assert np.ptp(wanted) > 0 or name == "DummyClassifier"


def test_trained_twice_in_two_processes_a_model_has_the_same_digest(tmp_path):
    """TfidfVectorizer kept a place in memory; a set has another order in each process."""
    names = [
        "scaled", "texts", "texts without some words", "texts in few numbers", "votes", "columns by selector",
        "rare categories", "target encoded", "boosted with categories", "neighbours in boxes", "calibrated in steps",
        "a network", "a forest in jobs", "RandomForestClassifier", "GradientBoostingClassifier",
        "HistGradientBoostingClassifier", "AdaBoostClassifier", "DecisionTreeClassifier", "GaussianNB",
    ]  # fmt: skip
    ran = subprocess.run(
        [sys.executable, str(Path(usual_models.__file__)), *names],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    elsewhere = json.loads(ran.stdout)

    here = {name: usual_models.digest(usual_models.fitted(name)[0]) for name in names}

    assert [name for name in names if here[name] != elsewhere[name]] == []


def test_a_set_and_a_dict_of_mixed_keys_come_back_as_they_were(tmp_path):
    """Put in order for the digest, they must not be put wrong."""
    model = FunctionTransformer(kw_args={"words": {"b", "a", "c"}, "weights": {1: "one", "zero": 0, 2.5: None}})

    model_io.dump(model, tmp_path / "model.skops")

    assert model_io.load(tmp_path / "model.skops").kw_args == model.kw_args


# --- what is trusted is looked at -------------------------------------------------------------------------------------


def spoilt(model, part, place, value):
    """The model with a part that was written to by hand."""
    part[place] = value
    with pytest.raises(BundleError) as refused:
        tree_check.check(model, name="model.skops")
    return str(refused.value)


@pytest.mark.parametrize(
    ("number", "place", "value", "problem"),
    [
        (1, 0, 10**6, "does not name each of its rows once"),
        (2, 0, (0, 10**6, 1, 1.0), "a node leads outside of it"),
        (2, -1, (0, 5, 0, 1.0), "a node leads outside of it"),
    ],
)
def test_neighbours_are_not_looked_up_in_foreign_memory(number, place, value, problem):
    """scikit-learn follows the numbers of a search tree without looking where they lead."""
    model = KNeighborsClassifier(algorithm="kd_tree", leaf_size=5).fit(
        usual_models.TABLE[usual_models.NUMBERS], usual_models.LATE
    )
    tree_check.check(model, name="model.skops")

    assert problem in spoilt(model, model._tree.__getstate__()[number], place, value)


def test_a_neighbour_of_a_class_that_there_is_not_is_refused():
    """Votes are counted in an array with a place for each class."""
    model = KNeighborsClassifier(algorithm="brute").fit(usual_models.TABLE[usual_models.NUMBERS], usual_models.LATE)

    assert "of a class that is not listed" in spoilt(model, model._y, 3, 2**30)


def test_a_node_by_category_of_a_feature_without_categories_is_refused():
    """What is known of the categories is looked up by the feature's number among those that have some."""
    model, _ = usual_models.fitted("boosted with categories")
    tree_check.check(model, name="model.skops")

    assert "categories of a feature that has none" in spoilt(
        model, model._bin_mapper.is_categorical_, slice(None), False
    )


def test_a_function_with_arguments_is_opened_only_where_scikit_learn_keeps_one():
    """`functools.partial` is trusted for boosted trees with categories: any other would be called with every answer."""
    import functools

    with pytest.raises(BundleError, match="it calls a function"):
        tree_check.check(FunctionTransformer(functools.partial(np.save, "/tmp/x")), name="model.skops")
    tree_check.check(usual_models.fitted("boosted with categories")[0], name="model.skops")


def test_a_part_of_ones_own_is_told_apart_from_one_that_nobody_has_read(tmp_path):
    """ "Build it of scikit-learn's own parts", to somebody who has, is no help."""
    with pytest.raises(BundleError, match=r"usual_models\.few, which proveout does not open\. .*flows/features\.py"):
        packed(FunctionTransformer(usual_models.few))
    with pytest.raises(BundleError, match=r"scipy.*nobody has read yet"):
        packed(usual_models.fitted("splines")[0])
