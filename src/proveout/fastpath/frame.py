"""Rows as NumPy arrays that look enough like a DataFrame for a project's features function.

Input: arrays by column name. Output: a `Block`, and a `Column` for each name. pandas costs half a millisecond per
operation, whatever the number of rows; this costs a few microseconds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from proveout.fastpath.series import NUMBERS, TEXT, Column, NotDirect, Values, text


class Block:
    """Columns of equal length: the input and the output of a features function."""

    __slots__ = ("_columns", "_rows")
    _columns: dict[str, Values]
    _rows: int

    def __init__(self, columns: Mapping[str, Values], *, rows: int) -> None:
        self._columns, self._rows = dict(columns), rows
        for name, values in self._columns.items():
            if values.shape != (rows,):
                raise NotDirect(f"a column {name} of shape {values.shape} for {rows} rows")

    def array(self, name: str) -> Values:
        """The values of one column, not copied. Do not change them."""
        return self._columns[name]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._columns)

    @property
    def shape(self) -> tuple[int, int]:
        return self._rows, len(self._columns)

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __bool__(self) -> bool:
        raise NotDirect("`if` of a whole table")

    def __getitem__(self, key: str | list[str]) -> Any:
        if isinstance(key, str):
            return Column(self._columns[key])
        if isinstance(key, list) and all(isinstance(name, str) for name in key):
            return Block({name: self._columns[name] for name in key}, rows=self._rows)
        raise NotDirect(f"rows[{type(key).__name__}]")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._columns:
            return Column(self._columns[name])
        raise NotDirect(f"DataFrame.{name}")

    def __setitem__(self, name: str, value: Any) -> None:
        if not isinstance(name, str):
            raise NotDirect(f"rows[{type(name).__name__}] = …")
        self._columns[name] = self._full(value)

    def _full(self, value: Any) -> Values:
        if isinstance(value, Column):
            values = value._values
        elif isinstance(value, np.ndarray):
            values = text(value.tolist()) if value.dtype.kind == "U" else value.copy()
        elif isinstance(value, str):
            values = text([value] * self._rows)
        elif isinstance(value, bool | int | float | np.number | np.bool_):
            values = np.full(self._rows, value)
        else:
            raise NotDirect(f"a {type(value).__name__} as a column")
        if values.shape != (self._rows,) or values.dtype.kind not in NUMBERS + TEXT:
            raise NotDirect(f"{values.dtype} of shape {values.shape} as a column")
        if values.dtype.kind == TEXT and isinstance(value, np.ndarray) and value.dtype.kind != "U":
            raise NotDirect("Python objects as a column")
        return values

    def copy(self) -> "Block":
        """A Block with the same columns, to which others can be added."""
        return Block(self._columns, rows=self._rows)

    def assign(self, **columns: Any) -> "Block":
        """A Block with added or replaced columns. A function is called with the Block and returns its column."""
        made = self.copy()
        for name, value in columns.items():
            made[name] = value(made) if callable(value) else value
        return made

    def drop(self, *, columns: str | Sequence[str]) -> "Block":
        """A Block without some columns."""
        gone = {columns} if isinstance(columns, str) else set(columns)
        if gone - set(self._columns):
            raise KeyError(sorted(gone - set(self._columns)))
        return Block({n: v for n, v in self._columns.items() if n not in gone}, rows=self._rows)

    def rename(self, *, columns: Mapping[str, str]) -> "Block":
        """A Block with some columns renamed."""
        if callable(columns):
            raise NotDirect("DataFrame.rename with a function")
        names = [columns.get(name, name) for name in self._columns]
        if len(set(names)) < len(names):
            raise NotDirect("two columns of one name")
        return Block(dict(zip(names, self._columns.values(), strict=True)), rows=self._rows)


BlockFeatures = Callable[[Block], Block]


def block_of(columns: Mapping[str, Any], dtypes: Mapping[str, str]) -> Block:
    """The columns of a request as a Block.

    Args:
        columns: an array for each of `dtypes`: numbers, with NaN for unknown; text as objects, with None for unknown.
        dtypes: the pandas type of each column.
    Raises: KeyError if a column is missing; NotDirect for an unsupported type, or an array that does not fit it.
    """
    made = {name: _typed(columns[name], dtype, name) for name, dtype in dtypes.items()}
    return Block(made, rows=len(next(iter(made.values()))) if made else 0)


def _typed(values: Any, dtype: str, name: str) -> Values:
    given = np.asarray(values)
    wanted = _numpy(dtype)
    if wanted is None:
        raise NotDirect(f"{name}, a column of {dtype},")
    if given.dtype == wanted:
        return given
    if wanted.kind == TEXT and given.dtype.kind == "U":
        return given.astype(object)
    if wanted.kind == TEXT or not np.can_cast(given.dtype, wanted, casting="same_kind"):
        raise NotDirect(f"{name}, {given.dtype} for {dtype},")
    return given.astype(wanted)


@cache
def _numpy(dtype: str) -> np.dtype[Any] | None:
    """The NumPy type for the values of a pandas type; None if there is none."""
    try:
        found = np.dtype(object if dtype in ("str", "object") else dtype)
    except TypeError:
        return None
    return found if found.kind in NUMBERS + TEXT else None
