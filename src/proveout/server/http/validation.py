"""Reading a request: validation, and the problem that a client gets.

Input: the bytes of a body and the request schema. Output: the record, with every field of the schema in its order; or
`Refused`, which holds all problems at once as an RFC 9457 problem. `schema/validator.py` defines a valid record. This
module checks the JSON text: a duplicate field is refused, because parsers disagree on which one counts.
"""

import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson

from proveout.errors import ProveoutError
from proveout.schema.request_schema import EXPLAIN
from proveout.schema.spec import RequestSchema
from proveout.schema.validator import MOST_PROBLEMS, FieldProblem, InvalidRecord, Validator, class_of, shown
from proveout.server.service.types import Request

Header = tuple[bytes, bytes]

# --- problems -----------------------------------------------------------------------------------------------------


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
    """A request was refused before anything was predicted. `headers` are added to the response."""

    def __init__(self, problem: Problem, *headers: Header) -> None:
        super().__init__(problem, *headers)
        self.problem, self.headers = problem, headers

    def __str__(self) -> str:
        return f"The request is refused: {self.problem.detail}"


def unavailable(kind: str, why: str, *, retry_after_s: float) -> Refused:
    """503 with `Retry-After`."""
    seconds = max(1, math.ceil(retry_after_s))
    problem = Problem(status=503, kind=kind, title="Service unavailable", detail=f"{why} Try again in {seconds} s.")
    return Refused(problem, (b"retry-after", b"%d" % seconds))


# --- reading a body -----------------------------------------------------------------------------------------------


class Reader:
    """Reads requests by one schema."""

    def __init__(self, schema: RequestSchema) -> None:
        self.schema = schema
        self._validator = Validator(schema)
        self._at_once = self._validator.at_once

    def read(self, body: bytes) -> Request:
        """The request in `body`. Raises: Refused with 400 if it is not a JSON object, 422 if a field is invalid."""
        document = parsed(body)
        if not isinstance(document, dict):
            raise Refused(not_json(f"The body is {class_of(document)}, expected an object with the fields."))
        explain = document.pop(EXPLAIN, _ABSENT)
        if (explain is _ABSENT or explain is True or explain is False) and b"\\" not in body:
            colons = body.count(b":") - (explain is not _ABSENT)
            record = self._at_once(document, colons)
            if record is not None:
                return Request(record=record, explain=explain is True)
        if explain is not _ABSENT:
            document[EXPLAIN] = explain
        refuse_repeated(body, document)
        return self.take(document)

    def take(self, document: Any) -> Request:
        """The request in a parsed object without duplicate fields. Changes `document`. Raises: Refused with 422."""
        if not isinstance(document, dict):
            raise Refused(_not_an_object(document))
        explain = document.pop(EXPLAIN, False)
        if explain is True or explain is False:
            record = self._at_once(document, -1)
            if record is not None:
                return Request(record=record, explain=explain)
        problems: tuple[FieldProblem, ...] = ()
        if not isinstance(explain, bool):
            problems = (FieldProblem(field=EXPLAIN, rule="type", expected="true or false", got=class_of(explain)),)
        try:
            record = self._validator.closely(document)
        except InvalidRecord as invalid:
            raise Refused(_content_problem((*problems, *invalid.problems))) from None
        if problems:
            raise Refused(_content_problem(problems))
        return Request(record=record, explain=explain)


def read(body: bytes, schema: RequestSchema) -> Request:
    """The request in `body`. Raises: Refused, see `Reader.read`."""
    return Reader(schema).read(body)


_ABSENT: Any = object()


# --- JSON ---------------------------------------------------------------------------------------------------------


def parsed(body: bytes) -> Any:
    """The JSON in `body`; of duplicate fields, the last. Raises: Refused with status 400."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(not_json(f"The body is not JSON in UTF-8: {error}.")) from error


def not_json(detail: str) -> Problem:
    """The problem of a body that cannot be read."""
    return Problem(status=400, kind="not-json", title="The body cannot be read", detail=detail)


def _not_an_object(document: Any) -> Problem:
    detail = f"This is {class_of(document)}, expected an object with the fields."
    return Problem(status=422, kind="refused-fields", title="The request does not fit the schema", detail=detail)


def refuse_repeated(body: bytes, document: Any) -> None:
    """Refuse a body that gives a field twice, at any depth. Raises: Refused with status 400."""
    for repeated in repeated_fields(body, document).values():
        raise Refused(repeated)


def repeated_fields(body: bytes, document: Any) -> dict[int, Problem]:
    """The duplicate fields of `body`, which was parsed to `document`. orjson keeps the last one without an error.

    JSON without escapes has one colon for each key, apart from those inside strings. So counting colons is enough; the
    body is parsed again only if the counts differ.
    Returns: a problem by position in the array; for an object, under 0.
    Raises: Refused if the body is nested too deeply to check.
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
    """How many colons the JSON text of `document` has, if it has no escapes and no duplicate fields."""
    counted, ahead = 0, [document]
    while ahead:  # no recursion: a body may be nested as deeply as Python's own stack
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
    """An object as it was written: its first duplicate key, and its values."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        keys = [key for key, _ in pairs]
        self.values = [value for _, value in pairs]
        self.repeated = next((key for key, times in Counter(keys).items() if times > 1), None)


def _repeated(document: Any) -> str | None:
    """A duplicate key in `document`; None if there is none."""
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


def _content_problem(problems: tuple[FieldProblem, ...]) -> Problem:
    fields = list(dict.fromkeys(problem.field for problem in problems))
    named = ", ".join(fields[:5]) + (" …" if len(fields) > 5 else "")
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return Problem(
        status=422,
        kind="refused-fields",
        title="The request does not fit the schema",
        detail=f"{count} in {named}.",
        problems=problems[:MOST_PROBLEMS],
    )
