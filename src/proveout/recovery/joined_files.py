"""Files that a notebook puts one below the other, or side by side by their key: what it joins are the raw rows.

A column that says which file a row came from may have been added, as the label of true news and of fake ones; then the
files may have other columns beside those that were joined. Rows and columns may have been left out. A column that was
computed or changed before is no raw column. Side by side, each key stands in one row of either file: where many rows
have one key, the other file is a table of what is known already.

Input: the tables that are joined, and the tables that were read. Output: whether the first are the second.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from proveout.recovery.tables import FEWEST_ROWS


def are_joined(tables: Sequence[pd.DataFrame], read: Sequence[pd.DataFrame]) -> bool:
    """Whether each table has rows of another file, and beside its columns none but the same value in each row."""
    if len(tables) < 2 or len(read) < 2 or any(set(one.columns) != set(tables[0].columns) for one in tables):
        return False
    if any(one.columns.has_duplicates for one in (*tables, *read)):
        return False
    left = list(range(len(read)))
    found = []
    for table in tables:
        place = next((place for place in left if _is_of(table, read[place])), None)
        if place is None:
            return False
        left.remove(place)
        found.append(read[place])
    # A file without the outcome is one that the model is asked about, and no part of what it learns from.
    return all(set(one.columns) == set(found[0].columns) for one in found) or _are_told_apart(tables, found)


def are_side_by_side(
    left: pd.DataFrame, right: pd.DataFrame, keys: Sequence[Any], read: Sequence[pd.DataFrame]
) -> bool:
    """Whether both are rows of files as they were read, each with a key of its own in the columns `keys`."""
    if not keys or min(len(left), len(right)) < FEWEST_ROWS:
        return False
    if any(table.columns.has_duplicates or not set(keys) <= set(table.columns) for table in (left, right)):
        return False
    if any(table.duplicated(list(keys)).any() for table in (left, right)):
        return False
    first = next((one for one in read if set(left.columns) <= set(one.columns) and _is_of(left, one)), None)
    if first is None:
        return False
    others = (one for one in read if one is not first and set(right.columns) <= set(one.columns))
    return any(_is_of(right, one) for one in others)


def _are_told_apart(tables: Sequence[pd.DataFrame], files: Sequence[pd.DataFrame]) -> bool:
    """Whether a column that was added has another value for each file, as a label has: it may be the outcome."""
    added = [one for one in tables[0].columns if not any(one in file.columns for file in files)]
    return any(len({str(table[one].iloc[0]) for table in tables}) == len(tables) for one in added)


def _is_of(table: pd.DataFrame, file: pd.DataFrame) -> bool:
    own = [column for column in file.columns if column in table.columns]
    added = table.drop(columns=own)
    if not own or not len(table) or len(table) > len(file) or any(added.nunique(dropna=False) > 1):
        return False
    if not all(table[column].dtype == file[column].dtype for column in own):
        return False
    try:
        return set(_marks(table[own])) <= set(_marks(file[own]))
    except TypeError:  # values that have no hash
        return False


def _marks(table: pd.DataFrame) -> Any:
    return pd.util.hash_pandas_object(table, index=False).to_numpy().tolist()
