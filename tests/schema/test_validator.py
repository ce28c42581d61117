"""schema/validator.py: a record as the schema has it, or every problem at once."""

import pickle
import re

import pandera.pandas as pa
import pytest
from reference_project import ROOT

from proveout.schema import request_schema
from proveout.schema.validator import MOST_PROBLEMS, InvalidRecord, Validator


@pytest.fixture(scope="module")
def validator() -> Validator:
    columns = {"hour": pa.Column(int, pa.Check.in_range(0, 23)), "wind": pa.Column(float, nullable=True)}
    return Validator(request_schema.read(pa.DataFrameSchema(columns), name="hours"))


def test_a_record_has_every_field_in_the_order_of_the_schema(validator):
    """Journal, worker and cache rely on one order. The document that came is left as it is."""
    came = {"wind": 3, "hour": 5.0}

    assert list(validator.validate(came).items()) == [("hour", 5), ("wind", 3.0)]
    assert came == {"wind": 3, "hour": 5.0}
    assert validator.validate({"hour": 5}) == {"hour": 5, "wind": None}


def test_all_problems_are_told_at_once_and_no_value_is(validator):
    """With one error at a time, ten wrong fields take ten tries. A typed value does not belong in a log."""
    with pytest.raises(InvalidRecord) as invalid:
        validator.validate({"hour": 24, "wind": "Ada", "place": "Ada"})

    assert [(one.field, one.rule) for one in invalid.value.problems] == [
        ("hour", "in_range"), ("wind", "type"), ("place", "unknown"),
    ]  # fmt: skip
    assert "hour is an integer, expected at least 0 and at most 23, and 2 more" in str(invalid.value)
    assert "Ada" not in str(invalid.value) and "Ada" not in repr(invalid.value.problems)
    assert pickle.loads(pickle.dumps(invalid.value)).problems == invalid.value.problems


def test_a_body_of_unknown_fields_is_answered_with_a_short_list(validator):
    """A small request must not be able to ask for a large answer."""
    with pytest.raises(InvalidRecord) as invalid:
        validator.validate({"hour": 1, **{f"f{place}": 1 for place in range(5_000)}})

    assert len(invalid.value.problems) == MOST_PROBLEMS


def test_no_number_that_there_is_not_gets_in(validator):
    """JSON has no NaN, and Python has: every comparison with it is false."""
    with pytest.raises(InvalidRecord, match="wind is a number"):
        validator.validate({"hour": 1, "wind": float("nan")})


def test_the_example_of_the_docs_runs(monkeypatch, capsys):
    """It is what people copy."""
    monkeypatch.chdir(ROOT)
    [block] = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "data.md").read_text(), flags=re.M | re.S)

    exec(compile(block, "docs/data.md", "exec"), {})

    said = capsys.readouterr().out
    assert "month in_range" in said or "month le" in said
    assert "day needed an integer" in said
