"""What the server logs: predictions, answers of shadows, feedback, outcomes.

Input: nothing. Output: one record for each; journals and the ledger hold them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from proveout.records.answer import Answer
from proveout.records.release import Role
from proveout.records.values import Scalar, TargetValue

AnswerSource = Literal["model", "cache", "rules", "none"]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One logged answer."""

    request_id: str
    at: str
    model: str
    release: str  # `model@digest`, or "" where nothing was released
    record: Mapping[str, Scalar]  # the request as accepted, every field of the request schema
    answered_by: AnswerSource
    answer: Answer
    latency_ms: float
    fallback_reason: str | None = None
    role: Role = "champion"  # of the release that was asked: champion or canary
    key: str = ""  # id of the API key that asked; "" where none was needed


@dataclass(frozen=True, kw_only=True)
class ShadowAnswer:
    """What a shadow said of a request that the champion answered. Nobody waited for it."""

    request_id: str  # of the prediction it stands beside
    at: str
    release: str
    answer: Answer | None  # None exactly where there is a problem
    latency_ms: float  # of the model alone, as it is for nobody's answer
    problem: str | None = None  # why there is no answer


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """What somebody said of an answer."""

    feedback_id: str
    request_id: str
    at: str
    outcome: TargetValue | None = None  # what really happened, where it is known
    wrong: bool = False  # "this answer was wrong"
    text: str = ""
    key: str = ""  # id of the API key it came with


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What really happened to the thing a prediction was about."""

    request_id: str
    value: TargetValue
    known_at: str
