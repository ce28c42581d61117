"""What a request schema allows, field by field: the pandera schema, read for whoever makes values by it.

Comes in: a pandera DataFrameModel or DataFrameSchema. Goes out: `Request`, whose `rules` are functions of one value
and whose `limits` say how far values go. pandera itself is not imported: its objects are only read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proveout.errors import ConfigError
from proveout.fuzz.bounds import Kind, Limits, kind_of, limits
from proveout.fuzz.constraints import Rule, passes, rules

if TYPE_CHECKING:
    import pandas as pd

Record = dict[str, Any]
"""A request as plain values by field; None for what is not known."""

MOST_LISTED = 20_000  # integers that are tried one by one against a check of the project's own


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What one field may be."""

    name: str
    kind: Kind
    dtype: Any  # as pandas takes it
    nullable: bool
    needed: bool  # whether the column must be there
    coerced: bool  # whether the schema makes values of other types fit
    filled: bool  # whether the schema puts a default where there is null
    rules: tuple[Rule, ...]
    low: Any = None  # the least and the greatest value, themselves allowed by the checks that set them
    high: Any = None
    choices: tuple[Any, ...] | None = None  # all values there are, where they are listed
    refused: tuple[Any, ...] = ()  # values that a check names as wrong
    patterns: tuple[str, ...] = ()  # text matches them from its beginning
    within: tuple[str, ...] = ()  # text has a part that matches
    begins: str = ""
    ends: str = ""
    shortest: int = 0
    longest: int | None = None

    def holds(self, value: Any) -> bool:
        """Whether every check lets `value`, which is of the right type and not null, through."""
        return all(rule.holds(value) for rule in self.rules)

    def fits(self, value: Any) -> bool:
        """Whether `value` is of the field's type. Null is of none."""
        if isinstance(value, bool) or self.kind == "bool":
            return isinstance(value, bool) and self.kind in ("bool", "other")
        kinds = {"int": int, "float": int | float, "str": str}
        return isinstance(value, kinds[self.kind]) if self.kind in kinds else True

    def typed(self, value: Any) -> bool:
        """Whether a column of the field's type can hold `value`."""
        return self.has_null if value is None else self.fits(value)

    @property
    def has_null(self) -> bool:
        """Whether a column of this type can hold a null at all."""
        return not re.fullmatch(r"u?int\d+|bool", str(self.dtype))


