"""Evaluating edge cases on a model: all records in one batch, then the expectations of each case.

Input: cases and an opened bundle. Output: `Evidence`, a number with its bounds for each expectation.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from proveout.edge_cases import task_fit
from proveout.edge_cases.case import Case, Rising, change_text, changed, written
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
    """What cases need of a model, such as an `OpenBundle`."""

    @property
    def task(self) -> Task:
        """The task, which reads its scores."""

    @property
    def request_columns(self) -> tuple[str, ...]:
        """The request fields that it uses."""

    def predict(self, records: "pd.DataFrame") -> "NDArray[np.float64]":
        """The scores of each record."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """A model's scores for every record of the cases, by the names of `Case.asked`."""

    scores: Mapping[str, tuple[float, ...]]
    task: Task


def ask(cases: Sequence[Case], model: Answering) -> Answers:
    """The answers of `model` to all records of `cases`, including the changed ones, in one batch."""
    records = {name: record for case in cases for name, record in case.asked().items()}
    scores = model.predict(frame(records.values(), columns=model.request_columns))
    rows = scores.reshape(len(records), -1).tolist()
    return Answers(scores=dict(zip(records, map(tuple, rows), strict=True)), task=model.task)


def demands(case: Case, answers: Answers) -> tuple[Evidence, ...]:
    """The evidence of `case`: a number for each expectation. An answer of NaN meets no expectation.

    Raises: ConfigError if the expectation does not fit the task.
    """
    task_fit.check(case, answers.task)
    expect, own = case.expect, answers.scores[case.id]

    def stated(name: str, value: float, **bounds: Any) -> Evidence:
        return Evidence(name=name, value=value, slice=case.id, **bounds)

    found = [stated(name, value, **bounds) for name, value, bounds in _own(case, answers.task, own)]
    first = {name: scores[0] for name, scores in answers.scores.items()}
    for other in expect.higher_than:
        # Strictly higher: a model that does not see the difference must not pass.
        found.append(stated(f"lead over {other}", own[0] - first[other], at_least=SAME_WITHIN))
    for other in expect.same_as:
        found.append(stated(f"distance to {other}", _apart(own, answers.scores[other]), at_most=SAME_WITHIN))
    for change in expect.same_under:
        apart = _apart(own, answers.scores[changed(case.id, change)])
        found.append(stated(f"distance under {change_text(change)}", apart, at_most=SAME_WITHIN))
    for word, sign, when in (("fall", 1, expect.not_lower_when), ("rise", -1, expect.not_higher_when)):
        for field, rising in when.items():
            way = _way(case, field, rising, first)
            lost, where = _fall([(value, sign * answer) for value, answer in way])
            name = f"{word} while {field} rises from {written(way[0][0])} to {written(way[-1][0])}"
            most = max(rising.tolerance, SAME_WITHIN)
            found.append(stated(name, lost, at_most=most, decision="" if lost <= most else _between(way, where)))
    return tuple(found)


Bounds = Mapping[str, float | None]


def _own(case: Case, task: Task, own: tuple[float, ...]) -> list[tuple[str, float, Bounds]]:
    """The expectations of the case's own answer: names, numbers and bounds."""
    expect = case.expect
    if task.name == "regression":
        value = expect.value
        bounds = {"at_least": value.at_least, "at_most": value.at_most} if value is not None else {}
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
            bounds = {"at_least": between.at_least, "at_most": between.at_most}
            found.append((f"probability of {name}", by_class[name], bounds))
        return found
    threshold = float(task.facts.threshold or 0.0)
    if expect.label is True:
        found.append(("probability, to be called true", own[0], {"at_least": threshold}))
    elif expect.label is False:
        # The threshold itself counts as true, so the bound is the largest number below it.
        found.append(("probability, to be called false", own[0], {"at_most": math.nextafter(threshold, -1)}))
    return found


def _apart(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The largest difference between the scores of two answers; NaN if a score is NaN."""
    apart = [abs(mine - theirs) for mine, theirs in zip(one, other, strict=True)]
    return math.nan if any(map(math.isnan, apart)) else max(apart)


def _way(case: Case, field: str, rising: Rising, scores: Mapping[str, float]) -> list[tuple[Scalar, float]]:
    """The values of the field, each with the answer."""
    return [(value, scores[changed(case.id, {field: value})]) for value in rising.through]


def _fall(way: Sequence[tuple[Scalar, float]]) -> tuple[float, tuple[int, int]]:
    """The largest fall of the answer from any value to a later one, and between which two positions.

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
