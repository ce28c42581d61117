"""schema/json_schema.py: what the OpenAPI document says of a field."""

import re
from typing import Any

import pandas as pd
import pandera.pandas as pa
import pytest

from proveout.schema import json_schema, request_schema


def of(column: pa.Column) -> dict[str, Any]:
    """The field as JSON Schema has it."""
    [field] = request_schema.read(pa.DataFrameSchema({"v": column}), name="s").fields
    return json_schema.of_field(field)


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (
            pa.Column("int8", [pa.Check.ge(1), pa.Check.lt(12)]),
            {"type": "integer", "minimum": 1, "maximum": 127, "exclusiveMaximum": 12},
        ),
        (
            pa.Column("float64", pa.Check.in_range(0, 1), nullable=True),
            {"type": ["number", "null"], "minimum": 0.0, "maximum": 1.0},
        ),
        (pa.Column("boolean", default=True), {"type": ["boolean", "null"], "default": True}),
        (
            pa.Column(str, [pa.Check.str_length(2, 5), pa.Check.str_matches("[a-z]"), pa.Check.str_contains("x")]),
            {
                "type": "string",
                "minLength": 2,
                "maxLength": 5,
                "pattern": "^(?:[a-z])",
                "allOf": [{"pattern": "x"}],
            },
        ),
        (
            pa.Column(pd.CategoricalDtype(["low", "mid", "high"]), pa.Check.isin(["high", "low"]), nullable=True),
            {"type": ["string", "null"], "enum": ["low", "high", None]},
        ),
    ],
)
def test_each_constraint_is_said_where_json_schema_has_a_word_for_it(column, told):
    """A client that is generated from the document refuses the same requests as the server."""
    assert of(column) == told


def test_a_moment_is_text_whose_form_is_said():
    """Its bounds are not: JSON Schema compares no moments, and a Timestamp is no JSON."""
    told = of(pa.Column("datetime64[ns, UTC]", pa.Check.ge(pd.Timestamp("2013-01-01", tz="UTC"))))

    assert told.keys() == {"type", "pattern"} and told["type"] == "string"
    assert re.search(told["pattern"], "2013-06-07") and re.search(told["pattern"], "2013-06-07T08:15:00Z")
    assert not re.search(told["pattern"], "05/06/2013")
