"""Putting edge cases to a model: every record in one batch, then what each case demands of the answers.

Comes in: cases and an opened bundle. Goes out: `Evidence`, a number with its bounds for each thing that is expected.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from proveout.edge_cases.case import Case, Rising, changed, told, written
from proveout.edge_cases.loader import frame
from proveout.fastpath import tolerance
from proveout.records import Evidence, Scalar

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SAME_WITHIN = tolerance.SUMMED


class Answering(Protocol):
    """What answers: an `OpenBundle`, as far as cases know it."""

    @property
    def threshold(self) -> float:
        """A label is true from this probability on."""

    @property
    def request_columns(self) -> tuple[str, ...]:
        """The fields of a request that it looks at."""

    def predict(self, records: "pd.DataFrame") -> "NDArray[np.float64]":
        """A probability for each record."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model says of every record that cases ask about, by the names of `Case.asked`."""

    probabilities: Mapping[str, float]
    threshold: float  # label = probability >= threshold


def ask(cases: Sequence[Case], model: Answering) -> Answers:
    """What `model` says of all records of `cases`, the changed ones too, asked in one batch."""
    asked = {name: record for case in cases for name, record in case.asked().items()}
    said = model.predict(frame(asked.values(), columns=model.request_columns))
    probabilities = {name: float(answer) for name, answer in zip(asked, said, strict=True)}
    return Answers(probabilities=probabilities, threshold=model.threshold)


def demands(case: Case, answers: Answers) -> tuple[Evidence, ...]:
    """What `case` asks of the answers, a number each. An answer that is no number keeps no demand."""
    said, expect = answers.probabilities, case.expect
    own = said[case.id]

    def stated(name: str, value: float, **bounds: Any) -> Evidence:
        return Evidence(name=name, value=value, slice=case.id, **bounds)

    low, high = (expect.probability.at_least, expect.probability.at_most) if expect.probability else (0.0, 1.0)
    found = [stated("probability", own, at_least=low, at_most=high)]
    if expect.label is True:
        found.append(stated("probability, to be called true", own, at_least=answers.threshold))
    elif expect.label is False:
        # The threshold itself is called true: the highest number below it is not.
        found.append(stated("probability, to be called false", own, at_most=math.nextafter(answers.threshold, -1)))
    for other in expect.higher_than:
        # Above, not level: a model that does not see the difference is not to pass.
        found.append(stated(f"lead over {other}", own - said[other], at_least=SAME_WITHIN))
    for other in expect.same_as:
        found.append(stated(f"distance to {other}", abs(own - said[other]), at_most=SAME_WITHIN))
    for change in expect.same_under:
        apart = abs(own - said[changed(case.id, change)])
        found.append(stated(f"distance under {told(change)}", apart, at_most=SAME_WITHIN))
    for word, sign, when in (("fall", 1, expect.not_lower_when), ("rise", -1, expect.not_higher_when)):
        for field, rising in when.items():
            way = _way(case, field, rising, said)
            lost, where = _fall([(value, sign * answer) for value, answer in way])
            name = f"{word} while {field} rises from {written(way[0][0])} to {written(way[-1][0])}"
            most = max(rising.tolerance, SAME_WITHIN)
            found.append(stated(name, lost, at_most=most, decision="" if lost <= most else _between(way, where)))
    return tuple(found)


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
