"""Records of the prediction log: predictions, shadow answers, feedback, outcomes.

Output: one record for each; journals and the ledger store them.
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
    release: str  # `model@digest`, or "" if nothing was released
    record: Mapping[str, Scalar]  # the request as accepted, every field of the request schema
    answered_by: AnswerSource
    answer: Answer
    latency_ms: float
    fallback_reason: str | None = None
    role: Role = "champion"  # of the requested release: champion or canary
    key: str = ""  # id of the API key; "" if none was required


@dataclass(frozen=True, kw_only=True)
class ShadowAnswer:
    """A shadow's answer to a request that the champion answered. It is only logged."""

    request_id: str  # of the champion's prediction
    at: str
    release: str
    answer: Answer | None  # None exactly if there is a problem
    latency_ms: float  # of the model alone
    problem: str | None = None  # why there is no answer


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """Feedback on an answer."""

    feedback_id: str
    request_id: str
    at: str
    outcome: TargetValue | None = None  # what really happened, if known
    wrong: bool = False  # "this answer was wrong"
    text: str = ""
    key: str = ""  # id of the API key it came with


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of the event that a prediction was about."""

    request_id: str
    value: TargetValue  # as it was first known
    known_at: str
    corrected: TargetValue | None = None  # the newest value, if a later one differs from the first
    corrected_at: str | None = None

    @property
    def newest(self) -> TargetValue:
        """What is known now."""
        return self.value if self.corrected is None else self.corrected
