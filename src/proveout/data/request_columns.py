"""Requests as columns: values as JSON has them, arrays as a model takes them, tables as pandas does. One way for all.

Input: one of the three, and the pandas type of each request column. Output: another one. The gate measures on
tables and the server asks in arrays, so there is one function for each way, and both call it.

An array is of NumPy's own type where that can hold the column: whole numbers, floats (NaN for what is not known) and
flags. Else it holds objects, None for what is not known: text, and pandas' types that have a null (Int64, boolean).
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from proveout.records.values import Scalar
from proveout.schema import coercion

if TYPE_CHECKING:
    import pandas as pd


_EXACT = coercion.EXACT_INTEGERS


@cache
def is_numpy(dtype: str) -> bool:
    """Whether a column of a pandas type is an array of NumPy's numbers or flags."""
    return re.fullmatch(r"(u?int|float)\d+|bool", dtype) is not None


def array(values: Sequence[Scalar], dtype: str) -> NDArray[Any]:
    """Values of a request column, None for what is not known, as an array.

    Raises: TypeError or ValueError for a value that is none of the type.
    """
    if is_numpy(dtype):
        if dtype == "bool" and None in values:
            raise TypeError("null is no flag")  # NumPy makes False of it
        return np.array(values, dtype=dtype)
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def plain(column: "pd.Series[Any]") -> list[Scalar]:
    """The values of a column as a request would bring them, None for what is not known."""
    values = [None if missing else value for value, missing in zip(column.tolist(), column.isna(), strict=True)]
    return [coercion.plain(value) for value in values] if getattr(column.dtype, "kind", "") == "M" else values


def plain_records(rows: "pd.DataFrame") -> list[dict[str, Scalar]]:
    """A table as JSON has requests: one dict for each row, None for what is not known."""
    columns = {str(name): plain(rows[name]) for name in rows.columns}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def arrays(rows: "pd.DataFrame", dtypes: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """The request columns of a table as arrays. Raises: ValueError, as `typed`."""
    table = typed(rows, dtypes)
    return {
        name: table[name].to_numpy() if is_numpy(dtype) else array(plain(table[name]), dtype)
        for name, dtype in dtypes.items()
    }


def arrays_of_records(records: Sequence[Mapping[str, Scalar]], dtypes: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """Requests, as JSON has them, as arrays.

    Raises: KeyError if a request lacks a column; TypeError or ValueError if a column cannot hold a value as it is.
    """
    return {
        name: array([_held(record[name], dtype, name) for record in records], dtype) for name, dtype in dtypes.items()
    }


def _held(value: Scalar, dtype: str, name: str) -> Scalar:
    convert = _converter(dtype)
    if value is None or convert is None:
        return value
    held: Scalar = convert(value)
    if held is None:
        raise _unheld(name, value, dtype)
    return held


_converter = cache(coercion.converter)


def _unheld(name: object, value: object, dtype: str) -> ValueError:
    return ValueError(f"{name} is {value!r}, which a column of {dtype} cannot hold")


def untyped(records: Sequence[Mapping[str, Scalar]], names: Sequence[str]) -> "pd.DataFrame":
    """Requests as a table whose types nobody has said: pandas infers them. A field that one lacks is not known.

    Beside a null pandas makes floats of integers: those that a float cannot hold stay objects.
    """
    import pandas as pd

    columns = {name: [record.get(name) for record in records] for name in names}
    large = {name for name, values in columns.items() if any(type(v) is int and abs(v) > _EXACT for v in values)}
    return pd.DataFrame(
        {name: pd.Series(values, dtype=object if name in large else None) for name, values in columns.items()}
    )


def table(columns: Mapping[str, Any], dtypes: Mapping[str, str]) -> "pd.DataFrame":
    """Arrays of request columns as a table."""
    import pandas as pd

    return pd.DataFrame({name: _series(columns[name], dtype) for name, dtype in dtypes.items()})


def _series(values: Any, dtype: str) -> "pd.Series[Any]":
    import pandas as pd

    if coercion.kind_of(dtype) == "datetime":  # text is read as the guard reads it
        convert = coercion.converter(dtype)
        assert convert is not None
        values = [None if pd.isna(value) else convert(value) for value in values]
    made: pd.Series[Any] = pd.Series(values, dtype=coercion.pandas_dtype(dtype))
    return made


def typed(rows: "pd.DataFrame", dtypes: Mapping[str, str]) -> "pd.DataFrame":
    """The request columns of a table, each of its type.

    Raises: KeyError if a column is missing; ValueError if a column cannot hold a value as it is (`coercion`).
    """
    asked = rows[list(dtypes)]
    if all(coercion.name_of(asked.dtypes[name]) == dtype for name, dtype in dtypes.items()):
        return asked
    return asked.assign(**{name: _typed(asked[name], dtype) for name, dtype in dtypes.items()})


def _typed(column: "pd.Series[Any]", dtype: str) -> "pd.Series[Any]":
    if not coercion.has_rule(dtype):
        other: pd.Series[Any] = column.astype(coercion.pandas_dtype(dtype))
        return other
    held, unheld = coercion.column(column, dtype)
    if unheld.any():
        raise _unheld(column.name, column[unheld].iloc[0], dtype)
    return held
