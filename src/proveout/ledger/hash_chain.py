"""The chain of entries: each one's hash covers what it says and the hash of the one before it. Pure.

Input: what an entry is to say, or entries as they were stored. Output: the entry with its place and hash, or
that every entry is where and what it was when it was appended.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import orjson

from proveout.errors import ChainBroken
from proveout.records.ledger_entry import Entry
from proveout.records.values import Digest

START = Digest("0" * 64)
"""What the first entry follows."""


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
    # SQLite keeps any type in any column: what JSON has no form for makes a wrong entry, not a crash.
    return Digest(hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS, default=repr)).hexdigest())


def follow(entries: Iterable[Entry], *, expected_head: str | None = None) -> int:
    """How many entries follow each other from the start.

    Args:
        expected_head: a head written down earlier, which must still be in the chain.
    Raises: ChainBroken at the first entry that was edited, removed, put in or reordered.
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
