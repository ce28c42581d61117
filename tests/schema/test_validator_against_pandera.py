"""schema/validator.py beside pandera itself: a value that one of them accepts, the other accepts too.

Every type that a request can carry, and every check that pandera's Field has, alone and together, is asked of values at
the bounds, inside and outside of them, of null and of values of other types. The differences that are meant stand in
`DIFFERENCES` and in docs/data.md, which a test compares.
"""

import datetime
import re
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import pandera.pandas as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaError, SchemaErrors
from reference_project import ROOT

from proveout.data import guard
from proveout.errors import ConfigError
from proveout.schema import bounds, coercion, pandera_reader, request_schema
from proveout.schema.bounds import step
from proveout.schema.validator import InvalidRecord, Validator

DTYPES = (
    "int8", "int64", "uint8", "uint64", "Int64", "UInt8", "float16", "float32", "float64", "Float32", "bool", "boolean",
    "str", "string", "datetime64[ns]", "datetime64[s]", "datetime64[ns, UTC]", "datetime64[us, America/New_York]",
    'category["ab", "low", "high"]', 'ordered["low", "high", "ab"]',
)  # fmt: skip
LIKE_ANOTHER = {"uint8", "UInt8", "float32", "datetime64[s]"}  # `make chaos` asks them with the others
OTHERS = ("int16", "int32", "uint16", "uint32", "Int8", "Int16", "Int32", "UInt16", "UInt32", "UInt64", "Float64")

PATTERNS: tuple[Any, ...] = (
    r"^\d{2}$", r"\d", r"^[0-9]+\Z", r"\w+", r"^\W", r"\bab\b", r"\Bb", r"^\s", r"\S+$", r"a|bc", r"^a|b$", r"(a|b)+c?",
    r"(?i)k", r"^(?i:ab)", r".", r"^.$", r"a.c", r"\$", r"^\^", r"[^a]", r"^[A-Z]{2}$", r"^[a-zé]*$", r"(?=a)a",
    r"^(?!x)", r"(a)\1", r"é", r"\.", r"^$", r"a{2,3}?", r"\x41", r"^\n", r"(?:)", r"[\d_]", r"[^\s]",
    re.compile("ab", re.IGNORECASE), re.compile("^a.b$", re.DOTALL), re.compile(r"^\d+$", re.ASCII),
)  # fmt: skip
TEXTS = (
    "", " ", "a", "b", "ab", "AB", "aB", "abc", "bc", "aa", "aaa", "abab", "a c", "a\nc", "a\nb", "AB\n", "ab\n", "\n",
    "\x0b", "\x0c", "\x1c", "\x85", "\u00a0", "\u2028", "7", "42", "42\n", "٣", "٣٤", "४२", "²", "é", "É", "e\u0301",
    "ß", "ſ", "\u212a", "k", "K", "x-y", "-", "_", "$", "^", "a.", "a$", "\ud7ff", "𝔸", "x" * 1000, "x" * 1001,
    "a\x00b", "nan", "None", "true", "1", "1.0",
)  # fmt: skip


# --- the differences that are meant -----------------------------------------------------------------------------------


def _ends_in_a_line_feed(value: Any, schema: Any) -> bool:
    patterns = [str(check.statistics.get("pattern", "")) for check in checks_of(schema)]
    return isinstance(value, str) and value.endswith("\n") and any("$" in pattern for pattern in patterns)


DIFFERENCES: dict[str, Callable[[Any, Any], bool]] = {
    "text of more than 1,000 characters, unless `str_length` allows them": lambda value, schema: (
        isinstance(value, str) and len(value) > 1_000
    ),
    "text with NUL": lambda value, schema: isinstance(value, str) and "\x00" in value,
    "a line feed where a pattern ends in `$`": _ends_in_a_line_feed,
}
"""What the validator refuses and pandera accepts, by the words that docs/data.md has for it."""


def checks_of(schema: Any) -> list[Any]:
    return list(schema.columns["v"].checks)


# --- who accepts what -------------------------------------------------------------------------------------------------


def validator_accepts(schema: Any, value: Any) -> bool:
    """By both ways: what the compiled one lets in, the closer look lets in too."""
    validator = Validator(request_schema.read(schema, name="s"))
    at_once = validator.at_once({"v": value}, -1)
    try:
        closely = validator.closely({"v": value})
    except InvalidRecord:
        assert at_once is None
        return False
    assert at_once is None or at_once == closely
    return True


