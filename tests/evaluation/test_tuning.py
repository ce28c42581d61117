"""evaluation/tuning.py: the evidence for a badly tuned model names a better setting."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from unfitted_steps import Candidate

from proveout.errors import UsageError
from proveout.evaluation import tuning

BATCHES = np.repeat(["2013-01", "2013-02", "2013-03"], 2_000)


def test_a_badly_tuned_model_is_told_what_would_have_been_better(training):
    """A stump cannot follow a sine; a deeper tree can, significantly better."""
    stump = Candidate(make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=1)))

    [deeper] = tuning.neighbours(
        stump, training, grid={"decisiontreeclassifier__max_depth": [1, 5]}, margin=0.02, batches=BATCHES
    )

    assert deeper.breaks
    assert deeper.slice == "max_depth 5 for 1"
    assert deeper.decision.startswith("better by 0.")
    assert deeper.rows == 2_000


def test_a_well_tuned_model_has_no_better_neighbour(training):
    """The other way round: no significant gain."""
    tree = Candidate(make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=5)))

    found = tuning.neighbours(
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
        tuning.neighbours(Candidate(), training, grid=grid, margin=0.02, batches=batches)
