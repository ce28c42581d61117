"""Are the model's columns computed right? Each line of flows/features.py, on flights one can work out by hand."""

import numpy as np
import pandas as pd
import pytest

from proveout.evaluation import row_dependence
from proveout.settings import load_object

pytestmark = pytest.mark.covers("data-7")


@pytest.fixture(scope="module")
def compute(project):
    """A function of flows/features.py by its name."""
    file = project.features.partition(":")[0]
    return lambda name: load_object(f"{file}:{name}", project.root)


@pytest.mark.parametrize(
    ("clock", "minutes"), [(0, 0), (5, 5), (59, 59), (100, 60), (1730, 1050), (2359, 1439), (2400, 0)]
)
def test_a_clock_becomes_minutes(compute, clock, minutes):
    """905 is five past nine, not nine hundred and five; 2400 is midnight, as 0 is."""
    assert compute("minute_of_day")(pd.Series([clock])).tolist() == [minutes]


@pytest.mark.parametrize(
    ("day", "number"),
    [
        ((2013, 1, 1), 1),
        ((2013, 5, 26), 6),
        ((2013, 5, 27), 0),
        ((2016, 2, 29), 0),
        ((2000, 2, 29), 1),
        ((2099, 12, 31), 3),
    ],
)
def test_a_date_becomes_a_weekday(compute, day, number):
    """Monday is 0. Leap years are where calendars written by hand go wrong."""
    year, month, date = (pd.Series([part]) for part in day)
    assert compute("weekday")(year, month, date).tolist() == [number]


@pytest.mark.parametrize("day", [(2013, 2, 29), (2013, 4, 31), (2013, 13, 1)])
def test_a_day_that_is_not_in_the_calendar_has_no_weekday(compute, day):
    """Unknown, rather than the weekday of another day."""
    assert np.isnan(compute("weekday")(*(pd.Series([part]) for part in day))).all()


def test_a_flight_over_midnight_is_not_of_negative_length(compute, holdout):
    """It leaves at 23:30 and is there at 1:00: ninety minutes."""
    flight = holdout.records.head(1).assign(sched_dep_time=2330, sched_arr_time=100)
    assert compute("features")(flight)["sched_minutes"].tolist() == [90]


def test_an_outcome_is_late_from_31_minutes_on(compute):
    """Half an hour is not late yet, and a cancelled flight was neither."""
    late = compute("late")(pd.DataFrame({"arr_delay": [30.0, 31.0, -5.0, np.nan]}))
    assert late.tolist()[:3] == [False, True, False]
    assert late.isna().tolist() == [False, False, False, True]


def test_a_flight_has_its_features_whatever_stands_beside_it(compute, holdout):
    """The same row in another order, and alone."""
    flights = holdout.records.head(50)
    whole = compute("features")(flights)
    pd.testing.assert_frame_equal(compute("features")(flights[::-1])[::-1], whole)
    pd.testing.assert_frame_equal(compute("features")(flights.iloc[[7]]), whole.iloc[[7]])


def test_features_know_the_row_and_nothing_else(candidate, holdout, project, evidence):
    """Not the files beside them, the environment, the day or the other rows: the server has none of these."""
    evidence(row_dependence.pure_features(candidate, holdout, project=project))


def test_an_outcome_is_made_of_its_row_alone(holdout, project, evidence):
    """What is right must not hang on a variable, or on the day on which it is asked."""
    evidence(row_dependence.pure_label(holdout, project=project))