@dataclass(frozen=True, kw_only=True)
class Request:
    """Every field of a request, in order; `whole` are checks over all fields of one together."""

    fields: tuple[Allowed, ...]
    whole: tuple[Rule, ...]
    unique: bool  # whether the schema compares rows with each other
    refuses_unknown: bool
    makes_missing: bool

    def frame(self, records: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
        """The records as a table, shape (records, fields that one of them has), typed as in front of the model.

        A column with a value of another type is left as Python objects, for the schema to refuse.
        """
        return _frame({field.name: field for field in self.fields}, records)


def read(schema: Any) -> Request:
    """What `schema` allows.

    Raises: ConfigError for what one request cannot be made by, naming it.

    >>> import pandera.pandas as pa
    >>> [hour] = read(pa.DataFrameSchema({"hour": pa.Column(int, pa.Check.in_range(0, 23))})).fields
    >>> hour.kind, hour.low, hour.high
    ('int', 0, 23)
    """
    schema = schema.to_schema() if hasattr(schema, "to_schema") else schema
    if schema.index is not None or getattr(schema, "parsers", None):
        raise ConfigError(_name(schema), "has an index or parsers, which a request does not", "Leave them out")
    coerced = bool(schema.coerce)
    columns = [(column, coerced or bool(column.coerce)) for column in schema.columns.values()]
    fields = {str(column.name): _field(_name(schema), column, coerced) for column, coerced in columns}
    return Request(
        fields=tuple(fields.values()),
        whole=tuple(_whole(check, fields) for check in schema.checks if not check.raise_warning),
        unique=bool(schema.unique) or any(column.unique for column, _ in columns),
        refuses_unknown=schema.strict is True,
        makes_missing=bool(getattr(schema, "add_missing_columns", False)),
    )


def _name(schema: Any) -> str:
    return str(schema.name or "the request schema")


def _field(schema: str, column: Any, coerced: bool) -> Allowed:
    where = f"{schema}, field `{column.name}`"
    if column.regex or getattr(column, "parsers", None):
        raise ConfigError(where, "is a pattern of names or has parsers", "Name each field and send it as it is")
    dtype = getattr(column.dtype, "type", None)
    checks = [check for check in column.checks if not check.raise_warning]
    if any(check.groupby is not None for check in checks):
        raise ConfigError(
            where, "has a check over groups of rows", "A request is one row: leave it to the batch schema"
        )
    kind = kind_of(str(dtype).lower())
    found = limits(kind, dtype, checks)
    asked = tuple(rule for check in checks for rule in rules(check, kind, dtype))
    nullable = bool(column.nullable) and all(check.ignore_na or passes(check, None, dtype) for check in checks)
    return Allowed(
        name=str(column.name),
        kind=kind,
        dtype=dtype,
        nullable=nullable,
        needed=bool(column.required),
        coerced=coerced,
        filled=column.default is not None,
        rules=asked,
        choices=_choices(where, _listed(kind, dtype, found, checks, asked), asked, as_float=kind == "float"),
        refused=_refused(checks),
        **vars(found),
    )


def _listed(
    kind: Kind, dtype: Any, found: Limits, checks: Sequence[Any], asked: Sequence[Rule]
) -> Sequence[Any] | None:
    """All values that there may be, in order; None where nobody can list them."""
    named: list[Any] | None = None
    for check in checks:
        key = {"isin": "allowed_values", "equal_to": "value"}.get(str(check.name))
        if key is not None and check.statistics:
            here = list(check.statistics[key]) if key == "allowed_values" else [check.statistics[key]]
            named = here if named is None else [value for value in named if value in here]
    if named is not None:
        return named
    if kind == "bool":
        return (False, True)
    if hasattr(dtype, "categories"):
        return [] if dtype.categories is None else list(dtype.categories)
    low, high = found.low, found.high
    if low is not None and low > high:
        return ()
    # Each is asked of all of them: a check over a column would take seconds.
    few = kind == "int" and high - low < MOST_LISTED and any(rule.own for rule in asked)
    return range(low, high + 1) if few and all(rule.quick for rule in asked) else None


def _choices(
    where: str, listed: Sequence[Any] | None, asked: Sequence[Rule], *, as_float: bool
) -> tuple[Any, ...] | None:
    """Those of the listed values that every rule lets through. Raises: ConfigError if there are none."""
    if listed is None:
        return None
    plain = [value.item() if hasattr(value, "item") else value for value in listed]
    typed = [float(value) for value in plain] if as_float else plain
    found = tuple(value for value in typed if all(rule.holds(value) for rule in asked))
    if not found:
        names = ", ".join(dict.fromkeys(rule.name for rule in asked)) or "its type"
        raise ConfigError(where, f"allows no value at all ({names})", "Mend its checks")
    return found


def _refused(checks: Sequence[Any]) -> tuple[Any, ...]:
    """The values that `ne` and `notin` name."""
    found: list[Any] = []
    for check in checks:
        if check.statistics and str(check.name) == "notin":
            found += check.statistics["forbidden_values"]
        elif check.statistics and str(check.name) == "not_equal_to":
            found.append(check.statistics["value"])
    return tuple(found)


def _whole(check: Any, fields: Mapping[str, Allowed]) -> Rule:
    """A check over the frame, as one over a record."""
    name = str(check.name)
    if check.groupby is not None:
        raise ConfigError(f"The check `{name}`", "asks groups of rows", "A request is one row: leave it to the batch")

    def holds(record: Mapping[str, Any]) -> bool:
        import numpy as np

        try:
            asked = _frame(fields, [record])
            said = asked.apply(check._check_fn, axis=1) if check.element_wise else check._check_fn(asked)
            return bool(np.asarray(said).all())
        except Exception:
            return False

    return Rule(name=name, broken=f"{name} broken", holds=holds, own=True)


def _frame(fields: Mapping[str, Allowed], records: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    import pandas as pd

    known = [name for name in fields if any(name in record for record in records)]
    strange = dict.fromkeys(name for record in records for name in record if name not in fields)
    columns = {name: [record.get(name) for record in records] for name in (*known, *strange)}
    return pd.DataFrame({name: _column(fields.get(name), values) for name, values in columns.items()})


def _column(field: Allowed | None, values: list[Any]) -> "pd.Series[Any]":
    import pandas as pd

    if field is not None and all(field.typed(value) for value in values):
        try:
            typed: pd.Series[Any] = pd.Series(values, dtype=field.dtype)
            return typed
        except (TypeError, ValueError, OverflowError):
            pass  # each fits, all together do not: as objects they are what the schema is to judge
    return pd.Series(values, dtype=object)
