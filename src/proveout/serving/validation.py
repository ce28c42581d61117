"""Reading a request: what is let in, and what is told to a client whose request is not.

Comes in: the bytes of a body and the compiled schema. Goes out: the record, every field of the schema in its order;
or `Refused`, which holds all problems at once as an RFC 9457 problem.

Choices where JSON and pandas differ: `5.0` is an integer (JSON has one kind of number, and a table with a gap writes
its integers so), `5.5`, `"5"` and `true` are none; a field given twice is refused (parsers disagree on which one
counts); a nullable field may be left out; a field that the schema does not know is always refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from proveout.errors import ProveoutError
from proveout.records import Plain
from proveout.serving.schema import EXPLAIN, Kind, RequestField, RequestSchema

_MOST_PROBLEMS = 50  # a body full of unknown fields shall not be answered with a longer one
_EXACT_INTEGERS = 2**53  # beyond it a float no longer says which integer was meant


# --- problems -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class FieldProblem:
    """One thing that is wrong with one field. `got` is a class of values, never the value."""

    field: str
    rule: str
    expected: str
    got: str


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a request was refused: the members of an RFC 9457 problem."""

    status: int
    kind: str
    title: str
    detail: str
    problems: tuple[FieldProblem, ...] = ()

    def body(self) -> bytes:
        """The `application/problem+json` text."""
        members = {"type": f"urn:proveout:problem:{self.kind}", "title": self.title, "status": self.status}
        listed = {"problems": self.problems} if self.problems else {}
        return orjson.dumps({**members, "detail": self.detail, **listed})


class Refused(ProveoutError):
    """A request was refused before anything was predicted."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return f"The request is refused: {self.problem.detail}"


# --- reading a body -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Request:
    """A body that was let in."""

    record: Mapping[str, Plain]
    explain: bool


def read(body: bytes, schema: RequestSchema) -> Request:
    """The request in `body`. Raises: Refused, with status 400 for what is no JSON object and 422 for its content."""
    document = _document(body)
    asked = document.pop(EXPLAIN, False)
    problems: list[FieldProblem] = []
    if not isinstance(asked, bool):
        problems.append(FieldProblem(field=EXPLAIN, rule="type", expected="true or false", got=_class(asked)))
    record: dict[str, Plain] = {}
    for field in schema.fields:
        value = document.pop(field.name, _ABSENT)
        if value is _ABSENT and field.needed:
            problems.append(FieldProblem(field=field.name, rule="needed", expected=_type_words(field), got="nothing"))
        elif value is _ABSENT or (value is None and field.nullable):
            record[field.name] = field.default
        else:
            record[field.name] = _value(field, value, problems)
    known = f"one of {len(schema.fields)} fields: {', '.join(schema.names)}"
    problems += [FieldProblem(field=_shown(key), rule="unknown", expected=known, got=_class(document[key]))
                 for key in list(document)[:_MOST_PROBLEMS]]  # fmt: skip
    if problems:
        raise Refused(_content_problem(problems))
    return Request(record=record, explain=asked)


_ABSENT: Any = object()


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(_no_json(f"The body is not JSON in UTF-8: {error}.")) from error
    if not isinstance(document, dict):
        raise Refused(_no_json(f"The body is {_class(document)}, where an object with the fields is expected."))
    twice = _given_twice(body, document)
    if twice is not None:
        raise Refused(_no_json(f"The field {_shown(twice)} is given twice."))
    return document


def _no_json(detail: str) -> Problem:
    return Problem(status=400, kind="not-json", title="The body cannot be read", detail=detail)


def _given_twice(body: bytes, document: Mapping[str, Any]) -> str | None:
    """A top-level key that `body` gives twice. orjson keeps the last one and does not say so.

    In a flat object without escapes every colon outside of texts follows a key, so counting is enough; only what
    does not add up is parsed again.
    """
    if b"\\" not in body:
        expected = len(document)
        for key, value in document.items():
            expected += key.count(":")
            if type(value) is str:
                expected += value.count(":")
        if body.count(b":") == expected:
            return None
    return _first_repeated(body)


def _first_repeated(body: bytes) -> str | None:
    found: list[str | None] = []

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        found.append(next((key for place, key in enumerate(keys) if key in keys[:place]), None) if keys else None)
        return {}

    try:
        # Objects end from the inside out: the last one noted is the body. Texts and numbers were parsed by orjson.
        json.loads(body, object_pairs_hook=note, parse_int=str, parse_float=str)
    except (RecursionError, ValueError):
        return None  # too deep: its nested value is no field of ours, and is refused as such
    return found[-1] if found else None


def _value(field: RequestField, value: Any, problems: list[FieldProblem]) -> Plain:
    """`value` as the field's type; each rule it breaks is added to `problems`."""
    typed = _typed(field.kind, value)
    if typed is None:
        problems.append(FieldProblem(field=field.name, rule="type", expected=_type_words(field), got=_class(value)))
        return None
    for rule in field.rules:
        if not rule.holds(typed):
            problems.append(FieldProblem(field=field.name, rule=rule.name, expected=rule.expected, got=_class(value)))
            if rule.name == "length":
                break  # what is too long is not shown to regular expressions
    return typed


def _typed(kind: Kind, value: Any) -> Plain:
    # `type`, not `isinstance`: True is an int to Python.
    given = type(value)
    if kind == "float":
        return float(value) if given is float or given is int else None
    if kind == "int":
        if given is float and value.is_integer() and abs(value) <= _EXACT_INTEGERS:
            return int(value)
        return value if given is int else None
    return value if (given is str and kind == "str") or (given is bool and kind == "bool") else None


def _type_words(field: RequestField) -> str:
    words = {"int": "an integer", "float": "a number", "str": "text", "bool": "true or false"}[field.kind]
    return f"{words} or null" if field.nullable else words


def _class(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "a number with decimals" if not value.is_integer() else "a number"
    kinds = {type(None): "null", int: "an integer", str: "text", list: "an array", dict: "an object"}
    words = kinds.get(type(value), "something else")
    return f"text of {len(value)} characters" if isinstance(value, str) else words


def _shown(name: str) -> str:
    """A name that came from outside, safe to print."""
    short = name[:64]
    return short if short.isprintable() else ascii(short)[1:-1]


def _content_problem(problems: list[FieldProblem]) -> Problem:
    fields = list(dict.fromkeys(problem.field for problem in problems))
    named = ", ".join(fields[:5]) + (" …" if len(fields) > 5 else "")
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return Problem(
        status=422,
        kind="refused-fields",
        title="The request does not fit the schema",
        detail=f"{count} in {named}.",
        problems=tuple(problems[:_MOST_PROBLEMS]),
    )
