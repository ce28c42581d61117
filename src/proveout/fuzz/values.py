"""Values for one field of a request: usual ones, ones at the edge of what is allowed, and ones that are not.

Comes in: an `Allowed`. Goes out: hypothesis strategies, and by reason the values that the schema refuses.
"""

import datetime
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from proveout.errors import ConfigError
from proveout.fuzz.bounds import step, type_ends
from proveout.fuzz.constraints import Rule
from proveout.fuzz.field_spec import Allowed
from proveout.fuzz.sampling import drawn

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

PROBED = 200  # values that are drawn to see how rare those are that a check lets through
RAREST = 0.1  # share of them; below, a strategy would mostly throw away
TRIES = 60  # draws of one value; at the rarest, one in 500 is given up
LONGEST_TEXT = 1_000  # characters, where the schema sets no bound
LEAP_DAYS = ((2016, 2, 29), (2020, 2, 29), (2096, 2, 29), (2015, 2, 28), (2015, 12, 31))
ODD_TEXT = ("", " ", "nan", "None", "NULL", "0", "é", "\u202e", "'", "a,b", "x\n")  # what programs take for something

_KEPT_BY_ENDS = {"greater_than", "greater_than_or_equal_to", "less_than", "less_than_or_equal_to"}


def usual(field: Allowed, seen: Sequence[str] = ()) -> "SearchStrategy[Any]":
    """Values that the field allows. Those that are `seen` come half of the time, and null where it may be.

    Raises: ConfigError for a type that no values can be made of, or a check that lets hardly any through.
    """
    from hypothesis import strategies as st

    values = _not_null(field)
    known = sorted({value for value in seen if field.fits(value) and field.holds(value)})
    if known and field.choices is None:
        values = st.one_of(values, st.sampled_from(known))
    # Null first: a record shrinks to nulls, and what is left in it is what matters.
    return st.one_of(st.none(), values) if field.nullable else values


def kept(
    values: "SearchStrategy[T]", rules: Sequence[Rule], complaint: Callable[[Rule], ConfigError]
) -> "SearchStrategy[T]":
    """Those of `values` that every rule lets through. Raises: what `complaint` makes, if they are too rare."""
    from hypothesis import reject
    from hypothesis import strategies as st

    probe = drawn(values, PROBED)
    passed = [sum(rule.holds(value) for value in probe) for rule in rules]
    if sum(all(rule.holds(value) for rule in rules) for value in probe) < RAREST * len(probe):
        raise complaint(rules[passed.index(min(passed))])

    @st.composite
    def keeping(draw: Any) -> T:
        # hypothesis' own filter gives up after three draws, and with it the whole record.
        for _ in range(TRIES):
            value: T = draw(values)
            if all(rule.holds(value) for rule in rules):
                return value
        return reject()

    return keeping()


def _not_null(field: Allowed) -> "SearchStrategy[Any]":
    from hypothesis import strategies as st

    if field.choices is not None:
        return st.sampled_from(field.choices)
    values = _within_limits(field)
    if field.kind == "str":
        left = () if [rule.name for rule in field.rules] == ["str_matches"] else field.rules
    else:
        left = tuple(rule for rule in field.rules if rule.own or rule.name not in _KEPT_BY_ENDS)
    return kept(values, left, lambda rule: _rare(field, rule)) if left else values


def _rare(field: Allowed, rule: Rule) -> ConfigError:
    return ConfigError(
        f"The check `{rule.name}` of the field `{field.name}`",
        f"lets through fewer than {RAREST:.0%} of the values that its other checks allow",
        f'Say which ones there are: overrides={{"{field.name}": st.sampled_from([…])}}',
    )


