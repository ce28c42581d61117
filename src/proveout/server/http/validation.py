"""Reading a request: what is let in, and what is told to a client whose request is not.

Comes in: the bytes of a body and the compiled schema. Goes out: the record, every field of the schema in its order;
or `Refused`, which holds all problems at once as an RFC 9457 problem.

Choices where JSON and pandas differ: `5.0` is an integer (JSON has one kind of number, and a table with a gap writes
its integers so), `5.5`, `"5"` and `true` are none; a number is refused that the field's column would hold as another
one, by the rule that the guard has (`data/coercion.py`); a field given twice is refused (parsers disagree on which one
counts); a nullable field may be left out; a field that the schema does not know is always refused.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from proveout.data import coercion
from proveout.data.coercion import Kind
from proveout.data.request_schema import EXPLAIN, RequestField, RequestSchema
from proveout.errors import ProveoutError
from proveout.records import Scalar
from proveout.server.http.compiled_validator import compile_quick

Header = tuple[bytes, bytes]

_MOST_PROBLEMS = 50  # a body full of unknown fields shall not be answered with a longer one


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
    """A request was refused before anything was predicted. `headers` are the response's, beside its usual ones."""

    def __init__(self, problem: Problem, *headers: Header) -> None:
        super().__init__(problem, *headers)
        self.problem, self.headers = problem, headers

    def __str__(self) -> str:
        return f"The request is refused: {self.problem.detail}"


def not_now(kind: str, why: str, *, retry_after_s: float) -> Refused:
    """There is no answer at this moment; later there is."""
    seconds = max(1, math.ceil(retry_after_s))
    problem = Problem(status=503, kind=kind, title="Not now", detail=f"{why} Try again in {seconds} s.")
    return Refused(problem, (b"retry-after", b"%d" % seconds))


# --- reading a body -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Request:
    """A body that was let in."""

    record: Mapping[str, Scalar]
    explain: bool


class Reader:
    """Reads requests by one schema."""

    def __init__(self, schema: RequestSchema) -> None:
        self.schema = schema
        self._quick = compile_quick(schema)
        self._known = f"one of {len(schema.fields)} fields: {', '.join(schema.names)}"

    def read(self, body: bytes) -> Request:
        """The request in `body`. Raises: Refused, with status 400 for what is no JSON object, 422 for its content."""
        document = parsed(body)
        if not isinstance(document, dict):
            raise Refused(not_json(f"The body is {class_of(document)}, where an object with the fields is expected."))
        asked = document.pop(EXPLAIN, _ABSENT)
        if (asked is _ABSENT or asked is True or asked is False) and b"\\" not in body:
            colons = body.count(b":") - (asked is not _ABSENT)
            record = self._quick(document, colons)
            if record is not None:
                return Request(record=record, explain=asked is True)
        if asked is not _ABSENT:
            document[EXPLAIN] = asked
        refuse_repeated(body, document)
        return self.take(document)

    def take(self, document: Any) -> Request:
        """The request in a parsed object that gives no field twice. `document` is used up. Raises: Refused, 422."""
        if not isinstance(document, dict):
            raise Refused(_no_object(document))
        asked = document.pop(EXPLAIN, False)
        if asked is True or asked is False:
            record = self._quick(document, -1)
            if record is not None:
                return Request(record=record, explain=asked)
        return self._look_closely(document, asked)

    def _look_closely(self, document: dict[str, Any], asked: Any) -> Request:
        problems: list[FieldProblem] = []
        if not isinstance(asked, bool):
            problems.append(FieldProblem(field=EXPLAIN, rule="type", expected="true or false", got=class_of(asked)))
        record: dict[str, Scalar] = {}
        for field in self.schema.fields:
            value = document.pop(field.name, _ABSENT)
            if value is _ABSENT and field.needed:
                expected = _type_words(field)
                problems.append(FieldProblem(field=field.name, rule="needed", expected=expected, got="nothing"))
            elif value is _ABSENT or (value is None and field.nullable):
                record[field.name] = field.default
            else:
                record[field.name] = _value(field, value, problems)
        problems += [
            FieldProblem(field=shown(key), rule="unknown", expected=self._known, got=class_of(document[key]))
            for key in list(document)[:_MOST_PROBLEMS]
        ]
        if problems:
            raise Refused(_content_problem(problems))
        return Request(record=record, explain=asked)


def read(body: bytes, schema: RequestSchema) -> Request:
    """The request in `body`, for whoever reads one. Raises: Refused, see `Reader.read`."""
    return Reader(schema).read(body)


_ABSENT: Any = object()


