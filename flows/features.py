"""What the model looks at, and what it is asked. The same code runs in training and in the server.

The server runs the copy that was packed with the model, so a change here reaches production only with a new bundle.
"""

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
    dates = pd.to_datetime(flights[["year", "month", "day"]], errors="coerce")
    model["weekday"] = dates.dt.day_of_week.astype("float64")
    return model


def late(flights: pd.DataFrame) -> pd.Series:
    """Whether a flight reached its gate more than 30 minutes late; null where it never did."""
    return (flights["arr_delay"] > LATE_MINUTES).astype("boolean").mask(flights["arr_delay"].isna())


def minute_of_day(clock: pd.Series) -> pd.Series:
    """Minutes since midnight of a clock written as HHMM; 2400 is midnight."""
    return (clock // 100 * 60 + clock % 100) % 1440