def _within_limits(field: Allowed) -> "SearchStrategy[Any]":
    """Values between the ends of the field, its other checks not yet asked."""
    from hypothesis import strategies as st

    if field.kind == "int":
        return st.integers(field.low, field.high)
    if field.kind == "float":
        return _floats(field)
    if field.kind == "str":
        return _texts(field)
    if field.kind == "time":
        return st.datetimes(*_moments(field)).map(lambda moment: moment.replace(tzinfo=_zone(field)))
    raise ConfigError(
        f"The field `{field.name}` of the request schema",
        f"has the type {field.dtype}, of which no values can be made",
        f'Use int, float, str, bool or a category, or give them: overrides={{"{field.name}": …}}',
    )


def _floats(field: Allowed) -> "SearchStrategy[float]":
    from hypothesis import strategies as st

    # Subnormal numbers are none that a client means.
    return st.floats(
        field.low, field.high, allow_nan=False, allow_infinity=False, allow_subnormal=False, width=_width(field)
    )


def _width(field: Allowed) -> Any:
    return int(str(field.dtype).lower().removeprefix("float"))


def _moments(field: Allowed) -> tuple[datetime.datetime, datetime.datetime]:
    """The ends of a range of times, in UTC and without a zone."""
    first, last = datetime.datetime(1970, 1, 1), datetime.datetime(2100, 1, 1)
    return _moment(field.low, first), _moment(field.high, last)


def _moment(end: Any, otherwise: datetime.datetime) -> datetime.datetime:
    if end is None:
        return otherwise
    moment: datetime.datetime = end.to_pydatetime() if hasattr(end, "to_pydatetime") else end
    return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo is not None else moment


def _zone(field: Allowed) -> datetime.tzinfo | None:
    return datetime.UTC if getattr(field.dtype, "tz", None) is not None else None


def _texts(field: Allowed) -> "SearchStrategy[str]":
    from hypothesis import strategies as st

    # NUL no database takes. Other control characters are no part of a pattern: what is a space differs between engines.
    letters = st.characters(codec="utf-8", exclude_characters="\x00")
    printed = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])
    if field.patterns:
        return st.from_regex(re.compile(field.patterns[0], re.ASCII), fullmatch=True, alphabet=printed)
    if field.within:
        middle = st.from_regex(re.compile(field.within[0], re.ASCII), fullmatch=True, alphabet=printed)
    else:
        taken = len(field.begins) + len(field.ends)
        middle = st.text(letters, min_size=max(0, field.shortest - taken), max_size=max(0, _longest(field) - taken))
    return middle.map(lambda text: f"{field.begins}{text}{field.ends}")


def _longest(field: Allowed) -> int:
    return LONGEST_TEXT if field.longest is None else field.longest


# --- edges ------------------------------------------------------------------------------------------------------------


def edge(field: Allowed, seen: Sequence[str] = ()) -> "SearchStrategy[Any]":
    """Values at the edge of what the field allows: ends and one step inside, odd text, what is not `seen`, null."""
    from hypothesis import strategies as st

    edges = [value for value in dict.fromkeys(_edges(field)) if field.holds(value)]
    values = [st.sampled_from(edges)] if edges else []
    if field.kind == "str" and field.choices is None:
        # Such as a carrier that no training row has.
        strange = frozenset(seen)
        values.append(_not_null(field).filter(lambda value: value not in strange))
    return st.one_of([*([st.none()] if field.nullable else []), *(values or [_not_null(field)])])


def _edges(field: Allowed) -> Iterator[Any]:
    if field.choices is not None:
        yield from field.choices[:2] + field.choices[-2:]
        if field.kind == "int":
            there = set(field.choices)
            yield from [one for one in field.choices if one - 1 not in there or one + 1 not in there][:16]
    elif field.kind == "int":
        yield from (field.low, field.low + 1, field.high - 1, field.high)
        yield from (one for one in (0, 1, -1) if field.low <= one <= field.high)
    elif field.kind == "float":
        yield from (
            field.low,
            field.high,
            step(field.dtype, field.low, up=True),
            step(field.dtype, field.high, up=False),
        )
        yield from (one for one in (field.low + 1, field.high - 1, 0.0, 1.0, -1.0) if field.low <= one <= field.high)
    elif field.kind == "str":
        yield from _edge_texts(field)
    elif field.kind == "time":
        first, last = _moments(field)
        days = (datetime.datetime(*day) for day in LEAP_DAYS)
        moments = (first, last, *(day for day in days if first <= day <= last))
        yield from (moment.replace(tzinfo=_zone(field)) for moment in moments)


