"""What an answer is where the question is yes or no."""

import math

import numpy as np
import pytest
from sklearn import metrics

from proveout.errors import UsageError
from proveout.records.answer import Answer
from proveout.task.binary import Binary

RNG = np.random.default_rng(5)
TRUTH = RNG.random(300) < 0.3
SCORES = np.clip(0.3 * TRUTH + RNG.random(300) * 0.7, 0, 1)


@pytest.mark.parametrize("scores", [[0.5], [0.0], [1.0]])
def test_a_probability_is_an_answer(scores):
    """The breaker closes on it."""
    assert Binary().is_valid(scores)


@pytest.mark.parametrize("scores", [[], [None], [math.nan], [-0.1], [1.1], [True], ["0.5"], [0.5, 0.5], None, 0.5, [1]])
def test_what_is_no_probability_is_no_answer(scores):
    """A broken model must open the breaker, whatever it sends."""
    assert not Binary().is_valid(scores)


def test_the_threshold_decides_and_belongs_to_the_true_side():
    """A probability at the threshold is called true, as the bundle says."""
    task = Binary(threshold=0.3)

    assert [task.answer([p]).value for p in (0.29, 0.3, 0.31)] == [False, True, True]
    assert task.scores(task.answer([0.29])) == (0.29,)


@pytest.mark.parametrize(
    ("said", "value", "probability"),
    [
        (0.7, True, 0.7), (0, False, 0.0), (np.float64(0.2), False, 0.2), (True, True, None),
        (np.bool_(False), False, None), (Answer(probability=0.9), True, 0.9), (Answer(value=False), False, None),
    ],
)  # fmt: skip
def test_rules_give_a_probability_or_a_label(said, value, probability):
    """Rules are plain functions of their author."""
    found = Binary().read_rules(said)

    assert (found.value, found.probability) == (value, probability)


@pytest.mark.parametrize("said", [None, math.nan, 1.5, "yes", Answer(), Answer(value=3)])
def test_rules_that_say_nothing_sensible_are_told_so(said):
    """The next answer source answers, and the reason is kept."""
    with pytest.raises(ValueError, match="not a number from 0 to 1"):
        Binary().read_rules(said)


def test_its_json_form_goes_both_ways():
    """A recorded answer can be parsed again."""
    task = Binary(threshold=0.3)
    told = task.members(task.answer([0.4]), target="late")

    assert told == {"late": True, "probability": 0.4}
    assert task.read_members(told, target="late") == task.answer([0.4])
    with pytest.raises(ValueError, match="late is 'yes'"):
        task.read_members({"late": "yes"}, target="late")


@pytest.mark.parametrize("given", [1, "true", 0.0])
def test_an_outcome_is_true_or_false(given):
    """A 1 in feedback may be a count: nobody guesses."""
    with pytest.raises(ValueError, match="true, false or null"):
        Binary().outcome(given)


def test_outcomes_of_another_task_are_refused_with_what_to_do():
    """Minutes late are no yes or no."""
    assert Binary().outcomes([1, 0, True]).tolist() == [True, False, True]
    with pytest.raises(UsageError, match='task = "multiclass" or "regression"'):
        Binary().outcomes([0, 12, 30])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("auc", metrics.roc_auc_score(TRUTH, SCORES)),
        ("log-loss", metrics.log_loss(TRUTH, SCORES)),
        ("Brier score", metrics.brier_score_loss(TRUTH, SCORES)),
        ("recall", metrics.recall_score(TRUTH, SCORES >= 0.4)),
        ("precision", metrics.precision_score(TRUTH, SCORES >= 0.4)),
        ("balanced_accuracy", metrics.balanced_accuracy_score(TRUTH, SCORES >= 0.4)),
    ],
)
def test_metrics_are_those_of_scikit_learn(name, wanted):
    """Under any of their usual names."""
    assert Binary(threshold=0.4).measure([name], TRUTH, SCORES) == {name: pytest.approx(wanted)}


def test_losses_add_up_to_the_metrics():
    """The loss per row is what a paired comparison rests on."""
    assert Binary().losses(TRUTH, SCORES).mean() == pytest.approx(metrics.brier_score_loss(TRUTH, SCORES))
    assert Binary().losses(TRUTH, SCORES, name="log_loss").mean() == pytest.approx(metrics.log_loss(TRUTH, SCORES))
    assert math.isfinite(Binary().losses(np.array([True]), np.array([0.0]), name="log_loss")[0])
    with pytest.raises(UsageError, match="not a loss of a binary task"):
        Binary().losses(TRUTH, SCORES, name="absolute")


def test_one_outcome_alone_measures_nothing_and_a_name_nobody_knows_is_told():
    """An AUC of one class is no number."""
    assert Binary().measure(["auc"], np.array([True, True]), np.array([0.1, 0.2])) == {}
    assert Binary().measure(["cost"], TRUTH, SCORES) == {}
    with pytest.raises(UsageError, match="It has: auc"):
        Binary().metric("cost")
