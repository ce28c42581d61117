"""What an erasure came to, and how it looks on a terminal. Input: records. Output: text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proveout.cli._terminal import fact, page, table

if TYPE_CHECKING:
    from proveout.ledger.erasure import Erased


@dataclass(frozen=True, kw_only=True)
class Held:
    """A place that still names an erased person."""

    kind: str  # batch, bundle, quarantine, journal, feedback, entries
    name: str
    rows: int
    path: str = ""


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """What was erased, and what is left."""

    fields: tuple[str, ...]  # that were looked at
    erased: "Erased"
    left: tuple[Held, ...]


def erased(found: Erasure) -> str:
    """What was erased, where they still are, and what to do about it."""
    gone = found.erased
    lines = [
        f"erased   {gone.predictions:,} predictions, {gone.feedback:,} of feedback, {gone.outcomes:,} outcomes, "
        f"{gone.shadows:,} answers of shadows",
        fact("looked for", f"in {', '.join(found.fields)}; the ledger calls them {', '.join(gone.pseudonyms)}"),
        fact("entry", ", ".join(map(str, gone.entries)) if gone.entries else "none new: they were erased before"),
    ]
    if not found.left:
        return page([*lines, fact("left", "nothing")], "proveout ledger verify")
    lines.append(fact("left", f"in {len(found.left)} places"))
    lines += table(("where", "", "rows", ""), [(one.kind, one.name, f"{one.rows:,}", one.path) for one in found.left])
    lines += [fact(kind, _remedy(kind)) for kind in dict.fromkeys(one.kind for one in found.left)]
    return page(lines, _following(found.left))


def _remedy(kind: str) -> str:
    return {
        "batch": "is immutable: take them out at the source, ingest again, then delete the old folder",
        "bundle": "was made from them: train and release one from the new snapshot, then delete the old folder",
        "quarantine": "holds rows that were refused: delete the file once they are looked at",
        "journal": "a running server has it open: run this again; if it stays, restart the server",
        "feedback": "somebody wrote the value into a text on another answer: read it, and delete the row",
        "entries": "the ledger forgets nothing: start a new one, or keep this one locked away",
    }[kind]


def _following(left: Sequence[Held]) -> str:
    kinds = {one.kind for one in left}
    return "python flows/ingest.py run" if kinds & {"batch", "bundle"} else "proveout erase SUBJECT   # again"
