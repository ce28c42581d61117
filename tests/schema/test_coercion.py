"""schema/coercion.py and data/guard.py: what a column of a type makes of a value, in a batch and in a request."""

import datetime
import json
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pandera.pandas as pa
import pytest
from pandera.engines import pandas_engine

from proveout.data import guard
from proveout.errors import DataRefused
from proveout.schema import coercion, request_schema
from proveout.schema.compiled_validator import compile_validator
from proveout.server.http.validation import Refused, read


def parted(values: list[Any], dtype: Any, *checks: pa.Check, **options: Any) -> tuple[list[Any], list[Any]]:
    """What the guard makes of a column of these values: the accepted ones, and the reasons of the refused ones."""
    column = pa.Column(dtype, list(checks), **{"coerce": True, **options})
    guarded = guard.check(pd.DataFrame({"v": values}), pa.DataFrameSchema({"v": column}), name="b")
    return guarded.accepted["v"].tolist(), guarded.refused[guard.REASON].tolist()


def refused(dtype: str, times: int = 1) -> list[str]:
    return [f"v coerce_dtype('{dtype}')"] * times


# --- altered values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("came", "dtype", "held"),
    [
        ([261.0, 5.0], "int8", [5]),
        ([5.7, 5.0], int, [5]),
        ([517.9, 517.0], "int64", [517]),
        ([-1, 5], "uint8", [5]),
        ([2.0**53 + 2, 5.0], "int64", [5]),
        (["no", "", "true", 1], bool, [True, True]),
        ([2, 0], bool, [False]),
        ([1e39, 0.1], "float32", [float(np.float32(0.1))]),
        ([2**53 + 1, 5], "float64", [5.0]),
        (["nan", "n/a", "", "1_000", "5", " 2.5 "], float, [5.0, 2.5]),
        (["5.7", "5.0", "5", "1e999999999", "1" * 5000, Decimal("Infinity")], int, [5, 5]),
        (["1e400", Decimal("1e400"), Decimal("0.1")], float, [0.1]),
        ([7030.0, 7030, b"x", "x"], str, ["7030", "x"]),
        (["c", "a"], pd.CategoricalDtype(["a", "b"]), ["a"]),
        ([5, "05/06/2013", "2013-02-31", "2013-05-06"], "datetime64[ns]", [pd.Timestamp("2013-05-06")]),
        ([datetime.datetime(1000, 1, 1), datetime.date(2013, 5, 6)], "datetime64[ns]", [pd.Timestamp("2013-05-06")]),
        ([pd.Timestamp("2013-05-06 13:00"), pd.Timestamp("2013-05-06")], pa.Date, [datetime.date(2013, 5, 6)]),
        ([1.255, Decimal("1.25")], pandas_engine.Decimal(10, 2), [Decimal("1.25")]),
        ([1.5, 1.0], "int64[pyarrow]", [1]),
        ([5.7, 5.0], pd.Int64Dtype(), [5]),
        (["no", True], pd.BooleanDtype(), [True]),
    ],
)  # fmt: skip
def test_a_value_that_its_column_would_alter_goes_to_quarantine(came, dtype, held):
    """261.0 was ingested as 5, 5.7 as 5, "no" as True, unnoticed."""
    accepted, reasons = parted(pd.Series(came, dtype=object), dtype)

    assert accepted == held
    name = str(pa.Column(dtype).dtype)
    assert reasons == refused(name, times=len(came) - len(held))


def test_typed_columns_are_held_to_the_same_rule_as_objects():
    """Columns of numbers use a faster path with the same result."""
    for came, dtype in (
        (np.array([261.0, 5.0]), "int8"), (np.array([300, 5]), "uint8"), (np.array([2**60 + 1, 5]), "float64"),
        (np.array([1e39, 5]), "float32"), (np.array([5.5, 5]), "Int64"), (np.array([np.inf, 5]), "int64"),
        (np.array([2**64 - 1, 5], dtype="uint64"), "int64"),
    ):  # fmt: skip
        assert parted(came, dtype) == ([5], refused(dtype)), (came, dtype)
    assert parted(np.array([3, 4]), "float64") == ([3.0, 4.0], [])
    assert parted(np.array([3.0, 4.0]), "int16") == ([3, 4], [])


def test_a_null_is_never_a_flag_or_an_integer():
    """None became False in a column of flags; a column that can hold null keeps it as one."""
    for null in (None, float("nan"), pd.NaT, pd.NA):
        assert parted(pd.Series([null, True], dtype=object), bool) == ([True], refused("bool"))
        assert parted(pd.Series([null, 5], dtype=object), int) == ([5], refused("int64"))
        accepted, reasons = parted(pd.Series([null, 5], dtype=object), "Int64", nullable=True)
        assert accepted[0] is pd.NA and accepted[1] == 5 and reasons == []


