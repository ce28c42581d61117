"""Values for one field of a request: usual ones, ones at the edge of what is allowed, and invalid ones.

Input: a `FieldSpec`. Output: hypothesis strategies; and the invalid values by reason.
"""

import datetime
import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from proveout.errors import ConfigError
from proveout.fuzz.field_spec import FieldSpec, why_refused
from proveout.fuzz.sampling import drawn
from proveout.schema import coercion
from proveout.schema.bounds import ends_of_type, step
from proveout.schema.constraints import LONGEST_TEXT
from proveout.schema.spec import Constraint

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

PROBED = 200  # values drawn to measure which share a check accepts
RAREST = 0.1  # the least such share; below it, a strategy would discard most values
TRIES = 60  # draws per value; at the least share, one in 500 values is given up
LEAP_DAYS = ((2016, 2, 29), (2020, 2, 29), (2096, 2, 29), (2015, 2, 28), (2015, 12, 31))
ODD_TEXT = ("", " ", "nan", "None", "NULL", "0", "é", "\u202e", "'", "a,b", "x\n")  # often misinterpreted

_KEPT_BY_ENDS = {"gt", "ge", "lt", "le", "in_range"}
_USUAL_FIRST, _USUAL_LAST = datetime.datetime(1970, 1, 1), datetime.datetime(2100, 1, 1)
_CENTURY = datetime.timedelta(days=36_525)


def usual(spec: FieldSpec, seen: Sequence[str] = ()) -> "SearchStrategy[Any]":
    """Allowed values. Those in `seen` are drawn half of the time; null is included if it is allowed.

    Raises: ConfigError for a type without a strategy, or a check that accepts hardly any value.
    """
    from hypothesis import strategies as st

    values = _not_null(spec)
    known = sorted({value for value in seen if spec.fits(value) and spec.holds(value)})
    if known and spec.choices is None:
        values = st.one_of(values, st.sampled_from(known))
    values = _as_json(spec, values)
    # Null first: hypothesis then shrinks fields to null, and only those that matter keep a value.
    return st.one_of(st.none(), values) if spec.field.nullable else values


def _as_json(spec: FieldSpec, values: "SearchStrategy[Any]") -> "SearchStrategy[Any]":
    return values.map(coercion.plain) if spec.field.kind == "datetime" else values


def kept(
    values: "SearchStrategy[T]", rules: Sequence[Constraint], complaint: Callable[[Constraint], ConfigError]
) -> "SearchStrategy[T]":
    """The `values` that every rule accepts. Raises: the error of `complaint` if they are too rare."""
    from hypothesis import reject
    from hypothesis import strategies as st

    probe = drawn(values, PROBED)
    passed = [sum(bool(rule.holds(value)) for value in probe) for rule in rules]
    if sum(all(rule.holds(value) for rule in rules) for value in probe) < RAREST * len(probe):
        raise complaint(rules[passed.index(min(passed))])

    @st.composite
    def keeping(draw: Any) -> T:
        # hypothesis' own filter gives up the whole record after three draws.
        for _ in range(TRIES):
            value: T = draw(values)
            if all(rule.holds(value) for rule in rules):
                return value
        return reject()

    return keeping()


def _not_null(spec: FieldSpec) -> "SearchStrategy[Any]":
    from hypothesis import strategies as st

    if spec.choices is not None:
        return st.sampled_from(spec.choices)
    values = _within_limits(spec)
    if spec.field.kind == "str":
        left = () if [rule.name for rule in spec.field.constraints] == ["str_matches"] else spec.field.constraints
    else:
        left = tuple(rule for rule in spec.field.constraints if rule.custom or rule.name not in _KEPT_BY_ENDS)
    return kept(values, left, lambda rule: _rare(spec, rule)) if left else values


def _rare(spec: FieldSpec, rule: Constraint) -> ConfigError:
    return ConfigError(
        f"The check `{rule.name}` of the field `{spec.name}`",
        f"lets through fewer than {RAREST:.0%} of the values that its other checks allow",
        f'Say which ones there are: overrides={{"{spec.name}": st.sampled_from([…])}}',
    )


def _within_limits(spec: FieldSpec) -> "SearchStrategy[Any]":
    """Values within the bounds of the field, without its other checks."""
    from hypothesis import strategies as st

    if spec.field.kind == "int":
        return st.integers(spec.bounds.low, spec.bounds.high)
    if spec.field.kind == "float":
        return _floats(spec)
    if spec.field.kind == "str":
        return _texts(spec)
    if spec.field.kind == "datetime":
        return st.datetimes(*_moments(spec)).map(partial(_cut, spec))
    raise ConfigError(
        f"The field `{spec.name}` of the request schema",
        f"has the type {spec.field.dtype}, of which no values can be made",
        f'Use int, float, str, bool or a category, or give them: overrides={{"{spec.name}": …}}',
    )


