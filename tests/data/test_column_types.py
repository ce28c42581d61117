"""Types that a real table has: each column is kept and profiled as it is, or refused by name where it comes in."""

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

from proveout.data import features, guard, profiles, snapshots
from proveout.data.store import Store
from proveout.errors import ConfigError, DataRefused
from proveout.monitoring import data_report
from proveout.records.snapshot import ColumnStats

ANYTHING = pa.DataFrameSchema({}, strict=False)
MIDNIGHT = pd.Timestamp("2013-01-01", tz="UTC").timestamp()


def numbers(values: "pd.Series[Any]") -> ColumnStats:
    [found] = profiles.numbers(profiles.profile(pd.DataFrame({"v": values})))
    return found


def taken(store: Store, values: "pd.Series[Any]") -> "pd.Series[Any]":
    """The column as a snapshot gives it back."""
    guarded = guard.check(pd.DataFrame({"v": values, "w": 1}), ANYTHING, name="2013-01")
    batch = snapshots.store_batch(store, "2013-01", guarded, {})
    return snapshots.read(store, snapshots.extend(store, None, [batch]).digest)["v"]


KEPT: dict[str, tuple[Any, float | None, float | None]] = {  # values, and the least and greatest of their profile
    "a category with a null": (pd.Series(["a", None, "b"], dtype="category"), None, None),
    "numbers of a category": (pd.Series([1, 5, None], dtype="category"), 1.0, 5.0),
    "uint64 beyond int64": (pd.Series([2**63 + 2048, 1, 2], dtype="uint64"), 1.0, float(2**63 + 2048)),
    "UInt64 with a null": (pd.Series([2**63 + 2048, None, 2], dtype="UInt64"), 2.0, float(2**63 + 2048)),
    "Int64": (pd.Series([3, None, 2], dtype="Int64"), 2.0, 3.0),
    "Float64": (pd.Series([0.5, None, 2.0], dtype="Float64"), 0.5, 2.0),
    "boolean": (pd.Series([True, None, False], dtype="boolean"), 0.0, 1.0),
    "flags as objects": (pd.Series([True, None, False], dtype=object), 0.0, 1.0),
    "spans of time": (pd.Series(pd.to_timedelta(["1 days", None, "2 days"])), 86_400.0, 172_800.0),
    "moments": (pd.Series(pd.to_datetime(["2013-01-01", None, "2013-01-02"], utc=True)), MIDNIGHT, MIDNIGHT + 86_400),
    "decimals": (pd.Series([decimal.Decimal("1.1"), None, decimal.Decimal("2.55")]), 1.1, 2.55),
    "bytes": (pd.Series([b"x", None, b"y"]), None, None),
    "days": (pd.Series([datetime.date(2013, 1, 1), None, datetime.date(2013, 1, 2)]), None, None),
    "periods": (pd.Series(pd.period_range("2013-01", periods=3, freq="M")), None, None),
    "nothing but nulls": (pd.Series([None, None, None], dtype=object), None, None),
    "numbers as objects": (pd.Series([1, 2.5, None], dtype=object), 1.0, 2.5),
    "text": (pd.Series(["a", None, "b"], dtype="string"), None, None),
    "lists": (pd.Series([[1], [2], None]), None, None),
}


@pytest.mark.parametrize("kind", KEPT)
def test_a_column_of_a_real_table_is_profiled_and_read_back_as_it_came(tmp_path, kind):
    """A category with a null stopped the batch, and an identifier beyond int64 had the minimum -1."""
    values, least, greatest = KEPT[kind]

    found = numbers(values)
    again = taken(Store(str(tmp_path)), values)

    assert (found.rows, found.nulls) == (3, int(values.isna().sum()))
    assert (found.minimum, found.maximum) == (least, greatest)
    assert round(found.distinct) == len({str(value) for value in values.dropna()})
    assert again.isna().tolist() == values.isna().tolist()
    for came, kept in zip(values.dropna(), again.dropna(), strict=True):
        assert list(kept) == came if isinstance(came, list) else kept == came


REFUSED: dict[str, Any] = {
    "texts and numbers": pd.Series(["a", 1, None], dtype=object),
    "complex numbers": pd.Series([1j, 2, 3]),
    "sets": pd.Series([{1}, {2}, None]),
    "tuples": pd.Series([(1, 2), (3, 4), None]),
    "integers beyond 64 bits": pd.Series([2**70, 1, None], dtype=object),
    "half a character": pd.Series(["\ud800", "b", None], dtype=object),
    "a sparse column": pd.Series(pd.arrays.SparseArray([0, 0, 1])),
    "objects of a class": pd.Series([pytest, pytest, None], dtype=object),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_column_that_no_file_can_keep_is_refused_by_name(tmp_path, kind):
    """pyarrow's own error names a type of its own; and what came back otherwise was "changed after ingestion"."""
    with pytest.raises(DataRefused, match=r"Batch 2013-01 is refused: its column v \(.+\) cannot be stored"):
        taken(Store(str(tmp_path)), REFUSED[kind])


def test_bad_rows_of_any_type_are_kept_in_quarantine(tmp_path):
    """A bad row of an odd type is bad already: it is not to stop the batch that leaves it out."""
    rows = pd.DataFrame({name: values for name, values in REFUSED.items() if name != "a sparse column"})
    rows["n"] = ["far", "near", 5]
    schema = pa.DataFrameSchema({"n": pa.Column(int, coerce=True)})

    refused = guard.check(rows, schema, name="b").refused
    refused.to_parquet(tmp_path / "refused.parquet")

    kept = pd.read_parquet(tmp_path / "refused.parquet")
    assert kept["n"].tolist() == ["far", "near"]
    assert kept["texts and numbers"].tolist() == ["a", "1"]


def test_features_with_two_columns_of_one_name_are_refused_by_name():
    """Which of the two the model is to learn from, nobody can say."""
    rows = pd.DataFrame({"hour": [1, 2]})

    with pytest.raises(ConfigError, match="gave more than one column called hour"):
        features.compute(lambda asked: pd.concat([asked, asked], axis=1), rows, ("hour",), name="features")


@pytest.mark.parametrize("dtype", ["Int64", "UInt8", "Float64", "boolean", "string", "category"])
def test_distributions_compare_columns_of_every_type(dtype):
    """A nullable column is compared like a plain one, its missing values as a value of their own."""
    values = ["a", None, "b", "b"] if dtype in ("string", "category") else [1, None, 0, 0]
    one, other = pd.Series(values, dtype=dtype), pd.Series(values[:1] * 4, dtype=dtype)

    assert data_report.distance(one, one) == 0.0
    numeric = dtype in ("Int64", "UInt8", "Float64")  # the largest gap of cumulative shares; else a share of levels
    assert data_report.distance(one, other) == (0.5 if numeric else 0.75)
    compared = data_report.compare({"1": pd.DataFrame({"v": one}), "2": pd.DataFrame({"v": other})}, "2", ["v"])
    assert compared.columns[0].missing_before == 0.25
    assert np.isfinite(compared.columns[0].distance)
