"""server/service/fallback.py: who answers, and why it was not the one before."""

import numpy as np
import pytest

from proveout.records.answer import Answer
from proveout.server.no_answer import NoAnswer
from proveout.server.service.fallback import Answered, by_rules, first_answer, level
from proveout.task.binary import Binary


def says(answer: Answer):
    return lambda: answer


def rules(said: object):
    return lambda: by_rules(lambda: said, Binary().read_rules)


def silent(reason: str):
    def ask() -> Answer:
        raise NoAnswer(reason)

    return ask


def broken() -> Answer:
    raise ZeroDivisionError("with a customer's name in it")


LATE = Answer(value=True, probability=0.8, confidence=0.9)


def test_the_model_answers_while_it_can():
    """The rules are not asked, and there is no reason to give."""
    found = first_answer([("model", says(LATE)), ("rules", broken)])

    assert found == Answered(answered_by="model", answer=LATE, fallback_reason=None)


NONSENSE = {
    "NaN": float("nan"), "infinity": float("inf"), "negative": -0.1, "over 1": 1.0001, "nothing": None, "text": "0.5",
    "list": [0.5], "400 digits": 10**400,
}  # fmt: skip


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
def test_what_is_no_probability_is_not_answered(nonsense):
    """A NaN compares as false with every threshold: it would go out as "not late"."""
    found = first_answer([("rules", rules(nonsense))])

    assert (found.answered_by, found.answer) == ("none", Answer())
    assert found.fallback_reason == "rules: its probability is not a number from 0 to 1"


@pytest.mark.parametrize("fine", [0, 1, 0.5, np.float32(0.5), np.float64(1.0)])
def test_every_kind_of_number_from_0_to_1_is_a_probability(fine):
    """Rules are a person's code: they may well return the integer 0 or a number of NumPy's."""
    assert first_answer([("rules", rules(fine))]).answer.probability == pytest.approx(float(fine))


def test_when_nobody_knows_the_answer_is_none_and_every_reason_is_told():
    """An explicit "no prediction" is an answer; an invented one is not."""
    found = first_answer([("model", silent("the worker is down")), ("rules", broken)])

    assert found.answered_by == "none"
    assert found.answer.value is None
    assert found.fallback_reason == "model: the worker is down; rules: it raised ZeroDivisionError"


def test_an_error_of_the_rules_does_not_leak_its_text():
    """The reason goes to the client and into the log: a class name is enough."""
    found = first_answer([("rules", broken)])

    assert "customer" not in str(found.fallback_reason)


def test_the_words_of_confidence_have_fixed_bounds():
    """The same share is the same word tomorrow."""
    assert [level(share) for share in (1.0, 0.85, 0.849, 0.65, 0.649, 0.0)] == [
        "high", "high", "medium", "medium", "low", "low",
    ]  # fmt: skip
