"""What made the rows that a candidate is judged on: the versions of the source, and what changed in it.

Input: a snapshot and the ledger. Output: `SourceVersion`s, and names of files.
"""

from collections.abc import Sequence
from dataclasses import replace

from proveout.ledger.ledger import Ledger, read
from proveout.records.snapshot import Batch, Snapshot
from proveout.records.values import Digest
from proveout.records.verdict import SourceVersion


def as_entered(ledger: Ledger, snapshot: Snapshot) -> Snapshot:
    """The snapshot with each batch as the newest entry of the ledger has it.

    The store keeps what it was first told of a batch. Taken in again with the same rows, it may have been made by other
    code, and the ledger says so.
    """
    known: dict[Digest, Batch] = {}
    for entry in ledger.entries(kind="snapshot"):
        known |= {batch.digest: batch for batch in read(Snapshot, entry).batches}
    return replace(snapshot, batches=tuple(known.get(batch.digest, batch) for batch in snapshot.batches))


def versions(snapshot: Snapshot) -> tuple[SourceVersion, ...]:
    """Each version of the source that made some of the batches, in the order of the batches."""
    found: list[SourceVersion] = []
    for batch in snapshot.batches:
        place = next((place for place, one in enumerate(found) if one.files == batch.code), None)
        if place is None:
            found.append(SourceVersion(batches=(batch.name,), files=batch.code))
        else:
            found[place] = replace(found[place], batches=(*found[place].batches, batch.name))
    return tuple(found)


def changed(before: Sequence[SourceVersion], now: Sequence[SourceVersion]) -> tuple[str, ...]:
    """The files that differ in the version that made the last batch; none where nobody wrote the earlier one down."""
    if not before or not now or not before[-1].files:
        return ()
    was, is_now = before[-1].files, now[-1].files
    return tuple(sorted(name for name in {*was, *is_now} if was.get(name) != is_now.get(name)))