def pandera_accepts(schema: Any, value: Any) -> bool:
    """Of a column of the field's type with this one value, as it stands in front of the model."""
    dtype = schema.columns["v"].dtype.type
    if schema_kind(schema) == "datetime" and value is not None:
        value = moment(value, dtype)
        if value is None:
            return False
    if value is None and not coercion.has_null(coercion.name_of(dtype)):
        return False  # NumPy would make a flag of it
    if value is not None and not coercion.is_of_kind(value, coercion.kind_of(coercion.name_of(dtype))):
        return False
    try:
        column = pd.Series([value], dtype=dtype)
    except (TypeError, ValueError, OverflowError):
        return False
    if value is not None and (column.isna().any() or not _holds(column, value)):
        return False  # such as a category that is not listed
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            schema.validate(pd.DataFrame({"v": column}), lazy=True)
    except (SchemaError, SchemaErrors):
        return False
    return True


def _holds(column: "pd.Series[Any]", value: Any) -> bool:
    """Whether the column holds the value: an integer as itself, a float to the precision of the type."""
    if isinstance(value, float):
        return coercion.converter(str(column.dtype))(value) is not None  # type: ignore[misc]
    held = column.iloc[0].item() if hasattr(column.iloc[0], "item") else column.iloc[0]
    return bool(held == value)


def moment(text: Any, dtype: Any) -> pd.Timestamp | None:
    """The moment that a text in ISO 8601 says, read by Python; None for what is none in a column of the type."""
    if not isinstance(text, str) or not re.match(r"\d{4}-\d{2}-\d{2}", text):
        return None
    zone = getattr(dtype, "tz", None)
    try:
        found = datetime.datetime.fromisoformat(text)
        if zone is None and found.tzinfo is not None:
            return None
        whole = pd.Timestamp(found if zone is None or found.tzinfo is not None else found.replace(tzinfo=zone))
        return whole if "[s" not in str(dtype) or found.microsecond == 0 else None
    except (ValueError, OverflowError):
        return None


# --- schemas and values -----------------------------------------------------------------------------------------------


def numbers(dtype: str) -> "st.SearchStrategy[Any]":
    """Bounds and values of a type: its ends and beyond, small ones, those where floats become vague."""
    kind = pandera_reader.kind_of(dtype)
    low, high = bounds.ends_of_type(kind, dtype)
    edges = [0, 1, -1, 2, 100, 127, 128, 255, 256, 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64]
    if kind == "int":
        return st.one_of(st.sampled_from([low, high, low - 1, high + 1, low + 1, high - 1, *edges]), st.integers(-5, 5))
    near = [step(dtype, float(one), up=up) for one in (0.1, 1, 7) for up in (True, False)]
    floats = [0.1, 0.5, -0.0, 1e-7, 3.3333333333333335, 65504.0, 65520.0, 3.4e38, 1e39, 5e-324, *near]
    return st.one_of(
        st.sampled_from([low, high, *floats]), st.floats(-5, 5), st.integers(-5, 5), st.sampled_from(edges)
    )


def numeric_checks(dtype: str) -> "st.SearchStrategy[Any]":
    kind = pandera_reader.kind_of(dtype)
    bound = (
        numbers(dtype) if kind == "float" else st.one_of(numbers(dtype), st.sampled_from([0.5, -2.5, 2.0**53, 1e300]))
    )
    return st.one_of(
        *(st.builds(getattr(pa.Check, name), bound) for name in ("eq", "ne", "gt", "ge", "lt", "le")),
        st.builds(in_range, bound, bound, st.booleans(), st.booleans()),
        *(st.builds(getattr(pa.Check, name), st.lists(bound, min_size=1, max_size=3).filter(is_exact))
          for name in ("isin", "notin")),
    )  # fmt: skip


def is_exact(listed: list[Any]) -> bool:
    """No large integer beside a float: such a list is refused when the schema is read."""
    return not (
        any(isinstance(one, float) for one in listed) and any(type(one) is int and abs(one) >= 2**53 for one in listed)
    )


def in_range(one: Any, other: Any, at_low: bool, at_high: bool) -> Any:
    low, high = sorted((one, other))
    if low == high:
        at_low = at_high = True
    return pa.Check.in_range(low, high, include_min=at_low, include_max=at_high)


