"""What the model looks at, and what it is asked. The same code runs in training and in the server.

The server runs the copy that was packed with the model, so a change here reaches production only with a new bundle.
Arithmetic and NumPy, row by row, are fastest there: it then runs `features` on plain arrays, without pandas.
"""

import numpy as np
import pandas as pd

LATE_MINUTES = 30
AS_THEY_ARE = [
    "carrier", "origin", "dest", "distance",
    "temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib",
    "plane_year", "seats",
]  # fmt: skip


def features(flights: pd.DataFrame) -> pd.DataFrame:
    """The model's columns, from what is known when a flight is scheduled to leave. One row in, one row out."""
    departure = minute_of_day(flights["sched_dep_time"])
    model = flights[AS_THEY_ARE].copy()
    model["minute_of_day"] = departure
    model["sched_minutes"] = (minute_of_day(flights["sched_arr_time"]) - departure) % 1440
    model["weekday"] = weekday(flights["year"], flights["month"], flights["day"])
    return model


def late(flights: pd.DataFrame) -> pd.Series:
    """Whether a flight reached its gate more than 30 minutes late; null where it never did."""
    return (flights["arr_delay"] > LATE_MINUTES).astype("boolean").mask(flights["arr_delay"].isna())


def minute_of_day(clock: pd.Series) -> pd.Series:
    """Minutes since midnight of a clock written as HHMM; 2400 is midnight."""
    return (clock // 100 * 60 + clock % 100) % 1440


def weekday(year: pd.Series, month: pd.Series, day: pd.Series) -> np.ndarray:
    """0 for a Monday to 6 for a Sunday; NaN for a day that the calendar does not have."""
    months = np.asarray((year - 1970) * 12 + month - 1, dtype="datetime64[M]")
    dates = months.astype("datetime64[D]") + np.asarray(day - 1)
    is_real = (dates.astype("datetime64[M]") == months) & np.asarray(month.between(1, 12))
    return np.where(is_real, (dates.astype("int64") + 3) % 7, np.nan)  # day 0, 1 January 1970, was a Thursday
