"""server/http/validation.py: what a request may be."""

import json
import math
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pandera.pandas as pa
import pytest
from every_field import GOOD, Everything
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pandera.errors import SchemaErrors
from reference_project import ROOT

from proveout.errors import ConfigError
from proveout.schema import request_schema
from proveout.schema.compiled_validator import compile_validator
from proveout.schema.spec import RequestSchema
from proveout.schema.validator import InvalidRecord, Validator
from proveout.server.http.validation import Reader, Refused, read, repeated_fields


@pytest.fixture(scope="module")
def schema() -> RequestSchema:
    return request_schema.read(Everything, name="everything")


def body(**changed: Any) -> bytes:
    return json.dumps({**GOOD, **changed}).encode()


def problems(text: bytes, schema: RequestSchema) -> list[tuple[str, str]]:
    with pytest.raises(Refused) as refused:
        read(text, schema)
    assert refused.value.problem.status == 422
    assert orjson.loads(refused.value.problem.body())["status"] == 422
    return [(problem.field, problem.rule) for problem in refused.value.problem.problems]


def test_a_good_request_comes_back_in_the_order_of_the_schema(schema):
    """Journal, worker and cache key rely on one order of the fields, whatever order a client writes."""
    shuffled = orjson.dumps(dict(reversed(GOOD.items())))

    request = read(shuffled, schema)

    assert list(request.record) == list(GOOD)
    assert request.record == GOOD
    assert request.explain is False


def test_all_problems_are_told_at_once(schema):
    """A client that mends one field at a time needs ten tries."""
    found = problems(body(count=101, share="0.5", code="ab", side=None, stranger=1), schema)

    assert found == [
        ("count", "lt"), ("count", "is_even"), ("share", "type"), ("code", "str_matches"), ("side", "type"),
        ("stranger", "unknown"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "field", "rule"),
    [
        ({"count": 13}, "count", "ne"),
        ({"count": -2}, "count", "ge"),
        ({"count": 3}, "count", "is_even"),
        ({"count": True}, "count", "type"),
        ({"count": "2"}, "count", "type"),
        ({"count": 2.5}, "count", "type"),
        ({"count": 10**15}, "count", "lt"),
        ({"count": None}, "count", "type"),
        ({"count": [2]}, "count", "type"),
        ({"small": 200}, "small", "size"),
        ({"share": 0}, "share", "gt"),
        ({"share": False}, "share", "type"),
        ({"share": {"a": 1}}, "share", "type"),
        ({"band": 4}, "band", "in_range"),
        ({"code": "ABC"}, "code", "str_matches"),
        ({"code": "AB\n"}, "code", "str_matches"),
        ({"code": 5}, "code", "type"),
        ({"word": "nope"}, "word", "notin"),
        ({"word": "x"}, "word", "str_length"),
        ({"word": "a\x00b"}, "word", "text"),
        ({"word": "w" * 1001}, "word", "length"),
        ({"tag": "y-x"}, "tag", "str_startswith"),
        ({"tag": "xy"}, "tag", "str_contains"),
        ({"side": "middle"}, "side", "isin"),
        ({"flag": False}, "flag", "eq"),
        ({"flag": 1}, "flag", "type"),
        ({"maybe": 1.5}, "maybe", "type"),
        ({"explain": 1}, "explain", "type"),
    ],
)
def test_each_broken_rule_is_named_with_its_field(schema, changed, field, rule):
    """ "Bad request" helps nobody."""
    assert (field, rule) in problems(body(**changed), schema)


def test_a_whole_number_with_a_point_is_an_integer(schema):
    """pandas writes the integers of a column with a gap as 5.0; JSON knows one kind of number."""
    record = read(body(count=4.0, maybe=9.0, share=1), schema).record

    assert (record["count"], type(record["count"])) == (4, int)
    assert (record["share"], type(record["share"])) == (1.0, float)


def test_a_float_too_large_to_be_exact_is_no_integer(schema):
    """18446744073709551616 arrives as a float that no longer says which number was meant."""
    assert ("maybe", "type") in problems(body(maybe=2.0**64), schema)


def test_nullable_fields_may_be_left_out_and_others_may_not(schema):
    """ "Not known" is a value; "forgotten" is a mistake."""
    text = {name: value for name, value in GOOD.items() if name not in {"band", "word", "maybe"}}

    assert read(orjson.dumps(text), schema).record == {**GOOD, "band": None, "word": None, "maybe": None}
    del text["count"]
    assert problems(orjson.dumps(text), schema) == [("count", "needed")]


