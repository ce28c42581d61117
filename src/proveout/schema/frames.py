"""Converts records to a table for a pandera model, with each column's type if its values allow it.

Input: records of plain values, and the pandas type of each field. Output: a DataFrame.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from proveout.schema import coercion

if TYPE_CHECKING:
    import pandas as pd


def of_records(records: Sequence[Mapping[str, Any]], dtypes: Mapping[str, Any]) -> "pd.DataFrame":
    """The records as a table, shape (records, fields of any record). Null if a record lacks a field.

    Args:
        dtypes: pandas types by field. An unlisted field, or a column with a value of another type, stays as Python
            objects, so that pandera refuses it.
    """
    import pandas as pd

    known = [name for name in dtypes if any(name in record for record in records)]
    unknown = dict.fromkeys(name for record in records for name in record if name not in dtypes)
    columns = {name: [record.get(name) for record in records] for name in (*known, *unknown)}
    return pd.DataFrame({name: _column(values, dtypes.get(name)) for name, values in columns.items()})


def _column(values: list[Any], dtype: Any) -> "pd.Series[Any]":
    import pandas as pd

    if dtype is not None and all(_is_of(value, dtype) for value in values):
        try:
            typed: pd.Series[Any] = pd.Series(values, dtype=dtype)
            return typed
        except (TypeError, ValueError, OverflowError):
            pass  # each value fits, but not all together: keep objects for the schema to judge
    return pd.Series(values, dtype=object)


def _is_of(value: Any, dtype: Any) -> bool:
    name = coercion.name_of(dtype)
    return coercion.has_null(name) if value is None else coercion.is_of_kind(value, coercion.kind_of(name))
