"""Hypothesis strategies for requests, made from the project's request schema.

Input: a pandera DataFrameModel or DataFrameSchema of one request. Output: strategies of plain records, a value by
field. `valid` gives accepted records, `boundary` accepted ones at the edge, `invalid` refused ones, each for one
reason.

pandera can generate values, too, but a frame at a time, by filters over whole columns, which is many times slower. Here
a row is a dict, ranges are drawn directly, and a project's own check is called with one row.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from proveout.errors import ConfigError, UsageError
from proveout.fuzz import field_spec, values
from proveout.fuzz.field_spec import FieldSpec, Record, Request
from proveout.fuzz.sampling import drawn
from proveout.schema.spec import Constraint

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Overrides = Mapping[str | tuple[str, ...], "SearchStrategy[Any]"]
"""The caller's own strategies, by field; or, for several fields whose values depend on each other, of tuples."""
Seen = Mapping[str, Sequence[str]]
"""Texts in the training rows, by field: the only ones that the model has seen."""

Make = Callable[[FieldSpec, Sequence[str]], "SearchStrategy[Any]"]

_PROBED_ROWS = 50


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A record that the schema refuses. `field` is the wrong one, "" for a check over several fields."""

    record: Record
    field: str
    reason: str


def valid(schema: Any, *, overrides: Overrides | None = None, seen: Seen | None = None) -> "SearchStrategy[Record]":
    """Records that the schema accepts.

    Args:
        overrides: strategies for fields whose values cannot be derived: `{"clock": st.sampled_from(CLOCKS)}`.
        seen: values that are drawn half of the time.
    Raises: ConfigError naming the field or check for which no, or hardly any, values can be generated.

    >>> import pandera.pandas as pa
    >>> hours = valid(pa.DataFrameSchema({"hour": pa.Column(int, pa.Check.in_range(22, 23))}))
    >>> sorted(record["hour"] for record in drawn(hours, 10))
    [22, 23]
    """
    return _Making(schema, overrides, seen).records(values.usual)


def boundary(schema: Any, *, overrides: Overrides | None = None, seen: Seen | None = None) -> "SearchStrategy[Record]":
    """Records at the edge of what the schema accepts.

    These are the ends of ranges and one step inside, the shortest and longest texts, texts that programs often
    misinterpret, texts that are not in `seen`, nulls, and leap days if there are the fields year, month and day.

    Args and Raises: as `valid`.

    >>> import pandera.pandas as pa
    >>> hours = boundary(pa.DataFrameSchema({"hour": pa.Column(int, pa.Check.in_range(5, 23))}))
    >>> sorted({record["hour"] for record in drawn(hours, 50)})
    [5, 6, 22, 23]
    """
    from hypothesis import strategies as st

    making = _Making(schema, overrides, seen)
    records, days = making.records(values.edge), making.days()
    if not days:
        return records
    # A leap day is an edge of the three fields together.
    return making.whole(st.one_of(records, st.builds(lambda record, day: record | day, records, st.sampled_from(days))))


def invalid(schema: Any, *, overrides: Overrides | None = None, seen: Seen | None = None) -> "SearchStrategy[Broken]":
    """Records that the schema refuses, each for one reason: a valid one with one field broken.

    Args and Raises: as `valid`; and ConfigError for a schema that refuses nothing.
    """
    from hypothesis import strategies as st

    making = _Making(schema, overrides, seen)
    records = making.records(values.usual)
    ways = [
        st.builds(_replaced, records, st.just(field), st.just(reason), st.sampled_from(found))
        for field, reason, found in making.breaks()
    ]
    ways += [st.builds(_left_out, records, st.just(name)) for name in making.needed()]
    loose = making.fields(values.usual)
    for rule in making.request.schema.record_constraints:
        if not all(rule.holds(record) for record in drawn(loose, _PROBED_ROWS)):
            refused = loose.filter(partial(_refuses, rule))
            ways.append(st.builds(Broken, record=refused, field=st.just(""), reason=st.just(f"{rule.name} broken")))
    if not ways:
        raise ConfigError("The request schema", "refuses nothing", "Give its fields ranges, or say strict = True")
    return st.one_of(ways)


def every_break(
    schema: Any, record: Record, *, overrides: Overrides | None = None, seen: Seen | None = None
) -> tuple[Broken, ...]:
    """A valid `record` with one field broken: in every way of `invalid`, and by every value for it.

    >>> import pandera.pandas as pa
    >>> hours = pa.DataFrameSchema({"hour": pa.Column(int, pa.Check.in_range(0, 23))})
    >>> [one.record for one in every_break(hours, {"hour": 5}) if one.reason in ("below the range", "missing field")]
    [{'hour': -1}, {'hour': -1000}, {}]
    """
    making = _Making(schema, overrides, seen)
    replaced = [_replaced(record, field, reason, value) for field, reason, found in making.breaks() for value in found]
    return (*replaced, *(_left_out(record, name) for name in making.needed()))


class _Making:
    """The strategies of one schema, with the caller's overrides and seen values."""

    def __init__(self, schema: Any, overrides: Overrides | None, seen: Seen | None) -> None:
        self.request: Request = field_spec.read(schema)
        self._overrides, self._seen = overrides or {}, seen or {}
        self._given = {name for key in self._overrides for name in ((key,) if isinstance(key, str) else key)}
        unknown = sorted(self._given - {field.name for field in self.request.fields})
        if unknown:
            raise UsageError(f"overrides name {', '.join(unknown)}, which the request schema does not have.")

    def fields(self, make: Make) -> "SearchStrategy[Record]":
        """Records whose single fields are valid. Checks over several fields may refuse them."""
        from hypothesis import strategies as st

        # Fields with a common override are drawn after the others.
        alone = [one for one in self.request.fields if one.name in self._overrides or one.name not in self._given]
        made = {field.name: self.field(field, make) for field in alone}
        optional = {field.name for field in self.request.schema.fields if not field.required}
        records: SearchStrategy[Record] = st.fixed_dictionaries(
            {name: strategy for name, strategy in made.items() if name not in optional},
            optional={name: strategy for name, strategy in made.items() if name in optional},
        )
        for names, strategy in self._overrides.items():
            if not isinstance(names, str):
                records = st.builds(_together, records, st.just(names), strategy)
        return records

    def field(self, field: FieldSpec, make: Make) -> "SearchStrategy[Any]":
        """Values of one field: from the caller's override, else from `make`."""
        given = self._overrides.get(field.name)
        return make(field, self._seen.get(field.name, ())) if given is None else given

    def records(self, make: Make) -> "SearchStrategy[Record]":
        """Records that the schema accepts."""
        return self.whole(self.fields(make))

    def whole(self, records: "SearchStrategy[Record]") -> "SearchStrategy[Record]":
        """The `records` that the checks over several fields accept."""
        return (
            values.kept(records, self.request.schema.record_constraints, _rare)
            if self.request.schema.record_constraints
            else records
        )

    def days(self) -> list[Record]:
        """Leap days and their neighbours, if a record has the fields year, month and day, and these allow them."""
        parts = {field.name: field for field in self.request.fields if field.name in ("year", "month", "day")}
        if len(parts) < 3 or any(spec.field.kind != "int" for spec in parts.values()) or self._given & parts.keys():
            return []
        days = [dict(zip(("year", "month", "day"), day, strict=True)) for day in values.LEAP_DAYS]
        return [day for day in days if all(parts[name].holds(value) for name, value in day.items())]

    def breaks(self) -> Iterator[tuple[str, str, list[Any]]]:
        """The ways to break a record: field, reason, and values for the field."""
        from hypothesis import strategies as st

        for field in self.request.fields:
            alone = field.name in self._overrides or field.name not in self._given
            some = self.field(field, values.usual) if alone else st.nothing()
            yield from ((field.name, reason, found) for reason, found in values.broken(field, some).items())
        if self.request.schema.refuses_unknown:
            names = {field.name for field in self.request.fields}
            stranger = next(name for name in ("stranger", *map(str, range(len(names) + 1))) if name not in names)
            yield stranger, "unknown field", [0, "x"]

    def needed(self) -> list[str]:
        """The required fields."""
        schema = self.request.schema
        return [one.name for one in schema.fields if one.required and not (schema.adds_missing and one.takes_null)]


def _rare(rule: Constraint) -> ConfigError:
    return ConfigError(
        f"The check `{rule.name}` of the request schema",
        f"lets through fewer than {values.RAREST:.0%} of the records that its fields allow",
        'Say which values go together: overrides={("one", "other"): st.tuples(…)}',
    )


def _refuses(rule: Constraint, record: Record) -> bool:
    return not rule.holds(record)


def _together(record: Record, names: tuple[str, ...], found: tuple[Any, ...]) -> Record:
    return record | dict(zip(names, found, strict=True))


def _replaced(record: Record, field: str, reason: str, value: Any) -> Broken:
    return Broken(record=record | {field: value}, field=field, reason=reason)


def _left_out(record: Record, field: str) -> Broken:
    left = {name: value for name, value in record.items() if name != field}
    return Broken(record=left, field=field, reason="missing field")
