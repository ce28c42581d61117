"""The steps of flows/ingest.py: batches of the source become a snapshot.

Input: the settings, and the records of the previous step. Output: `Batch` and `Snapshot`, which Metaflow versions; the
store and the ledger have them too.
"""

from typing import TYPE_CHECKING

from proveout.data.batch_names import order_problem
from proveout.errors import ConfigError
from proveout.project import actor, open_ledger, open_store
from proveout.records.json_form import from_json
from proveout.records.snapshot import Batch, Snapshot
from proveout.records.train_config import TimeSplit
from proveout.records.values import now
from proveout.settings import Settings
from proveout.training.config import parse_config, read_config

if TYPE_CHECKING:
    from proveout.ledger.ledger import Ledger


def take_batches(settings: Settings, names: tuple[str, ...]) -> tuple[Batch, ...]:
    """Read, guard and store each batch. Idempotent: batches that are already stored do not change."""
    from proveout.data import snapshots, sources

    store, code = open_store(settings), sources.code(settings)  # digest it now, because a process loads the code once
    batches = []
    for name in names:
        batch = snapshots.take_batch(settings, store, name, code=code)
        why = "".join(f"; {refusal.check}: {refusal.rows:,}" for refusal in batch.refusals)
        why += "".join(f"; left out by the source, {left.check}: {left.rows:,}" for left in batch.left_out)
        print(f"{name}: {batch.rows:,} rows in, {batch.refused:,} to quarantine{why}", flush=True)
        batches.append(batch)
    return tuple(batches)


def take_snapshot(settings: Settings, batches: tuple[Batch, ...], *, onto_latest: bool) -> Snapshot:
    """The snapshot of `batches`, or of the newest snapshot extended by `batches`.

    It is recorded in the ledger if it is new, or if other code than before made the same rows.
    """
    from proveout.data import snapshots

    store, ledger = open_store(settings), open_ledger(settings, create=True)
    try:
        parent = latest_snapshot(ledger) if onto_latest else None
        snapshot = snapshots.extend(store, parent, batches)
        known = ledger.entries(kind="snapshot", limit=1, newest_first=True)
        before = from_json(Snapshot, known[0].body) if known else None
        if before == snapshot:
            print(f"snapshot {snapshot.digest[:12]} exists already: no new rows", flush=True)
        else:
            names = [batch.name for batch in snapshot.batches]
            reason = f"batches {names[0]} to {names[-1]}" if len(names) > 1 else f"batch {names[0]}"
            if before is not None and before.digest == snapshot.digest:
                reason += ", the same rows by another source"
            ledger.append("snapshot", snapshot.digest, snapshot, actor=actor(), reason=reason, at=now())
            print(f"snapshot {snapshot.digest[:12]}: {snapshot.rows:,} rows, {reason}", flush=True)
    finally:
        ledger.close()
    if _orders_batches(settings):
        warn_of_order(order_problem(batch.name for batch in snapshot.batches))
    return snapshot


def _orders_batches(settings: Settings) -> bool:
    """Whether the project's runs split by time; True if the configuration cannot be read."""
    try:
        config = parse_config((settings.root / settings.train_config).read_text(encoding="utf-8"))
    except (OSError, ConfigError):
        return True
    return isinstance(read_config(config).split, TimeSplit)


def warn_of_order(problem: str) -> None:
    """Print the problem with the order of batches, and what to do; nothing for an empty `problem`."""
    if problem:
        remedy = 'ingest it under that name, and remove the other one: proveout data drop BATCH --reason "…"'
        print(f"warning: {problem}; {remedy}", flush=True)


def latest_snapshot(ledger: "Ledger") -> Snapshot | None:
    """The snapshot that `latest` means; None if nothing was ingested."""
    newest = ledger.entries(kind="snapshot", limit=1, newest_first=True)
    return from_json(Snapshot, newest[0].body) if newest else None
