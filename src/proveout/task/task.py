"""The interface of a task: binary, multi-class or regression. `of` chooses one from the facts in a bundle.

Input: a name, or the facts of a bundle. Output: a `Task`. Other modules call its methods and need not know which it is.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from proveout.records.answer import Answer, TaskFacts, TaskName
from proveout.records.values import Scalar, TargetValue
from proveout.task.binary import THRESHOLD, Binary
from proveout.task.metric import Metric
from proveout.task.multiclass import Multiclass
from proveout.task.output import Output
from proveout.task.regression import Regression

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


class Task(Protocol):
    """A task. Arrays of scores have the shape from `shape`; arrays of outcomes come from `outcomes`."""

    @property
    def name(self) -> TaskName:
        """The name of the task."""

    @property
    def facts(self) -> TaskFacts:
        """The task's facts, as stored in a bundle: `of(task.facts) == task`."""

    @property
    def width(self) -> int:
        """How many numbers the scores of one row have."""

    @property
    def members_of(self) -> tuple[str, ...]:
        """Names in the JSON form of an answer. A target cannot have one of them as its name."""

    @property
    def invalid(self) -> str:
        """What is wrong with invalid scores, in words."""

    @property
    def outcome_words(self) -> str:
        """The valid outcomes, in words."""

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The output columns of many answers, for tensor protocols."""

    @property
    def default_loss(self) -> str:
        """The default of `losses`."""

    @property
    def default_metric(self) -> str:
        """The metric that a bundle promises if train.toml names none."""

    @property
    def watched(self) -> str:
        """The name of what `watch` returns."""

    @property
    def smallest_effect(self) -> float:
        """Smaller effects on the score are not shown."""

    def is_valid(self, scores: object) -> bool:
        """Whether a list of plain numbers is valid scores."""

    def answer(self, scores: Sequence[float], *, confidence: float | None = None) -> Answer:
        """The answer for valid scores."""

    def scores(self, answer: Answer) -> tuple[float, ...] | None:
        """The scores of `answer`; None if it has none."""

    def read_rules(self, said: object) -> Answer:
        """The answer in the return value of the rules. Raises: ValueError."""

    def outcome(self, given: object) -> TargetValue | None:
        """The outcome; None while unknown. Raises: ValueError, whose text says what was expected."""

    def difference(self, one: Answer, other: Answer) -> float:
        """How far two answers differ."""

    def agree(self, one: Answer, other: Answer) -> bool:
        """Whether two answers agree."""

    def members(self, answer: Answer, *, target: str) -> dict[str, Scalar | Mapping[str, float]]:
        """The answer as a JSON object."""

    def read_members(self, members: Mapping[str, Any], *, target: str) -> Answer:
        """The answer in a JSON object made by `members`. Raises: ValueError."""

    def schema(self, *, target: str) -> dict[str, Any]:
        """JSON Schema of `members`."""

    def outcome_schema(self) -> dict[str, Any]:
        """JSON Schema of an outcome."""

    def effect_words(self, effect: float, answer: Answer, *, unit: str | None = None) -> str:
        """The effect of a field that adds `effect` to the explained score of `answer`, in words."""

    def shape(self, rows: int) -> tuple[int, ...]:
        """The shape of the scores of this many rows."""

    def valid_rows(self, scores: "NDArray[np.float64]") -> "NDArray[np.bool_]":
        """Which rows have valid scores."""

    def labels(self, scores: "NDArray[np.float64]") -> "NDArray[Any]":
        """The answered values."""

    def outcomes(self, known: "ArrayLike") -> "NDArray[Any]":
        """Known outcomes in the form that this task uses. Raises: UsageError."""

    def explained(self, scores: "NDArray[np.float64]", answer: Answer) -> "NDArray[np.float64]":
        """The score of each row that the reasons for `answer` explain."""

    def certainty(self, scores: "NDArray[np.float64]") -> "NDArray[np.float64] | None":
        """The value that determines an answer's confidence; None if there is none."""

    def watch(self, scores: "NDArray[np.float64]") -> "NDArray[Any]":
        """The value of the answers that is monitored for drift."""

    def right(self, outcomes: "NDArray[Any]", scores: "NDArray[np.float64]") -> "NDArray[np.bool_]":
        """Which answers were right."""

    def losses(
        self, outcomes: "NDArray[Any]", scores: "NDArray[np.float64]", *, name: str | None = None
    ) -> "NDArray[np.float64]":
        """The loss of each row: the default loss, or the one called `name`. Raises: UsageError."""

    def naive(self, outcomes: "NDArray[Any]", rows: int) -> "NDArray[np.float64]":
        """The scores of the best constant answer for `outcomes`, for this many rows."""

    def metric(self, name: str) -> Metric:
        """The metric called `name`. Raises: UsageError."""

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names of all metrics."""

    def measure(
        self, names: Sequence[str], outcomes: "NDArray[Any]", scores: "NDArray[np.float64]"
    ) -> dict[str, float]:
        """The value of each of `names` that is a metric and can be computed on these rows."""


def of(facts: TaskFacts) -> Task:
    """The task that a bundle describes.

    >>> of(TaskFacts(task="binary", threshold=0.3)).answer([0.4]).value
    True
    """
    if facts.task == "multiclass":
        return Multiclass(classes=facts.classes)
    if facts.task == "regression":
        return Regression(half_width=facts.half_width, coverage=facts.coverage)
    return Binary(threshold=THRESHOLD if facts.threshold is None else facts.threshold)


def named(name: TaskName) -> Task:
    """The task before a bundle defines more: with the default threshold, no classes, no interval."""
    return of(TaskFacts(task=name))
