"""fuzz/strategies.py: what is said to be valid the schema lets in, what is said to be invalid it refuses."""

import pandas as pd
import pandera.pandas as pa
import pytest
from hypothesis import strategies as st
from reference_project import ROOT

from proveout.data import guard
from proveout.errors import ConfigError, DataRefused, UsageError
from proveout.fuzz import field_spec
from proveout.fuzz.sampling import Enough, drawn, search
from proveout.fuzz.strategies import boundary, every_break, invalid, valid
from proveout.settings import load_object

FLIGHT_REQUEST = load_object("checks/schemas.py:FlightRequest", ROOT)
WEATHER = load_object("checks/schemas.py:Weather", ROOT)
PLANES = load_object("checks/schemas.py:Planes", ROOT)


@pytest.mark.parametrize("check", [pa.Check.ge(pd.Timestamp("2021-03-01")), pa.Check.le(pd.Timestamp("1969-03-01"))])
def test_a_moment_may_have_one_end_alone(check):
    """There is no first or last day for the other: a usual one is taken."""
    schema = pa.DataFrameSchema({"when": pa.Column("datetime64[ns]", check)}, coerce=True)

    made = [record["when"] for record in drawn(valid(schema), 5)]

    assert len(made) == 5 and all(
        len(guard.check(pd.DataFrame({"when": [one]}), schema, name="x").refused) == 0 for one in made
    )


class Tiny(pa.DataFrameModel):
    """Nothing is coerced."""

    hour: int = pa.Field(ge=0, le=23)
    wind: float = pa.Field(nullable=True)

    class Config:
        strict = True


class Odd(pa.DataFrameModel):
    """Each kind of constraint, and some at once."""

    small: pd.Int8Dtype = pa.Field(nullable=True, gt=-5.5, lt=100)
    unsigned: "pa.typing.Series[pa.UInt8]"
    narrow: "pa.typing.Series[pa.Float32]" = pa.Field(gt=0.1, le=0.7)
    half_open: float = pa.Field(in_range={"min_value": 0, "max_value": 1, "include_max": False})
    not_zero: int = pa.Field(ge=-2, le=2, ne=0)
    level: int = pa.Field(isin=[1, 2, 30], notin=[2])
    always: str = pa.Field(eq="yes")
    flag: bool
    maybe: pd.BooleanDtype = pa.Field(nullable=True)
    word: str = pa.Field(str_length={"min_value": 2, "max_value": 4})
    tag: str = pa.Field(str_startswith="x-", str_endswith="!", str_length={"max_value": 6})
    mail: str = pa.Field(str_contains="@")
    code: str = pa.Field(str_matches=r"^\d{2}\s?[^a-z]$", notin=["00A"])
    free: str = pa.Field(nullable=True)
    even: int = pa.Field(ge=0, le=1_000_000)
    spread: float = pa.Field(ge=0, le=10)

    @pa.check("even", element_wise=True, name="is_even")
    def is_even(cls, value: int) -> bool:
        return value % 2 == 0

    @pa.check("spread", name="below_the_mean_of_nothing")
    def below(cls, column: pd.Series) -> pd.Series:
        return column < 9

    class Config:
        strict = True


class Coerced(Odd):
    """The same, made to fit."""

    class Config:
        strict = True
        coerce = True


class Together(pa.DataFrameModel):
    """Checks over a record; a column that may be left out; columns nobody asked for are let in."""

    low: float = pa.Field(ge=0, le=100)
    high: float = pa.Field(ge=0, le=100)
    note: "pa.typing.Series[str] | None" = pa.Field(isin=["a", "b"])

    @pa.dataframe_check(name="in_order")
    def in_order(cls, rows: pd.DataFrame) -> pd.Series:
        return rows["low"] <= rows["high"]


TIMES = pa.DataFrameSchema(
    {
        "at": pa.Column(
            "datetime64[ns, UTC]",
            pa.Check.in_range(pd.Timestamp("2016-01-01", tz="UTC"), pd.Timestamp("2016-12-31", tz="UTC")),
        ),
        "since": pa.Column("datetime64[ns]", nullable=True),
        "band": pa.Column(pd.CategoricalDtype(["low", "high"])),
        "2 words": pa.Column(int, pa.Check.ge(0)),
    },
    strict="filter",
)
FILLED = pa.DataFrameSchema(
    {"a": pa.Column(float, pa.Check.gt(0), default=1.0), "b": pa.Column(str, nullable=True)},
    coerce=True, add_missing_columns=True, strict=True,
)  # fmt: skip
ALL = {
    "flight request": FLIGHT_REQUEST, "weather": WEATHER, "planes": PLANES, "tiny": Tiny, "odd": Odd,
    "coerced": Coerced, "together": Together, "times": TIMES, "filled": FILLED,
}  # fmt: skip

