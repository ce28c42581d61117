"""The fallback chain: the model answers, else the cache, else the rules, else nothing; with the reason for each
fallback.

Input: the sources of one request, each a function that returns an answer. Output: an `Answered`. Pure: no clock, no
process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from proveout.records.answer import Answer
from proveout.records.prediction import AnswerSource
from proveout.server.no_answer import NoAnswer

Level = Literal["high", "medium", "low"]

HIGH_CONFIDENCE, MEDIUM_CONFIDENCE = 0.85, 0.65


@dataclass(frozen=True, kw_only=True)
class Answered:
    """An answer and its source. The answer has no value if and only if the source is `none`."""

    answered_by: AnswerSource
    answer: Answer
    fallback_reason: str | None


def first_answer(sources: Sequence[tuple[AnswerSource, Callable[[], Answer]]]) -> Answered:
    """The answer of the first source that has one, with the reasons why the sources before it had none.

    A source without an answer raises NoAnswer, whose text is the reason.

    >>> def broken(): raise NoAnswer("the worker is down")
    >>> found = first_answer([("model", broken), ("rules", lambda: Answer(value=True, probability=0.75))])
    >>> found.answered_by, found.answer.probability, found.fallback_reason
    ('rules', 0.75, 'model: the worker is down')
    """
    reasons: list[str] = []
    for source, ask in sources:
        try:
            answer = ask()
        except NoAnswer as no_answer:
            reasons.append(f"{source}: {no_answer}")
            continue
        except Exception as error:  # the project's own rules may raise anything; the request is still answered
            reasons.append(f"{source}: it raised {type(error).__name__}")
            continue
        return Answered(answered_by=source, answer=answer, fallback_reason="; ".join(reasons) or None)
    return Answered(answered_by="none", answer=Answer(), fallback_reason="; ".join(reasons))


class Invalid(NoAnswer):
    """The rules returned something that is not an answer of this task."""


def by_rules(rules: Callable[[], object], read: Callable[[object], Answer]) -> Answer:
    """The answer of the rules.

    Args:
        read: `Task.read_rules`.
    Raises: Invalid if the rules return no answer of the task; whatever the rules raise.
    """
    returned = rules()
    try:
        return read(returned)
    except ValueError as error:
        raise Invalid(str(error)) from error


def level(confidence: float) -> Level:
    """A confidence (the share of held-out rows with such a score that were right) as a word.

    >>> level(0.93), level(0.7), level(0.5)
    ('high', 'medium', 'low')
    """
    if confidence >= HIGH_CONFIDENCE:
        return "high"
    return "medium" if confidence >= MEDIUM_CONFIDENCE else "low"
