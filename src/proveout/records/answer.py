"""Answers of each task, and the facts needed to read a bundle's scores.

Output: `TaskFacts`, stored in a bundle, and `Answer`, which users' fallback, actions and cost functions use.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from proveout.records.values import TargetValue

TaskName = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True, kw_only=True)
class TaskFacts:
    """The facts needed to read a bundle's scores. `task/` makes the task from them."""

    task: TaskName = "binary"
    threshold: float | None = None  # binary: true from this probability on
    classes: tuple[TargetValue, ...] = ()  # multi-class, in the order of the scores
    half_width: float | None = None  # regression: of the interval, in the unit of the target
    coverage: float | None = None  # regression: share of held-out rows whose outcome is in the interval


@dataclass(frozen=True, kw_only=True, init=False)
class Answer:
    """The answer to one record, by a model, the cache or the rules. The fields in use depend on the task:

    binary          `value` is true or false, `probability` that of true
    multi-class     `value` is a class, `probability` its own, `probabilities` those of all classes
    regression      `value` is a number, and the outcome is between `low` and `high` with probability `coverage`

    Rules may give only the value. Without an answer, all fields are None.
    """

    value: TargetValue | None = None
    probability: float | None = None
    probabilities: Mapping[str, float] | None = None  # by the class as text: 3 is "3", true is "true"
    low: float | None = None
    high: float | None = None
    coverage: float | None = None  # 0 to 1
    confidence: float | None = None  # share of held-out rows with similar scores that were right, 0 to 1

    def __init__(
        self,
        *,
        value: TargetValue | None = None,
        probability: float | None = None,
        probabilities: Mapping[str, float] | None = None,
        low: float | None = None,
        high: float | None = None,
        coverage: float | None = None,
        confidence: float | None = None,
    ) -> None:
        # One is made and written for every request. What is None stays in the class: an instance has only the fields
        # of its task, so it is made in half the time, and orjson, which writes an instance's own fields, leaves it out.
        own = self.__dict__
        if value is not None:
            own["value"] = value
        if probability is not None:
            own["probability"] = probability
        if probabilities is not None:
            own["probabilities"] = probabilities
        if low is not None:
            own["low"] = low
        if high is not None:
            own["high"] = high
        if coverage is not None:
            own["coverage"] = coverage
        if confidence is not None:
            own["confidence"] = confidence
