"""schema/examples.py: a record that the schema lets in, and that looks like the rows that the model learned from."""

import re

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

from proveout.schema import examples, request_schema
from proveout.schema.spec import RequestSchema
from proveout.schema.validator import Validator


def schema_of(**columns: pa.Column) -> RequestSchema:
    return request_schema.read(pa.DataFrameSchema(columns), name="s")


TRIPS = schema_of(
    year=pa.Column(int, pa.Check.in_range(2000, 2100)),
    wind=pa.Column(pd.Int64Dtype(), nullable=True),
    share=pa.Column("float32", nullable=True),
    carrier=pa.Column(str, pa.Check.str_matches(r"^[A-Z]{2}$")),
    late=pa.Column(bool),
    name=pa.Column(str, metadata={"pii": True}),
    plane=pa.Column(str, nullable=True),
    at=pa.Column("datetime64[ns, UTC]"),
    band=pa.Column(pd.CategoricalDtype(["low", "high"])),
)


def trips(rows: int = 101) -> pd.DataFrame:
    places = np.arange(rows)
    return pd.DataFrame(
        {
            "year": 2013,
            "wind": pd.Series(np.where(places % 3 == 0, None, places), dtype="Int64"),
            "share": pd.Series(np.where(places % 2, 0.1, np.nan), dtype="float32"),
            "carrier": np.where(places % 3, "UA", "B6"),
            "late": places % 5 == 0,
            "name": "Ada",
            "plane": [f"N{place}" for place in places],
            "at": pd.Timestamp("2013-01-01T06:00", tz="UTC") + pd.to_timedelta(places, unit="D"),
            "band": pd.Categorical(np.where(places % 4, "high", "low"), categories=["low", "high"]),
            "delay": 1.5,
        }
    )


def test_typical_values_are_medians_and_what_comes_most_often():
    """Numbers that rows have, in the type of the field: no 49.5 of whole numbers, no 0.10000000149."""
    found = examples.typical_values(trips(), TRIPS)

    assert found == {
        "year": 2013, "wind": 50, "share": 0.1, "carrier": "UA", "late": False, "at": "2013-02-20T06:00:00+00:00",
        "band": "high",
    }  # fmt: skip
    assert [type(value) for value in found.values()] == [int, int, float, str, bool, str, str]


def test_nobodys_own_values_are_shown():
    """A name that is marked, and a tail number that one row has, are somebody's."""
    found = examples.typical_values(trips(), TRIPS)

    assert "name" not in found and "plane" not in found
    assert examples.typical_values(trips(4), TRIPS).keys() == {"year", "wind", "share", "at"}


def test_of_values_that_are_as_frequent_always_the_same_one_is_shown():
    """The order of the rows is chance."""
    rows = pd.DataFrame({"carrier": ["B6", "UA"] * 10})

    assert examples.typical_values(rows, TRIPS) == examples.typical_values(rows.iloc[::-1], TRIPS) == {"carrier": "B6"}


def test_rows_that_know_nothing_have_no_typical_value():
    """A column that is null throughout; a table without the column; a table without rows."""
    assert examples.typical_values(pd.DataFrame({"share": [None, None]}, dtype="float32"), TRIPS) == {}
    assert examples.typical_values(trips(0), TRIPS) == {}


def test_an_example_takes_typical_values_that_the_schema_lets_in():
    """2056 is in the middle of the allowed range, but no request has it. Rows of an old schema may not fit."""
    example = examples.record(TRIPS, {"year": 2013, "carrier": "united", "late": True})

    assert example["year"] == 2013 and example["late"] is True
    assert re.fullmatch("[A-Z]{2}", str(example["carrier"]))
    assert Validator(TRIPS).validate(example)


@pytest.mark.parametrize("pattern", [r"^[A-Z]{3}$", r"^\d{2,4}-x?$", r"(a|b)+c", r"^[^a]b.$", r"^(?:N\d+|X)$"])
def test_a_text_is_made_for_a_pattern(pattern):
    """A field without an example is a page that nobody can try."""
    schema = request_schema.read(pa.DataFrameSchema({"a": pa.Column(str, pa.Check.str_matches(pattern))}), name="s")
    sample = examples.value(schema.fields[0])

    assert sample is not None and re.match(pattern, str(sample))


def test_a_field_whose_rules_say_too_little_has_no_example():
    """Rather none than one that is refused."""
    strict = pa.Column(str, pa.Check(lambda text: text == "sesame", element_wise=True, name="password"))
    schema = request_schema.read(pa.DataFrameSchema({"a": strict}), name="s")

    assert examples.record(schema) == {}
