"""Validates one record with the schema: returns the values in the fields' types, or all problems at once.

Input: a parsed JSON object. Output: the record, with all fields in the schema's order; or `InvalidRecord`. The compiled
validator accepts the usual record. If it does not, this module checks field by field.

Differences between JSON and pandas: `5.0` is an integer, because JSON has one kind of number and a table with gaps
writes integers so; `5.5`, `"5"` and `true` are not. A number that the column would change is refused, by the same rule
as in the guard (`coercion`). A nullable field may be left out. An unknown field is always refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from proveout.errors import ProveoutError
from proveout.records.values import Scalar
from proveout.schema import coercion
from proveout.schema.compiled_validator import compile_validator
from proveout.schema.spec import Kind, RequestField, RequestSchema

MOST_PROBLEMS = 50  # so that a body full of unknown fields does not get a longer answer


@dataclass(frozen=True, kw_only=True)
class FieldProblem:
    """One problem of one field. `got` describes the kind of value, never the value itself."""

    field: str
    rule: str
    expected: str
    got: str


class InvalidRecord(ProveoutError):
    """A record does not fit the schema. `problems` has at least one problem for every wrong field."""

    def __init__(self, problems: tuple[FieldProblem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        first = self.problems[0]
        others = f", and {len(self.problems) - 1} more" if len(self.problems) > 1 else ""
        return f"The record does not fit the schema: {first.field} is {first.got}, expected {first.expected}{others}."


class Validator:
    """Validates records with one schema, as read by `request_schema.read`.

    >>> import pandera.pandas as pa
    >>> from proveout.schema import request_schema
    >>> hours = pa.DataFrameSchema({"hour": pa.Column(int, pa.Check.in_range(0, 23))})
    >>> validator = Validator(request_schema.read(hours, name="hours"))
    >>> validator.validate({"hour": 5.0})
    {'hour': 5}
    >>> validator.validate({"hour": 24})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    proveout.schema.validator.InvalidRecord: The record does not fit the schema: hour is an integer, expected at ...
    """

    def __init__(self, schema: RequestSchema) -> None:
        self.schema = schema
        self.at_once = compile_validator(schema)
        self._names = frozenset(schema.names)
        self._known = f"one of {len(schema.fields)} fields: {', '.join(schema.names)}"

    def validate(self, document: Mapping[str, Any]) -> dict[str, Scalar]:
        """The record in `document`. Raises: InvalidRecord."""
        record = self.at_once(document, -1)
        return self.closely(document) if record is None else record

    def closely(self, document: Mapping[str, Any]) -> dict[str, Scalar]:
        """The same, field by field, for records that the compiled validator does not accept. Raises: InvalidRecord."""
        problems: list[FieldProblem] = []
        record: dict[str, Scalar] = {}
        for field in self.schema.fields:
            value = document.get(field.name, _ABSENT)
            if value is _ABSENT and field.needed:
                expected = type_words(field)
                problems.append(FieldProblem(field=field.name, rule="needed", expected=expected, got="nothing"))
            elif value is _ABSENT or (value is None and field.takes_null):
                record[field.name] = field.default
            else:
                record[field.name] = _value(field, value, problems)
        unknown = [key for key in document if key not in self._names]
        problems += [
            FieldProblem(field=shown(key), rule="unknown", expected=self._known, got=class_of(document[key]))
            for key in unknown[:MOST_PROBLEMS]
        ]
        if problems:
            raise InvalidRecord(tuple(problems))
        return record


_ABSENT: Any = object()


# --- fields -------------------------------------------------------------------------------------------------------


def _value(field: RequestField, value: Any, problems: list[FieldProblem]) -> Scalar:
    """`value` in the field's type. Each broken constraint is added to `problems`."""
    typed = _typed(field.kind, value)
    if typed is None:
        problems.append(FieldProblem(field=field.name, rule="type", expected=type_words(field), got=class_of(value)))
        return None
    asked: Any = typed
    if field.kind in ("float", "datetime"):
        asked = field.convert(typed)
        if asked is None:
            what = "a number" if field.kind == "float" else "a date or time in ISO 8601"
            expected = f"{what} that a column of {field.dtype} can hold"
            problems.append(FieldProblem(field=field.name, rule="exact", expected=expected, got=class_of(value)))
            return None
        typed = float(typed) if field.kind == "float" else typed
    for rule in field.all_constraints:
        if not rule.holds(asked):
            problems.append(FieldProblem(field=field.name, rule=rule.name, expected=rule.expected, got=class_of(value)))
            if rule.name in {"length", "size"}:
                break  # do not run regular expressions on a too long text
    return typed


def _typed(kind: Kind, value: Any) -> Scalar:
    """`value`, if it is of the kind in JSON: text is not a number, and 1 is not a flag. See `coercion`."""
    # `type`, not `isinstance`, because True is an int in Python.
    given = type(value)
    if kind == "int":
        return coercion.whole(value) if given in (float, int) else None
    fits: Mapping[Kind, tuple[type, ...]] = {
        "float": (float, int), "bool": (bool,), "str": (str,), "datetime": (str,), "category": (str,),
    }  # fmt: skip
    return cast(Scalar, value) if given in fits[kind] else None


_WORDS: Mapping[Kind, str] = {
    "int": "an integer", "float": "a number", "bool": "true or false", "str": "text", "category": "text",
    "datetime": "text with a date or a time in ISO 8601",
}  # fmt: skip


def type_words(field: RequestField) -> str:
    """The values that a field accepts, in words."""
    words = _WORDS[field.kind]
    return f"{words} or null" if field.takes_null else words


def class_of(value: Any) -> str:
    """The kind of a JSON value, never the value itself."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "a number with decimals" if not value.is_integer() else "a number"
    kinds = {type(None): "null", int: "an integer", str: "text", list: "an array", dict: "an object"}
    words = kinds.get(type(value), "something else")
    return f"text of {len(value)} characters" if isinstance(value, str) else words


def shown(name: str) -> str:
    """A name from outside, made safe to print."""
    short = name[:64]
    return short if short.isprintable() else ascii(short)[1:-1]
