"""Putting edge cases to a model: every record in one batch, then what each case demands of the answers.

Input: cases and an opened bundle. Output: `Evidence`, a number with its bounds for each thing that is expected.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from proveout.edge_cases import task_fit
from proveout.edge_cases.case import Case, Rising, changed, told, written
from proveout.edge_cases.loader import frame
from proveout.fastpath import tolerance
from proveout.records.values import Scalar
from proveout.records.verdict import Evidence
from proveout.task.plain_values import class_text
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SAME_WITHIN = tolerance.SUMMED


class Answering(Protocol):
    """What answers: an `OpenBundle`, as far as cases know it."""

    @property
    def task(self) -> Task:
        """How its scores are read."""

    @property
    def request_columns(self) -> tuple[str, ...]:
        """The fields of a request that it looks at."""

    def predict(self, records: "pd.DataFrame") -> "NDArray[np.float64]":
        """The scores of each record."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model says of every record that cases ask about, by the names of `Case.asked`."""

    scores: Mapping[str, tuple[float, ...]]
    task: Task


def ask(cases: Sequence[Case], model: Answering) -> Answers:
    """What `model` says of all records of `cases`, the changed ones too, asked in one batch."""
    asked = {name: record for case in cases for name, record in case.asked().items()}
    said = model.predict(frame(asked.values(), columns=model.request_columns))
    rows = said.reshape(len(asked), -1).tolist()
    return Answers(scores=dict(zip(asked, map(tuple, rows), strict=True)), task=model.task)


def demands(case: Case, answers: Answers) -> tuple[Evidence, ...]:
    """What `case` asks of the answers, a number each. An answer that is no number keeps no demand.

    Raises: ConfigError if the case expects what the task does not have.
    """
    task_fit.check(case, answers.task)
    expect, own = case.expect, answers.scores[case.id]

    def stated(name: str, value: float, **bounds: Any) -> Evidence:
        return Evidence(name=name, value=value, slice=case.id, **bounds)

    found = [stated(name, value, **bounds) for name, value, bounds in _own(case, answers.task, own)]
    said = {name: scores[0] for name, scores in answers.scores.items()}
    for other in expect.higher_than:
        # Above, not level: a model that does not see the difference is not to pass.
        found.append(stated(f"lead over {other}", own[0] - said[other], at_least=SAME_WITHIN))
    for other in expect.same_as:
        found.append(stated(f"distance to {other}", _apart(own, answers.scores[other]), at_most=SAME_WITHIN))
    for change in expect.same_under:
        apart = _apart(own, answers.scores[changed(case.id, change)])
        found.append(stated(f"distance under {told(change)}", apart, at_most=SAME_WITHIN))
    for word, sign, when in (("fall", 1, expect.not_lower_when), ("rise", -1, expect.not_higher_when)):
        for field, rising in when.items():
            way = _way(case, field, rising, said)
            lost, where = _fall([(value, sign * answer) for value, answer in way])
            name = f"{word} while {field} rises from {written(way[0][0])} to {written(way[-1][0])}"
            most = max(rising.tolerance, SAME_WITHIN)
            found.append(stated(name, lost, at_most=most, decision="" if lost <= most else _between(way, where)))
    return tuple(found)


Bounds = Mapping[str, float | None]


def _own(case: Case, task: Task, own: tuple[float, ...]) -> list[tuple[str, float, Bounds]]:
    """What is asked of the case's own answer alone: names, numbers and bounds."""
    expect = case.expect
    if task.name == "regression":
        asked = expect.value
        bounds = {"at_least": asked.at_least, "at_most": asked.at_most} if asked is not None else {}
        return [("value", own[0], bounds)]
    low, high = (expect.probability.at_least, expect.probability.at_most) if expect.probability else (0.0, 1.0)
    found: list[tuple[str, float, Bounds]] = [("probability", max(own), {"at_least": low, "at_most": high})]
    if task.name == "multiclass":
        by_class = dict(zip(map(class_text, task.facts.classes), own, strict=True))
        if expect.label is not None:
            name = class_text(expect.label)
            others = max(chance for other, chance in by_class.items() if other != name)
            found.append((f"lead of {name} over the other classes", by_class[name] - others, {"at_least": 0.0}))
        for name, between in expect.probabilities.items():
            asked_of = {"at_least": between.at_least, "at_most": between.at_most}
            found.append((f"probability of {name}", by_class[name], asked_of))
        return found
    threshold = float(task.facts.threshold or 0.0)
    if expect.label is True:
        found.append(("probability, to be called true", own[0], {"at_least": threshold}))
    elif expect.label is False:
        # The threshold itself is called true: the highest number below it is not.
        found.append(("probability, to be called false", own[0], {"at_most": math.nextafter(threshold, -1)}))
    return found


def _apart(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The largest distance of two answers' scores; NaN if one of them is."""
    apart = [abs(mine - theirs) for mine, theirs in zip(one, other, strict=True)]
    return math.nan if any(map(math.isnan, apart)) else max(apart)


def _way(case: Case, field: str, rising: Rising, said: Mapping[str, float]) -> list[tuple[Scalar, float]]:
    return [(value, said[changed(case.id, {field: value})]) for value in rising.through]


def _fall(way: Sequence[tuple[Scalar, float]]) -> tuple[float, tuple[int, int]]:
    """How far the answer falls at most, from any value to any later one, and between which two places.

    >>> _fall([(10, 0.2), (30, 0.4), (50, 0.375)])
    (0.025000000000000022, (1, 2))
    """
    worst, where, top = 0.0, (0, 0), 0
    for place, (_, answer) in enumerate(way):
        if math.isnan(answer):
            return math.nan, (0, place)
        top = place if answer > way[top][1] else top
        if way[top][1] - answer > worst:
            worst, where = way[top][1] - answer, (top, place)
    return worst, where


def _between(way: Sequence[tuple[Scalar, float]], where: tuple[int, int]) -> str:
    return ", ".join(f"{way[place][1]:.4g} at {written(way[place][0])}" for place in where)