def _edge_texts(field: Allowed) -> Iterator[str]:
    made = drawn(_not_null(field), PROBED)
    yield from (min(made, key=len), max(made, key=len), min(made), max(made))
    if not (field.patterns or field.within):
        filled = len(field.begins) + len(field.ends)
        for length in (field.shortest, _longest(field)):
            yield field.begins + "x" * max(0, length - filled) + field.ends
    yield from ODD_TEXT


# --- what is refused --------------------------------------------------------------------------------------------------


def broken(field: Allowed, allowed: "SearchStrategy[Any]") -> dict[str, list[Any]]:
    """Values that the schema refuses in this field, by the reason. `allowed` are some that it does not."""
    found: dict[str, list[Any]] = {}
    for value in dict.fromkeys(_doubtful(field, allowed)):
        refusing = next((rule for rule in field.rules if not rule.holds(value)), None)
        if refusing is not None:
            found.setdefault(refusing.broken, []).append(value)
    if not (field.nullable or field.filled):
        found["null where it may not be"] = [None]
        if field.kind in ("int", "float"):
            found["NaN"] = [math.nan]
    if field.kind == "float":
        found["infinite"] = [value for value in (math.inf, -math.inf) if not field.holds(value)]
    found["wrong type"] = _wrong_types(field)
    return {reason: values for reason, values in found.items() if values}


def _doubtful(field: Allowed, allowed: "SearchStrategy[Any]") -> Iterator[Any]:
    """Values of the right type, many of which some check refuses."""
    named = tuple(value for value in field.refused if field.fits(value))
    if field.kind in ("int", "float"):
        yield from (value for value in (*_outside(field), *named) if _is_held(field, value))
        if any(rule.own for rule in field.rules):
            yield from range(field.low, min(field.high, field.low + PROBED)) if field.kind == "int" else ()
            yield from drawn(_within_limits(field), PROBED)
    elif field.kind == "str":
        for text in (one for one in drawn(allowed, 20) if isinstance(one, str)):
            yield from (text + "?", "?" + text, text[:-1], text.lower(), text * 3)
        yield from ("?", "x" * (_longest(field) + 1), *ODD_TEXT, *named)
    elif field.kind == "bool":
        yield from (False, True)


def _outside(field: Allowed) -> tuple[float, ...]:
    low, high = (min(field.choices), max(field.choices)) if field.choices else (field.low, field.high)
    if field.kind == "int":
        return (low - 1, low - 1_000, high + 1, high + 1_000)
    return (step(field.dtype, low, up=False), step(field.dtype, high, up=True), low - 1, high + 1, -1e30, 1e30)


def _is_held(field: Allowed, value: float) -> bool:
    """Whether a column of that type can hold the value at all."""
    least, most = type_ends(field.kind, field.dtype)
    return bool(least <= value <= most)


def _wrong_types(field: Allowed) -> list[Any]:
    """Values of another type that the schema does not make fit."""
    # A column that is coerced takes text that reads as a number, and a whole number for text: see `data/coercion.py`.
    if field.kind in ("int", "float"):
        half = [0.5] if field.kind == "int" else []
        return ["five", "1O", *half] if field.coerced else ["five", "5", True, *half]
    if field.kind == "str":
        return [1.5] if field.coerced and field.holds("5") else [5, 1.5]
    if field.kind == "time":
        return ["no day"]
    if field.kind == "bool":
        return ["yes"]
    if hasattr(field.dtype, "categories") and not (field.coerced and field.nullable):
        return ["no such category"]
    return []
