"""The request schema as plain records: fields, constraints, schema.

`pandera_reader` makes them. The validator, the JSON Schema, the examples and the generated requests use them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from proveout.records.values import Scalar
from proveout.schema import coercion
from proveout.schema.coercion import Convert

Kind = coercion.Kind | Literal["other"]
"""What a column holds. JSON has no values for `other` (objects, decimals, categories of numbers)."""

TEXT_KINDS = frozenset({"str", "datetime", "category"})
"""Kinds that JSON writes as text."""


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """One check of a field, as a function of one value of the field's type that is not null.

    `arguments` are the check's own, by pandera's names. `keywords` are the same in JSON Schema, as far as possible.
    """

    name: str
    expected: str
    holds: Callable[[Any], object]  # returns something true if it holds
    arguments: Mapping[str, Any] = field(default_factory=dict)
    keywords: Mapping[str, Any] = field(default_factory=dict)
    custom: bool = False  # written by the project: only calling it shows what passes
    whole_column: bool = False  # needs a pandas column, even for one value: a hundred times slower


@dataclass(frozen=True, kw_only=True)
class RequestField:
    """One field of a request.

    `dtype` is the name of the pandas type of its column as the model gets it, `pandas_dtype` the type itself.
    `type_constraints` follow from the column's type, `constraints` from the pandera model's checks.
    """

    name: str
    kind: Kind
    dtype: str
    pandas_dtype: Any
    nullable: bool  # whether null passes every check
    required: bool  # whether pandera requires the column
    coerced: bool  # whether pandera converts values of other types
    default: Scalar = None  # what pandera replaces null with
    type_constraints: tuple[Constraint, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    title: str | None = None
    description: str | None = None
    pii: bool = False  # personal data: `metadata={"pii": True}`

    @cached_property
    def takes_null(self) -> bool:
        """Whether a request may have null. A default, if there is one, replaces it."""
        return self.nullable or self.default is not None

    @cached_property
    def needed(self) -> bool:
        """Whether a request must have the field."""
        return self.required and not self.takes_null

    @property
    def has_null(self) -> bool:
        """Whether a column of this type can hold null."""
        return coercion.has_null(self.dtype)

    @cached_property
    def convert(self) -> Convert:
        """Converts a value to the column's type, see `coercion.converter`."""
        convert = coercion.converter(self.dtype)
        assert convert is not None, f"{self.name} has the type {self.dtype}"  # only called for types that JSON has
        return convert

    @cached_property
    def all_constraints(self) -> tuple[Constraint, ...]:
        """All constraints, those of the type first."""
        return (*self.type_constraints, *self.constraints)

    def holds(self, value: Any) -> bool:
        """Whether `value`, of the right type and not null, passes every check of the pandera model."""
        held = self.convert(value) if self.kind == "datetime" else value
        return held is not None and all(constraint.holds(held) for constraint in self.constraints)


@dataclass(frozen=True, kw_only=True)
class RequestSchema:
    """Every field of a request, in order."""

    name: str
    fields: tuple[RequestField, ...]
    record_constraints: tuple[Constraint, ...] = ()  # checks across fields of one record
    compares_rows: bool = False  # whether rows must differ from each other
    refuses_unknown: bool = False
    adds_missing: bool = False  # whether pandera adds missing columns

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.fields)

    @property
    def pii_fields(self) -> tuple[str, ...]:
        """The personal data fields, whose values only the model and the rules may see."""
        return tuple(one.name for one in self.fields if one.pii)

    @property
    def nullable(self) -> tuple[str, ...]:
        """The fields that may be null when the model gets them."""
        return tuple(one.name for one in self.fields if one.nullable)

    @property
    def dtypes(self) -> dict[str, str]:
        """The pandas type of each column."""
        return {one.name: one.dtype for one in self.fields}
