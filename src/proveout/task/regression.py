"""The regression task: a number, and an interval that contains the outcome with a stated probability.

Scores are one number per row, in the unit of the target: `[value]` for one answer, shape (rows,) for many. Outcomes are
numbers. NumPy and scikit-learn are imported only in the functions on arrays.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from proveout.errors import UsageError
from proveout.records.answer import Answer, TaskFacts, TaskName
from proveout.records.values import Scalar
from proveout.task import metric
from proveout.task.metric import Metric
from proveout.task.output import Output
from proveout.task.plain_values import number, share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

_SHOWN_SHARE = 0.002  # of the interval's half width; smaller effects are not shown
_SAME = 1e-9  # relative tolerance between two computations of one value


@dataclass(frozen=True)
class Regression:
    """Answers a number with an interval of `half_width` to both sides; no interval without a half width."""

    half_width: float | None = None
    coverage: float | None = None

    name: ClassVar[TaskName] = "regression"
    width: ClassVar[int] = 1
    members_of: ClassVar[tuple[str, ...]] = ("low", "high", "coverage")
    invalid: ClassVar[str] = "its value is not a finite number"
    outcome_words: ClassVar[str] = "a number or null"
    default_loss: ClassVar[str] = "absolute"
    default_metric: ClassVar[str] = "mae"
    watched: ClassVar[str] = "answered value"

    @property
    def smallest_effect(self) -> float:
        """Smaller effects, in the unit of the target, are not shown."""
        return 0.0 if self.half_width is None else _SHOWN_SHARE * self.half_width

    @property
    def facts(self) -> TaskFacts:
        """The task's facts, as stored in a bundle."""
        return TaskFacts(task="regression", half_width=self.half_width, coverage=self.coverage)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The output columns of many answers, for tensor protocols."""
        return (
            Output("value", "float", lambda answer: answer.value),
            Output("low", "float", lambda answer: answer.low),
            Output("high", "float", lambda answer: answer.high),
        )

    # --- one answer -----------------------------------------------------------------------------------------------

    def is_valid(self, scores: object) -> bool:
        """Whether `scores` are valid: one finite number."""
        return type(scores) is list and len(scores) == 1 and type(scores[0]) is float and math.isfinite(scores[0])

    def answer(self, scores: Sequence[float], *, confidence: float | None = None) -> Answer:
        """The answer for valid scores.

        >>> Regression(half_width=2.0, coverage=0.9).answer([10.0])
        Answer(value=10.0, probability=None, probabilities=None, low=8.0, high=12.0, coverage=0.9, confidence=None)
        """
        value = scores[0]
        if self.half_width is None:
            return Answer(value=value, confidence=confidence)
        low, high = value - self.half_width, value + self.half_width
        return Answer(value=value, low=low, high=high, coverage=self.coverage, confidence=confidence)

    def scores(self, answer: Answer) -> tuple[float, ...] | None:
        """The scores of `answer`; None if it has none."""
        return None if answer.value is None else (float(answer.value),)

    def read_rules(self, said: object) -> Answer:
        """The answer of the rules, from a number, or an `Answer` with its own interval. Raises: ValueError."""
        value = number(said.value if isinstance(said, Answer) else said)
        if value is None:
            raise ValueError(self.invalid)
        if not isinstance(said, Answer):
            return Answer(value=value)
        low, high, coverage = number(said.low), number(said.high), share(said.coverage)
        if low is None and high is None:
            return Answer(value=value)
        if low is None or high is None or not low <= value <= high:
            raise ValueError("its value does not lie in its interval")
        return Answer(value=value, low=low, high=high, coverage=coverage)

    def outcome(self, given: object) -> float | None:
        """The outcome: a number, or None while unknown. Raises: ValueError for anything else.

        >>> Regression().outcome(3), Regression().outcome(None)
        (3.0, None)
        """
        if given is None:
            return None
        found = number(given)
        if found is None:
            raise ValueError(self.outcome_words)
        return found

    # --- two answers ----------------------------------------------------------------------------------------------

    def difference(self, one: Answer, other: Answer) -> float:
        """The value of `one` less that of `other`, in the unit of the target. Both must have one."""
        return float(one.value or 0.0) - float(other.value or 0.0)

    def agree(self, one: Answer, other: Answer) -> bool:
        """Whether the value of `other` lies in the interval of `one`; without an interval, whether they are equal."""
        if one.value is None or other.value is None:
            return one.value == other.value
        value = float(other.value)
        if one.low is None or one.high is None:
            return math.isclose(float(one.value), value, rel_tol=_SAME)
        return one.low <= value <= one.high

    # --- JSON -----------------------------------------------------------------------------------------------------

    def members(self, answer: Answer, *, target: str) -> dict[str, Scalar | Mapping[str, float]]:
        """The answer as a JSON object; `target` is the name of the value.

        >>> Regression(half_width=2.0, coverage=0.9).members(Answer(value=3.0), target="price")
        {'price': 3.0, 'low': None, 'high': None, 'coverage': None}
        """
        return {target: answer.value, "low": answer.low, "high": answer.high, "coverage": answer.coverage}

    def read_members(self, members: Mapping[str, Any], *, target: str) -> Answer:
        """The answer in a JSON object made by `members`. Raises: ValueError."""
        given = {name: members.get(name) for name in (target, *self.members_of)}
        for name, value in given.items():
            if value is not None and number(value) is None:
                raise ValueError(f"{name} is {value!r}, expected {self.outcome_words}")
        value, low, high, coverage = (None if one is None else number(one) for one in given.values())
        return Answer(value=value, low=low, high=high, coverage=coverage)

    def schema(self, *, target: str) -> dict[str, Any]:
        """JSON Schema of `members`."""
        maybe = {"type": ["number", "null"]}
        return {
            "type": "object",
            "properties": {
                target: dict(maybe),
                "low": {**maybe, "description": "Lower end of the interval; null if rules answered."},
                "high": {**maybe, "description": "Upper end of the interval."},
                "coverage": {
                    **maybe, "minimum": 0, "maximum": 1,
                    "description": "Share of the held-out rows whose outcome was in such an interval.",
                },
            },
            "required": [target, "low", "high", "coverage"],
        }  # fmt: skip

    def outcome_schema(self) -> dict[str, Any]:
        """JSON Schema of an outcome."""
        return {"type": ["number", "null"]}

    # --- words ----------------------------------------------------------------------------------------------------

    def effect_words(self, effect: float, answer: Answer, *, unit: str | None = None) -> str:
        """The effect of a field that adds `effect` to the value, in words.

        Args:
            unit: of the target.

        >>> Regression().effect_words(3.14159, Answer(value=20.0), unit="min")
        'raises the value by 3.14 min'
        """
        size = f"{abs(effect):.3g} {unit}" if unit else f"{abs(effect):.3g}"
        return f"{'raises' if effect > 0 else 'lowers'} the value by {size}"

    # --- many answers ---------------------------------------------------------------------------------------------

    def shape(self, rows: int) -> tuple[int, ...]:
        """The shape of the scores of this many rows."""
        return (rows,)

    def valid_rows(self, scores: "NDArray[np.float64]") -> "NDArray[np.bool_]":
        """Which rows have valid scores, shape (rows,)."""
        import numpy as np

        return np.asarray(np.isfinite(scores))

    def labels(self, scores: "NDArray[np.float64]") -> "NDArray[Any]":
        """The answered values, shape (rows,)."""
        return scores

    def outcomes(self, known: "ArrayLike") -> "NDArray[Any]":
        """Known outcomes as numbers, shape (rows,). Raises: UsageError for anything but finite numbers."""
        import numpy as np

        given = np.asarray(known)
        try:
            found = given.astype(float) if given.dtype.kind != "b" else None
        except (TypeError, ValueError):
            found = None
        if found is None or not np.isfinite(found).all():
            raise UsageError(
                "The target of a regression must be a finite number in each row with a known outcome, but it is not: "
                'make other values null, or set task = "binary" or "multiclass" in [tool.proveout].'
            )
        return found

    def explained(self, scores: "NDArray[np.float64]", answer: Answer) -> "NDArray[np.float64]":
        """The score of each row that reasons explain, shape (rows,)."""
        return scores

    def certainty(self, scores: "NDArray[np.float64]") -> "NDArray[np.float64] | None":
        """None: the interval already expresses the confidence."""
        return None

    def watch(self, scores: "NDArray[np.float64]") -> "NDArray[Any]":
        """The value of the answers that is monitored for drift, shape (rows,)."""
        return scores

    def right(self, outcomes: "NDArray[Any]", scores: "NDArray[np.float64]") -> "NDArray[np.bool_]":
        """Which outcomes are in the interval of their answer, shape (rows,). Raises: UsageError without an interval."""
        import numpy as np

        if self.half_width is None:
            raise UsageError("Right answers are counted by the interval, but this bundle has none: train again.")
        return np.asarray(np.abs(outcomes - scores) <= self.half_width)

    def losses(
        self, outcomes: "NDArray[Any]", scores: "NDArray[np.float64]", *, name: str | None = None
    ) -> "NDArray[np.float64]":
        """The loss of each row, shape (rows,), in the unit of the target or its square. Raises: UsageError.

        `absolute` is proper for a median, `squared` for a mean, `pinball_Q` for the quantile Q in percent.

        >>> import numpy as np
        >>> Regression().losses(np.array([3.0]), np.array([1.0]), name="pinball_90").tolist()
        [1.8]
        """
        import numpy as np

        error = np.asarray(outcomes, dtype=float) - scores
        if name in {None, "absolute"}:
            return np.abs(error)
        if name == "squared":
            return np.asarray(error**2, dtype=float)
        if name is not None and name.startswith("pinball_") and name[8:].isdigit() and 0 < int(name[8:]) < 100:
            quantile = int(name[8:]) / 100
            return np.maximum(quantile * error, (quantile - 1) * error)
        raise UsageError(f"{name!r} is not a loss of a regression. It has: absolute, squared, pinball_1 to pinball_99.")

    def naive(self, outcomes: "NDArray[Any]", rows: int) -> "NDArray[np.float64]":
        """The scores of a model that always predicts the median, for this many rows."""
        import numpy as np

        return np.full(rows, float(np.median(outcomes)))

    def metric(self, name: str) -> Metric:
        """The metric called `name`. Raises: UsageError."""
        return metric.named(name, self._metrics(), ALIASES, task="regression")

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names of all metrics."""
        return tuple(self._metrics())

    def measure(
        self, names: Sequence[str], outcomes: "NDArray[Any]", scores: "NDArray[np.float64]"
    ) -> dict[str, float]:
        """The value of each of `names` that is a metric and can be computed on these rows."""
        return metric.measured(names, self._metrics(), ALIASES, outcomes, scores)

    def _metrics(self) -> Mapping[str, Metric]:
        if self.half_width is None:
            return _METRICS
        inside = Metric(compute=lambda y, s: float(self.right(y, s).mean()), better="neither", of_labels=True)
        return {**_METRICS, "coverage": inside}


