"""evaluation/learnability.py: steps that work find a planted rule, and none in noise."""

import pytest
from sklearn.dummy import DummyClassifier
from threadpoolctl import threadpool_info, threadpool_limits
from unfitted_steps import Candidate

from proveout.errors import UsageError
from proveout.evaluation import learnability, tuning


def test_a_specification_that_works_finds_a_planted_rule_and_none_in_noise(training):
    """Both ways: a model that finds something in noise has seen the answer."""
    planted, noise = learnability.learns(Candidate(), training)

    assert planted.holds
    assert planted.value > 0.99
    assert noise.holds
    assert abs(noise.value - 0.5) < 0.06
    assert planted.covers == ("infra-2",)


def test_models_are_fitted_with_one_thread(training):
    """Two that wait for each other on a core which somebody else has cost ten times as long."""
    seen = []

    class Watched(Candidate):
        def fit_again(self, columns, labels, *, changes=None):
            seen.extend(pool["num_threads"] for pool in threadpool_info())
            return super().fit_again(columns, labels, changes=changes)

    with threadpool_limits(2):
        learnability.learns(Watched(), training)
        grid = {"decisiontreeclassifier__max_depth": [2]}
        tuning.neighbours(Watched(), training, grid=grid, margin=0.5)

    assert seen and set(seen) == {1}


def test_a_specification_that_cannot_learn_is_found(training):
    """A constant: its code runs, and its metrics on rare labels look well."""
    planted, _ = learnability.learns(Candidate(DummyClassifier()), training)

    assert planted.breaks
    assert planted.value == 0.5


def test_without_a_number_there_is_nowhere_to_plant_a_rule(training):
    """It says so, and does not pass."""
    training.records = training.records[["few"]]

    with pytest.raises(UsageError, match="nowhere to plant a rule"):
        learnability.learns(Candidate(), training)
