"""The task: what a question asks for, and all that follows from it. `of` chooses one by what a bundle says.

Input: a name, or the facts of a bundle. Output: a `Task`. Rooms ask the task instead of knowing which it is.
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
    """What a room may ask. Arrays are of the scores as `shape` says, and of outcomes as `outcomes` makes them."""

    @property
    def name(self) -> TaskName:
        """Which it is."""

    @property
    def facts(self) -> TaskFacts:
        """What a bundle says of it: `of(task.facts) == task`."""

    @property
    def width(self) -> int:
        """Numbers in the scores of one row."""

    @property
    def members_of(self) -> tuple[str, ...]:
        """Names in the JSON form of an answer beside the target's own: no target is called so."""

    @property
    def invalid(self) -> str:
        """What is wrong with scores that are not valid, in words."""

    @property
    def outcome_words(self) -> str:
        """What an outcome may be, in words."""

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The columns that many answers have, for protocols of tensors."""

    @property
    def default_loss(self) -> str:
        """The loss of `losses`."""

    @property
    def default_metric(self) -> str:
        """The metric that a bundle promises where train.toml names none."""

    @property
    def watched(self) -> str:
        """What `watch` is called."""

    @property
    def smallest_effect(self) -> float:
        """An effect on the score that is smaller says nothing."""

    def is_valid(self, scores: object) -> bool:
        """Whether a list of plain numbers is an answer."""

    def answer(self, scores: Sequence[float], *, confidence: float | None = None) -> Answer:
        """The answer that valid scores give."""

    def scores(self, answer: Answer) -> tuple[float, ...] | None:
        """The scores that gave `answer`; None where it has none."""

    def read_rules(self, said: object) -> Answer:
        """The answer in what a rule says. Raises: ValueError."""

    def outcome(self, given: object) -> TargetValue | None:
        """What really happened, None while nobody knows. Raises: ValueError, its text what was expected."""

    def difference(self, one: Answer, other: Answer) -> float:
        """How far two answers are apart."""

    def agree(self, one: Answer, other: Answer) -> bool:
        """Whether two answers say the same."""

    def members(self, answer: Answer, *, target: str) -> dict[str, Scalar | Mapping[str, float]]:
        """The answer as a JSON object."""

    def read_members(self, members: Mapping[str, Any], *, target: str) -> Answer:
        """The answer in a JSON object as `members` makes it. Raises: ValueError."""

    def schema(self, *, target: str) -> dict[str, Any]:
        """JSON Schema of `members`."""

    def outcome_schema(self) -> dict[str, Any]:
        """JSON Schema of an outcome."""

    def effect_words(self, effect: float, answer: Answer, *, unit: str | None = None) -> str:
        """What a field that adds `effect` to the explained score of `answer` does, in words."""

    def shape(self, rows: int) -> tuple[int, ...]:
        """Of the scores of so many rows."""

    def valid_rows(self, scores: "NDArray[np.float64]") -> "NDArray[np.bool_]":
        """Which rows have valid scores."""

    def labels(self, scores: "NDArray[np.float64]") -> "NDArray[Any]":
        """What is answered."""

    def outcomes(self, known: "ArrayLike") -> "NDArray[Any]":
        """Known outcomes as this task computes with them. Raises: UsageError."""

    def explained(self, scores: "NDArray[np.float64]", answer: Answer) -> "NDArray[np.float64]":
        """The number of each row that the reasons for `answer` are about."""

    def certainty(self, scores: "NDArray[np.float64]") -> "NDArray[np.float64] | None":
        """What the confidence of an answer goes by; None where there is no such thing."""

    def watch(self, scores: "NDArray[np.float64]") -> "NDArray[Any]":
        """What may drift of the answers."""

    def right(self, outcomes: "NDArray[Any]", scores: "NDArray[np.float64]") -> "NDArray[np.bool_]":
        """Which answers were right."""

    def losses(
        self, outcomes: "NDArray[Any]", scores: "NDArray[np.float64]", *, name: str | None = None
    ) -> "NDArray[np.float64]":
        """The loss of each row: the default one, or the one named. Raises: UsageError."""

    def naive(self, outcomes: "NDArray[Any]", rows: int) -> "NDArray[np.float64]":
        """The scores of a model that has seen `outcomes` and no column, for so many rows."""

    def metric(self, name: str) -> Metric:
        """The metric called `name`. Raises: UsageError."""

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Every metric, by the name that this project gives it."""

    def measure(
        self, names: Sequence[str], outcomes: "NDArray[Any]", scores: "NDArray[np.float64]"
    ) -> dict[str, float]:
        """Those of `names` that are metrics and have a value on these rows, under the names given."""


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
    """The task as it is before a bundle has said more: the usual threshold, no classes, no interval."""
    return of(TaskFacts(task=name))
