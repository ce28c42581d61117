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

from proveout.monitoring.stream.day_summary import Bins, Summary, distances, gaps, merged
from proveout.records.drift_report import StreamDay

REFERENCE_DAYS = 28
VALUES_SHARE = 2 / 3
"""The part of the budget that is for values."""

LEAST_GAP = 0.01
"""A share of nulls that hardly ever moves counts in units of one percent of the rows."""

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
    72
    """
    return REFERENCE_DAYS + math.ceil(budget_days / VALUES_SHARE) - 1


def walk(days: Sequence[Day], bins: Sequence[Bins], *, budget_days: float) -> tuple[StreamDay, ...]:
    """The verdict on each day that has enough days before it, as it would have been on that day.

    Two thirds of the budget are for values, one third for nulls and unknown levels, which values would drown. The
    latter need a longer history, and alarm from then on.

    Args:
        days: in order of time; those with fewer than 20 rows are left out.
        budget_days: one false page in so many days is allowed, on average.
    """
    known = [day for day in days if day.rows >= FEWEST_ROWS]
    sides = [
        (day.counts, merged(one.counts for one in known[place - REFERENCE_DAYS : place]))
        for place, day in enumerate(known)
        if place >= REFERENCE_DAYS
    ]
    apart = np.array([distances(bins, *both) for both in sides]).reshape(-1, len(bins))
    missed = np.array([gaps(bins, *both) for both in sides]).reshape(-1, len(bins))
    found: list[StreamDay] = []
    most = math.ceil(budget_days / (1 - VALUES_SHARE))
    for place in range(days_needed(budget_days) - REFERENCE_DAYS, len(apart)):
        day, span = known[REFERENCE_DAYS + place], slice(max(0, place - most), place + 1)
        # Near its end the distance hardly grows while the days grow apart: the logarithm has no end.
        values = rank(-np.log(np.maximum(1 - apart[span], 1e-3)), least=1e-6)
        others = rank(missed[span], least=LEAST_GAP)
        chances = values[0] / VALUES_SHARE, others[0] / (1 - VALUES_SHARE)
        measure, column = (apart, values[1]) if chances[0] <= chances[1] else (missed, others[1])
        # The chance is a share of whole days, so that the last bit of a division must not decide.
        alarmed = min(chances) <= 1 / budget_days + 1e-12
        earlier = measure[span][:-1, column]
        found.append(
            StreamDay(
                date=day.date, rows=day.rows, p_value=min(1.0, *chances), alarmed=alarmed,
                paged=alarmed and not (found and found[-1].alarmed),
                column=bins[column].column, measure="values" if measure is apart else "gaps",
                distance=float(measure[place, column]), usual=float(np.median(earlier[~np.isnan(earlier)])),
            )
        )  # fmt: skip
    return tuple(found)


def rank(apart: npt.NDArray[np.float64], *, least: float) -> tuple[float, int]:
    """The share of days that are as far from theirs as the last one, and its furthest column.

    A day is as far as its furthest column, in units of that column's usual deviation. All days, the last one too, make
    that unit: so none of them is favoured, and the last one is first by chance once in so many days.

    Args:
        apart: distances, shape (days, columns), the day in question last; NaN where there is none.
        least: the least unit.
    """
    scaled = np.column_stack([_scaled(column, least=least) for column in apart.T])
    furthest = scaled.max(axis=1)
    return float((furthest >= furthest[-1]).mean()), int(np.argmax(scaled[-1]))


def _scaled(apart: npt.NDArray[np.float64], *, least: float) -> npt.NDArray[np.float64]:
    known = ~np.isnan(apart)
    if known.sum() < 2 or not known[-1]:
        return np.full(len(apart), -np.inf)
    middle = float(np.median(apart[known]))
    spread = max(float(np.median(np.abs(apart[known] - middle))), least)
    scaled: npt.NDArray[np.float64] = np.nan_to_num((apart - middle) / spread, nan=-np.inf)
    return scaled