def text_checks() -> "st.SearchStrategy[Any]":
    text, length = st.sampled_from(TEXTS), st.integers(0, 4)
    return st.one_of(
        *(st.builds(getattr(pa.Check, name), text) for name in ("eq", "ne", "gt", "ge", "lt", "le")),
        *(st.builds(getattr(pa.Check, name), text) for name in ("str_startswith", "str_endswith")),
        *(st.builds(getattr(pa.Check, name), st.lists(text, min_size=1, max_size=3)) for name in ("isin", "notin")),
        *(st.builds(getattr(pa.Check, name), st.sampled_from(PATTERNS)) for name in ("str_matches", "str_contains")),
        st.builds(lambda low, more: pa.Check.str_length(low, low + more), length, length),
        st.builds(lambda low: pa.Check.str_length(min_value=low), length),
        st.builds(lambda high: pa.Check.str_length(max_value=high), length),
        st.builds(lambda exact: pa.Check.str_length(exact_value=exact), length),
    )


def flag_checks() -> "st.SearchStrategy[Any]":
    return st.one_of(
        *(st.builds(getattr(pa.Check, name), st.booleans()) for name in ("eq", "ne", "ge", "le")),
        *(st.builds(getattr(pa.Check, n), st.lists(st.booleans(), min_size=1, max_size=2)) for n in ("isin", "notin")),
    )


MOMENTS = (
    "1970-01-01", "2000-02-29T12:00:00", "2013-06-07T08:15:30.250000", "2013-06-07 08:15:30", "1700-01-01T00:00:00",
    "2013-06-07T08:15:30+00:00", "2013-06-07T03:15:30-05:00", "2024-12-31T23:59:59.999999", "2262-01-01T00:00:00Z",
)  # fmt: skip
NO_MOMENTS = ("2013-02-30", "05/06/2013", "2013", "now", "", "2013-06-07T25:00", "12:00", "nan", "20130607")


def moment_checks(dtype: str) -> "st.SearchStrategy[Any]":
    zone = getattr(coercion.pandas_dtype(dtype), "tz", None)
    bound = st.sampled_from(["1970-01-01", "2000-02-29T12:00:00", "2013-06-07T08:15:30", "2024-12-31"]).map(
        lambda text: pd.Timestamp(text, tz=zone)
    )
    return st.one_of(
        *(st.builds(getattr(pa.Check, name), bound) for name in ("eq", "ne", "gt", "ge", "lt", "le")),
        st.builds(in_range, bound, bound, st.booleans(), st.booleans()),
        *(st.builds(getattr(pa.Check, name), st.lists(bound, min_size=1, max_size=3)) for name in ("isin", "notin")),
    )


def category_checks(dtype: str) -> "st.SearchStrategy[Any]":
    bound = st.sampled_from(coercion.categories_of(dtype))
    compared = ("eq", "ne", "gt", "ge", "lt", "le") if dtype.startswith("ordered") else ("eq", "ne")
    text = st.sampled_from(["a", "ab", "h", "low"])
    return st.one_of(
        *(st.builds(getattr(pa.Check, name), bound) for name in compared),
        *(st.builds(getattr(pa.Check, name), st.lists(bound, min_size=1, max_size=3)) for name in ("isin", "notin")),
        *(st.builds(getattr(pa.Check, name), text) for name in ("str_startswith", "str_endswith", "str_contains")),
        st.builds(lambda low: pa.Check.str_length(min_value=low), st.integers(0, 4)),
    )


def own_checks() -> "st.SearchStrategy[Any]":
    """Checks that a project writes: one of a value, which may raise."""
    return st.sampled_from([
        pa.Check(lambda value: str(value)[0] in "1tax", element_wise=True, name="own"),
        pa.Check(lambda value: 1 / len(str(value)[1:]) > 0, element_wise=True, name="raises"),
    ])  # fmt: skip


def checks(dtype: str) -> "st.SearchStrategy[Any]":
    kind = pandera_reader.kind_of(dtype)
    makes: dict[str, Callable[[], Any]] = {
        "str": text_checks, "bool": flag_checks, "datetime": partial(moment_checks, dtype),
        "category": partial(category_checks, dtype),
    }  # fmt: skip
    made = makes.get(kind, partial(numeric_checks, dtype))()
    if kind == "datetime":
        return made  # checks of texts are nothing for moments
    return st.one_of(made, made, made, own_checks())


def values(dtype: str) -> "st.SearchStrategy[Any]":
    kind = pandera_reader.kind_of(dtype)
    other = st.sampled_from([None, None, True, "1", "true", [], {}, 1, 1.5])
    own: dict[str, Any] = {
        "str": st.one_of(st.sampled_from(TEXTS), st.sampled_from(TEXTS), st.text(max_size=4)),
        "bool": st.booleans(),
        "datetime": st.one_of(st.datetimes().map(str), st.sampled_from(MOMENTS), st.sampled_from(NO_MOMENTS)),
        "category": st.sampled_from(["ab", "low", "high", "abc", ""]),
    }
    right = own[kind] if kind in own else numbers(dtype)
    return st.one_of(right, right, other)


