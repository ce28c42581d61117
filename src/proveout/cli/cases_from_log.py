"""Makes an edge case from a logged answer: looks it up with its feedback, and fills in masked values.

Input: a request id. Output: the answer with its feedback, or the edge case made from it.
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
    """A logged answer and its feedback."""

    prediction: Prediction
    feedback: tuple[Feedback, ...]
    outcome: TargetValue | None


def look_up(project: "Settings", request_id: str) -> Logged:
    """The answer, from the ledger or from a journal that is not drained yet. Raises: NotFound."""
    with open_ledger(project) as ledger:
        prediction = ledger.prediction(request_id)
        feedback = list(ledger.feedback_of(request_id))
        outcome = ledger.outcomes([request_id]).get(request_id)
    waiting = _waiting(project.journal_dir, request_id)
    prediction = prediction or next((row for row in waiting if isinstance(row, Prediction)), None)
    feedback += [row for row in waiting if isinstance(row, Feedback) and row not in feedback]
    if prediction is None:
        remedy = "The id is in the answer, as request_id. An erased answer cannot become a case"
        raise NotFound("logged answer to", plain(request_id), f"{remedy}.")
    if prediction.model != project.model:
        raise UsageError(
            f"{plain(request_id)} was answered by {prediction.model}, but the edge cases here are for {project.model}."
        )
    return Logged(prediction=prediction, feedback=tuple(feedback), outcome=outcome)


def _waiting(journals: Path, request_id: str) -> list[Any]:
    """The journal rows about a request, from journals that are not drained yet."""
    from proveout.server.log import codec

    found, named = [], canonical(request_id)[1:-1]  # as written in a line of JSON
    for path in sorted(journals.glob("*.jsonl")):
        with suppress(FileNotFoundError):  # drained and deleted by now
            for line in path.read_bytes().split(b"\n")[:-1]:
                if named in line:
                    with suppress(ValueError, TypeError, KeyError):  # the drain sets damaged lines aside
                        found.append(codec.read(line))
    return [row for row in found if getattr(row, "request_id", None) == request_id]


def _happened(logged: Logged) -> str:
    """The default expectation: the reported outcome, or not the answer that was given. Raises: UsageError."""
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
    raise UsageError("The outcome is unknown. Give the right answer: --expect 'label false'.")


def case(
    logged: Logged,
    record: Mapping[str, Scalar],
    expect: Sequence[str],
    *,
    name: str | None,
    reason: str | None,
    by: str | None,
) -> "Case":
    """The edge case made from a logged answer.

    Args:
        expect: in the syntax of `words.expectation`; default: the reported outcome.
    Raises: UsageError.
    """
    from pydantic import ValidationError

    from proveout.edge_cases import Case, expectation_syntax

    if reason is None:
        raise UsageError("Say in a sentence why that is the right answer: --reason …")
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
        raise UsageError(f"This is not a valid edge case: {problems}.") from error


def filled(record: Mapping[str, Scalar], fill: Sequence[str]) -> dict[str, Scalar]:
    """The logged record with its masked personal values filled in. Raises: UsageError if one is missing."""
    from proveout.edge_cases import expectation_syntax
    from proveout.ledger.prediction_rows import HIDDEN

    hidden = [name for name, value in record.items() if isinstance(value, str) and value.startswith(HIDDEN)]
    try:
        given = expectation_syntax.change(",".join(fill)) if fill else {}
    except ValueError as error:
        raise UsageError(f"--fill {' '.join(fill)} is not FIELD=VALUE.") from error
    known = sorted(set(given) - set(hidden))
    if known:
        raise UsageError(f"The log has the value of {', '.join(known)}: another value makes another request.")
    missing = [name for name in hidden if name not in given]
    if missing:
        fills = " ".join(f"--fill {name}=VALUE" for name in missing)
        raise UsageError(
            f"The log has a pseudonym for {', '.join(missing)}, which is personal data. Give a made-up value with the "
            f"same effect, or null: {fills}"
        )
    return {**record, **given}


def today() -> datetime.date:
    """Today's date in UTC."""
    return datetime.datetime.now(datetime.UTC).date()