def test_explain_is_taken_out_of_the_record(schema):
    """It asks for reasons and is no field of the flight: strict schemas would refuse it, logs would keep it."""
    request = read(body(explain=True), schema)

    assert request.explain is True
    assert "explain" not in request.record


NOT_JSON = {
    "empty": b"",
    "blank": b"   ",
    "half": b'{"count": 2',
    "array": b"[1, 2]",
    "text": b'"hello"',
    "null": b"null",
    "NaN": body().replace(b"0.5", b"NaN"),
    "Infinity": body().replace(b"0.5", b"-Infinity"),
    "1e999": body().replace(b"0.5", b"1e999"),
    "lone surrogate": body().replace(b'"four"', b'"\\ud800"'),
    "5,000 digits": body().replace(b"0.5", b"1" * 5000),
    "bad UTF-8": body().replace(b"four", b"\xff\xfe"),
    "byte order mark": b"\xef\xbb\xbf" + body(),
    "100,000 deep": b"[" * 100_000,
    "100,000 deep, as a field": b'{"count": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "two documents": body() + body(),
    "single quotes": b"{'count': 2}",
    "form": b"count=2&share=0.5",
}


@pytest.mark.parametrize("text", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_no_json_object_is_refused(schema, text):
    """LitServe answers each of these with 500 and a traceback in its log."""
    with pytest.raises(Refused) as refused:
        read(text, schema)

    problem = refused.value.problem
    assert problem.status == 400
    assert orjson.loads(problem.body())["title"] == "The body cannot be read"
    assert problem.body().isascii() or problem.body().decode().isprintable()


@pytest.mark.parametrize(
    "twice",
    [
        b'"count": 4',
        b'"count":4',
        b'"count" : "4"',
        b'"coun\\u0074": 4',
        b'"count": ":"',
        b'"word": "a\\"b:", "count": {"count": 4}',
    ],
)
def test_a_field_given_twice_is_refused(schema, twice):
    """Parsers disagree on which one counts: what a proxy has checked may not be what the model sees."""
    with pytest.raises(Refused) as refused:
        read(body()[:-1] + b", " + twice + b"}", schema)

    assert refused.value.problem.status == 400
    assert "twice" in refused.value.problem.detail


class Trip(pa.DataFrameModel):
    """A request with a moment and a category."""

    at: "pa.typing.Series[pa.DateTime]" = pa.Field(ge=pd.Timestamp("2013-01-01"))
    seen: "pa.typing.Series[pd.DatetimeTZDtype]" = pa.Field(dtype_kwargs={"unit": "us", "tz": "UTC"}, nullable=True)
    band: "pa.typing.Series[pd.CategoricalDtype]" = pa.Field(dtype_kwargs={"categories": ["low", "high"]})


TRIP = {"at": "2013-06-07T08:15:00", "seen": "2013-06-07T08:15:00-04:00", "band": "low"}


def test_moments_and_categories_are_read_at_once_and_logged_as_sent():
    """The colons of a time are no second field, and the usual request takes the quick way."""
    trip = request_schema.read(Trip, name="trip")
    text = orjson.dumps(TRIP)

    assert read(text, trip).record == TRIP
    assert compile_validator(trip)(dict(TRIP), text.count(b":")) == TRIP
    assert read(orjson.dumps({"at": "2013-06-07", "band": "high"}), trip).record["seen"] is None
    with pytest.raises(Refused, match="twice"):
        read(text[:-1] + b', "at": "2013-06-07T08:15:00"}', trip)


@pytest.mark.parametrize(
    ("changed", "field", "rule"),
    [
        ({"at": 5}, "at", "type"),
        ({"at": "05/06/2013"}, "at", "exact"),
        ({"at": "2013-02-30"}, "at", "exact"),
        ({"at": "2013-06-07T08:15:00Z"}, "at", "exact"),
        ({"at": "2012-12-31T23:59:59"}, "at", "ge"),
        ({"at": None}, "at", "type"),
        ({"seen": "2013-06-07T08:15:00.0000001Z"}, "seen", "exact"),
        ({"band": "middle"}, "band", "category"),
        ({"band": 1}, "band", "type"),
    ],
)
def test_what_is_no_moment_or_no_category_is_named(changed, field, rule):
    """Two readings of 05/06/2013 are two days; a zone cannot be taken away; no digit of a second is lost."""
    trip = request_schema.read(Trip, name="trip")

    assert (field, rule) in problems(orjson.dumps({**TRIP, **changed}), trip)


def test_colons_and_escapes_in_text_are_no_second_field(schema):
    """Doubles are found by counting colons; texts have some too."""
    assert read(body(tag="x:-:y"), schema).record["tag"] == "x:-:y"
    assert read(body(tag='x":-\\y'), schema).record["tag"] == 'x":-\\y'
    assert read(body(tag="x-").replace(b'"x-"', b'"x-\\u003ay"'), schema).record["tag"] == "x-:y"


def test_a_strange_field_name_is_shown_safely(schema):
    """An answer ends up in terminals and logs: no control characters, no walls of text."""
    with pytest.raises(Refused) as refused:
        read(body(**{"\x1b[31m" + "x" * 500: 1}), schema)

    shown = refused.value.problem.problems[0].field
    assert shown.isprintable() and len(shown) < 80


def test_the_answer_to_a_thousand_unknown_fields_stays_small(schema):
    """A small request must not be able to ask for a large answer."""
    text = orjson.dumps({**GOOD, **{f"f{i}": i for i in range(5_000)}})

    with pytest.raises(Refused) as refused:
        read(text, schema)

    assert len(refused.value.problem.body()) < 20_000


def test_values_are_not_repeated_in_a_problem(schema):
    """What a person typed is theirs; a problem goes through proxies and logs."""
    with pytest.raises(Refused) as refused:
        read(body(code="secret-of-Ada"), schema)

    assert b"Ada" not in refused.value.problem.body()


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.Column(int, pa.Check(lambda s: s.mean() > 0, name="mean_is_positive")), "mean_is_positive"),
        (pa.Column("timedelta64[ns]"), "timedelta64"),
        (pa.Column(int, nullable=True, coerce=False), "nullable"),
        (pa.Column(float, regex=True), "pattern"),
    ],
)
def test_a_check_that_needs_a_whole_column_is_refused_at_the_start(column, words):
    """Silently leaving a check out would let in what the schema forbids."""
    with pytest.raises(ConfigError, match=words):
        request_schema.read(pa.DataFrameSchema({"value": column}), name="some schema")


