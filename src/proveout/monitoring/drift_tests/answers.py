"""What a column that moved did to the answers: the same rows are asked again with the column set back.

Input: a table of requests, the reference's values of a column, and a way to ask. Output: how far the answers differ.
Pure.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from proveout.monitoring.drift_tests.column_kind import Column, kind_of

ASKED_ROWS = 1_000
"""Rows of the window that are asked again for each column."""

Ask = Callable[[pd.DataFrame], npt.NDArray[Any]]
"""A table of requests to the watched value of each answer."""


def changes(
    window: pd.DataFrame, reference: Mapping[str, Column] | pd.DataFrame, columns: Sequence[str], ask: Ask
) -> dict[str, float]:
    """For each of `columns`, how far the answers are from those to rows with the column set back to the reference.

    Numeric answers: the mean of the absolute differences, in the unit of the answer. Classes: the share of answers that
    are another class. At most 1,000 rows, drawn with a fixed seed. A column is left out if the model cannot be asked.
    """
    drawn = np.sort(np.random.default_rng(0).permutation(len(window))[:ASKED_ROWS])
    asked = window.iloc[drawn].reset_index(drop=True)
    if not columns or not len(asked):
        return {}
    found = {}
    for name in columns:
        try:
            changed = asked.assign(**{name: set_back(asked[name], reference[name])})
            found[name] = difference(ask(asked), ask(changed))
        except Exception:  # noqa: S112  # rows that nobody sent may be refused by the project's features: then it is unknown
            continue
    return found


def difference(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """The mean absolute difference of numbers, or the share of unequal classes; rows without an answer do not count."""
    if one.dtype.kind == "f":
        found = np.abs(one - other)
        return float(np.nanmean(found)) if np.isfinite(found).any() else 0.0
    return float(np.mean([first != second for first, second in zip(one, other, strict=True)]))


def set_back(window: Column, reference: Column, *, seed: int = 0) -> Column:
    """The window's column with the distribution of the reference, and as few rows changed as that allows.

    A number gets the reference's value of the same rank, so that a high one stays high. Of a level with too many rows,
    some get a level with too few. Nulls count as a level.

    >>> set_back(pd.Series([11.0, 13.0, 12.0]), pd.Series([1.0, 3.0, 2.0])).tolist()
    [1.0, 3.0, 2.0]
    """
    rng = np.random.default_rng(seed)
    if "text" in {kind_of(window), kind_of(reference)}:
        return _levels_back(window.astype(object), reference.astype(object), rng)
    numbers = _levels_back(window.notna().astype(object), reference.notna().astype(object), rng).astype(bool)
    values = window.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    known = np.sort(reference.to_numpy(dtype=np.float64, na_value=np.nan))
    known = known[~np.isnan(known)]
    had = ~np.isnan(values)
    if len(known) and had.any():
        ranks = (np.argsort(np.argsort(values[had], kind="stable"), kind="stable") + 0.5) / had.sum()
        values[had] = known[np.minimum((ranks * len(known)).astype(int), len(known) - 1)]
    if len(known):
        values[~had] = rng.choice(known, int((~had).sum()))
    values[~numbers.to_numpy()] = np.nan
    whole = np.isfinite(values).all() and (values == np.round(values)).all()
    integers = whole and pd.api.types.is_integer_dtype(window.infer_objects().dtype)
    return pd.Series(values.astype(np.int64) if integers else values, index=window.index)


def _levels_back(window: Column, reference: Column, rng: np.random.Generator) -> Column:
    codes, names = pd.factorize(pd.concat([reference, window], ignore_index=True), use_na_sentinel=False)
    before, after = codes[: len(reference)], codes[len(reference) :].copy()
    wanted = np.bincount(before, minlength=len(names)) * (len(after) / len(before))
    missing = np.floor(wanted + 0.5).astype(int) - np.bincount(after, minlength=len(names))
    spare = np.concatenate(
        [rng.permutation(np.flatnonzero(after == level))[:rows] for level, rows in enumerate(-missing) if rows > 0]
        or [np.zeros(0, dtype=int)]
    )
    short = np.repeat(np.arange(len(names)), np.maximum(missing, 0))
    number = min(len(spare), len(short))
    after[rng.permutation(spare)[:number]] = rng.permutation(short)[:number]
    values = np.empty(len(after), dtype=object)
    values[:] = [None if pd.isna(names[code]) else names[code] for code in after]
    return pd.Series(values, index=window.index)
