"""How API keys and an erasure look on a terminal.

Comes in: records. Goes out: text. A key's own text is in no record but the one that was just made.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from proveout.cli._terminal import fact, moment, page, plain, table
from proveout.records import ApiKey
from proveout.trust.api_keys import NewKey

if TYPE_CHECKING:
    from proveout.cli.erase import Erasure, Held


def made(created: NewKey) -> str:
    """A key, this once."""
    key = created.key
    lines = [
        f"created   {plain(key.name)}   {key.id}",
        fact("key", created.text),
        fact("", "shown this once: keep it where secrets are kept"),
        fact("may", f"{', '.join(key.scopes)}, as tenant {plain(key.tenant)}"),
        fact("limits", _limits(key)),
    ]
    return page(lines, "proveout keys list")


def listed(keys: Sequence[ApiKey]) -> str:
    """Every key, the oldest first."""
    if not keys:
        return page(["nothing   may call the server by a key: none was made"], "proveout keys create NAME")
    used = sum(key.revoked_at is None for key in keys)
    rows = [
        (
            key.id, plain(key.name), plain(key.tenant), ", ".join(key.scopes), _limits(key), moment(key.created_at),
            f"revoked {moment(key.revoked_at)}" if key.revoked_at else "in use",
        )
        for key in keys
    ]  # fmt: skip
    lines = [f"{used} of {len(keys)} {'key' if len(keys) == 1 else 'keys'} in use"]
    lines += table(("id", "name", "tenant", "scopes", "limits", "made", ""), rows)
    return page(lines, 'proveout keys revoke NAME --reason "…"')


def revoked(key: ApiKey, *, unchanged: bool) -> str:
    """That a key opens nothing any more."""
    word = "unchanged" if unchanged else "revoked"
    return page([f"{word}   {plain(key.name)}   {key.id} since {moment(key.revoked_at or '')}"], "proveout keys list")


def erased(found: "Erasure") -> str:
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


def _limits(key: ApiKey) -> str:
    told = [
        f"{key.rate_per_s:g}/s" if key.rate_per_s else "",
        f"{key.burst} at once" if key.burst else "",
        f"{key.per_day:,} a day" if key.per_day else "",
    ]
    return ", ".join(part for part in told if part) or "none"


def _remedy(kind: str) -> str:
    return {
        "batch": "is immutable: take them out at the source, ingest again, then delete the old folder",
        "bundle": "was made from them: train and release one from the new snapshot, then delete the old folder",
        "quarantine": "holds rows that were refused: delete the file once they are looked at",
        "journal": "a running server has it open: run this again; if it stays, restart the server",
        "feedback": "somebody wrote the value into a text on another answer: read it, and delete the row",
        "entries": "the ledger forgets nothing: start a new one, or keep this one locked away",
    }[kind]


def _following(left: "Sequence[Held]") -> str:
    kinds = {one.kind for one in left}
    return "python flows/ingest.py run" if kinds & {"batch", "bundle"} else "proveout erase SUBJECT   # again"
