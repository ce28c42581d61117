"""Which days of a stream differ from the days before more than days do: at a stated number of false pages.

Input: daily summaries in order. Output: a `StreamDay` for each day that has enough history. Pure.

Rows of one day are alike, so a test that counts rows alarms every day. Here days are counted. The distance of a day
from the 28 days before it is compared with the same distances of the days before: each of those was a day of this
stream, too. If a day is as likely to be the furthest as any other, it is so by chance once in as many days as are
compared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from proveout.monitoring.stream.day_summary import Bins, Summary, distances, merged
from proveout.records.drift_report import StreamDay

REFERENCE_DAYS = 28
HISTORY_DAYS = 60
"""At most so many earlier distances are compared with, or twice the budget: more would be of another season."""

FEWEST_ROWS = 20
"""A day with fewer rows is left out."""


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day and its counts."""

    date: str
    rows: int
    counts: Summary


def days_needed(budget_days: float) -> int:
    """The days of history that a budget of one false page in so many days needs.

    >>> days_needed(30)
    57
    """
    return REFERENCE_DAYS + math.ceil(budget_days) - 1


def walk(days: Sequence[Day], bins: Sequence[Bins], *, budget_days: float) -> tuple[StreamDay, ...]:
    """The verdict on each day that has enough days before it, as it would have been on that day.

    Args:
        days: in order of time; those with fewer than 20 rows are left out.
        budget_days: one false page in so many days is allowed, on average.
    """
    known = [day for day in days if day.rows >= FEWEST_ROWS]
    apart = np.array(
        [
            distances(bins, day.counts, merged(one.counts for one in known[place - REFERENCE_DAYS : place]))
            for place, day in enumerate(known)
            if place >= REFERENCE_DAYS
        ]
    ).reshape(-1, len(bins))
    found: list[StreamDay] = []
    fewest, most = days_needed(budget_days) - REFERENCE_DAYS, max(HISTORY_DAYS, math.ceil(2 * budget_days))
    for place in range(fewest, len(apart)):
        day = known[REFERENCE_DAYS + place]
        compared = apart[max(0, place - most) : place + 1]
        chance, column = rank(compared)
        alarmed = chance <= 1 / budget_days
        paged = alarmed and not (found and found[-1].alarmed)
        found.append(
            StreamDay(
                date=day.date, rows=day.rows, p_value=chance, alarmed=alarmed, paged=paged,
                column=bins[column].column, distance=float(apart[place, column]),
                usual=float(np.median(compared[:-1, column][~np.isnan(compared[:-1, column])])),
            )
        )  # fmt: skip
    return tuple(found)


def rank(apart: npt.NDArray[np.float64]) -> tuple[float, int]:
    """The share of days that are as far from theirs as the last one, and its furthest column.

    A day is as far as its furthest column, in units of that column's usual deviation. All days, the last one too, make
    that unit: so none of them is favoured, and the last one is first by chance once in so many days.

    Args:
        apart: distances, shape (days, columns), the day in question last.
    """
    # Near its end the distance hardly grows while the days grow apart: the logarithm has no end.
    scaled = np.column_stack([_scaled(column) for column in -np.log(np.maximum(1 - apart, 1e-3)).T])
    furthest = scaled.max(axis=1)
    column = int(np.argmax(scaled[-1]))
    return float((furthest >= furthest[-1]).mean()), column


def _scaled(apart: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    known = ~np.isnan(apart)
    if known.sum() < 2 or not known[-1]:
        return np.full(len(apart), -np.inf)
    middle = np.median(apart[known])
    # A column that hardly ever moves has no usual deviation: any other value of it is far.
    spread = max(float(np.median(np.abs(apart[known] - middle))), 1e-6)
    scaled: npt.NDArray[np.float64] = np.nan_to_num((apart - middle) / spread, nan=-np.inf)
    return scaled