@st.composite
def questions(draw: Any, dtype: str) -> tuple[Any, list[Any]]:
    """A schema of one field, and values to ask it: those that its checks name, and others."""
    found = draw(st.lists(checks(dtype), max_size=3))
    if draw(st.booleans()):
        for check in found:
            check.ignore_na = draw(st.booleans())
    nullable = draw(st.booleans()) and coercion.has_null(dtype)
    column = pa.Column(coercion.pandas_dtype(dtype), found, nullable=nullable)
    named = [coercion.plain(bound) for check in found for bound in _named(check.statistics or {})]
    asked = draw(st.lists(values(dtype), min_size=3, max_size=6))
    return pa.DataFrameSchema({"v": column}), [None, *named, *asked]


def _named(statistics: dict[str, Any]) -> list[Any]:
    found = []
    for key, value in statistics.items():
        if key not in {"include_min", "include_max", "exact_value", "pattern"}:
            found += list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
    return [value for value in found if value is not None]


def disagreements(schema: Any, asked: list[Any]) -> list[tuple[Any, bool, bool]]:
    """Each value, and whether the validator and pandera accept it, where they differ and are not meant to."""
    found = []
    for value in asked:
        if isinstance(value, float) and schema_kind(schema) == "int":
            continue  # `5.0` is an integer in JSON: tests of the validator ask for it
        ours, theirs = validator_accepts(schema, value), pandera_accepts(schema, value)
        meant = theirs and any(differs(value, schema) for differs in DIFFERENCES.values())
        if ours != theirs and not (meant and not ours):
            found.append((value, ours, theirs))
    return found


def schema_kind(schema: Any) -> str:
    return pandera_reader.kind_of(coercion.name_of(schema.columns["v"].dtype.type))


def ask(dtype: str, examples: int) -> None:
    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    @given(questions(dtype))
    def agree(question: tuple[Any, list[Any]]) -> None:
        schema, asked = question
        said = [(check.name, check.statistics, check.ignore_na) for check in checks_of(schema)]
        assert not (found := disagreements(schema, asked)), (found, said, schema.columns["v"].nullable)

    agree()


@pytest.mark.parametrize("dtype", [one for one in DTYPES if one not in LIKE_ANOTHER])
def test_what_the_validator_accepts_pandera_accepts_and_the_other_way_round(dtype):
    """If the two disagree, a model gets requests unlike its training rows, or the server refuses rows like them."""
    ask(dtype, examples=30 if dtype == "str" else 12)


@pytest.mark.chaos
@pytest.mark.parametrize("dtype", [*DTYPES, *OTHERS])
def test_they_agree_on_many_more(dtype):
    """The same, of every width and for minutes."""
    ask(dtype, examples=600)


# --- named cases ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["str", "string", "string[python]"])
@pytest.mark.parametrize(
    ("pattern", "accepted"), [(r"^\d{2}$", True), (r"^[0-9]{2}$", False), (re.compile(r"^\d{2}$", re.ASCII), False)]
)
def test_digits_of_other_scripts_are_digits_to_both_or_to_neither(dtype, pattern, accepted):
    """The gateway let `٣٤` in by `\\d`, and the guard sent it to quarantine."""
    schema = pa.DataFrameSchema({"v": pa.Column(dtype, pa.Check.str_matches(pattern), coerce=True)})

    for text in ("٣٤", "४२"):
        assert validator_accepts(schema, text) is accepted
        assert pandera_accepts(schema, text) is accepted
        assert len(guard.check(pd.DataFrame({"v": [text, "42"]}), schema, name="b").accepted) == 1 + accepted


def test_null_passes_only_checks_that_ignore_it():
    """With `ignore_na=False` pandera asks the check about null: a request with null was let in whatever it said."""
    for check in (pa.Check.ge(0), pa.Check.ne(0), pa.Check(lambda v: v != 0, element_wise=True, name="own")):
        check.ignore_na = False
        schema = pa.DataFrameSchema({"v": pa.Column("float64", check, nullable=True)})

        assert validator_accepts(schema, None) is pandera_accepts(schema, None)