def test_a_check_over_the_frame_is_refused_at_the_start():
    """One request is one row: the check cannot mean it."""
    whole = pa.DataFrameSchema({"a": pa.Column(int)}, checks=pa.Check(lambda f: f["a"] > 0, name="whole_frame"))

    with pytest.raises(ConfigError, match="whole_frame"):
        request_schema.read(whole, name="some schema")


def test_a_field_called_explain_is_refused_at_the_start():
    """It would be taken for the question for reasons."""
    with pytest.raises(ConfigError, match="explain"):
        request_schema.read(pa.DataFrameSchema({"explain": pa.Column(bool)}), name="some schema")


def test_a_check_that_stumbles_has_not_been_passed():
    """A custom check that raises is a 422 for the client, not a 500."""
    schema = request_schema.read(
        pa.DataFrameSchema({"a": pa.Column(int, pa.Check(lambda v: 1 / v > 0, element_wise=True, name="inverse"))}),
        name="some schema",
    )

    assert problems(b'{"a": 0}', schema) == [("a", "inverse")]


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-200, 200), st.floats(-5, 5, allow_nan=False), st.sampled_from([2**40, 0.5]),
    st.sampled_from(["AB", "AB\n", "ab", "left", "x-y", "x-", "nope", "four", "", "toolong", "é", "ÀÉ"]),
)  # fmt: skip


@hypothesis_settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(GOOD)), VALUES, max_size=3))
def test_the_plain_rules_agree_with_pandera(changed):
    """Two readings of one schema: a request the gateway lets in is one the guard would keep, and the other way round.

    Where JSON's types are stricter on purpose (no text for numbers, no 1 for true) only the first half is asked."""
    compiled = request_schema.read(Everything, name="everything")
    record = {**GOOD, **changed}
    typed = all(type(record[name]) is type(GOOD[name]) or record[name] is None for name in GOOD)
    try:
        read(orjson.dumps(record), compiled)
        let_in = True
    except Refused:
        let_in = False
    if not (let_in or typed):
        return
    if np.__version__ < "2" and not let_in and type(record["small"]) is int and not -128 <= record["small"] < 128:
        return  # NumPy 1 makes another number of it, without a word; the guard looks at it before pandera does
    # Columns as the worker builds them: None is the column's own null.
    frame = pd.DataFrame({name: pd.Series([value], dtype=object) for name, value in record.items()})
    try:
        Everything.validate(frame, lazy=True)
        kept = True
    except (SchemaErrors, TypeError, OverflowError):
        kept = False
    if any(isinstance(value, str) and value.endswith("\n") for value in record.values()):
        # Here the gateway is stricter: `^[A-Z]{2}$` lets a line feed follow in pandas, and not in a request.
        assert kept or not let_in, record
        return
    assert let_in == kept, record