# Each value is asked of pandera alone. The one that is made to fit has the constraints of `odd`, the weather those of a
# flight request; that two of its rows are not of one hour is asked of what is valid.
LIKE_ANOTHER = {"coerced", "weather"}
SOME = [pytest.param(one, marks=[pytest.mark.chaos] if one in LIKE_ANOTHER else []) for one in ALL]


READ = {}  # by identity: a schema has no hash, and all of them live as long as this module


def as_read(schema):
    """What `allowed.read` says of a schema, read once: it takes as long as a record does to be checked."""
    if id(schema) not in READ:
        READ[id(schema)] = field_spec.read(schema)
    return READ[id(schema)]


def accepts(schema, record):
    """What the guard says of a record: pandera, once each value is one that its column holds."""
    try:
        return len(guard.check(as_read(schema).frame([record]), schema, name="a record").accepted) == 1
    except DataRefused:
        return False


def refused(schema, records):
    """Those that are not let in: all are asked at once, and alone where one of them is."""
    groups = {}
    for record in records:
        groups.setdefault(frozenset(record), []).append(record)
    wrong = []
    for group in groups.values():
        try:
            clean = guard.check(as_read(schema).frame(group), schema, name="records").refused.empty
        except DataRefused:
            clean = False
        wrong += [] if clean else [record for record in group if not accepts(schema, record)]
    return wrong


@pytest.mark.parametrize("name", ALL)
def test_what_is_valid_is_let_in(name):
    """A record of ours that the schema refuses would judge a model by what it is never asked."""
    made = drawn(valid(ALL[name]), 30)

    assert len(made) > 10
    assert refused(ALL[name], made) == []


@pytest.mark.parametrize("name", SOME)
def test_what_is_at_the_edge_is_let_in(name):
    """An edge is where a slip of one is hidden: ours as much as the model's."""
    made = drawn(boundary(ALL[name]), 30)

    assert len(made) > 5
    assert refused(ALL[name], made) == []


@pytest.mark.parametrize("name", SOME)
def test_what_is_invalid_is_refused_whatever_is_wrong_with_it(name):
    """Each way of being wrong, not only the ways that chance came by."""
    record = drawn(valid(ALL[name]), 10)[-1]
    ways = {(one.field, one.reason): one for one in every_break(ALL[name], record)}

    assert len(ways) >= 3
    assert [one for one in ways.values() if accepts(ALL[name], one.record)] == []


@pytest.mark.parametrize("name", ["tiny", "together"])
def test_drawn_invalid_records_are_refused_and_say_why(name):
    """One field is wrong and no other: else nobody knows which check did its work."""
    [right] = drawn(valid(ALL[name]), 1)
    for one in drawn(invalid(ALL[name]), 12):
        assert not accepts(ALL[name], one.record), one
        if one.field and one.reason != "unknown field":
            mended = {**one.record, one.field: right.get(one.field)}
            assert name == "together" or accepts(ALL[name], mended), one


def test_a_flight_is_wrong_in_every_way_a_flight_can_be():
    """What is not thought of here is not asked of the schema."""
    ways = {(one.field, one.reason) for one in every_break(FLIGHT_REQUEST, drawn(valid(FLIGHT_REQUEST), 1)[0])}

    assert ways >= {
        ("month", "below the range"), ("month", "above the range"), ("month", "wrong type"), ("month", "NaN"),
        ("month", "null where it may not be"), ("month", "missing field"), ("distance", "below the range"),
        ("distance", "infinite"), ("carrier", "pattern broken"), ("carrier", "wrong type"), ("origin", "not in isin"),
        ("sched_dep_time", "clock_time broken"), ("temp", "above the range"), ("stranger", "unknown field"),
    }  # fmt: skip
    assert ("tailnum", "null where it may not be") not in ways


def test_the_edges_of_a_flight_are_where_people_slip():
    """Midnight as 2400, the last minute before, leap days, nothing known, a carrier that no training row has."""
    made = drawn(boundary(FLIGHT_REQUEST, seen={"carrier": ["UA", "DL"]}), 600)

    assert {record["sched_dep_time"] for record in made} >= {0, 1, 2359, 2400}
    assert {record["humid"] for record in made} >= {None, 0.0, 100.0, 5e-324, 99.99999999999999}
    assert {(record["year"], record["month"], record["day"]) for record in made} >= {(2016, 2, 29), (2020, 2, 29)}
    assert {len(record["tailnum"]) for record in made if record["tailnum"]} >= {3, 8}
    assert {record["carrier"] for record in made} - {"UA", "DL"}
    assert any(record["wind_gust"] is record["temp"] is record["seats"] is None for record in made)


