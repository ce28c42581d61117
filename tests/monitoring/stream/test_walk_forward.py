"""`monitoring/stream/walk_forward.py` and `day_summary.py`: days are compared with days, at a stated budget."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from proveout.monitoring.stream import walk_forward
from proveout.monitoring.stream.day_summary import distances, grid, merged, summarise
from proveout.monitoring.stream.walk_forward import Day


def rows(rng: np.random.Generator, *, weather: float, number: int = 60, share: float = 0.3) -> pd.DataFrame:
    """A day: its rows share its weather, so no two days are alike."""
    return pd.DataFrame(
        {
            "temp": np.where(rng.random(number) < 0.05, np.nan, rng.normal(weather, 1, number)),
            "wind": rng.normal(rng.normal(0, 0.5), 1, number),
            "carrier": rng.choice(["UA", "B6", "EV"], number, p=[share, 0.5, 0.5 - share]),
        }
    )


def stream(seed: int, days: int, *, warmer: float = 0.0):
    """Days whose weather wanders; the last one is warmer."""
    rng = np.random.default_rng(seed)
    frames = [rows(rng, weather=rng.normal(0, 1.5) + (warmer if day == days - 1 else 0)) for day in range(days)]
    bins = grid(rows(rng, weather=0.0, number=500), ["temp", "wind", "carrier"])
    dates = pd.date_range("2013-01-01", periods=days).strftime("%Y-%m-%d")
    return [
        Day(date=date, rows=len(one), counts=summarise(bins, one)) for date, one in zip(dates, frames, strict=True)
    ], bins


def test_days_that_differ_as_days_do_keep_the_budget():
    """A test that counts rows alarms on every one of them. Here one in ten does, as stated."""
    judged = alarmed = 0
    for seed in range(8):
        days, bins = stream(seed, 85)
        found = walk_forward.walk(days, bins, budget_days=10)
        judged, alarmed = judged + len(found), alarmed + sum(day.alarmed for day in found)

    assert judged == 8 * (85 - walk_forward.days_needed(10))
    assert binom.ppf(0.001, judged, 0.06) <= alarmed <= binom.ppf(0.999, judged, 0.1)


def test_a_day_further_than_any_other_is_a_page_and_names_its_column():
    """And before it, each day had to be as far as one day in thirty."""
    days, bins = stream(3, 90, warmer=12)

    last = walk_forward.walk(days, bins, budget_days=30)[-1]

    assert (last.date, last.column, last.measure, last.paged) == ("2013-03-31", "temp", "values", True)
    assert last.distance > 2 * last.usual


def test_numbers_that_go_missing_are_a_page_though_the_weather_is_wild():
    """In the distance of values a fifth of nulls is a day like many."""
    days, bins = stream(5, 125)
    rng = np.random.default_rng(9)
    gone = rows(rng, weather=0.5)
    gone.loc[gone.index[:15], "temp"] = np.nan
    last = Day(date="2013-05-06", rows=60, counts=summarise(bins, gone))

    found = walk_forward.walk([*days, last], bins, budget_days=30)[-1]

    assert (found.alarmed, found.column, found.measure) == (True, "temp", "gaps")


def test_days_in_a_row_are_one_page():
    """What goes on is told once."""
    days, bins = stream(3, 90, warmer=12)
    again = [*days, Day(date="2013-04-01", rows=60, counts=days[-1].counts)]

    found = walk_forward.walk(again, bins, budget_days=20)[-2:]

    assert [(day.alarmed, day.paged) for day in found] == [(True, True), (True, False)]


def test_without_enough_days_nothing_is_judged():
    """A budget of one in thirty cannot be kept by a history of twenty; and a night of five rows is no day."""
    days, bins = stream(1, 72)
    few = Day(date="2012-12-31", rows=5, counts=days[0].counts)

    assert walk_forward.days_needed(30) == 72
    assert walk_forward.walk([few, *days], bins, budget_days=30) == ()
    assert len(walk_forward.walk([*days, days[-1]], bins, budget_days=30)) == 1


def test_counts_of_portions_are_the_counts_of_the_day():
    """A day comes in portions, and what nobody knew at training has a place."""
    rng = np.random.default_rng(0)
    day, bins = rows(rng, weather=1.0, number=200), grid(rows(rng, weather=0.0, number=500), ["temp", "carrier"])
    day.loc[:9, "carrier"] = "ZZ"
    day.loc[10:14, "carrier"] = None

    whole = summarise(bins, day)
    parts = merged([summarise(bins, day[:120]), summarise(bins, day[120:])])

    assert all((one == other).all() for one, other in zip(whole, parts, strict=True))
    assert whole[1].tolist()[-2:] == [10, 5]
    assert distances(bins, whole, parts).tolist() == [0.0, 0.0]
    assert np.isnan(distances(bins, whole, summarise(bins, day.drop(columns="temp")))[0])
    assert distances(bins, whole, summarise(bins, day.assign(carrier="YY")))[1] == pytest.approx(0.95)
