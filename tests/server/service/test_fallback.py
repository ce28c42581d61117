"""serving/ladder.py: who answers, and why it was not the one before."""

import numpy as np
import pytest

from proveout.server.service.fallback import Answer, Claim, NoAnswer, descend, level


def says(probability: object, confidence: object = None):
    return lambda: Claim(probability=probability, confidence=confidence)


def silent(reason: str):
    def ask() -> Claim:
        raise NoAnswer(reason)

    return ask


def broken() -> Claim:
    raise ZeroDivisionError("with a customer's name in it")


def test_the_model_answers_while_it_can():
    """The rules are not asked, and there is no reason to give."""
    answer = descend([("model", says(0.2, 0.9)), ("rules", broken)])

    assert answer == Answer(answered_by="model", probability=0.2, confidence=0.9, fallback_reason=None)


NONSENSE = {
    "NaN": float("nan"), "infinity": float("inf"), "negative": -0.1, "over 1": 1.0001, "nothing": None, "text": "0.5",
    "true": True, "list": [0.5], "NumPy's true": np.bool_(True), "400 digits": 10**400,
}  # fmt: skip


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
def test_what_is_no_probability_is_not_answered(nonsense):
    """A NaN compares as false with every threshold: it would go out as «not late»."""
    answer = descend([("model", says(nonsense)), ("rules", says(0.4))])

    assert (answer.answered_by, answer.probability) == ("rules", 0.4)
    assert answer.fallback_reason == "model: its probability is not a number from 0 to 1"


@pytest.mark.parametrize("fine", [0, 1, 0.5, np.float32(0.5), np.float64(1.0)])
def test_every_kind_of_number_from_0_to_1_is_a_probability(fine):
    """Rules are a person's code: they may well return the integer 0 or a number of NumPy's."""
    assert descend([("rules", says(fine))]).probability == pytest.approx(float(fine))


def test_when_nobody_knows_the_answer_is_none_and_every_reason_is_told():
    """An explicit «no prediction» is an answer; an invented one is not."""
    answer = descend([("model", silent("the worker is down")), ("rules", broken)])

    assert answer.answered_by == "none"
    assert answer.probability is None
    assert answer.fallback_reason == "model: the worker is down; rules: it raised ZeroDivisionError"


def test_an_error_of_the_rules_does_not_leak_its_text():
    """The reason goes to the client and into the log: a class name is enough."""
    answer = descend([("rules", broken)])

    assert "customer" not in str(answer.fallback_reason)


def test_a_confidence_that_is_none_does_not_cost_the_answer():
    """How sure one is matters less than the answer."""
    answer = descend([("model", says(0.2, float("nan")))])

    assert (answer.answered_by, answer.confidence) == ("model", None)


def test_the_words_of_confidence_have_fixed_bounds():
    """The same share is the same word tomorrow."""
    assert [level(share) for share in (1.0, 0.85, 0.849, 0.65, 0.649, 0.0)] == [
        "high", "high", "medium", "medium", "low", "low",
    ]  # fmt: skip
