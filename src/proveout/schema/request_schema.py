"""The request schema: the project's pandera model in the form that a server validates requests with, without pandas.

Input: settings, or a pandera model. Output: a `RequestSchema`, whose constraints are plain functions of one value. A
check that a single request cannot be checked with is an error as soon as the project is opened.
"""

from typing import Any

from proveout.errors import ConfigError
from proveout.schema import coercion, pandera_reader
from proveout.schema.spec import RequestField, RequestSchema
from proveout.settings import Settings, load_object

EXPLAIN = "explain"
"""Reserved key next to the record's fields: requests reasons for the answer."""

_TYPE_REMEDY = (
    "Use int, float, str, bool, a datetime, a category of listed texts, or one of Int64, Float64, boolean; send "
    "money as a float or in whole cents"
)
_REMEDY = "Write it as a Field constraint or an element-wise check, or move it to the batch schema"


def load(settings: Settings) -> RequestSchema:
    """The project's request schema. Ingest, training, gate and server all use it, so they refuse the same values.

    Raises: ConfigError, as `read`.
    """
    return read(load_object(settings.request_schema, settings.root), name=settings.request_schema)


def read(model: Any, *, name: str) -> RequestSchema:
    """The schema of `model`, a pandera DataFrameModel or DataFrameSchema, for a server.

    Args:
        name: names the schema in errors.
    Raises: ConfigError, naming a check or type that cannot be applied to one request without pandas.
    """
    schema = pandera_reader.read(model, name=name)
    if schema.record_constraints:
        found = ", ".join(check.name for check in schema.record_constraints)
        raise ConfigError(name, f"has checks over the whole frame ({found}), but a request is one row", _REMEDY)
    if EXPLAIN in schema.names:
        raise ConfigError(name, f"has a field `{EXPLAIN}`, which in requests asks for reasons", "Rename the field")
    for field in schema.fields:
        _refuse_unservable(f"{name}, field `{field.name}`", field)
    return schema


def _refuse_unservable(where: str, field: RequestField) -> None:
    if coercion.kind_of(field.dtype) is None:
        raise ConfigError(where, f"has the type {field.dtype}, which JSON cannot carry", _TYPE_REMEDY)
    if field.nullable and not field.has_null:
        problem = f"is nullable, but a column of {field.dtype} has no null"
        raise ConfigError(where, problem, "Use float, Int64 or boolean")
    if not field.required and field.default is None and not field.has_null:
        problem = f"may be left out, but a column of {field.dtype} has no null to replace it"
        raise ConfigError(where, problem, "Use float, Int64 or boolean, or give it a default")
    for check in field.constraints:
        if check.whole_column:
            raise ConfigError(where, f"the check `{check.name}` needs a whole column", _REMEDY)
    if field.default is not None and not (field.convert(field.default) is not None and field.holds(field.default)):
        raise ConfigError(where, f"has the default {field.default!r}, which its checks refuse", "Change the default")
