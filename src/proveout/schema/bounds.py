"""The bounds of a field: its range and the form of its text, from all its constraints together.

Input: a `RequestField`. Output: `Bounds`, for generating values. Numbers are limited to what the column's type holds: a
bound that the type cannot hold is moved inwards to the next value that it can.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proveout.schema import coercion
from proveout.schema.constraints import lengths, pattern_of
from proveout.schema.spec import Constraint, Kind, RequestField


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The least and the greatest allowed value, and the other limits; None if there is no limit."""

    low: Any = None
    high: Any = None
    patterns: tuple[str, ...] = ()  # text must match each from its start
    within: tuple[str, ...] = ()  # text must contain a match of each
    begins: str = ""
    ends: str = ""
    shortest: int = 0
    longest: int | None = None
    named: tuple[Any, ...] | None = None  # all allowed values, if `isin` or `eq` list them
    forbidden: tuple[Any, ...] = ()  # values that `notin` and `ne` exclude


def of(field: RequestField) -> Bounds:
    """The bounds of one field.

    >>> from proveout.schema import pandera_reader
    >>> import pandera.pandas as pa
    >>> schema = pa.DataFrameSchema({"hour": pa.Column(int, [pa.Check.gt(4.5), pa.Check.lt(24)])})
    >>> found = of(pandera_reader.read(schema).fields[0])
    >>> found.low, found.high
    (5, 23)
    """
    found: dict[str, Any] = {"named": None, "forbidden": ()}
    found["low"], found["high"] = ends_of_type(field.kind, field.dtype)
    for constraint in field.constraints:
        if not constraint.custom and constraint.arguments:
            _narrow(found, field, constraint)
    return Bounds(**_text([one for one in field.constraints if not one.custom]), **found)


def _narrow(found: dict[str, Any], field: RequestField, constraint: Constraint) -> None:
    """Apply one constraint on the value."""
    kind, dtype, said = field.kind, field.dtype, constraint.arguments
    if constraint.name in {"gt", "ge", "in_range"}:
        out = constraint.name == "gt" or not said.get("include_min", True)
        found["low"] = _higher(found["low"], _inside(kind, dtype, said["min_value"], up=True, out=out))
    match constraint.name:
        case "lt" | "le" | "in_range" as name:
            out = name == "lt" or not said.get("include_max", True)
            found["high"] = _lower(found["high"], _inside(kind, dtype, said["max_value"], up=False, out=out))
        case "isin":
            found["named"] = _both(found["named"], tuple(said["allowed_values"]))
        case "eq":
            found["named"] = _both(found["named"], (said["value"],))
        case "notin":
            found["forbidden"] += tuple(said["forbidden_values"])
        case "ne":
            found["forbidden"] += (said["value"],)


def _text(constraints: Sequence[Constraint]) -> dict[str, Any]:
    """The limits on text."""
    found: dict[str, Any] = {"patterns": (), "within": (), "begins": "", "ends": "", "shortest": 0, "longest": None}
    for constraint in constraints:
        said = constraint.arguments
        match constraint.name:
            case "str_matches":
                found["patterns"] += (pattern_of(said["pattern"]),)
            case "str_contains":
                found["within"] += (pattern_of(said["pattern"]),)
            case "str_startswith":
                found["begins"] = max(found["begins"], said["string"], key=len)
            case "str_endswith":
                found["ends"] = max(found["ends"], said["string"], key=len)
            case "str_length":
                least, most = lengths(said)
                found["shortest"], found["longest"] = max(found["shortest"], least), _lower(found["longest"], most)
    return found


def ends_of_type(kind: Kind, dtype: str) -> tuple[Any, Any]:
    """The least and greatest value of the type; None for a type without limits."""
    if kind == "int":
        return coercion.integer_range(dtype)
    if kind == "float":
        most = coercion.greatest_float(dtype)
        return -most, most
    return None, None


def step(dtype: str, value: float, *, up: bool) -> float:
    """The next number that this type of float can hold."""
    import numpy as np

    narrow: Any = np.dtype(dtype.lower()).type
    with np.errstate(over="ignore"):  # beyond the last one comes infinity
        return float(np.nextafter(narrow(value), narrow(np.inf if up else -np.inf)))


def _inside(kind: Kind, dtype: str, bound: Any, *, up: bool, out: bool) -> Any:
    """The first allowed value from `bound` inwards; `out`: `bound` itself is not allowed."""
    if kind == "int":
        whole = math.ceil(bound) if up else math.floor(bound)
        return whole + (1 if up else -1) if out and whole == bound else whole
    return step(dtype, bound, up=up) if kind == "float" and out else bound


def _higher(one: Any, other: Any) -> Any:
    return other if one is None or (other is not None and other > one) else one


def _lower(one: Any, other: Any) -> Any:
    return other if one is None or (other is not None and other < one) else one


def _both(one: tuple[Any, ...] | None, other: tuple[Any, ...]) -> tuple[Any, ...]:
    return other if one is None else tuple(value for value in one if value in other)
