"""Checking one record by the schema: the values as the fields' types, or every problem at once.

Input: a parsed JSON object. Output: the record, every field of the schema in its order; or `InvalidRecord`. A usual
record goes through the compiled validator alone; what that one does not let in is looked at again here, field by field.

Where JSON and pandas differ: `5.0` is an integer (JSON has one kind of number, and a table with a gap writes its
integers so), `5.5`, `"5"` and `true` are none; a number is refused that the field's column would hold as another one,
by the rule that the guard has (`coercion`); a nullable field may be left out; an unknown field is always refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from proveout.errors import ProveoutError
from proveout.records.values import Scalar
from proveout.schema import coercion
from proveout.schema.compiled_validator import compile_validator
from proveout.schema.spec import Kind, RequestField, RequestSchema

MOST_PROBLEMS = 50  # a body full of unknown fields shall not be answered with a longer one


@dataclass(frozen=True, kw_only=True)
class FieldProblem:
    """One thing that is wrong with one field. `got` is a class of values, never the value."""

    field: str
    rule: str
    expected: str
    got: str


class InvalidRecord(ProveoutError):
    """A record does not fit the schema. `problems` has at least one, of every field that is wrong."""

    def __init__(self, problems: tuple[FieldProblem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        first = self.problems[0]
        others = f", and {len(self.problems) - 1} more" if len(self.problems) > 1 else ""
        return f"The record does not fit the schema: {first.field} is {first.got}, expected {first.expected}{others}."


class Validator:
    """Checks records by one schema, which `request_schema.read` has read.

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
        """The same, field by field, for what the compiled validator does not let in. Raises: InvalidRecord."""
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
    """`value` as the field's type; each constraint it breaks is added to `problems`."""
    typed = _typed(field.kind, value)
    if typed is None:
        problems.append(FieldProblem(field=field.name, rule="type", expected=type_words(field), got=class_of(value)))
        return None
    asked: Any = typed
    if field.kind in ("float", "datetime"):
        asked = field.convert(typed)
        if asked is None:
            what = "a number" if field.kind == "float" else "a moment in ISO 8601"
            expected = f"{what} that a column of {field.dtype} can hold"
            problems.append(FieldProblem(field=field.name, rule="exact", expected=expected, got=class_of(value)))
            return None
        typed = float(typed) if field.kind == "float" else typed
    for rule in field.all_constraints:
        if not rule.holds(asked):
            problems.append(FieldProblem(field=field.name, rule=rule.name, expected=rule.expected, got=class_of(value)))
            if rule.name in {"length", "size"}:
                break  # what is too long is not shown to regular expressions
    return typed


def _typed(kind: Kind, value: Any) -> Scalar:
    """`value`, if JSON has it as a value of the kind: text is no number here, and 1 is no flag. See `coercion`."""
    # `type`, not `isinstance`: True is an int to Python.
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
    """What a field takes, in words."""
    words = _WORDS[field.kind]
    return f"{words} or null" if field.takes_null else words


def class_of(value: Any) -> str:
    """What kind of JSON value it is, never which."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "a number with decimals" if not value.is_integer() else "a number"
    kinds = {type(None): "null", int: "an integer", str: "text", list: "an array", dict: "an object"}
    words = kinds.get(type(value), "something else")
    return f"text of {len(value)} characters" if isinstance(value, str) else words


def shown(name: str) -> str:
    """A name that came from outside, safe to print."""
    short = name[:64]
    return short if short.isprintable() else ascii(short)[1:-1]
