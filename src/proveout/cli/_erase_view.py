"""The result of an erasure, as text for a terminal. Input: records. Output: text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proveout.cli._terminal import fact, page, table

if TYPE_CHECKING:
    from proveout.ledger.erasure import Erased


@dataclass(frozen=True, kw_only=True)
class Held:
    """A place that still holds data of an erased person."""

    kind: str  # batch, bundle, quarantine, journal, feedback, entries
    name: str
    rows: int
    path: str = ""


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """What was erased, and what remains."""

    fields: tuple[str, ...]  # that were searched
    erased: "Erased"
    left: tuple[Held, ...]


def erased(found: Erasure) -> str:
    """What was erased, where data remains, and what to do about it."""
    gone = found.erased
    lines = [
        f"erased   {gone.predictions:,} predictions, {gone.feedback:,} of feedback, {gone.outcomes:,} outcomes, "
        f"{gone.shadows:,} answers of shadows",
        fact("looked for", f"in {', '.join(found.fields)}; the ledger calls them {', '.join(gone.pseudonyms)}"),
        fact("entry", ", ".join(map(str, gone.entries)) if gone.entries else "none: erased earlier"),
    ]
    if not found.left:
        return page([*lines, fact("left", "nothing")], "proveout ledger verify")
    lines.append(fact("left", f"in {len(found.left)} places"))
    lines += table(("where", "", "rows", ""), [(one.kind, one.name, f"{one.rows:,}", one.path) for one in found.left])
    lines += [fact(kind, _remedy(kind)) for kind in dict.fromkeys(one.kind for one in found.left)]
    return page(lines, _following(found.left))


def _remedy(kind: str) -> str:
    return {
        "batch": "is immutable: remove the rows at the source, ingest again, then delete the old folder",
        "bundle": "was trained on the rows: train and release one on the new snapshot, then delete the old folder",
        "quarantine": "holds refused rows: delete the file once somebody has looked at them",
        "journal": "a running server has it open: run this command again; if that does not help, restart the server",
        "feedback": "the value is in a text about another answer: read it, and delete the row",
        "entries": "ledger entries cannot be deleted: start a new ledger, or restrict access to this one",
    }[kind]


def _following(left: Sequence[Held]) -> str:
    kinds = {one.kind for one in left}
    return "python flows/ingest.py run" if kinds & {"batch", "bundle"} else "proveout erase SUBJECT   # again"
