"""A logged answer on its way to become an edge case: looked up, what was said of it, and what stands there instead.

Input: a request id. Output: the answer with its feedback, or the case that it becomes.
"""

import datetime
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.cli._terminal import plain
from proveout.errors import NotFound, UsageError
from proveout.project import actor, open_ledger
from proveout.records.json_form import canonical
from proveout.records.prediction import Feedback, Prediction
from proveout.records.values import Scalar, TargetValue
from proveout.task.plain_values import class_text

if TYPE_CHECKING:
    from proveout.edge_cases import Case
    from proveout.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Logged:
    """An answer that was given, and what was said of it."""

    prediction: Prediction
    feedback: tuple[Feedback, ...]
    outcome: TargetValue | None


def look_up(project: "Settings", request_id: str) -> Logged:
    """An answer, from the ledger or from a journal that still waits for it. Raises: NotFound."""
    with open_ledger(project) as ledger:
        prediction = ledger.prediction(request_id)
        feedback = list(ledger.feedback_of(request_id))
        outcome = ledger.outcomes([request_id]).get(request_id)
    waiting = _waiting(project.journal_dir, request_id)
    prediction = prediction or next((row for row in waiting if isinstance(row, Prediction)), None)
    feedback += [row for row in waiting if isinstance(row, Feedback) and row not in feedback]
    if prediction is None:
        remedy = "The id stands in the answer, as request_id; an answer that was erased cannot become a case"
        raise NotFound("logged answer to", plain(request_id), f"{remedy}.")
    if prediction.model != project.model:
        raise UsageError(
            f"{plain(request_id)} was answered by {prediction.model}; the cases here are of {project.model}."
        )
    return Logged(prediction=prediction, feedback=tuple(feedback), outcome=outcome)


def _waiting(journals: Path, request_id: str) -> list[Any]:
    """The rows about a request in journals that are not drained yet."""
    from proveout.server.log import codec

    found, named = [], canonical(request_id)[1:-1]  # as a line of JSON has it
    for path in sorted(journals.glob("*.jsonl")):
        with suppress(FileNotFoundError):  # drained and deleted meanwhile
            for line in path.read_bytes().split(b"\n")[:-1]:
                if named in line:
                    with suppress(ValueError, TypeError, KeyError):  # a damaged line: the drain sets it aside
                        found.append(codec.read(line))
    return [row for row in found if getattr(row, "request_id", None) == request_id]


def _happened(logged: Logged) -> str:
    """What to expect when nobody says: what really happened, or that the answer was wrong. Raises: UsageError."""
    told = (logged.outcome, *(one.outcome for one in logged.feedback))
    said = {outcome for outcome in told if outcome is not None}
    if len(said) == 1 and isinstance(next(iter(said)), float):
        raise UsageError(
            f"The outcome is the number {said.pop():g}. Give the bounds of a right answer: "
            "--expect 'value at_least …' --expect 'value at_most …'."
        )
    if len(said) == 1:
        return f"label {class_text(said.pop())}"
    if len(said) > 1:
        raise UsageError(
            "Two different outcomes were reported. Say which is right: --expect 'label true' or 'label false'."
        )
    value = logged.prediction.answer.value
    if any(one.wrong for one in logged.feedback) and isinstance(value, bool):
        return f"label {class_text(not value)}"
    raise UsageError("The outcome is unknown. Say what should have been answered: --expect 'label false'.")


def case(
    logged: Logged,
    record: Mapping[str, Scalar],
    expect: Sequence[str],
    *,
    name: str | None,
    reason: str | None,
    by: str | None,
) -> "Case":
    """The edge case that a logged answer becomes.

    Args:
        expect: as `words.expectation` reads it; without it, what really happened.
    Raises: UsageError.
    """
    from pydantic import ValidationError

    from proveout.edge_cases import Case, expectation_syntax

    if reason is None:
        raise UsageError("Say why that is the right answer, in a sentence: --reason …")
    request, written_on = logged.prediction.request_id, today()
    slug = re.sub(r"[^a-z0-9]+", "-", request.lower()).strip("-")
    try:
        return Case(
            id=name or f"request-{slug[-12:].strip('-')}-{written_on.isoformat()}",
            reason=" ".join(reason.split()),
            author=actor() if by is None else by,
            date=written_on,
            request=request,
            record=record,
            expect=expectation_syntax.expectation(tuple(expect) or (_happened(logged),)),
        )
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise UsageError(f"This is no edge case: {problems}.") from error


def filled(record: Mapping[str, Scalar], fill: Sequence[str]) -> dict[str, Scalar]:
    """The record as it was asked, values of people filled in. Raises: UsageError for one that is not."""
    from proveout.edge_cases import expectation_syntax
    from proveout.ledger.prediction_rows import HIDDEN

    hidden = [name for name, value in record.items() if isinstance(value, str) and value.startswith(HIDDEN)]
    try:
        given = expectation_syntax.change(",".join(fill)) if fill else {}
    except ValueError as error:
        raise UsageError(f"--fill {' '.join(fill)} is not FIELD=VALUE.") from error
    strange = sorted(set(given) - set(hidden))
    if strange:
        raise UsageError(f"The log has the value of {', '.join(strange)}: a record with another one was never asked.")
    missing = [name for name in hidden if name not in given]
    if missing:
        fills = " ".join(f"--fill {name}=VALUE" for name in missing)
        raise UsageError(
            f"The log holds a pseudonym in place of {', '.join(missing)}, for it is about a person. Give a value that "
            f"makes the same point and is nobody's, or null: {fills}"
        )
    return {**record, **given}


def today() -> datetime.date:
    """The day it is, in UTC."""
    return datetime.datetime.now(datetime.UTC).date()
