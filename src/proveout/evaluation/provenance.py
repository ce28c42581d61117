"""Provenance of rows: the versions of the source code that made them, and the files that changed.

Input: a snapshot and the ledger. Output: `SourceVersion` records, and names of files.
"""

from collections.abc import Sequence
from dataclasses import replace

from proveout.ledger.ledger import Ledger, read
from proveout.records.snapshot import Batch, Snapshot
from proveout.records.values import Digest
from proveout.records.verdict import SourceVersion


def as_entered(ledger: Ledger, snapshot: Snapshot) -> Snapshot:
    """The snapshot with each batch as in its newest ledger entry.

    The store keeps the first record of a batch. If it was ingested again with the same rows but other code, only the
    ledger's entry shows it.
    """
    known: dict[Digest, Batch] = {}
    for entry in ledger.entries(kind="snapshot"):
        known |= {batch.digest: batch for batch in read(Snapshot, entry).batches}
    return replace(snapshot, batches=tuple(known.get(batch.digest, batch) for batch in snapshot.batches))


def versions(snapshot: Snapshot) -> tuple[SourceVersion, ...]:
    """Each version of the source that made at least one batch, in the order of the batches."""
    found: list[SourceVersion] = []
    for batch in snapshot.batches:
        place = next((place for place, one in enumerate(found) if one.files == batch.code), None)
        if place is None:
            found.append(SourceVersion(batches=(batch.name,), files=batch.code))
        else:
            found[place] = replace(found[place], batches=(*found[place].batches, batch.name))
    return tuple(found)


def changed(before: Sequence[SourceVersion], now: Sequence[SourceVersion]) -> tuple[str, ...]:
    """The files that differ in the version of the last batch; empty if the earlier version was not recorded."""
    if not before or not now or not before[-1].files:
        return ()
    was, is_now = before[-1].files, now[-1].files
    return tuple(sorted(name for name in {*was, *is_now} if was.get(name) != is_now.get(name)))
