"""The multi-class task: one class out of several, with a probability for each.

Scores are the probabilities of the classes, in the order of `classes`: `[p, ...]` for one answer, shape (rows, classes)
for many. Outcomes are classes: texts, whole numbers, or true and false. An outcome may be a class that the model never
saw; its probability was 0. NumPy and scikit-learn are imported only in the functions on arrays.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from proveout.errors import UsageError
from proveout.records.answer import Answer, TaskFacts, TaskName
from proveout.records.values import Scalar, TargetValue
from proveout.task import metric
from proveout.task.metric import Metric
from proveout.task.output import Kind, Output
from proveout.task.plain_values import class_of, class_text, share

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

_SUM_OFF = 1e-3  # tolerance for models in single precision
NEVER_SEEN = -1
"""The code of a class that the model does not know."""


@dataclass(frozen=True)
class Multiclass:
    """Answers the class with the highest probability. `classes` is empty until a bundle defines them."""

    classes: tuple[TargetValue, ...] = ()

    name: ClassVar[TaskName] = "multiclass"
    members_of: ClassVar[tuple[str, ...]] = ("probability", "probabilities")
    invalid: ClassVar[str] = "its scores are not a probability for each class"
    default_loss: ClassVar[str] = "log_loss"
    default_metric: ClassVar[str] = "log_loss"
    watched: ClassVar[str] = "answered class"
    smallest_effect: ClassVar[float] = 0.0005  # of probability; smaller effects are not shown

    @property
    def facts(self) -> TaskFacts:
        """The task's facts, as stored in a bundle."""
        return TaskFacts(task="multiclass", classes=self.classes)

    @property
    def width(self) -> int:
        """How many numbers the scores of one row have."""
        return len(self.classes)

    @property
    def outcome_words(self) -> str:
        """The valid outcomes, in words for a message."""
        return "a class (text, a whole number, true or false) or null"

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The output columns of many answers, for tensor protocols."""
        return (
            Output("label", self._kind, lambda answer: answer.value),
            Output("probability", "float", lambda answer: answer.probability),
            Output("probabilities", "float", self.scores, width=self.width),
        )

    @property
    def _kind(self) -> Kind:
        kinds: dict[type, Kind] = {bool: "bool", int: "int"}
        return kinds.get(type(self.classes[0]), "str") if self.classes else "str"

    # --- one answer -----------------------------------------------------------------------------------------------

    def is_valid(self, scores: object) -> bool:
        """Whether `scores` are valid: a number from 0 to 1 for each class, with the sum 1."""
        return (
            type(scores) is list
            and len(scores) == len(self.classes)
            and all(type(one) is float and 0 <= one <= 1 for one in scores)
            and abs(math.fsum(scores) - 1) <= _SUM_OFF
        )

    def answer(self, scores: Sequence[float], *, confidence: float | None = None) -> Answer:
        """The answer for valid scores; of equal scores, the first class.

        >>> Multiclass(("blue", "red")).answer([0.25, 0.75]).value
        'red'
        """
        place = max(range(len(scores)), key=scores.__getitem__)
        return Answer(
            value=self.classes[place],
            probability=scores[place],
            probabilities=dict(zip(map(class_text, self.classes), scores, strict=True)),
            confidence=confidence,
        )

    def scores(self, answer: Answer) -> tuple[float, ...] | None:
        """The scores of `answer`, from its own probabilities; None if it has none."""
        said = answer.probabilities
        if said is None:
            return None
        return tuple(said.get(class_text(one), 0.0) for one in self.classes) if self.classes else tuple(said.values())

    def read_rules(self, said: object) -> Answer:
        """The answer of the rules, from a class, a probability per class, or an `Answer`. Raises: ValueError."""
        if isinstance(said, Answer):
            said = said.value if said.probabilities is None else said.probabilities
        if isinstance(said, Mapping):
            return self._answer_by_name(said)
        found = class_of(said)
        if found is None or (self.classes and found not in self._kinds_of(found)):
            raise ValueError(f"it is no class{self._known()}")
        return Answer(value=found)

    def _answer_by_name(self, said: Mapping[Any, Any]) -> Answer:
        named = {class_text(one): one for one in self.classes or [c for c in map(class_of, said) if c is not None]}
        given = {class_text(one) if isinstance(one, bool) else str(one): share(chance) for one, chance in said.items()}
        if not given.keys() <= named.keys():
            raise ValueError(f"it has a probability for what is no class{self._known()}")
        chances = [given.get(name, 0.0) for name in named]
        sound = [chance for chance in chances if chance is not None]
        if len(sound) < len(chances) or abs(math.fsum(sound) - 1) > _SUM_OFF:
            raise ValueError(self.invalid)
        return Multiclass(tuple(named.values())).answer(sound)

    def _kinds_of(self, value: TargetValue) -> list[TargetValue]:
        return [one for one in self.classes if type(one) is type(value)]  # True == 1, but they are different classes

    def _known(self) -> str:
        return f": the model knows {', '.join(map(class_text, self.classes))}" if self.classes else ""

    def outcome(self, given: object) -> TargetValue | None:
        """The outcome: a class, or None while unknown. Raises: ValueError for anything else.

        A class that the model never saw is valid if it has the same type as the others.

        >>> Multiclass((1, 2)).outcome(3.0), Multiclass(("a", "b")).outcome(None)
        (3, None)
        """
        if given is None:
            return None
        found = class_of(given)
        if found is None or (self.classes and type(found) is not type(self.classes[0])):
            kinds = {bool: "true or false", int: "a whole number", str: "a text"}
            asked = (
                f"{kinds.get(type(self.classes[0]), 'a class')}{self._known()}" if self.classes else self.outcome_words
            )
            raise ValueError(asked)
        return found

    # --- two answers ----------------------------------------------------------------------------------------------

    def difference(self, one: Answer, other: Answer) -> float:
        """The total variation distance of the probabilities, 0 to 1, without a sign."""
        mine, others = one.probabilities, other.probabilities
        if mine is None or others is None:
            return 0.0 if one.value == other.value else 1.0
        return sum(abs(mine.get(name, 0.0) - others.get(name, 0.0)) for name in {*mine, *others}) / 2

    def agree(self, one: Answer, other: Answer) -> bool:
        """Whether both have the same class."""
        return one.value == other.value

    # --- JSON -----------------------------------------------------------------------------------------------------

    def members(self, answer: Answer, *, target: str) -> dict[str, Scalar | Mapping[str, float]]:
        """The answer as a JSON object; `target` is the name of the class.

        >>> Multiclass(("blue", "red")).members(Multiclass(("blue", "red")).answer([0.25, 0.75]), target="colour")
        {'colour': 'red', 'probability': 0.75, 'probabilities': {'blue': 0.25, 'red': 0.75}}
        """
        return {target: answer.value, "probability": answer.probability, "probabilities": answer.probabilities}

    def read_members(self, members: Mapping[str, Any], *, target: str) -> Answer:
        """The answer in a JSON object made by `members`. Raises: ValueError."""
        value, probability, said = (members.get(name) for name in (target, *self.members_of))
        if value is not None and class_of(value) is None:
            raise ValueError(f"{target} is {value!r}, expected {self.outcome_words}")
        shares = [probability, *(said.values() if isinstance(said, Mapping) else [] if said is None else [said])]
        if any(one is not None and share(one) is None for one in shares):
            raise ValueError(self.invalid)
        return Answer(value=value, probability=probability, probabilities=said)

    def schema(self, *, target: str) -> dict[str, Any]:
        """JSON Schema of `members`."""
        chance = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
        return {
            "type": "object",
            "properties": {
                target: {"type": ["string", "integer", "boolean", "null"]},
                "probability": {**chance, "description": f"Of this {target}."},
                "probabilities": {
                    "type": ["object", "null"],
                    "description": "By class; null if the rules gave only a class.",
                    "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
                },
            },
            "required": [target, "probability", "probabilities"],
        }

    def outcome_schema(self) -> dict[str, Any]:
        """JSON Schema of an outcome."""
        return {"type": ["string", "integer", "boolean", "null"]}

    # --- words ----------------------------------------------------------------------------------------------------

    def effect_words(self, effect: float, answer: Answer, *, unit: str | None = None) -> str:
        """The effect of a field that adds `effect` to the probability of the answered class, in words.

        >>> Multiclass().effect_words(-0.02, Answer(value="red"))
        'lowers the probability of red by 2.0 points'
        """
        way = "raises" if effect > 0 else "lowers"
        named = "" if answer.value is None else f" of {class_text(answer.value)}"
        return f"{way} the probability{named} by {abs(effect) * 100:.1f} points"

    # --- many answers ---------------------------------------------------------------------------------------------

    def shape(self, rows: int) -> tuple[int, ...]:
        """The shape of the scores of this many rows."""
        return (rows, len(self.classes))

    def valid_rows(self, scores: "NDArray[np.float64]") -> "NDArray[np.bool_]":
        """Which rows have valid scores, shape (rows,)."""
        import numpy as np

        inside = ((scores >= 0) & (scores <= 1)).all(axis=1)
        return np.asarray(inside & (np.abs(scores.sum(axis=1) - 1) <= _SUM_OFF))

    def labels(self, scores: "NDArray[np.float64]") -> "NDArray[Any]":
        """The answered values, shape (rows,)."""
        import numpy as np

        return np.asarray(np.asarray(self.classes)[np.argmax(scores, axis=1)])

    def outcomes(self, known: "ArrayLike") -> "NDArray[Any]":
        """Known outcomes as an array of classes of one type, shape (rows,). Raises: UsageError.

        >>> Multiclass().outcomes([1.0, 2.0]).tolist()
        [1, 2]
        """
        import numpy as np

        given = np.asarray(known, dtype=object).tolist()
        found = [class_of(one) for one in given]
        if None in found:
            unexpected = given[found.index(None)]
            raise UsageError(
                f"A class is a text, a whole number, true or false, but here one is {unexpected!r}. For a measured "
                'number, set task = "regression" in [tool.proveout].'
            )
        kinds = sorted({type(one).__name__ for one in found})
        if len(kinds) > 1:
            raise UsageError(
                f"All classes must have one type, but here they are {' and '.join(kinds)}: write all as texts."
            )
        return np.asarray(found)

    def codes(self, outcomes: "NDArray[Any]") -> "NDArray[np.intp]":
        """The position of each outcome in `classes`, shape (rows,); `NEVER_SEEN` for an unknown class."""
        import numpy as np

        places = {one: place for place, one in enumerate(self.classes)}
        return np.array([places.get(one, NEVER_SEEN) for one in np.asarray(outcomes).tolist()], dtype=np.intp)

    def explained(self, scores: "NDArray[np.float64]", answer: Answer) -> "NDArray[np.float64]":
        """The number of each row that reasons are given for, shape (rows,): the probability of the class answered."""
        import numpy as np

        return np.asarray(scores[:, self.classes.index(answer.value)], dtype=float)

    def certainty(self, scores: "NDArray[np.float64]") -> "NDArray[np.float64] | None":
        """What the confidence of an answer goes by, shape (rows,)."""
        import numpy as np

        return np.asarray(scores.max(axis=1), dtype=float)

    def watch(self, scores: "NDArray[np.float64]") -> "NDArray[Any]":
        """What may drift of the answers, shape (rows,): the class, as text."""
        import numpy as np

        return np.asarray([class_text(one) for one in self.labels(scores).tolist()], dtype=object)

    def right(self, outcomes: "NDArray[Any]", scores: "NDArray[np.float64]") -> "NDArray[np.bool_]":
        """Which answers were right, shape (rows,)."""
        import numpy as np

        return np.asarray(np.argmax(scores, axis=1) == self.codes(outcomes))

    def losses(
        self, outcomes: "NDArray[Any]", scores: "NDArray[np.float64]", *, name: str | None = None
    ) -> "NDArray[np.float64]":
        """The proper loss of each row, shape (rows,): `log_loss`, finite, or `brier`, 0 to 2. Raises: UsageError.

        >>> import numpy as np
        >>> scores = np.array([[0.5, 0.5], [1.0, 0.0]])
        >>> Multiclass(("a", "b")).losses(np.array(["a", "c"]), scores, name="brier").tolist()
        [0.5, 2.0]
        """
        import numpy as np

        codes = self.codes(outcomes)
        known = codes != NEVER_SEEN
        own = np.where(known, scores[np.arange(len(codes)), np.where(known, codes, 0)], 0.0)
        if name in {None, "log_loss"}:
            return np.asarray(-np.log(np.clip(own, np.finfo(float).eps, 1)), dtype=float)
        if name == "brier":
            return np.asarray((scores**2).sum(axis=1) - 2 * own + 1, dtype=float)
        raise UsageError(f"{name!r} is not a loss of a multi-class task. It has: log_loss, brier.")

    def naive(self, outcomes: "NDArray[Any]", rows: int) -> "NDArray[np.float64]":
        """The scores of a model that knows the shares of the classes alone, for so many rows."""
        import numpy as np

        codes = self.codes(outcomes)
        counts = np.bincount(codes[codes != NEVER_SEEN], minlength=len(self.classes))
        return np.tile(counts / max(counts.sum(), 1), (rows, 1))

    def metric(self, name: str) -> Metric:
        """The metric called `name`. Raises: UsageError."""
        return metric.named(name, self._metrics(), ALIASES, task="multi-class")

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Every metric."""
        return tuple(self._metrics())

    def measure(
        self, names: Sequence[str], outcomes: "NDArray[Any]", scores: "NDArray[np.float64]"
    ) -> dict[str, float]:
        """Those of `names` that are metrics and have a value on these rows, under the names given."""
        return metric.measured(names, self._metrics(), ALIASES, outcomes, scores)

    def _metrics(self) -> Mapping[str, Metric]:
        def labels(of: Any, **options: Any) -> Metric:
            return Metric(compute=lambda y, s: float(of(y, self.labels(s), **options)), better="higher", of_labels=True)

        return {
            "log_loss": Metric(compute=lambda y, s: float(self.losses(y, s).mean()), better="lower"),
            "brier": Metric(compute=lambda y, s: float(self.losses(y, s, name="brier").mean()), better="lower"),
            "accuracy": Metric(compute=lambda y, s: float(self.right(y, s).mean()), better="higher", of_labels=True),
            "balanced_accuracy": labels(_averaged("recall_score")),
            "macro_precision": labels(_averaged("precision_score")),
            "macro_recall": labels(_averaged("recall_score")),
            "macro_f1": labels(_averaged("f1_score")),
            "weighted_f1": labels(_averaged("f1_score", average="weighted")),
            "worst_recall": labels(_worst_recall),
            "top_2_accuracy": Metric(compute=lambda y, s: float(self.among_top(y, s, k=2).mean()), better="higher"),
            "top_3_accuracy": Metric(compute=lambda y, s: float(self.among_top(y, s, k=3).mean()), better="higher"),
            "auc_ovr": Metric(compute=self._auc_ovr, better="higher", compares=True),
        }

    def among_top(self, outcomes: "NDArray[Any]", scores: "NDArray[np.float64]", *, k: int) -> "NDArray[np.bool_]":
        """Whether the class that came true is among the `k` most probable ones, shape (rows,)."""
        import numpy as np

        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.asarray((best == self.codes(outcomes)[:, None]).any(axis=1))

    def _auc_ovr(self, outcomes: Any, scores: Any) -> float:
        """The mean AUC of each class against the rest, over the classes that some rows have and some do not."""
        import numpy as np
        from sklearn.metrics import roc_auc_score

        codes = self.codes(outcomes)
        places = [p for p in range(len(self.classes)) if (codes == p).any() and (codes != p).any()]
        return float(np.mean([roc_auc_score(codes == place, scores[:, place]) for place in places]))


def _averaged(name: str, *, average: str = "macro") -> Any:
    """A metric of scikit-learn, averaged over the classes among the outcomes."""

    def compute(outcomes: Any, labels: Any) -> float:
        import numpy as np
        from sklearn import metrics

        happened = np.unique(outcomes)
        return float(getattr(metrics, name)(outcomes, labels, labels=happened, average=average, zero_division=0))

    return compute


def _worst_recall(outcomes: Any, labels: Any) -> float:
    import numpy as np

    return min(float((labels[outcomes == one] == one).mean()) for one in np.unique(outcomes))


ALIASES: Mapping[str, str] = {
    "logloss": "log_loss",
    "cross_entropy": "log_loss",
    "accuracy_score": "accuracy",
    "balanced_accuracy_score": "balanced_accuracy",
    "f1_macro": "macro_f1",
    "precision_macro": "macro_precision",
    "recall_macro": "macro_recall",
    "f1_weighted": "weighted_f1",
    "roc_auc_ovr": "auc_ovr",
}
"""Other common names of the metrics."""
