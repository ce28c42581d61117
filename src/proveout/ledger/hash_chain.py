"""The hash chain of entries: the hash of each entry covers its content and the hash of the one before it. Pure.

Input: the content of an entry, or stored entries. Output: the entry with its number and hash; or the number of entries,
if none was changed since it was appended.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import orjson

from proveout.errors import ChainBroken
from proveout.records.ledger_entry import Entry
from proveout.records.values import Digest

START = Digest("0" * 64)
"""The `previous` hash of the first entry."""


def link(
    *, after: int, previous: Digest, at: str, kind: str, subject: str, actor: str, reason: str, body: str
) -> Entry:
    """The entry that follows number `after`, whose hash is `previous` (0 and `START` for none)."""
    entry = Entry(
        seq=after + 1,
        at=at,
        kind=kind,
        subject=subject,
        actor=actor,
        reason=reason,
        body=body,
        previous=previous,
        hash=Digest(""),
    )
    return replace(entry, hash=hash_of(entry))


def hash_of(entry: Entry) -> Digest:
    """SHA-256 over the canonical JSON of every field but the hash, `previous` included."""
    fields = {name: value for name, value in vars(entry).items() if name != "hash"}
    # SQLite stores any type in any column: a value without a JSON form must make an invalid entry, not an error.
    return Digest(hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS, default=repr)).hexdigest())


def follow(entries: Iterable[Entry], *, expected_head: str | None = None) -> int:
    """Verify a chain. Returns the number of its entries.

    Args:
        expected_head: a head that was noted earlier, which must still be in the chain.
    Raises: ChainBroken at the first entry that was edited, removed, inserted or reordered.
    """
    seq, head, head_met = 0, START, expected_head in {None, START}
    for entry in entries:
        seq += 1
        if entry.seq != seq:
            raise ChainBroken(seq, "it is missing" if entry.seq > seq else "something was put in before it")
        if entry.previous != head:
            raise ChainBroken(seq, "it does not follow the entry before it: one of the two was replaced")
        if entry.hash != hash_of(entry):
            raise ChainBroken(seq, "its content is not what its hash was taken over")
        head = entry.hash
        head_met = head_met or head == expected_head
    if not head_met:
        raise ChainBroken(
            seq + 1, f"the head {str(expected_head)[:12]}… written down earlier is gone: entries were cut off"
        )
    return seq