def test_what_training_rows_have_comes_often():
    """A model that is only ever asked of carriers it does not know is asked one question."""
    made = drawn(valid(FLIGHT_REQUEST, seen={"carrier": ["UA", "no carrier"], "origin": ["JFK"]}), 60)

    known = sum(record["carrier"] == "UA" for record in made)
    assert 10 < known < 55
    assert {record["origin"] for record in made} == {"EWR", "JFK", "LGA"}


def test_the_same_examples_come_every_time_and_silently(tmp_path, monkeypatch, capsys):
    """Two runs of a gate have one verdict; and nobody finds a folder that they did not make."""
    monkeypatch.chdir(tmp_path)
    one, other = (drawn(valid(Tiny), 40) for _ in range(2))

    assert repr(one) == repr(other)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_a_search_goes_by_the_examples_that_are_drawn():
    """Or an example that broke a property could not be found again, to be made smaller."""
    asked = []

    def condition(record):
        asked.append(record)
        return record["wind"] is not None and record["wind"] > 1000

    search(valid(Tiny), condition, examples=100)
    first = next(place for place, record in enumerate(asked) if (record["wind"] or 0) > 1000)

    assert repr(asked[: first + 1]) == repr(drawn(valid(Tiny), 100)[: first + 1])
    assert next(one for one in reversed(asked) if (one["wind"] or 0) > 1000) == {"hour": 0, "wind": 1001.0}


def test_a_search_ends_when_it_is_told_enough():
    """A model that takes a second must not be asked for minutes."""
    asked = []

    def condition(number):
        asked.append(number)
        if len(asked) == 5:
            raise Enough
        return False

    search(st.integers(), condition, examples=100)

    assert len(asked) == 5


RARE = pa.DataFrameSchema(
    {
        "x": pa.Column(
            float, [pa.Check.in_range(0, 1e6), pa.Check(lambda v: v == 0.25, element_wise=True, name="quarter")]
        )
    }
)
ORDERED = pa.DataFrameSchema(
    {"a": pa.Column(int, pa.Check.in_range(0, 10**6)), "b": pa.Column(int, pa.Check.in_range(0, 10**6))},
    checks=pa.Check(lambda rows: rows["a"] * 7 + 3 == rows["b"], name="in_step"),
)


def test_a_check_that_hardly_anything_passes_is_named():
    """Silence would be a strategy that makes nothing, and properties that hold of nothing."""
    with pytest.raises(ConfigError, match=r"`quarter` of the field `x`: .* overrides=\{\"x\""):
        valid(RARE)
    with pytest.raises(ConfigError, match=r"`in_step` of the request schema: .* overrides=\{\(\"one\""):
        valid(ORDERED)


def test_who_knows_better_gives_a_strategy_of_their_own():
    """For one field, or for several whose values belong together."""
    quarters = drawn(valid(RARE, overrides={"x": st.just(0.25)}), 3)
    same = drawn(valid(ORDERED, overrides={("a", "b"): st.integers(0, 99).map(lambda n: (n, n * 7 + 3))}), 30)

    assert quarters == [{"x": 0.25}]
    assert len(same) > 10 and refused(ORDERED, same) == []
    with pytest.raises(UsageError, match="colour"):
        valid(Tiny, overrides={"colour": st.just(1)})


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (pa.DataFrameSchema({"x": pa.Column(int, [pa.Check.ge(5), pa.Check.le(3)])}), "allows no value at all"),
        (pa.DataFrameSchema({"x": pa.Column(int, pa.Check.isin([1, 2]))}, index=pa.Index(int)), "index"),
        (pa.DataFrameSchema({"x": pa.Column(object)}), 'overrides={"x"'),
        (pa.DataFrameSchema({"x.*": pa.Column(int, regex=True)}), "pattern of names"),
        (
            pa.DataFrameSchema({"x": pa.Column(int, pa.Check(lambda g: True, groupby="y")), "y": pa.Column(int)}),
            "groups of rows",
        ),
    ],
)
def test_what_no_request_can_be_made_by_is_said(schema, said):
    """Each with the field, and a way on."""
    with pytest.raises(ConfigError) as error:
        valid(schema)

    assert said in str(error.value)
    assert "`x" in str(error.value) or "index" in said
