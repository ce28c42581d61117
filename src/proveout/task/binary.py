"""The binary task: true or false, with the probability of true. Only this task has a threshold.

Scores are one probability per row: `[p]` for one answer, shape (rows,) for many. Outcomes are booleans. NumPy and
scikit-learn are imported only in the functions on arrays, because the gateway needs neither.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from proveout.errors import UsageError
from proveout.records.answer import Answer, TaskFacts, TaskName
from proveout.records.values import Scalar
from proveout.task import metric
from proveout.task.metric import Metric
from proveout.task.output import Output
from proveout.task.plain_values import share, truth

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

THRESHOLD = 0.5
"""The threshold for rules, until a bundle defines its own."""


@dataclass(frozen=True)
class Binary:
    """Answers true if the probability is at least `threshold`."""

    threshold: float = THRESHOLD

    name: ClassVar[TaskName] = "binary"
    width: ClassVar[int] = 1
    members_of: ClassVar[tuple[str, ...]] = ("probability",)
    invalid: ClassVar[str] = "its probability is not a number from 0 to 1"
    outcome_words: ClassVar[str] = "true, false or null"
    default_loss: ClassVar[str] = "brier"
    default_metric: ClassVar[str] = "auc"
    watched: ClassVar[str] = "probability"
    smallest_effect: ClassVar[float] = 0.0005  # of probability; smaller effects are not shown

    @property
    def facts(self) -> TaskFacts:
        """The task's facts, as stored in a bundle."""
        return TaskFacts(task="binary", threshold=self.threshold)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The output columns of many answers, for tensor protocols."""
        return (
            Output("probability", "float", lambda answer: answer.probability),
            Output("label", "bool", lambda answer: answer.value),
        )

    # --- one answer -----------------------------------------------------------------------------------------------

    def is_valid(self, scores: object) -> bool:
        """Whether `scores` are valid: one number from 0 to 1."""
        return type(scores) is list and len(scores) == 1 and type(scores[0]) is float and 0 <= scores[0] <= 1

    def answer(self, scores: Sequence[float], *, confidence: float | None = None) -> Answer:
        """The answer for valid scores.

        >>> Binary(threshold=0.3).answer([0.4])
        Answer(value=True, probability=0.4, probabilities=None, low=None, high=None, coverage=None, confidence=None)
        """
        probability = scores[0]
        return Answer(value=probability >= self.threshold, probability=probability, confidence=confidence)

    def scores(self, answer: Answer) -> tuple[float, ...] | None:
        """The scores of `answer`; None if it has none."""
        return None if answer.probability is None else (answer.probability,)

    def read_rules(self, said: object) -> Answer:
        """The answer of the rules, from a probability, true or false, or an `Answer`. Raises: ValueError."""
        if isinstance(said, Answer):
            said = said.value if said.probability is None else said.probability
        told = truth(said)
        if told is not None:
            return Answer(value=told)
        probability = share(said)
        if probability is None:
            raise ValueError(self.invalid)
        return self.answer([probability])

    def outcome(self, given: object) -> bool | None:
        """The outcome: true, false, or None while unknown. Raises: ValueError for anything else.

        >>> Binary().outcome(True), Binary().outcome(None)
        (True, None)
        """
        if given is None:
            return None
        told = truth(given)
        if told is None:
            raise ValueError(self.outcome_words)
        return told

    # --- two answers ----------------------------------------------------------------------------------------------

    def difference(self, one: Answer, other: Answer) -> float:
        """The probability of `one` less that of `other`. Both must have one."""
        return (one.probability or 0.0) - (other.probability or 0.0)

    def agree(self, one: Answer, other: Answer) -> bool:
        """Whether both have the same label."""
        return one.value == other.value

    # --- JSON -----------------------------------------------------------------------------------------------------

    def members(self, answer: Answer, *, target: str) -> dict[str, Scalar | Mapping[str, float]]:
        """The answer as a JSON object; `target` is the name of the label.

        >>> Binary().members(Binary().answer([0.25]), target="late")
        {'late': False, 'probability': 0.25}
        """
        return {target: answer.value, "probability": answer.probability}

    def read_members(self, members: Mapping[str, Any], *, target: str) -> Answer:
        """The answer in a JSON object made by `members`. Raises: ValueError."""
        value, probability = members.get(target), members.get("probability")
        if not (value is None or isinstance(value, bool)):
            raise ValueError(f"{target} is {value!r}, expected {self.outcome_words}")
        if probability is not None and share(probability) is None:
            raise ValueError(self.invalid)
        return Answer(value=value, probability=probability)

    def schema(self, *, target: str) -> dict[str, Any]:
        """JSON Schema of `members`."""
        return {
            "type": "object",
            "properties": {
                target: {"type": ["boolean", "null"]},
                "probability": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
            },
            "required": [target, "probability"],
        }

    def outcome_schema(self) -> dict[str, Any]:
        """JSON Schema of an outcome."""
        return {"type": ["boolean", "null"]}

    # --- words ----------------------------------------------------------------------------------------------------

    def effect_words(self, effect: float, answer: Answer, *, unit: str | None = None) -> str:
        """The effect of a field that adds `effect` to the score, in words.

        >>> Binary().effect_words(0.1234, Answer(value=True))
        'raises the probability by 12.3 points'
        """
        return f"{'raises' if effect > 0 else 'lowers'} the probability by {abs(effect) * 100:.1f} points"

    # --- many answers ---------------------------------------------------------------------------------------------

    def shape(self, rows: int) -> tuple[int, ...]:
        """The shape of the scores of this many rows."""
        return (rows,)

    def valid_rows(self, scores: "NDArray[np.float64]") -> "NDArray[np.bool_]":
        """Which rows have valid scores, shape (rows,)."""
        import numpy as np

        return np.asarray((scores >= 0) & (scores <= 1))

    def labels(self, scores: "NDArray[np.float64]") -> "NDArray[Any]":
        """The answered values, shape (rows,)."""
        import numpy as np

        return np.asarray(scores >= self.threshold)

    def outcomes(self, known: "ArrayLike") -> "NDArray[Any]":
        """Known outcomes as booleans, shape (rows,). Raises: UsageError for anything but true, false, 1 and 0."""
        import numpy as np

        found = np.asarray(known)
        if found.dtype.kind == "b":
            return found
        others = sorted({str(one) for one in found.tolist() if one not in (0, 1)})[:3]
        if others:
            raise UsageError(
                f"The target of a binary task is true or false, but here it is also {', '.join(others)}: compare it "
                '(late > 30), or set task = "multiclass" or "regression" in [tool.proveout].'
            )
        return found.astype(bool)

    def explained(self, scores: "NDArray[np.float64]", answer: Answer) -> "NDArray[np.float64]":
        """The score of each row that reasons explain, shape (rows,)."""
        return scores

    def certainty(self, scores: "NDArray[np.float64]") -> "NDArray[np.float64] | None":
        """The value that determines an answer's confidence, shape (rows,)."""
        return scores

    def watch(self, scores: "NDArray[np.float64]") -> "NDArray[Any]":
        """The value of the answers that is monitored for drift, shape (rows,)."""
        return scores

    def right(self, outcomes: "NDArray[Any]", scores: "NDArray[np.float64]") -> "NDArray[np.bool_]":
        """Which answers were right, shape (rows,)."""
        import numpy as np

        return np.asarray(self.labels(scores) == outcomes)

    def losses(
        self, outcomes: "NDArray[Any]", scores: "NDArray[np.float64]", *, name: str | None = None
    ) -> "NDArray[np.float64]":
        """The proper loss of each row, shape (rows,): `brier`, 0 to 1, or `log_loss`, finite. Raises: UsageError.

        >>> import numpy as np
        >>> Binary().losses(np.array([True, False]), np.array([0.5, 0.5])).tolist()
        [0.25, 0.25]
        """
        import numpy as np

        if name in {None, "brier"}:
            return np.asarray((scores - outcomes) ** 2, dtype=float)
        if name == "log_loss":
            least = np.finfo(float).eps
            said = np.clip(np.where(outcomes, scores, 1 - scores), least, 1)
            return np.asarray(-np.log(said), dtype=float)
        raise UsageError(f"{name!r} is not a loss of a binary task. It has: brier, log_loss.")

    def naive(self, outcomes: "NDArray[Any]", rows: int) -> "NDArray[np.float64]":
        """The scores of a model that always predicts the base rate, for this many rows."""
        import numpy as np

        return np.full(rows, float(np.mean(outcomes)))

    def metric(self, name: str) -> Metric:
        """The metric called `name`. Raises: UsageError."""
        return metric.named(name, self._metrics(), ALIASES, task="binary")

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
        def labels(of: Any, compares: bool) -> Metric:
            return Metric(
                compute=lambda y, s: of(y, self.labels(s)), better="higher", of_labels=True, compares=compares
            )

        return {**_OF_SCORES, **{name: labels(of, name != "accuracy") for name, of in _OF_LABELS.items()}}