def _floats(spec: FieldSpec) -> "SearchStrategy[float]":
    from hypothesis import strategies as st

    # No subnormal numbers: clients do not send them.
    low, high, width = spec.bounds.low, spec.bounds.high, cast(Any, coercion.bits_of(spec.field.dtype))
    return st.floats(low, high, allow_nan=False, allow_infinity=False, allow_subnormal=False, width=width)


def _moments(spec: FieldSpec) -> tuple[datetime.datetime, datetime.datetime]:
    """The ends of a time range, in UTC without a time zone. A missing end gets a usual value."""
    first, last = _moment(spec.bounds.low), _moment(spec.bounds.high)
    if first is None:
        first = last - _CENTURY if last is not None and last < _USUAL_FIRST else _USUAL_FIRST
    if last is None:
        last = first + _CENTURY if first > _USUAL_LAST else _USUAL_LAST
    return first, last


def _moment(end: Any) -> datetime.datetime | None:
    if end is None:
        return None
    moment: datetime.datetime = end.to_pydatetime() if hasattr(end, "to_pydatetime") else end
    return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo is not None else moment


def _cut(spec: FieldSpec, moment: datetime.datetime) -> datetime.datetime:
    """The time in the column's unit, and with a time zone if the column has one."""
    step = {"s": 1_000_000, "ms": 1_000}.get(spec.field.dtype.removeprefix("datetime64[").rstrip("]").split(",")[0], 1)
    return moment.replace(microsecond=moment.microsecond // step * step, tzinfo=_zone(spec))


def _zone(spec: FieldSpec) -> datetime.tzinfo | None:
    return datetime.UTC if getattr(spec.field.pandas_dtype, "tz", None) is not None else None


def _texts(spec: FieldSpec) -> "SearchStrategy[str]":
    from hypothesis import strategies as st

    # No NUL, which databases refuse. No other control characters for patterns: regex engines differ on what is a space.
    letters = st.characters(codec="utf-8", exclude_characters="\x00")
    printed = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])
    if spec.bounds.patterns:
        return st.from_regex(re.compile(spec.bounds.patterns[0], re.ASCII), fullmatch=True, alphabet=printed)
    if spec.bounds.within:
        middle = st.from_regex(re.compile(spec.bounds.within[0], re.ASCII), fullmatch=True, alphabet=printed)
    else:
        taken = len(spec.bounds.begins) + len(spec.bounds.ends)
        middle = st.text(
            letters, min_size=max(0, spec.bounds.shortest - taken), max_size=max(0, _longest(spec) - taken)
        )
    return middle.map(lambda text: f"{spec.bounds.begins}{text}{spec.bounds.ends}")


def _longest(spec: FieldSpec) -> int:
    return LONGEST_TEXT if spec.bounds.longest is None else spec.bounds.longest


# --- edges ------------------------------------------------------------------------------------------------------------


def edge(spec: FieldSpec, seen: Sequence[str] = ()) -> "SearchStrategy[Any]":
    """Values at the edge of what is allowed: the bounds and one step inside, odd texts, texts not in `seen`, null."""
    from hypothesis import strategies as st

    edges = [value for value in dict.fromkeys(_edges(spec)) if spec.holds(value)]
    values = [st.sampled_from(edges)] if edges else []
    if spec.field.kind == "str" and spec.choices is None:
        # For example a carrier that is not in the training rows.
        known = frozenset(seen)
        values.append(_not_null(spec).filter(lambda value: value not in known))
    made = [_as_json(spec, one) for one in values or [_not_null(spec)]]
    return st.one_of([*([st.none()] if spec.field.nullable else []), *made])


def _edges(spec: FieldSpec) -> Iterator[Any]:
    low, high = spec.bounds.low, spec.bounds.high
    if spec.choices is not None:
        yield from spec.choices[:2] + spec.choices[-2:]
        if spec.field.kind == "int":
            there = set(spec.choices)
            yield from [one for one in spec.choices if one - 1 not in there or one + 1 not in there][:16]
    elif spec.field.kind == "int":
        yield from (low, low + 1, high - 1, high)
        yield from (one for one in (0, 1, -1) if low <= one <= high)
    elif spec.field.kind == "float":
        yield from (low, high, step(spec.field.dtype, low, up=True), step(spec.field.dtype, high, up=False))
        yield from (one for one in (low + 1, high - 1, 0.0, 1.0, -1.0) if low <= one <= high)
    elif spec.field.kind == "str":
        yield from _edge_texts(spec)
    elif spec.field.kind == "datetime":
        first, last = _moments(spec)
        days = (datetime.datetime(*day) for day in LEAP_DAYS)
        moments = (first, last, *(day for day in days if first <= day <= last))
        yield from (moment.replace(tzinfo=_zone(spec)) for moment in moments)