# --- metrics ------------------------------------------------------------------------------------------------------


def _absolute(outcomes: Any, scores: Any) -> Any:
    return abs(outcomes - scores)


def _r2(outcomes: Any, scores: Any) -> float:
    spread = float(((outcomes - outcomes.mean()) ** 2).sum())
    # A constant target has no variance to explain.
    return math.nan if spread == 0 else 1 - float(((outcomes - scores) ** 2).sum()) / spread


def _quantile(share_: float) -> Any:
    def compute(outcomes: Any, scores: Any) -> float:
        import numpy as np

        return float(np.quantile(_absolute(outcomes, scores), share_))

    return compute


_METRICS: Mapping[str, Metric] = {
    "mae": Metric(compute=lambda y, s: float(_absolute(y, s).mean()), better="lower"),
    "rmse": Metric(compute=lambda y, s: math.sqrt(float(((y - s) ** 2).mean())), better="lower"),
    "mse": Metric(compute=lambda y, s: float(((y - s) ** 2).mean()), better="lower"),
    "r2": Metric(compute=_r2, better="higher"),
    "median_absolute_error": Metric(compute=_quantile(0.5), better="lower"),
    "p90_absolute_error": Metric(compute=_quantile(0.9), better="lower"),
    "max_error": Metric(compute=lambda y, s: float(_absolute(y, s).max()), better="lower"),
    "bias": Metric(compute=lambda y, s: float((s - y).mean()), better="neither"),
    "mean_value": Metric(compute=lambda y, s: float(s.mean()), better="neither"),
    "mean_outcome": Metric(compute=lambda y, s: float(y.mean()), better="neither"),
}
ALIASES: Mapping[str, str] = {
    "mean_absolute_error": "mae",
    "root_mean_squared_error": "rmse",
    "mean_squared_error": "mse",
    "r2_score": "r2",
    "r_squared": "r2",
}
"""Other common names of the metrics."""
