"""`monitoring/stream/season.py`: a season is known by an earlier year, and by nothing else."""

import numpy as np
import pandas as pd

from proveout.monitoring.stream import season
from proveout.monitoring.stream.day_summary import grid, summarise
from proveout.monitoring.stream.walk_forward import Day

RNG = np.random.default_rng(5)


def rows(temp: float, wind: float, number: int = 40) -> pd.DataFrame:
    return pd.DataFrame({"temp": RNG.normal(temp, 5, number), "wind": RNG.normal(wind, 2, number)})


WINTER = rows(30, 10, 800)
BINS = grid(WINTER, ["temp", "wind"])


def days(first: str, number: int, *, temp: float, wind: float) -> list[Day]:
    """Days of which each has its own weather."""
    return [
        Day(date=date, rows=40, counts=summarise(BINS, rows(temp + RNG.normal(0, 4), wind + RNG.normal(0, 1))))
        for date in pd.date_range(first, periods=number).strftime("%Y-%m-%d")
    ]


def judged(window: list[Day], earlier: list[Day], *, cycle: season.Cycle = "year"):
    return {
        one.column: one
        for one in season.judge(
            ["temp", "wind"],
            BINS,
            window=window,
            earlier=season.same_season([*earlier, *window], window),
            reference=summarise(BINS, WINTER),
            cycle=cycle,
        )
    }


def test_a_warm_june_is_as_expected_and_a_storm_in_it_is_not():
    """Both differ from the winter that the model was trained on; only one of them did so last year."""
    found = judged(days("2013-06-01", 30, temp=70, wind=20), days("2012-05-01", 92, temp=70, wind=8))

    assert found["temp"].verdict == "seasonal"
    assert found["temp"].words.startswith("seasonal, as expected: ")
    assert "from the same season of 2012" in found["temp"].words
    assert found["wind"].verdict == "not seasonal"


def test_without_an_earlier_year_it_says_that_it_cannot_know():
    """A year that somebody promised is no year that was seen; last week is not last year."""
    window = days("2013-06-01", 30, temp=70, wind=8)

    told, untold = judged(window, days("2013-05-01", 31, temp=60, wind=8)), judged(window, [], cycle="none")

    assert {one.verdict for one in (*told.values(), *untold.values())} == {"unknown"}
    assert "a yearly cycle is stated, but no rows of an earlier year are known" in told["temp"].words
    assert "no earlier year is known, and no cycle is stated" in untold["temp"].words


def test_the_same_season_is_two_weeks_around_the_date_in_earlier_years():
    """February has a 29th day once in four years."""
    known = days("2010-01-01", 1200, temp=50, wind=8)
    window = days("2012-02-29", 1, temp=50, wind=8)

    found = season.same_season(known, window)

    assert {day.date[:4] for day in found} == {"2010", "2011"}
    assert (found[0].date, found[-1].date) == ("2010-02-14", "2011-03-14")
