"""What a model is asked and what it answers, of each task.

Input: nothing. Output: `TaskFacts`, which a bundle has to be read by, and `Answer`, which users' fallback, actions and
cost take or give.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from proveout.records.values import TargetValue

TaskName = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True, kw_only=True)
class TaskFacts:
    """What has to be known of a bundle to read its scores. `task/` makes of it the task itself."""

    task: TaskName = "binary"
    threshold: float | None = None  # binary: true from this probability on
    classes: tuple[TargetValue, ...] = ()  # multi-class, in the order of the scores
    half_width: float | None = None  # regression: of the interval around a value, in the unit of the target
    coverage: float | None = None  # regression: share of the held-out rows whose outcome lay in its interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What was said of one record, by a model, its cache or the rules. Which fields are filled depends on the task:

    binary          `value` is true or false, `probability` that of true
    multi-class     `value` is a class, `probability` its own, `probabilities` those of all classes
    regression      `value` is a number, and the outcome lies between `low` and `high` with the chance `coverage`

    Rules may know only the value. Without an answer, all is None.
    """

    value: TargetValue | None = None
    probability: float | None = None
    probabilities: Mapping[str, float] | None = None  # by the class as text: 3 is "3", true is "true"
    low: float | None = None
    high: float | None = None
    coverage: float | None = None  # 0 to 1
    confidence: float | None = None  # share of the held-out rows with such an answer that it was right for, 0 to 1