def test_a_null_takes_the_default_of_its_column():
    """pandera puts it there; the row is a good one."""
    assert parted([1.0, None], int, default=7) == ([1, 7], [])


def test_moments_stay_the_same_moment():
    """A zone is another way to write a moment; one without a zone is not to be guessed away."""
    berlin = pd.Timestamp("2013-05-06 02:00", tz="Europe/Berlin")

    accepted, reasons = parted(pd.Series([berlin, "2013-05-06T00:00Z"], dtype=object), pd.DatetimeTZDtype("ns", "UTC"))
    assert accepted == [pd.Timestamp("2013-05-06", tz="UTC")] * 2 and reasons == []
    assert parted([berlin], "datetime64[ns]") == ([], refused("datetime64[ns]"))


# --- two readers ------------------------------------------------------------------------------------------------------

NUMBERS = [
    0, 1, -1, 5, 127, 128, -128, -129, 255, 256, 261, 65_504, 65_520, 2**24 + 1, 2**31, 2**53, 2**53 + 1, 2**63 - 1,
    2**63, 2**64 - 1, 0.0, -0.0, 1.0, 5.0, 5.7, 0.1, 261.0, 517.9, 2.0**53, 2.0**60, 1e39, 1e-50, 5e-324, -1e308,
]  # fmt: skip
VALUES: list[Any] = [*NUMBERS, None, True, False, "", "no", "true", "5", "5.0", "n/a", "nan", "é", [1], {"a": 1}]
DTYPES = [
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), "Int8", "Int64", "UInt8", "UInt64",
    "float16", "float32", "float64", "Float32", "Float64", "bool", "boolean", "str",
]  # fmt: skip
JSON_TYPES = {"int": (int, float), "float": (int, float), "bool": (bool,), "str": (str,)}


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_guard_and_the_gateway_hold_the_same_values(dtype):
    """What was measured on batches is what requests are answered with: one rule says what a column can hold.

    JSON has types and a CSV file has none: text for a number, and 1 for true, are refused in a request alone."""
    nullable = coercion.has_null(dtype)
    schema = pa.DataFrameSchema({"v": pa.Column(dtype, nullable=nullable)}, coerce=True)
    compiled = request_schema.read(schema, name="s")
    quick, kind = compile_validator(compiled), compiled.fields[0].kind
    came = [orjson.loads(json.dumps(value)) for value in VALUES]
    rows = pd.DataFrame({"v": pd.Series(came, dtype=object), "place": range(len(came))})
    accepted = guard.check(rows, schema, name="b").accepted
    kept = dict(zip(accepted["place"], accepted["v"].astype(object), strict=True))

    for place, value in enumerate(came):
        try:
            asked = read(json.dumps({"v": value}).encode(), compiled).record["v"]
        except Refused:
            typed = value is None or type(value) in JSON_TYPES[kind]
            assert place not in kept or not typed, (value, kept[place])
            assert quick({"v": value}, -1) is None, value
            continue
        assert place in kept, value
        held = kept[place]
        if asked is None:
            assert pd.isna(held)
        elif kind == "float":
            assert held == np.dtype(dtype.lower()).type(asked) == pytest.approx(value, rel=1e-3), value
        else:
            assert held == asked == value, value


# --- one bad cell -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("texts", [False, True], ids=["numbers", "a file of text"])
def test_one_cell_that_cannot_be_converted_costs_one_row(texts):
    """27,004 flights, one distance "n/a": every check of the column raised, and the whole month was refused."""
    distances: list[Any] = [float(miles) for miles in range(1, 1000)]
    distances[500] = "n/a"
    came = pd.Series([str(miles) for miles in distances] if texts else distances, dtype=object)

    accepted, reasons = parted(came, float, pa.Check.gt(0), pa.Check.le(6000))

    assert reasons == ["v coerce_dtype('float64')"]
    assert accepted == [float(miles) for miles in range(1, 1000) if miles != 501]


def test_one_cell_of_another_type_costs_one_row_where_nothing_is_coerced():
    """A reference table's schema coerces nothing: its column of objects is refused by the cell, not by the table."""
    came = pd.Series([1.5, "n/a", 2.0, None, "3"], dtype=object)

    accepted, reasons = parted(came, float, pa.Check.gt(0), coerce=False, nullable=True)

    assert reasons == ["v dtype('float64')"] * 2
    assert accepted[:2] == [1.5, 2.0] and np.isnan(accepted[2])