# --- JSON ---------------------------------------------------------------------------------------------------------


def parsed(body: bytes) -> Any:
    """The JSON in `body`. Raises: Refused with status 400. A field given twice is not seen here."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(not_json(f"The body is not JSON in UTF-8: {error}.")) from error


def not_json(detail: str) -> Problem:
    """The problem of a body that cannot be read at all."""
    return Problem(status=400, kind="not-json", title="The body cannot be read", detail=detail)


def _no_object(document: Any) -> Problem:
    detail = f"This is {class_of(document)}, where an object with the fields is expected."
    return Problem(status=422, kind="refused-fields", title="The request does not fit the schema", detail=detail)


def refuse_repeated(body: bytes, document: Any) -> None:
    """Refuse a body that gives a field twice, at any depth. Raises: Refused with status 400."""
    for repeated in repeated_fields(body, document).values():
        raise Refused(repeated)


def repeated_fields(body: bytes, document: Any) -> dict[int, Problem]:
    """What is given twice in `body`, which was parsed to `document`: a problem for each place of an array that has
    one, for an object under 0. orjson keeps the last one and does not say so.

    In a text without escapes every colon outside of texts follows a key, so counting is enough; only what does not
    add up is parsed again.
    Raises: Refused for what is nested too deeply to be looked at.
    """
    if b"\\" not in body and body.count(b":") == _colons(document):
        return {}
    try:
        again = json.loads(body, object_pairs_hook=_Seen, parse_int=str, parse_float=str, parse_constant=str)
    except (RecursionError, ValueError) as error:
        raise Refused(not_json("The body is nested too deeply.")) from error
    places = enumerate(again if isinstance(again, list) else [again])
    found = {place: key for place, value in places if (key := _repeated(value)) is not None}
    return {place: not_json(f"The field {shown(key)} is given twice.") for place, key in found.items()}


def _colons(document: Any) -> int:
    """How many colons the text of `document` has, at least where it has no escapes."""
    counted, ahead = 0, [document]
    while ahead:  # not by recursion: a body may be nested as deeply as Python's own stack
        value = ahead.pop()
        if isinstance(value, str):
            counted += value.count(":")
        elif isinstance(value, dict):
            counted += len(value)
            ahead += value
            ahead += value.values()
        elif isinstance(value, list):
            ahead += value
    return counted


class _Seen:
    """An object as it was written: the first key that it gives twice, and its values."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        keys = [key for key, _ in pairs]
        self.values = [value for _, value in pairs]
        self.repeated = next((key for key, times in Counter(keys).items() if times > 1), None)


def _repeated(document: Any) -> str | None:
    """A key that is given twice in `document`."""
    ahead = [document]
    while ahead:
        value = ahead.pop()
        if isinstance(value, _Seen):
            if value.repeated is not None:
                return value.repeated
            ahead += value.values
        elif isinstance(value, list):
            ahead += value
    return None


# --- fields -------------------------------------------------------------------------------------------------------


def _value(field: RequestField, value: Any, problems: list[FieldProblem]) -> Scalar:
    """`value` as the field's type; each rule it breaks is added to `problems`."""
    typed = _typed(field.kind, value)
    if typed is None:
        problems.append(FieldProblem(field=field.name, rule="type", expected=_type_words(field), got=class_of(value)))
        return None
    if field.kind == "float":
        if field.convert(typed) is None:
            expected = f"a number that a column of {field.dtype} can hold"
            problems.append(FieldProblem(field=field.name, rule="exact", expected=expected, got=class_of(value)))
            return None
        typed = float(typed)
    for rule in field.rules:
        if not rule.holds(typed):
            problems.append(FieldProblem(field=field.name, rule=rule.name, expected=rule.expected, got=class_of(value)))
            if rule.name == "length":
                break  # what is too long is not shown to regular expressions
    return typed


def _typed(kind: Kind, value: Any) -> Scalar:
    """`value`, if JSON has it as a value of the kind: text is no number here, and 1 is no flag. See `coercion`."""
    # `type`, not `isinstance`: True is an int to Python.
    given = type(value)
    if kind == "int":
        return coercion.whole(value) if given in (float, int) else None
    fits: Mapping[Kind, tuple[type, ...]] = {"float": (float, int), "str": (str,), "bool": (bool,)}
    plain: Scalar = value if given in fits[kind] else None
    return plain


def _type_words(field: RequestField) -> str:
    words = {"int": "an integer", "float": "a number", "str": "text", "bool": "true or false"}[field.kind]
    return f"{words} or null" if field.nullable else words


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
