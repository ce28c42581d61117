"""Reads a pandera model. The only module that knows how pandera stores columns and checks.

Input: a pandera DataFrameModel or DataFrameSchema. Output: a `RequestSchema`, whose constraints are functions of one
value. `read` accepts every schema of single rows; `request_schema` accepts only those that a server can check requests
with. pandera itself is not imported: its objects are only read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from proveout.errors import ConfigError
from proveout.schema import coercion, constraints
from proveout.schema.spec import Constraint, Kind, RequestField, RequestSchema

_EXAMPLES: Mapping[Kind, Any] = {"int": 1, "float": 1.0, "str": "x", "bool": True, "datetime": "2020-01-01"}


def read(model: Any, *, name: str | None = None) -> RequestSchema:
    """The schema of one row of `model`.

    Args:
        name: names the schema in errors.
    Raises: ConfigError, naming the field, for a check that one row cannot be checked with.

    >>> import pandera.pandas as pa
    >>> [hour] = read(pa.DataFrameSchema({"hour": pa.Column(int, pa.Check.in_range(0, 23))})).fields
    >>> hour.kind, [constraint.expected for constraint in hour.constraints]
    ('int', ['at least 0 and at most 23'])
    """
    schema = model.to_schema() if hasattr(model, "to_schema") else model
    name = name or str(schema.name or "the request schema")
    if schema.index is not None or getattr(schema, "parsers", None):
        raise ConfigError(name, "has an index or parsers, which requests do not have", "Move them to the batch schema")
    columns = schema.columns.values()
    return RequestSchema(
        name=name,
        fields=tuple(_field(name, column, coerced=bool(schema.coerce or column.coerce)) for column in columns),
        record_constraints=tuple(_over_records(name, check, columns) for check in _counted(schema.checks)),
        compares_rows=bool(schema.unique) or any(column.unique for column in columns),
        refuses_unknown=schema.strict is True,
        adds_missing=bool(getattr(schema, "add_missing_columns", False)),
    )


def kind_of(dtype: str) -> Kind:
    """The kind of a pandas type.

    >>> kind_of("Int64"), kind_of("datetime64[ns, UTC]"), kind_of("category")
    ('int', 'datetime', 'other')
    """
    return coercion.kind_of(dtype) or "other"


def _counted(checks: Sequence[Any]) -> list[Any]:
    """The checks that refuse a row; others only warn."""
    return [check for check in checks if not check.raise_warning]


def _field(schema: str, column: Any, *, coerced: bool) -> RequestField:
    where = f"{schema}, field `{column.name}`"
    if column.regex or getattr(column, "parsers", None):
        raise ConfigError(where, "is a pattern of names or has parsers", "Name each field, without parsers")
    dtype = getattr(column.dtype, "type", None)
    known = coercion.name_of(dtype)
    kind = kind_of(known)
    checks = _counted(column.checks)
    return RequestField(
        name=str(column.name),
        kind=kind,
        dtype=known,
        pandas_dtype=dtype,
        nullable=bool(column.nullable) and all(constraints.lets_null_through(check, dtype) for check in checks),
        required=bool(column.required),
        coerced=coerced,
        default=_default(column.default, known),
        type_constraints=constraints.of_type(kind, known, longest=constraints.longest_text(checks)),
        constraints=tuple(_constraint(where, check, kind, dtype) for check in checks),
        title=column.title,
        description=column.description,
        pii=_about_a_person(where, column.metadata or {}),
    )


def _default(default: Any, dtype: str) -> Any:
    """The default, converted to the column's type and then to JSON."""
    convert = coercion.converter(dtype) if default is not None else None
    held = None if convert is None else convert(default)
    return default if held is None else coercion.plain(held)


def _constraint(where: str, check: Any, kind: Kind, dtype: Any) -> Constraint:
    if check.groupby is not None:
        problem = f"has a check over groups of rows (`{check.name}`)"
        raise ConfigError(where, problem, "A request is one row: move it to the batch schema")
    try:
        constraint = constraints.read(check, kind, dtype)
        convert = coercion.converter(coercion.name_of(dtype))
        if not constraint.custom and kind in _EXAMPLES and convert is not None:
            constraint.holds(convert(_EXAMPLES[kind]))  # a bound of another type raises for any value
    except (TypeError, ValueError, OverflowError) as error:
        held = coercion.TEXT if kind == "str" else dtype
        problem = f"the check `{check.name}` does not apply to a column of {held} ({error})"
        raise ConfigError(where, problem, "Give the check a bound of the field's type") from error
    return constraint


def _about_a_person(where: str, metadata: Mapping[str, Any]) -> bool:
    """Whether the field is marked as personal data. A misspelled mark is an error, because it would hide nothing."""
    meant = [key for key in metadata if str(key).lower() in {"pii", "personal", "sensitive"} and key != "pii"]
    marked = metadata.get("pii", False)
    if meant or not isinstance(marked, bool):
        said = f"{meant[0]!r}" if meant else f"'pii': {marked!r}"
        raise ConfigError(where, f"has the metadata {said}, which hides nothing", 'Write metadata={"pii": True}')
    return marked


def _over_records(schema: str, check: Any, columns: Any) -> Constraint:
    """A check of the whole frame, as a constraint on one record."""
    name = str(check.name)
    if check.groupby is not None:
        problem = f"has a check over groups of rows (`{name}`)"
        raise ConfigError(schema, problem, "A request is one row: move it to the batch schema")
    dtypes = {str(column.name): getattr(column.dtype, "type", None) for column in columns}

    def holds(record: Mapping[str, Any]) -> bool:
        import numpy as np

        from proveout.schema import frames

        try:
            asked = frames.of_records([record], dtypes)
            said = asked.apply(check._check_fn, axis=1) if check.element_wise else check._check_fn(asked)
            return bool(np.asarray(said).all())
        except Exception:  # a check that raises on a record has failed
            return False

    expected = f"a record that passes {name}"
    return Constraint(name=name, expected=expected, holds=holds, custom=True, whole_column=True)
