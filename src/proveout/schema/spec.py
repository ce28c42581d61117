"""What a pandera model says of a request, as plain records: fields, constraints, schema.

Made by `pandera_reader`. The validator, the JSON schema, the examples and the generated requests start from these
records.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from proveout.records.values import Scalar
from proveout.schema import coercion
from proveout.schema.coercion import Convert

Kind = coercion.Kind | Literal["other"]
"""What a column holds. Of others (objects, decimals, categories of numbers) JSON has no values."""

TEXT_KINDS = frozenset({"str", "datetime", "category"})
"""What JSON writes as text."""


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """One check of a field, as a function of one value that is there and of the field's type.

    `arguments` are the check's own, by pandera's names; `keywords` say the same in JSON Schema, as far as that can.
    """

    name: str
    expected: str
    holds: Callable[[Any], object]  # something true, where it does
    arguments: Mapping[str, Any] = field(default_factory=dict)
    keywords: Mapping[str, Any] = field(default_factory=dict)
    custom: bool = False  # written by the project: what it lets through is known only by asking it
    whole_column: bool = False  # asks a pandas column, even of one value, which takes a hundred times as long


@dataclass(frozen=True, kw_only=True)
class RequestField:
    """One field of a request.

    `dtype` is the name of the pandas type that its column has in front of the model, `pandas_dtype` the type itself.
    `type_constraints` are what a column of the type can hold in a request at all, `constraints` the model's checks.
    """

    name: str
    kind: Kind
    dtype: str
    pandas_dtype: Any
    nullable: bool  # whether null passes every check
    required: bool  # whether pandera wants the column to be there
    coerced: bool  # whether pandera makes values of other types fit
    default: Scalar = None  # what pandera puts in the place of null
    type_constraints: tuple[Constraint, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    title: str | None = None
    description: str | None = None
    pii: bool = False  # about a person: `metadata={"pii": True}`

    @cached_property
    def takes_null(self) -> bool:
        """Whether a request may say null: the default stands in for it where there is one."""
        return self.nullable or self.default is not None

    @cached_property
    def needed(self) -> bool:
        """Whether a request without the field is refused."""
        return self.required and not self.takes_null

    @property
    def has_null(self) -> bool:
        """Whether a column of this type can hold a null at all."""
        return coercion.has_null(self.dtype)

    @cached_property
    def convert(self) -> Convert:
        """What a column of the type makes of a value, see `coercion.converter`."""
        convert = coercion.converter(self.dtype)
        assert convert is not None, f"{self.name} has the type {self.dtype}"  # only asked of types that JSON has
        return convert

    @cached_property
    def all_constraints(self) -> tuple[Constraint, ...]:
        """Those of the type first."""
        return (*self.type_constraints, *self.constraints)

    def holds(self, value: Any) -> bool:
        """Whether every check of the model lets `value`, which is of the right type and not null, through."""
        held = self.convert(value) if self.kind == "datetime" else value
        return held is not None and all(constraint.holds(held) for constraint in self.constraints)


@dataclass(frozen=True, kw_only=True)
class RequestSchema:
    """Every field of a request, in order."""

    name: str
    fields: tuple[RequestField, ...]
    record_constraints: tuple[Constraint, ...] = ()  # checks over several fields of one record
    compares_rows: bool = False  # whether rows must differ from each other
    refuses_unknown: bool = False
    adds_missing: bool = False  # whether pandera adds columns that are left out

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.fields)

    @property
    def pii_fields(self) -> tuple[str, ...]:
        """The fields whose values only the model and the rules may see."""
        return tuple(one.name for one in self.fields if one.pii)

    @property
    def nullable(self) -> tuple[str, ...]:
        """The fields that may be null in front of the model."""
        return tuple(one.name for one in self.fields if one.nullable)

    @property
    def dtypes(self) -> dict[str, str]:
        """The pandas type of each column."""
        return {one.name: one.dtype for one in self.fields}
