"""Field specifications for generating values: bounds of each field of the request schema, and all values if few.

Input: a pandera model. Output: the `RequestSchema` of `schema/pandera_reader`, and a `FieldSpec` for each field.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proveout.errors import ConfigError
from proveout.schema import bounds, coercion, frames, pandera_reader
from proveout.schema.bounds import Bounds
from proveout.schema.spec import Constraint, RequestField, RequestSchema

if TYPE_CHECKING:
    import pandas as pd

Record = dict[str, Any]
"""A request as plain values by field; None for unknown."""

MOST_LISTED = 20_000  # integers that are tried one by one against a project's own check


@dataclass(frozen=True, kw_only=True)
class FieldSpec:
    """The allowed values of one field."""

    field: RequestField
    bounds: Bounds
    choices: tuple[Any, ...] | None = None  # all allowed values; None if they cannot be listed

    @property
    def name(self) -> str:
        return self.field.name

    def holds(self, value: Any) -> bool:
        """Whether every check accepts `value`, which has the right type and is not null."""
        return self.field.holds(value)

    def fits(self, value: Any) -> bool:
        """Whether `value` has the field's type. Null has no type."""
        return value is not None and coercion.is_of_kind(value, coercion.kind_of(self.field.dtype))

    def typed(self, value: Any) -> bool:
        """Whether a column of the field's type can hold `value`."""
        return self.field.has_null if value is None else self.fits(value)


@dataclass(frozen=True, kw_only=True)
class Request:
    """The fields of a request, in order."""

    schema: RequestSchema
    fields: tuple[FieldSpec, ...]

    def frame(self, records: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
        """The records as a table, shape (records, fields that any of them has), with the types that the model gets."""
        return frames.of_records(records, {field.name: field.pandas_dtype for field in self.schema.fields})


def read(schema: Any) -> Request:
    """The fields of `schema`, a pandera DataFrameModel or DataFrameSchema.

    Raises: ConfigError naming a part of the schema from which no request can be generated.

    >>> import pandera.pandas as pa
    >>> [hour] = read(pa.DataFrameSchema({"hour": pa.Column(int, pa.Check.in_range(0, 23))})).fields
    >>> hour.field.kind, hour.bounds.low, hour.bounds.high
    ('int', 0, 23)
    """
    found = pandera_reader.read(schema)
    return Request(schema=found, fields=tuple(_spec(found.name, field) for field in found.fields))


def _spec(schema: str, field: RequestField) -> FieldSpec:
    found = bounds.of(field)
    return FieldSpec(field=field, bounds=found, choices=_choices(schema, field, _listed(field, found)))


def _listed(field: RequestField, found: Bounds) -> Sequence[Any] | None:
    """All possible values, in order; None if they cannot be listed."""
    if found.named is not None:
        return found.named
    if field.kind == "bool":
        return (False, True)
    if hasattr(field.pandas_dtype, "categories"):
        return [] if field.pandas_dtype.categories is None else list(field.pandas_dtype.categories)
    low, high = found.low, found.high
    if low is not None and high is not None and low > high:
        return ()
    # Every check is called for every value, so a check over a whole column would take seconds.
    few = field.kind == "int" and high - low < MOST_LISTED and any(one.custom for one in field.constraints)
    return range(low, high + 1) if few and not any(one.whole_column for one in field.constraints) else None


def _choices(schema: str, field: RequestField, listed: Sequence[Any] | None) -> tuple[Any, ...] | None:
    """The listed values that every check accepts. Raises: ConfigError if there are none."""
    if listed is None:
        return None
    plain = [value.item() if hasattr(value, "item") else value for value in listed]
    typed = [float(value) for value in plain] if field.kind == "float" else plain
    found = tuple(value for value in typed if field.holds(value))
    if not found:
        names = ", ".join(dict.fromkeys(one.name for one in field.constraints)) or "its type"
        raise ConfigError(f"{schema}, field `{field.name}`", f"allows no value at all ({names})", "Change its checks")
    return found


def why_refused(constraint: Constraint, value: Any) -> str:
    """What is wrong with a value that the constraint refuses, as text."""
    if constraint.name == "in_range" and not constraint.custom:
        low = constraint.arguments["min_value"]
        return "below the range" if value <= low else "above the range"
    return f"{constraint.name} broken" if constraint.custom else _WORDS[constraint.name]


_WORDS: Mapping[str, str] = {
    "eq": "not what it must be",
    "ne": "what it must not be",
    "gt": "below the range",
    "ge": "below the range",
    "lt": "above the range",
    "le": "above the range",
    "isin": "not in isin",
    "notin": "in notin",
    "str_matches": "pattern broken",
    "str_contains": "pattern broken",
    "str_startswith": "wrong beginning",
    "str_endswith": "wrong end",
    "str_length": "too short or too long",
    "length": "longer than any text of a request",
    "text": "text with NUL",
}
