"""What an answer is where the question is how much."""

import math

import numpy as np
import pytest
from sklearn import metrics

from proveout.errors import UsageError
from proveout.records.answer import Answer
from proveout.task.regression import Regression

TASK = Regression(half_width=2.0, coverage=0.9)
RNG = np.random.default_rng(7)
TRUTH = RNG.normal(50, 10, 300)
SCORES = TRUTH + RNG.normal(1, 3, 300)


@pytest.mark.parametrize(("scores", "valid"), [([3.0], True), ([-1e300], True), ([0.0], True), ([math.inf], False),
                                               ([math.nan], False), ([None], False), ([], False), ([1.0, 2.0], False),
                                               ([True], False), (3.0, False)])  # fmt: skip
def test_a_finite_number_is_an_answer(scores, valid):
    """Any finite one: a probability's bounds would open the breaker on the first price."""
    assert TASK.is_valid(scores) is valid


def test_the_interval_is_as_wide_as_the_bundle_says():
    """And none is made up where nobody measured one."""
    assert TASK.answer([10.0]) == Answer(value=10.0, low=8.0, high=12.0, coverage=0.9)
    assert Regression().answer([10.0]) == Answer(value=10.0)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (3, Answer(value=3.0)), (np.float32(2.5), Answer(value=2.5)), (Answer(value=3), Answer(value=3.0)),
        (Answer(value=3, low=1, high=5, coverage=0.5), Answer(value=3.0, low=1.0, high=5.0, coverage=0.5)),
    ],
)  # fmt: skip
def test_rules_give_a_number_or_an_answer_with_an_interval(said, wanted):
    """The interval of the model is not the rules': theirs is their own."""
    assert TASK.read_rules(said) == wanted


@pytest.mark.parametrize("said", [None, "3", True, math.nan, Answer(), Answer(value=9, low=1, high=5)])
def test_rules_that_say_nothing_sensible_are_told_so(said):
    """The next answer source answers, and the reason is kept."""
    with pytest.raises(ValueError, match=r"its value (is not a finite number|does not lie in its interval)"):
        TASK.read_rules(said)


def test_its_json_form_goes_both_ways():
    """A recorded answer can be parsed again."""
    told = TASK.members(TASK.answer([10.0]), target="price")

    assert told == {"price": 10.0, "low": 8.0, "high": 12.0, "coverage": 0.9}
    assert TASK.read_members(told, target="price") == TASK.answer([10.0])
    with pytest.raises(ValueError, match="price is 'dear'"):
        TASK.read_members({"price": "dear"}, target="price")


@pytest.mark.parametrize("known", [[True, False], ["a"], [1.0, math.nan]])
def test_outcomes_that_are_no_numbers_are_refused_with_what_to_do(known):
    """A target with nulls, or with classes, is another task or another column."""
    with pytest.raises(UsageError, match="finite number in each row"):
        TASK.outcomes(known)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("mae", metrics.mean_absolute_error(TRUTH, SCORES)),
        ("RMSE", metrics.root_mean_squared_error(TRUTH, SCORES)),
        ("r2_score", metrics.r2_score(TRUTH, SCORES)),
        ("max_error", metrics.max_error(TRUTH, SCORES)),
        ("bias", float(np.mean(SCORES - TRUTH))),
        ("coverage", float(np.mean(np.abs(SCORES - TRUTH) <= 2))),
    ],
)
def test_metrics_are_those_of_scikit_learn(name, wanted):
    """Under any of their usual names."""
    assert TASK.measure([name], TRUTH, SCORES) == {name: pytest.approx(wanted)}


@pytest.mark.parametrize("quantile", [10, 50, 90])
def test_the_pinball_loss_is_that_of_scikit_learn(quantile):
    """Quantiles are compared with their own loss."""
    found = TASK.losses(TRUTH, SCORES, name=f"pinball_{quantile}").mean()

    assert found == pytest.approx(metrics.mean_pinball_loss(TRUTH, SCORES, alpha=quantile / 100))


def test_a_target_that_never_changes_has_no_r2():
    """There is no variance to explain: 1 or minus infinity would both be a lie."""
    assert TASK.measure(["r2", "mae"], np.ones(3), np.array([1.0, 2.0, 1.0])) == {"mae": pytest.approx(1 / 3)}


def test_the_naive_model_has_the_least_absolute_error_of_all_constants():
    """Otherwise it would be no baseline."""
    naive = TASK.losses(TRUTH, TASK.naive(TRUTH, len(TRUTH))).mean()

    assert naive <= TASK.losses(TRUTH, np.full(len(TRUTH), TRUTH.mean())).mean()


def test_two_answers_agree_where_one_lies_in_the_interval_of_the_other():
    """Values are never equal; the question is whether the difference is significant."""
    assert TASK.agree(TASK.answer([10.0]), TASK.answer([11.9]))
    assert not TASK.agree(TASK.answer([10.0]), TASK.answer([12.1]))
    assert TASK.difference(TASK.answer([10.0]), TASK.answer([12.1])) == pytest.approx(-2.1)
