"""What an answer is where the question is which class."""

import math

import numpy as np
import pytest
from sklearn import metrics

from proveout.errors import UsageError
from proveout.records.answer import Answer
from proveout.task.multiclass import Multiclass

TASK = Multiclass(("blue", "green", "red"))
RNG = np.random.default_rng(6)
TRUTH = np.asarray(TASK.classes)[RNG.integers(0, 3, 300)]
SCORES = RNG.dirichlet((1, 1, 1), 300) * 0.6 + 0.4 * (TRUTH[:, None] == np.asarray(TASK.classes))


@pytest.mark.parametrize("scores", [[0.2, 0.3, 0.5], [0.0, 0.0, 1.0], [0.1 + 2e-7, 0.2, 0.7]])
def test_a_probability_for_each_class_is_an_answer(scores):
    """Single precision adds up to 1 only nearly."""
    assert TASK.is_valid(scores)


@pytest.mark.parametrize(
    "scores", [[0.5, 0.5], [0.2, 0.2, 0.2], [0.5, 0.6, -0.1], [math.nan, 0.5, 0.5], [None, 0.5, 0.5], [], None, 0.5]
)
def test_anything_else_is_none(scores):
    """A broken model must open the breaker, whatever it sends."""
    assert not TASK.is_valid(scores)


def test_the_most_probable_class_is_answered_and_a_tie_goes_to_the_first():
    """As NumPy's argmax has it: the gate and the server say the same."""
    assert TASK.answer([0.4, 0.4, 0.2]).value == "blue" == TASK.labels(np.array([[0.4, 0.4, 0.2]]))[0]
    assert TASK.answer([0.1, 0.2, 0.7]).probability == 0.7
    assert TASK.scores(TASK.answer([0.1, 0.2, 0.7])) == (0.1, 0.2, 0.7)


@pytest.mark.parametrize(
    ("task", "said", "value"),
    [
        (TASK, "red", "red"), (TASK, {"red": 0.75, "blue": 0.25}, "red"), (Multiclass(), "red", "red"),
        (Multiclass((1, 2)), 2, 2), (Multiclass((1, 2)), np.int64(2), 2), (Multiclass((1, 2)), {1: 0.2, 2: 0.8}, 2),
        (Multiclass((False, True)), True, True), (Multiclass(), {"a": 1.0}, "a"), (TASK, Answer(value="red"), "red"),
        (TASK, TASK.answer([0.0, 0.0, 1.0]), "red"),
    ],
)  # fmt: skip
def test_rules_name_a_class_or_give_a_probability_for_some(task, said, value):
    """Rules are plain functions of their author; also before a bundle has said which classes there are."""
    assert task.read_rules(said).value == value


@pytest.mark.parametrize("said", [None, "purple", 1, 0.5, {"red": 0.5}, {"purple": 1.0}, {"red": "much"}, Answer()])
def test_rules_that_say_nothing_sensible_are_told_so(said):
    """A class that does not exist would be acted upon."""
    with pytest.raises(ValueError, match=r"no class|not a probability for each class"):
        TASK.read_rules(said)


def test_true_is_no_class_called_1():
    """In Python they are equal, and in a table of whole numbers only one of them is a class."""
    with pytest.raises(ValueError, match="no class"):
        Multiclass((0, 1)).read_rules(True)


def test_its_json_form_goes_both_ways():
    """A recorded answer can be parsed again."""
    told = TASK.members(TASK.answer([0.1, 0.2, 0.7]), target="colour")

    assert told == {"colour": "red", "probability": 0.7, "probabilities": {"blue": 0.1, "green": 0.2, "red": 0.7}}
    assert TASK.read_members(told, target="colour") == TASK.answer([0.1, 0.2, 0.7])
    with pytest.raises(ValueError, match="not a probability"):
        TASK.read_members({**told, "probabilities": {"red": 7}}, target="colour")


def test_an_outcome_may_be_a_class_nobody_trained_on():
    """The world does not keep to the training rows; but a number is no text."""
    assert TASK.outcome("purple") == "purple"
    assert Multiclass((1, 2)).outcome(3.0) == 3
    with pytest.raises(ValueError, match="a text: the model knows blue, green, red"):
        TASK.outcome(3)
    with pytest.raises(ValueError, match="a class"):
        Multiclass().outcome(2.5)


@pytest.mark.parametrize(("known", "why"), [([1.5, 2.0], "regression"), (["a", None], "None"), (["a", 1], "one type")])
def test_outcomes_that_are_no_classes_are_refused_with_what_to_do(known, why):
    """A measured number, a hole, or two kinds of one thing."""
    with pytest.raises(UsageError, match=why):
        Multiclass().outcomes(known)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("log_loss", metrics.log_loss(TRUTH, SCORES)),
        ("macro_f1", metrics.f1_score(TRUTH, TASK.labels(SCORES), average="macro")),
        ("balanced accuracy", metrics.balanced_accuracy_score(TRUTH, TASK.labels(SCORES))),
        ("auc_ovr", metrics.roc_auc_score(TRUTH, SCORES, multi_class="ovr")),
        ("top_2_accuracy", metrics.top_k_accuracy_score(TRUTH, SCORES, k=2)),
        ("worst_recall", min(metrics.recall_score(TRUTH, TASK.labels(SCORES), average=None))),
    ],
)
def test_metrics_are_those_of_scikit_learn(name, wanted):
    """Under any of their usual names."""
    assert TASK.measure([name], TRUTH, SCORES) == {name: pytest.approx(wanted)}


def test_a_class_that_was_never_seen_costs_as_much_as_a_probability_of_0():
    """It is wrong, and finitely so: one new class must not make every mean infinite."""
    loss = TASK.losses(np.array(["purple", "red"]), np.array([[0.0, 0.0, 1.0]] * 2))

    assert 30 < loss[0] < 40
    assert loss[1] == 0
    assert TASK.right(np.array(["purple", "red"]), np.array([[0.0, 0.0, 1.0]] * 2)).tolist() == [False, True]


def test_the_naive_model_has_the_least_log_loss_of_all_constants():
    """Otherwise it would be no baseline."""
    naive = TASK.losses(TRUTH, TASK.naive(TRUTH, len(TRUTH))).mean()
    uniform = TASK.losses(TRUTH, np.full((len(TRUTH), 3), 1 / 3)).mean()

    assert naive <= uniform


def test_how_far_apart_two_answers_are_is_the_probability_that_moved():
    """Half of it left one class, half came to another."""
    assert TASK.difference(TASK.answer([0.2, 0.3, 0.5]), TASK.answer([0.5, 0.3, 0.2])) == pytest.approx(0.3)
    assert TASK.difference(Answer(value="red"), Answer(value="blue")) == 1
