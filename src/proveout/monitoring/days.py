"""The day of each row: of its event where request fields tell it, else of its answer.

Input: rows or predictions, and the fields (`event_day`). Output: days such as `2013-06-30`, in order as text. Rows of
one day have weather and news in common: a test that takes them for independent raises false alarms.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from proveout.records.prediction import Prediction
from proveout.records.values import Scalar

if TYPE_CHECKING:
    import pandas as pd


_LEAP = 2000  # has each day that a year may have


def of(record: Mapping[str, Scalar], fields: Sequence[str]) -> str | None:
    """The day that the fields of a record tell; None without fields, and if they tell none.

    >>> of({"year": 2013, "month": 6, "day": 3}, ["year", "month", "day"])
    '2013-06-03'
    >>> of({"leaves": "2013-06-03T06:15:00"}, ["leaves"])
    '2013-06-03'
    >>> of({"month": 6, "day": 3}, ["month", "day"])
    '06-03'
    >>> of({"leaves": "soon"}, ["leaves"]) is None
    True
    """
    values = [record.get(field) for field in fields]
    try:
        if len(values) == 1:
            return date.fromisoformat(str(values[0])[:10]).isoformat()
        *years, month, day = (int(value) for value in values if value is not None)
        if not years:
            return date(_LEAP, month, day).isoformat()[5:]
        return date(years[0], month, day).isoformat()
    except (ValueError, OverflowError):
        return None


def of_predictions(predictions: Sequence[Prediction], fields: Sequence[str]) -> list[str]:
    """The day of each prediction; of an answer whose record tells none, the day of the answer in UTC."""
    return [of(one.record, fields) or one.at[:10] for one in predictions]


def of_rows(rows: "pd.DataFrame", fields: Sequence[str]) -> list[str | None]:
    """The day of each row, in order; None for rows that tell none."""
    columns = [field for field in fields if field in rows]
    return [
        of(dict(zip(columns, values, strict=True)), fields)
        for values in zip(*(rows[column].tolist() for column in columns), strict=True)
    ] or [None] * len(rows)