ANYTHING = st.one_of(
    VALUES, st.integers(), st.floats(), st.text(max_size=3), st.sampled_from([[], {}, 2.0, 5e-324, 10**30, ":", "x:-y"])
)


@hypothesis_settings(max_examples=400, deadline=None)
@given(
    changed=st.dictionaries(st.sampled_from([*sorted(GOOD), "stranger"]), ANYTHING, max_size=3),
    left_out=st.sets(st.sampled_from(sorted(GOOD)), max_size=2),
)
def test_the_quick_reader_lets_nothing_in_that_the_close_one_refuses(changed, left_out):
    """Two pieces of code for one schema: where the quick one gives a record, the other gives the same one."""
    reader = Reader(request_schema.read(Everything, name="everything"))
    record = {name: value for name, value in {**GOOD, **changed}.items() if name not in left_out}
    quickly = compile_validator(reader.schema)(dict(record), -1)
    try:
        closely = Validator(reader.schema).closely(dict(record))
    except InvalidRecord:
        closely = None

    assert quickly is None or closely == quickly
    if quickly is not None and closely is not None:
        assert [type(value) for value in closely.values()] == [type(value) for value in quickly.values()]
        assert list(closely) == list(quickly)


def test_a_usual_request_is_read_quickly(schema):
    """Or every request would take the slow way, and nobody would see it."""
    quick = compile_validator(schema)
    colons = body().count(b":")

    assert quick(orjson.loads(body()), colons) == GOOD
    assert quick(orjson.loads(body(share=1, tag="x:-y")), colons + 1) == {**GOOD, "share": 1.0, "tag": "x:-y"}
    without = {name: value for name, value in GOOD.items() if name not in {"band", "word"}}
    assert quick(dict(without), len(without)) == {**GOOD, "band": None, "word": None}
    assert quick(orjson.loads(body()), colons + 1) is None  # one more colon than keys: a field may be given twice


@pytest.mark.parametrize("name", ["class", "a b", "a:b", 'a"b', "é", "__proto__", "{0}", "v0", "N0", "document"])
def test_a_field_may_have_any_name(name):
    """It never becomes a part of the program that is made for the schema."""
    schema = request_schema.read(
        pa.DataFrameSchema({name: pa.Column(int), "b": pa.Column(str, nullable=True)}), name="s"
    )

    assert read(orjson.dumps({name: 5, "b": "x"}), schema).record == {name: 5, "b": "x"}
    with pytest.raises(Refused) as refused:
        read(orjson.dumps({name: 5, "b": "x"})[:-1] + b", " + orjson.dumps(name) + b": 6}", schema)
    assert "twice" in refused.value.problem.detail


def test_what_is_given_twice_is_found_where_it_is():
    """In an array each place has its own problem; depth makes no difference."""
    text = b'[{"a": 1}, {"a": 1, "a": 2}, {"b": [{"c": 1, "c": 1}]}, {"a": "x:y"}, 5, "a:a"]'

    assert sorted(repeated_fields(text, orjson.loads(text))) == [1, 2]
    assert repeated_fields(b'{"a": {"b": 1}}', {"a": {"b": 1}}) == {}


def test_a_line_feed_does_not_slip_past_the_end_of_a_pattern(schema):
    """`$` means "before a last line feed, too" to Python: `B6\\n` would be a carrier nobody has ever seen."""
    with pytest.raises(Refused):
        read(body(code="AB\n"), schema)


def test_numbers_are_finite(schema):
    """No way leads to a NaN in a record: comparisons with it are all false, so rules would let it through."""
    assert all(math.isfinite(value) for value in read(body(), schema).record.values() if isinstance(value, float))


def test_the_reference_project_has_a_schema_that_compiles():
    """Its twenty-one fields, with the custom check on clock times."""
    from proveout.settings import load, load_object

    settings = load(ROOT)
    compiled = request_schema.read(load_object(settings.request_schema, settings.root), name=settings.request_schema)
    flight = {"year": 2013, "month": 6, "day": 7, "sched_dep_time": 1830, "sched_arr_time": 2105, "carrier": "B6",
              "flight": 1161, "origin": "JFK", "dest": "FLL", "distance": 1069}  # fmt: skip

    assert read(orjson.dumps(flight), compiled).record["wind_gust"] is None
    assert problems(orjson.dumps({**flight, "sched_dep_time": 1261}), compiled) == [("sched_dep_time", "clock_time")]
