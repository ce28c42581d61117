"""Removes a batch from the data: makes a snapshot without it, and records in the ledger who did it and why.

Input: the store, the ledger, the name of a batch. Output: a `BatchRemoval`. Nothing is deleted: the batch and the
snapshots with it stay in the store, for bundles that were trained on them.
"""

from proveout.data import snapshots
from proveout.data.store import Store
from proveout.errors import NotFound, UsageError
from proveout.ledger.ledger import Ledger, read
from proveout.records.snapshot import BatchRemoval, Snapshot


def plan(ledger: Ledger, name: str) -> BatchRemoval:
    """The newest snapshot without the batch, not yet stored.

    Raises: NotFound if there is no such batch; UsageError if it is the only one.
    """
    newest = ledger.entries(kind="snapshot", limit=1, newest_first=True)
    if not newest:
        raise NotFound("batch", name, "Nothing was ingested yet: python flows/ingest.py run")
    whole = read(Snapshot, newest[0])
    left = tuple(batch for batch in whole.batches if batch.name != name)
    if len(left) == len(whole.batches):
        present = ", ".join(batch.name for batch in whole.batches)
        raise NotFound("batch", name, f"The newest snapshot, {whole.digest[:12]}, has {present}")
    if not left:
        raise UsageError(f"{name} is the only batch of snapshot {whole.digest[:12]}: ingest another one first.")
    (batch,) = (batch for batch in whole.batches if batch.name == name)
    return BatchRemoval(batch=batch, before=whole.digest, snapshot=snapshots.of_batches(left))


def remove(ledger: Ledger, store: Store, planned: BatchRemoval, *, by: str, reason: str, at: str, seen: int) -> None:
    """Carry out the plan.

    Args:
        seen: number of the ledger's last entry at the time of the plan.
    Raises: Conflict if another snapshot was made meanwhile; UsageError without a name or a reason.
    """
    if not by.strip() or not reason.strip():
        raise UsageError('Removing a batch needs a person and a reason: --by NAME --reason "…".')
    snapshots.keep(store, planned.snapshot)
    name = planned.batch.name
    ledger.append(
        "snapshot",
        planned.snapshot.digest,
        planned.snapshot,
        actor=by,
        reason=f"without batch {name}: {reason}",
        at=at,
        unless_newer=("snapshot",),
        seen=seen,
    )
    ledger.append("audit", name, planned, actor=by, reason=reason, at=at)