@pytest.mark.parametrize(
    "reads",
    [lambda s: pd.to_datetime(s).notna(), lambda s: s.map(datetime.date.fromisoformat) > datetime.date(1, 1, 1)],
)
def test_a_row_that_a_check_raises_on_is_refused_by_that_check(reads):
    """A check of the project's own stumbles over one row of a month: the month goes on without it."""
    days = [*(f"2013-05-{day:02d}" for day in range(1, 29)), "2013-02-31"]

    assert parted(days, str, pa.Check(reads, name="real_day"))[1] == ["v real_day"]
    whole = pa.DataFrameSchema({"v": pa.Column(str)}, checks=pa.Check(lambda f: reads(f["v"]), name="real_day"))
    guarded = guard.check(pd.DataFrame({"v": days}), whole, name="b")
    assert guarded.refused["v"].tolist() == ["2013-02-31"]
    assert [(refusal.check, refusal.rows) for refusal in guarded.refusals] == [("real_day", 1)]


def test_a_row_that_an_element_wise_check_raises_on_is_refused_by_that_check():
    """The gateway answers 422 for such a value; a batch loses the row and not the month."""
    inverse = pa.Check(lambda value: 1 / value > 0, element_wise=True, name="inverse")

    assert parted([1, 0, 2], int, inverse) == ([1, 2], ["v inverse"])


def test_a_check_that_raises_on_everything_says_what_it_raised():
    """No row is to blame for a slip in the check itself."""
    with pytest.raises(DataRefused, match="v slip: AttributeError"):
        parted(list(range(3000)), int, pa.Check(lambda s: s.no_such_method(), name="slip"))


@pytest.mark.parametrize("unique", [["k"], ["k", "n"]])
def test_a_key_with_a_null_may_not_be_there_twice(unique):
    """pandera lists no row for it, and a bare SchemaError came out: null equals null in a key."""
    columns = {"k": pa.Column(float, nullable=True), "n": pa.Column(int)}
    rows = pd.DataFrame({"k": [1.0, None, None, 2.0], "n": 1})

    guarded = guard.check(rows, pa.DataFrameSchema(columns, unique=unique), name="b")

    assert guarded.accepted["k"].tolist() == [1.0, 2.0]
    assert guarded.refused[guard.REASON].tolist() == ["multiple_fields_uniqueness"] * 2
    assert parted([1.0, None, None], float, unique=True, nullable=True) == ([1.0], ["v field_uniqueness"] * 2)


def test_which_of_two_twins_stays_is_what_the_schema_says():
    """`report_duplicates` of a schema keeps the first: it is not to be refused with the second."""
    schema = pa.DataFrameSchema({"v": pa.Column(int)}, unique=["v"], report_duplicates="exclude_first")

    assert guard.check(pd.DataFrame({"v": [1, 1, 2]}), schema, name="b").accepted["v"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "whole",
    [
        pa.Check(lambda f: f.notna().all(), name="whole"),  # an answer for each column
        pa.Check(lambda f: f.groupby("n")["v"].mean() < 5, name="whole"),  # for each group, numbered like rows
        pa.Check(lambda f: f["v"].mean() < 5, name="whole"),
    ],
)  # fmt: skip
def test_a_fault_of_the_whole_table_is_no_rows_fault(whole):
    """The label of a column is no row number, and that of a group looks like one."""
    schema = pa.DataFrameSchema({"v": pa.Column(float, nullable=True), "n": pa.Column(int)}, checks=whole)

    with pytest.raises(DataRefused, match="whole: False"):
        guard.check(pd.DataFrame({"v": [1.0, 9.0, None, 9.0], "n": [0, 1, 1, 1]}), schema, name="b")


def test_a_check_that_refuses_new_rows_each_time_refuses_the_batch():
    """Nothing above the mean: taken out, the next ones are above it."""
    with pytest.raises(DataRefused, match="others fail: v below_mean"):
        parted([float(n) for n in range(2000)], float, pa.Check(lambda s: s <= s.mean(), name="below_mean"))


def test_a_schema_that_drops_bad_rows_loses_none():
    """pandera's `drop_invalid_rows` forgets them: they are to lie in quarantine."""
    schema = pa.DataFrameSchema({"v": pa.Column(int, pa.Check.gt(1))}, drop_invalid_rows=True)

    guarded = guard.check(pd.DataFrame({"v": [1, 2]}), schema, name="b")

    assert (guarded.accepted["v"].tolist(), guarded.refused["v"].tolist()) == ([2], [1])


def test_columns_that_have_no_name_of_their_own_refuse_the_batch():
    """Two columns called `v` are ambiguous, and a file has only text names."""
    schema = pa.DataFrameSchema({"v": pa.Column(int)})

    with pytest.raises(DataRefused, match="more than one column called v"):
        guard.check(pd.DataFrame([[1, 2]], columns=["v", "v"]), schema, name="b")
    with pytest.raises(DataRefused, match="column names 7 are not text"):
        guard.check(pd.DataFrame([[1, 2]], columns=["v", 7]), schema, name="b")
