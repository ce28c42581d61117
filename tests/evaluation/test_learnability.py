"""specification.py, dependencies.py: can the model's steps learn, are they tuned, and on what do they stand."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_info, threadpool_limits

from proveout.errors import UsageError
from proveout.evaluation import dependency_diff, learnability
from proveout.task.binary import Binary


@dataclass
class Candidate:
    """What a bundle gives of its model before it was fitted."""

    steps: Any = field(default_factory=lambda: make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=4)))
    lock: str | None = None

    task = Binary()

    def parameters(self):
        return self.steps.get_params()

    def fit_again(self, columns, labels, *, changes=None):
        return clone(self.steps).set_params(**(changes or {})).fit(columns, labels)

    def ask(self, model, columns):
        return model.predict_proba(columns)[:, 1]

    def model_columns(self, records):
        return records

    def requirements(self):
        return self.lock


@dataclass
class Rows:
    records: pd.DataFrame
    labels: np.ndarray

    @property
    def rows(self):
        return len(self.labels)


@pytest.fixture
def training():
    rng = np.random.default_rng(0)
    wind = rng.normal(size=6_000)
    records = pd.DataFrame({"wind": wind, "few": rng.integers(0, 3, 6_000)})
    return Rows(records, rng.random(6_000) < 1 / (1 + np.exp(-2 * np.sin(3 * wind))))


BATCHES = np.repeat(["2013-01", "2013-02", "2013-03"], 2_000)


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
        learnability.neighbours(Watched(), training, grid=grid, margin=0.5)

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


def test_a_badly_tuned_model_is_told_what_would_have_been_better(training):
    """A stump cannot follow a sine; a deeper tree can, surely."""
    stump = Candidate(make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=1)))

    [deeper] = learnability.neighbours(
        stump, training, grid={"decisiontreeclassifier__max_depth": [1, 5]}, margin=0.02, batches=BATCHES
    )

    assert deeper.breaks
    assert deeper.slice == "max_depth 5 for 1"
    assert deeper.decision.startswith("better by 0.")
    assert deeper.rows == 2_000


def test_a_well_tuned_model_has_no_better_neighbour(training):
    """The other way round: nothing is surely gained."""
    tree = Candidate(make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=5)))

    found = learnability.neighbours(
        tree, training, grid={"decisiontreeclassifier__max_depth": [1, 5, 6]}, margin=0.02, batches=BATCHES
    )

    assert [one.holds for one in found] == [True, True]


@pytest.mark.parametrize(
    ("grid", "batches", "said"),
    [
        ({"depth": [3]}, BATCHES, "no parameter depth"),
        ({"max_depth": [3]}, BATCHES, "It has decisiontreeclassifier__max_depth"),
        ({"decisiontreeclassifier__max_depth": [4]}, BATCHES, "no value but the candidate's own"),
        ({"decisiontreeclassifier__max_depth": [5]}, np.repeat(["2013-01"], 6_000), "of one batch"),
    ],
)
def test_a_grid_that_compares_nothing_is_refused(training, grid, batches, said):
    """A check that looks at no neighbour would pass for ever."""
    with pytest.raises(UsageError, match=said):
        learnability.neighbours(Candidate(), training, grid=grid, margin=0.02, batches=batches)


LOCK = "numpy==2.4.6 \\\n    --hash=sha256:00\nskops==0.16 \\\n    --hash=sha256:01\n"


def test_a_package_that_changed_since_the_champion_is_named():
    """A library that came with an update of another is nobody's decision until somebody sees it."""
    before, now = Candidate(lock=LOCK), Candidate(lock=LOCK.replace("2.4.6", "2.5.0"))

    found = dependency_diff.changed(now, before)

    assert found.value == 1
    assert found.decision == "numpy 2.4.6 to 2.5.0"
    assert dependency_diff.changed(before, before).value == 0


def test_the_first_model_of_a_project_has_no_champion_to_differ_from():
    """Were it not judged, a check with a bound would hold the first one back for ever."""
    found = dependency_diff.changed(Candidate(lock=LOCK), None)

    assert (found.value, found.unjudged) == (0, "")
    assert found.decision == "there is no champion yet"


def test_without_a_lock_nothing_is_said_to_be_alike():
    """Not judged is not the same as unchanged."""
    assert dependency_diff.changed(Candidate(), Candidate(lock=LOCK)).unjudged == "no requirements.lock is packed"