# --- metrics ------------------------------------------------------------------------------------------------------


def _auc(outcomes: Any, scores: Any) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(outcomes, scores))


def _average_precision(outcomes: Any, scores: Any) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(outcomes, scores))


def _recall(outcomes: Any, labels: Any) -> float:
    return float(labels[outcomes].mean())


def _precision(outcomes: Any, labels: Any) -> float:
    return float(outcomes[labels].mean()) if labels.any() else 0.0


def _balanced_accuracy(outcomes: Any, labels: Any) -> float:
    return (_recall(outcomes, labels) + float((~labels[~outcomes]).mean())) / 2


def _f1(outcomes: Any, labels: Any) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(outcomes, labels))


_OF_SCORES: Mapping[str, Metric] = {
    "auc": Metric(compute=_auc, better="higher", compares=True),
    "average_precision": Metric(compute=_average_precision, better="higher", compares=True),
    "brier": Metric(compute=lambda y, s: float(Binary().losses(y, s).mean()), better="lower"),
    "log_loss": Metric(compute=lambda y, s: float(Binary().losses(y, s, name="log_loss").mean()), better="lower"),
    "mean_probability": Metric(compute=lambda outcomes, scores: float(scores.mean()), better="neither"),
    "base_rate": Metric(compute=lambda outcomes, scores: float(outcomes.mean()), better="neither"),
}
_OF_LABELS: Mapping[str, Any] = {
    "accuracy": lambda outcomes, labels: float((labels == outcomes).mean()),
    "balanced_accuracy": _balanced_accuracy,
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
}
ALIASES: Mapping[str, str] = {
    "roc_auc": "auc",
    "auroc": "auc",
    "roc_auc_score": "auc",
    "average_precision_score": "average_precision",
    "brier_score": "brier",
    "brier_score_loss": "brier",
    "logloss": "log_loss",
    "accuracy_score": "accuracy",
    "balanced_accuracy_score": "balanced_accuracy",
    "precision_score": "precision",
    "recall_score": "recall",
    "f1_score": "f1",
}
"""Other common names of the metrics."""