def test_a_default_stands_in_for_null_as_in_pandera():
    """pandera fills null with the default, in a column that is not nullable too."""
    schema = pa.DataFrameSchema({"v": pa.Column("float64", pa.Check.gt(0), default=1)})
    validator = Validator(request_schema.read(schema, name="s"))

    assert validator.validate({"v": None}) == validator.validate({}) == {"v": 1.0}
    assert schema.validate(pd.DataFrame({"v": [None]}, dtype="float64"))["v"].tolist() == [1.0]


def test_a_number_is_compared_as_its_column_holds_it():
    """0.70000001 is 0.7 in a column of float32, and 2**53 + 1 is 2**53 beside a float: so it is to NumPy."""
    narrow = pa.DataFrameSchema({"v": pa.Column("float32", pa.Check.le(0.7))})
    vague = pa.DataFrameSchema({"v": pa.Column("int64", pa.Check.gt(2.0**53))})

    assert validator_accepts(narrow, 0.70000001) and pandera_accepts(narrow, 0.70000001)
    assert not validator_accepts(vague, 2**53 + 1) and not pandera_accepts(vague, 2**53 + 1)
    assert Validator(request_schema.read(narrow, name="s")).validate({"v": 0.70000001}) == {"v": 0.70000001}


# --- what is refused when the project is opened -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.Column(int, pa.Check.str_length(1, 2)), "`str_length` does not apply to a column of int64"),
        (pa.Column(str, pa.Check.ge(5)), "`greater_than_or_equal_to` does not apply to a column of str"),
        (pa.Column(float, pa.Check.le("x")), "`less_than_or_equal_to` does not apply to a column of float64"),
        (
            pa.Column(pd.CategoricalDtype(["a", "b"]), pa.Check.ge("a")),
            "does not apply to a column of category (its categories have no order)",
        ),
        (
            pa.Column(pd.CategoricalDtype(["a", "b"], ordered=True), pa.Check.ge("c")),
            "'c' is not one of its categories",
        ),
        (
            pa.Column("datetime64[ns]", pa.Check.ge(pd.Timestamp("2013-01-01", tz="UTC"))),
            "`greater_than_or_equal_to` does not apply to a column of datetime64[ns]",
        ),
        (
            pa.Column("int64", pa.Check.isin([2**63 - 1, 0.5])),
            "compared with a float, pandas changes an integer beyond 2**53",
        ),
        (pa.Column(int, required=False), "may be left out, but a column of int64 has no null"),
        (pa.Column(float, pa.Check.gt(0), default=-1.0), "has the default -1.0, which its checks refuse"),
        (pa.Column(float, default="x"), "has the default 'x', which its checks refuse"),
        (pa.Column(int, pa.Check(lambda s: s > 0, groupby="v")), "over groups of rows"),
        (pa.Column(int, pa.Check.unique_values_eq([1])), "`unique_values_eq` needs a whole column"),
    ],
)
def test_what_would_fail_at_the_first_request_fails_when_the_schema_is_read(column, said):
    """A check that raises for each value answered 500, and a default that is refused was let in."""
    with pytest.raises(ConfigError) as error:
        request_schema.read(pa.DataFrameSchema({"v": column}), name="s")

    assert said in str(error.value)
    assert "field `v`" in str(error.value)


# --- the differences are documented -----------------------------------------------------------------------------------


def test_each_difference_is_in_the_docs_and_is_one():
    """The list must be current: each difference in it still exists."""
    told = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    for words, (schema, value) in EXAMPLES.items():
        assert f"| {words} |" in told
        assert not validator_accepts(schema, value)
        assert pandera_accepts(schema, value)
        assert DIFFERENCES[words](value, schema)
    assert EXAMPLES.keys() == DIFFERENCES.keys()


def _text(*found: Any) -> Any:
    return pa.DataFrameSchema({"v": pa.Column("str", list(found))})


def test_a_text_may_be_as_long_as_its_field_says():
    """A support ticket has more than 1,000 characters, and its field says how many: requests are as long as rows."""
    schema = _text(pa.Check.str_length(0, 3_000))

    assert validator_accepts(schema, "x" * 3_000)
    assert not validator_accepts(schema, "x" * 3_001)
    assert not validator_accepts(_text(pa.Check.str_length(1, 10)), "x" * 11)


EXAMPLES: dict[str, tuple[Any, Any]] = {
    "text of more than 1,000 characters, unless `str_length` allows them": (_text(), "x" * 1001),
    "text with NUL": (_text(), "a\x00b"),
    "a line feed where a pattern ends in `$`": (_text(pa.Check.str_matches("^[A-Z]{2}$")), "AB\n"),
}
