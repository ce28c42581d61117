"""Is what moved a season? Only an earlier year can tell.

Input: days of the window, days of the same season of earlier years, and the training rows, all as counts. Output: a
`Season` for each column that moved. Pure. The days are clusters: rows of one day share its weather.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal

import numpy as np

from proveout.monitoring.stream.day_summary import Bins, Summary, distances, merged
from proveout.monitoring.stream.walk_forward import Day
from proveout.records.drift_report import Season

NEAR_DAYS = 14
"""Days of an earlier year so near to the same date are the same season."""

PERMUTATIONS = 499
LEVEL = 0.01

Cycle = Literal["none", "year"]


def same_season(days: Sequence[Day], window: Sequence[Day]) -> tuple[Day, ...]:
    """Those of `days` that are of an earlier year, at most 14 days from the same date as a day of `window`."""
    dates = [date.fromisoformat(day.date) for day in window]
    if not dates:
        return ()
    near = {
        one + timedelta(days=shift)
        for year in range(1, 4)
        for one in (_years_before(day, year) for day in dates)
        for shift in range(-NEAR_DAYS, NEAR_DAYS + 1)
    }
    first = min(dates) - timedelta(days=183)  # later ones are of this year's season
    known = ((day, date.fromisoformat(day.date)) for day in days)
    return tuple(day for day, at in known if at in near and at < first)


def _years_before(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year - years, day=28)


def judge(
    moved: Sequence[str],
    bins: Sequence[Bins],
    *,
    window: Sequence[Day],
    earlier: Sequence[Day],
    reference: Summary,
    cycle: Cycle,
) -> tuple[Season, ...]:
    """For each column of `moved`, whether the window is as the same season of an earlier year was.

    It is, if the window is nearer to that season than to the training rows, and no further from it than any share of
    these days from the rest of them (permutations of days).

    Args:
        reference: the counts of the training rows.
        cycle: whether the project says that its rows change with the year.
    """
    if not earlier or not window:
        return tuple(Season(column=name, verdict="unknown", words=_cannot(cycle)) for name in moved)
    now, before = merged(day.counts for day in window), merged(day.counts for day in earlier)
    apart, learned = distances(bins, now, before), distances(bins, now, reference)
    years = ", ".join(sorted({day.date[:4] for day in earlier}))
    found = []
    for place, one in enumerate(bins):
        if one.column in moved:
            chance = _chance(one, place, window, earlier)
            words = f"{apart[place]:.2g} from the same season of {years}, {learned[place]:.2g} from the training rows"
            found.append(_season(one.column, chance=chance, nearer=bool(apart[place] < learned[place]), words=words))
    return tuple(found)


def _season(column: str, *, chance: float, nearer: bool, words: str) -> Season:
    if chance <= LEVEL:
        return Season(column=column, verdict="not seasonal", words=f"no season: {words}, beyond what days differ by")
    if nearer:
        return Season(column=column, verdict="seasonal", words=f"seasonal, as expected: {words}")
    return Season(column=column, verdict="unknown", words=f"cannot know whether it is a season: {words}")


def _cannot(cycle: Cycle) -> str:
    if cycle == "year":
        why = "a yearly cycle is stated, but no rows of an earlier year are known"
    else:
        why = "no earlier year is known, and no cycle is stated"
    return f"cannot know whether it is a season: {why}"


def _chance(one: Bins, place: int, window: Sequence[Day], earlier: Sequence[Day]) -> float:
    """The share of orders of the days in which as many of them are as far from the rest."""
    counts = np.array([day.counts[place] for day in (*window, *earlier)], dtype=np.float64)
    total, rng = counts.sum(axis=0), np.random.default_rng(0)
    chosen = np.zeros((PERMUTATIONS + 1, len(counts)))
    chosen[0, : len(window)] = 1
    for row in chosen[1:]:
        row[rng.permutation(len(counts))[: len(window)]] = 1
    first = chosen @ counts
    second = total - first
    sizes = np.maximum(first.sum(axis=1, keepdims=True), 1), np.maximum(second.sum(axis=1, keepdims=True), 1)
    apart = first / sizes[0] - second / sizes[1]
    far = np.abs(np.cumsum(apart, axis=1)).max(axis=1) if one.numeric else np.abs(apart).sum(axis=1)
    return float((far >= far[0] - 1e-12).mean())
