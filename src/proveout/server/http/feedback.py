"""Feedback on an answer: `POST /feedback`.

Input: a request id with the outcome, "this answer was wrong", or a text. Output: 202 once the feedback is in the
journal, even while the ledger is down. The route does not check that the answer exists: it may not be in the ledger
yet.
"""

import uuid
from typing import Any

import orjson

from proveout.records.prediction import Feedback
from proveout.records.values import TargetValue, now
from proveout.schema.validator import FieldProblem, class_of, shown
from proveout.server.http.request import JSON, Backend, Call
from proveout.server.http.validation import Problem, Refused, not_json, parsed, refuse_repeated
from proveout.task.task import Task

LONGEST_TEXT = 2_000  # characters
LONGEST_ID = 160
_MOST_BYTES = 32_768
_FIELDS = {
    "request_id": "the id of an answer",
    "outcome": "",  # filled in by the task
    "wrong": "true or false",
    "text": f"at most {LONGEST_TEXT} characters",
}


async def take(call: Call, backend: Backend) -> None:
    """The route. Raises: Refused."""
    body = await call.body(_MOST_BYTES)
    document = parsed(body)
    if not isinstance(document, dict):
        raise Refused(not_json(f"The body is {class_of(document)}, expected an object."))
    refuse_repeated(body, document)
    feedback = read(document, task=backend.task, feedback_id=str(uuid.uuid4()), at=now(), key=call.caller.key)
    logged = await backend.service.note(feedback)
    answer = orjson.dumps({"feedback_id": feedback.feedback_id, "request_id": feedback.request_id})
    await call.respond(202, answer, JSON, *(() if logged else ((b"x-proveout-unlogged", b"1"),)))


def read(document: dict[str, Any], *, task: Task, feedback_id: str, at: str, key: str) -> Feedback:
    """The feedback in `document`. Raises: Refused with 422 and all problems."""
    request_id = document.get("request_id")
    outcome, expected_outcome = _outcome(document.get("outcome"), task)
    wrong, text = document.get("wrong", False), document.get("text", "")
    valid = {
        "request_id": isinstance(request_id, str)
        and 0 < len(request_id) <= LONGEST_ID
        and all(" " < letter <= "~" for letter in request_id),
        "outcome": not expected_outcome,
        "wrong": isinstance(wrong, bool),
        "text": isinstance(text, str) and len(text) <= LONGEST_TEXT and "\x00" not in text,
    }
    problems = [
        FieldProblem(
            field=name, rule="type", expected=_FIELDS[name] or expected_outcome, got=class_of(document.get(name))
        )
        for name, holds in valid.items()
        if not holds
    ]
    known = f"one of {', '.join(_FIELDS)}"
    problems += [
        FieldProblem(field=shown(name), rule="unknown", expected=known, got=class_of(document[name]))
        for name in [name for name in document if name not in _FIELDS][:10]
    ]
    if not problems and outcome is None and not wrong and not text:
        expected = "`outcome`, `wrong: true` or `text`"
        problems = [FieldProblem(field="outcome", rule="needed", expected=expected, got="nothing")]
    if problems:
        detail = f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in the feedback."
        title = "Invalid feedback"
        raise Refused(Problem(status=422, kind="refused-fields", title=title, detail=detail, problems=tuple(problems)))
    return Feedback(
        feedback_id=feedback_id,
        request_id=str(request_id),
        at=at,
        outcome=outcome,
        wrong=wrong,
        text=text,
        key=key,
    )


def _outcome(value: object, task: Task) -> tuple[TargetValue | None, str]:
    """The outcome as a value of the task, and what was expected if it is not one ("" if it is)."""
    try:
        found = task.outcome(value)
    except ValueError as error:
        return None, str(error)
    # PostgreSQL cannot store a NUL character.
    valid = not isinstance(found, str) or (len(found) <= LONGEST_TEXT and "\x00" not in found)
    return (found, "") if valid else (None, f"at most {LONGEST_TEXT} characters")
