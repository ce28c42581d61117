"""Converts requests between three forms: JSON values, arrays, and pandas tables.

Input: one of the three, and the pandas type of each request column. Output: another one. The gate uses tables and the
server uses arrays; both call the same functions.

An array has NumPy's own type if that can hold the column: whole numbers, floats (NaN for null) and flags. Otherwise it
holds objects, with None for null: text, and pandas' nullable types (Int64, boolean).
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
    """Whether a column of this pandas type becomes an array of NumPy's numbers or flags."""
    return re.fullmatch(r"(u?int|float)\d+|bool", dtype) is not None


def array(values: Sequence[Scalar], dtype: str) -> NDArray[Any]:
    """Values of a request column as an array; None is null.

    Raises: TypeError or ValueError for a value that the type cannot hold.
    """
    if is_numpy(dtype):
        if dtype == "bool" and None in values:
            raise TypeError("null is no flag")  # NumPy would convert it to False
        return np.array(values, dtype=dtype)
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def plain(column: "pd.Series[Any]") -> list[Scalar]:
    """The values of a column as in a request; None for null."""
    values = [None if missing else value for value, missing in zip(column.tolist(), column.isna(), strict=True)]
    return [coercion.plain(value) for value in values] if getattr(column.dtype, "kind", "") == "M" else values


def plain_records(rows: "pd.DataFrame") -> list[dict[str, Scalar]]:
    """A table as JSON requests: one dict per row, None for null."""
    columns = {str(name): plain(rows[name]) for name in rows.columns}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def arrays(rows: "pd.DataFrame", dtypes: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """The request columns of a table as arrays. Raises: ValueError, as in `typed`."""
    table = typed(rows, dtypes)
    return {
        name: table[name].to_numpy() if is_numpy(dtype) else array(plain(table[name]), dtype)
        for name, dtype in dtypes.items()
    }


def arrays_of_records(records: Sequence[Mapping[str, Scalar]], dtypes: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """JSON requests as arrays.

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
    """Requests as a table with inferred types. A missing field is null.

    pandas converts integers to floats if there is a null; integers that a float cannot hold exactly stay objects.
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

    return pd.DataFrame({name: _column(columns[name], dtype) for name, dtype in dtypes.items()})


def _column(values: Any, dtype: str) -> "pd.Series[Any] | NDArray[Any]":
    import pandas as pd

    if is_numpy(dtype) and isinstance(values, np.ndarray) and values.dtype == dtype:
        return values
    if coercion.kind_of(dtype) == "datetime":  # text is parsed as in the guard
        convert = coercion.converter(dtype)
        assert convert is not None
        values = [None if pd.isna(value) else convert(value) for value in values]
    made: pd.Series[Any] = pd.Series(values, dtype=coercion.pandas_dtype(dtype))
    return made


def typed(rows: "pd.DataFrame", dtypes: Mapping[str, str]) -> "pd.DataFrame":
    """The request columns of a table, converted to their types.

    Raises: KeyError if a column is missing; ValueError if a column cannot hold a value as it is (`coercion`).
    """
    asked = rows[list(dtypes)]
    if [coercion.name_of(dtype) for dtype in asked.dtypes] == list(dtypes.values()):
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
