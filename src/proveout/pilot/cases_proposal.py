"""Edge cases for the project of a table, chosen from the rows kept apart.

Input: the proposal, the training rows and the scores of a first model. Output: `CaseProposal`, from rows whose outcome
an expert would expect.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.data import request_columns
from proveout.pilot import source_text
from proveout.pilot.bounds_proposal import round_down, round_up
from proveout.pilot.first_model import Rows
from proveout.pilot.project_proposal import Proposal
from proveout.pilot.rules_proposal import CaseProposal
from proveout.task.plain_values import class_text
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def cases(
    proposal: Proposal,
    rows: Rows,
    apart: "NDArray[np.bool_]",
    scores: "NDArray[np.float64]",
    task: Task,
    *,
    side: str = "a training row",
) -> Iterator[CaseProposal]:
    """Cases that a model of this table must get right, each one of the rows kept apart.

    Args:
        apart: flags of the rows kept apart.
        scores: the model's, of the rows kept apart.
        side: which kind of row they are, in words.
    """
    import numpy as np

    places, known = np.flatnonzero(apart), rows.outcomes[apart]
    of_task = {"binary": _binary_cases, "multiclass": _class_cases, "regression": _value_cases}[task.name]
    first: CaseProposal | None = None
    for case_id, place, reason, expect in of_task(proposal, task, known, scores):
        case = case_of(proposal, rows, int(places[place]), side=side, case_id=case_id, reason=reason, expect=expect)
        yield case
        first = first or case
    nullable = [one.name for one in proposal.features if one.nullable]
    if first is not None and task.name != "multiclass" and any(first.record[name] is not None for name in nullable):
        yield CaseProposal(
            id="nothing-more-is-known", record={**first.record, **dict.fromkeys(nullable)},
            reason="The first case without its optional fields: it still gets an answer, and not an extreme one.",
            incident=f"None: it is {first.id} without the optional fields of a request.",
            expect={"probability": {"at_least": 0.0, "at_most": 0.99}}
            if task.name == "binary"
            else {"value": _wide(rows.outcomes)},
        )  # fmt: skip


def case_of(
    proposal: Proposal, rows: Rows, place: int, *, side: str, case_id: str, reason: str, expect: Mapping[str, Any]
) -> CaseProposal:
    """The row at `place` as a case, with its outcome. `side` says which kind of row it is."""
    [record] = request_columns.plain_records(rows.records.iloc[[place]])
    outcome = rows.outcomes[place]
    plain = outcome.item() if hasattr(outcome, "item") else outcome
    said = source_text.number(plain) if isinstance(plain, float) else class_text(plain)
    return CaseProposal(
        id=case_id, reason=reason, record=record, expect=expect,
        incident=f"{side} of {Path(proposal.table).name}: {proposal.target.name} was {said}.",
    )  # fmt: skip


_Found = Iterator[tuple[str, int, str, dict[str, Any]]]


def _binary_cases(proposal: Proposal, task: Task, known: "NDArray[Any]", scores: "NDArray[np.float64]") -> _Found:
    import numpy as np

    no, yes = (np.flatnonzero(known == side) for side in (False, True))
    if not len(no) or not len(yes):
        return
    name = proposal.target.name
    low = int(no[np.argsort(scores[no], kind="stable")[len(no) // 20]])
    expect: dict[str, Any] = (
        {"probability": {"at_most": 0.5}} if scores[low] < 0.4 else {"probability": {"at_most": 0.99}}
    )
    yield "plain-no", low, f"Far from {name} in nearly every column: an expert would say no.", expect
    high = int(yes[np.argsort(-scores[yes], kind="stable")[len(yes) // 20]])
    if scores[high] > scores[low] + 0.1:
        more: dict[str, Any] = {"label": True} if scores[high] > 0.75 else {}
        reason = f"A clear case of {name}: it must get a higher probability than plain-no."
        yield "plain-yes", high, reason, {**more, "higher_than": ["plain-no"]}


def _class_cases(proposal: Proposal, task: Task, known: "NDArray[Any]", scores: "NDArray[np.float64]") -> _Found:
    import numpy as np

    classes = task.facts.classes
    right = [place for place in range(len(known)) if classes[int(scores[place].argmax())] == known[place]]
    if right:
        order = sorted(right, key=lambda place: -float(scores[place].max()))
        place = order[len(order) // 20]
        kind = known[place].item() if isinstance(known[place], np.generic) else known[place]
        yield (
            "plain-one",
            place,
            f"A clear case of {class_text(kind)}: an expert would say so.",
            {"label": kind},
        )


def _value_cases(proposal: Proposal, task: Task, known: "NDArray[Any]", scores: "NDArray[np.float64]") -> _Found:
    import numpy as np

    off = np.abs(scores - known)
    room = max(float(np.abs(known - np.median(known)).mean()) / 4, 4 * float(off.mean()))
    middle = np.argsort(np.abs(known - np.median(known)), kind="stable")[: max(10, len(known) // 10)]
    place = int(middle[np.argsort(off[middle], kind="stable")[len(middle) // 4]])
    value = float(known[place])
    low, high = round_down(value - room), round_up(value + room)
    reason = f"A typical row, {proposal.target.name} near the median: a model that fails here fails everywhere."
    yield "usual-row", place, reason, {"value": {"at_least": low, "at_most": high}}


def _wide(outcomes: "NDArray[Any]") -> dict[str, float]:
    low, high = float(outcomes.min()), float(outcomes.max())
    return {"at_least": round_down(low - (high - low)), "at_most": round_up(high + (high - low))}
