"""Who answers: the model, else the cache, else the rules, else nobody; and why it was not the one before.

Comes in: the rungs of one request, each a way to get a claim. Goes out: an `Answer`. Pure: no clock, no process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Literal

from proveout.records import AnswerSource

Level = Literal["high", "medium", "low"]

HIGH_CONFIDENCE, MEDIUM_CONFIDENCE = 0.85, 0.65


@dataclass(frozen=True, slots=True)
class Claim:
    """What a rung says: the probability of the label, and how often such a score was right, where that is known."""

    probability: object  # whatever came: a claim is not trusted before `descend` has looked at it
    confidence: object = None


class NoAnswer(Exception):
    """A rung has nothing to say. Its text is the reason, as the answer tells it."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Who answered what. `probability` is None exactly on rung `none`."""

    answered_by: AnswerSource
    probability: float | None
    confidence: float | None
    fallback_reason: str | None


def descend(rungs: Sequence[tuple[AnswerSource, Callable[[], Claim]]]) -> Answer:
    """The first rung with a sound claim answers; the reasons of those above it are kept.

    >>> def broken(): raise NoAnswer("the worker is down")
    >>> descend([("model", broken), ("rules", lambda: Claim(probability=0.25))])
    Answer(answered_by='rules', probability=0.25, confidence=None, fallback_reason='model: the worker is down')
    """
    reasons: list[str] = []
    for rung, ask in rungs:
        try:
            claim = ask()
            probability = sound(claim.probability)
        except NoAnswer as silence:
            reasons.append(f"{rung}: {silence}")
            continue
        except Exception as error:  # the user's own rules: they may raise anything, and the request is still answered
            reasons.append(f"{rung}: it raised {type(error).__name__}")
            continue
        return Answer(
            answered_by=rung,
            probability=probability,
            confidence=share(claim.confidence),
            fallback_reason="; ".join(reasons) or None,
        )
    return Answer(answered_by="none", probability=None, confidence=None, fallback_reason="; ".join(reasons))


def sound(probability: object) -> float:
    """`probability`, if it is one. Raises: NoAnswer for NaN, for what lies outside 0 to 1 and for what is no number."""
    found = share(probability)
    if found is None:
        raise NoAnswer("its probability is not a number from 0 to 1")
    return found


def share(value: object) -> float | None:
    """`value`, if it is a number from 0 to 1; None for whatever else it is."""
    if type(value) is float:  # nearly always: asking what is Real takes longer
        return value if 0 <= value <= 1 else None
    if isinstance(value, bool) or not isinstance(value, Real):  # numpy's floats are Real, its bool is not
        return None
    try:
        found = float(value)
    except OverflowError:  # an integer of 400 digits
        return None
    return found if 0 <= found <= 1 else None  # NaN compares as neither


def level(confidence: float) -> Level:
    """The share of held-out rows with such a score that were called right, as a word.

    >>> level(0.93), level(0.7), level(0.5)
    ('high', 'medium', 'low')
    """
    if confidence >= HIGH_CONFIDENCE:
        return "high"
    return "medium" if confidence >= MEDIUM_CONFIDENCE else "low"