def _edge_texts(spec: FieldSpec) -> Iterator[str]:
    made = drawn(_not_null(spec), PROBED)
    yield from (min(made, key=len), max(made, key=len), min(made), max(made))
    if not (spec.bounds.patterns or spec.bounds.within):
        filled = len(spec.bounds.begins) + len(spec.bounds.ends)
        for length in (spec.bounds.shortest, _longest(spec)):
            yield spec.bounds.begins + "x" * max(0, length - filled) + spec.bounds.ends
    yield from ODD_TEXT


# --- what is refused --------------------------------------------------------------------------------------------------


def broken(spec: FieldSpec, allowed: "SearchStrategy[Any]") -> dict[str, list[Any]]:
    """Invalid values of the field, by reason.

    Args:
        allowed: a strategy of valid ones.
    """
    found: dict[str, list[Any]] = {}
    for value in dict.fromkeys(_doubtful(spec, allowed)):
        refusing = next((rule for rule in spec.field.constraints if not rule.holds(value)), None)
        if refusing is not None:
            found.setdefault(why_refused(refusing, value), []).append(value)
    if not (spec.field.takes_null):
        found["null where it may not be"] = [None]
        if spec.field.kind in ("int", "float"):
            found["NaN"] = [math.nan]
    if spec.field.kind == "float":
        found["infinite"] = [value for value in (math.inf, -math.inf) if not spec.holds(value)]
    found["wrong type"] = _wrong_types(spec)
    return {reason: values for reason, values in found.items() if values}


def _doubtful(spec: FieldSpec, allowed: "SearchStrategy[Any]") -> Iterator[Any]:
    """Values of the right type, many of which a check refuses."""
    named = tuple(value for value in spec.bounds.forbidden if spec.fits(value))
    if spec.field.kind in ("int", "float"):
        yield from (value for value in (*_outside(spec), *named) if _is_held(spec, value))
        if any(rule.custom for rule in spec.field.constraints):
            low, high = spec.bounds.low, spec.bounds.high
            yield from range(low, min(high, low + PROBED)) if spec.field.kind == "int" else ()
            yield from drawn(_within_limits(spec), PROBED)
    elif spec.field.kind == "str":
        for text in (one for one in drawn(allowed, 20) if isinstance(one, str)):
            yield from (text + "?", "?" + text, text[:-1], text.lower(), text * 3)
        yield from ("?", "x" * (_longest(spec) + 1), *ODD_TEXT, *named)
    elif spec.field.kind == "bool":
        yield from (False, True)


def _outside(spec: FieldSpec) -> tuple[float, ...]:
    low, high = (min(spec.choices), max(spec.choices)) if spec.choices else (spec.bounds.low, spec.bounds.high)
    if spec.field.kind == "int":
        return (low - 1, low - 1_000, high + 1, high + 1_000)
    below, above = step(spec.field.dtype, low, up=False), step(spec.field.dtype, high, up=True)
    return (below, above, low - 1, high + 1, -1e30, 1e30)


def _is_held(spec: FieldSpec, value: float) -> bool:
    """Whether a column of the field's type can hold the value."""
    least, most = ends_of_type(spec.field.kind, spec.field.dtype)
    return bool(least <= value <= most)


def _wrong_types(spec: FieldSpec) -> list[Any]:
    """Values of another type that the schema does not coerce."""
    # A coerced column accepts a text that is a number, and an integer for a text: see `schema/coercion.py`.
    if spec.field.kind in ("int", "float"):
        half = [0.5] if spec.field.kind == "int" else []
        return ["five", "1O", *half] if spec.field.coerced else ["five", "5", True, *half]
    if spec.field.kind == "str":
        return [1.5] if spec.field.coerced and spec.holds("5") else [5, 1.5]
    if spec.field.kind == "datetime":
        return ["no day"]
    if spec.field.kind == "bool":
        return ["yes"]
    if hasattr(spec.field.pandas_dtype, "categories") and not (spec.field.coerced and spec.field.nullable):
        return ["no such category"]
    return []
