"""Snapshots: immutable versions of the data, named by the digest of their content.

Input: guarded batches. Output: folders in the store. A batch's folder has `rows.parquet`, the whylogs profile
(`profile.bin`), `quarantine/*.parquet` and `batch.json`. A snapshot's folder has `snapshot.json`, the list of its
batches, so a new batch adds one folder without copying old ones. Only importer of pyarrow.
"""

import copy
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.data import features, guard, profiles, sources
from proveout.data.guard import Guarded
from proveout.data.splits import BATCH
from proveout.data.store import Store
from proveout.errors import DataChanged, DataRefused, NotFound
from proveout.records.json_form import canonical, digest_of, from_json
from proveout.records.snapshot import Batch, ColumnStats, Refusal, Snapshot
from proveout.records.values import Digest
from proveout.schema import request_schema
from proveout.settings import Settings, load_object

if TYPE_CHECKING:
    import pandas as pd


def take_batch(settings: Settings, store: Store, name: str, *, code: Mapping[str, str] | None = None) -> Batch:
    """Read batch `name` from the source, guard it and its reference tables, and store accepted and refused rows.

    Args:
        code: digests of the source code (`sources.code`), if this process loaded it before.
    Raises: DataRefused if more than `max_rejected_share` of the rows of the batch or of a table are bad. The bad rows
        are then stored below `quarantine/` in the state folder.
    """
    code = sources.code(settings) if code is None else code
    return store_batch(store, name, *guarded_batch(settings, name), code=code)


def guarded_batch(settings: Settings, name: str) -> tuple[Guarded, Mapping[str, Guarded]]:
    """Batch `name` from the source and the reference tables it was joined with, each guarded.

    Raises: DataRefused; ConfigError for an invalid request schema.
    """
    features.check_target(settings)
    request_schema.load(settings)  # check the request schema first: without a valid one, training is useless
    schemas = load_object(settings.reference_schemas, settings.root) if settings.reference_schemas else {}
    tables = {
        table: _guarded(settings, sources.read_table(settings, table, name), schema, f"{name}: table {table}")
        for table, schema in schemas.items()
    }
    rows = sources.read(settings, name, {table: guarded.accepted for table, guarded in tables.items()})
    left_out = sources.left_out(settings, name, rows)
    guarded = _guarded(settings, rows, _batch_schema(settings), name)
    return replace(guarded, left_out=left_out), tables


def _batch_schema(settings: Settings) -> Any:
    """The schema of a raw batch; if there is none, the request schema, for its columns."""
    if settings.batch_schema is not None:
        return load_object(settings.batch_schema, settings.root)
    schema = load_object(settings.request_schema, settings.root)
    schema = copy.deepcopy(schema.to_schema() if hasattr(schema, "to_schema") else schema)
    schema.strict = schema.ordered = False  # a batch has other columns too, such as the outcome
    return schema


def _guarded(settings: Settings, rows: "pd.DataFrame", schema: Any, name: str) -> Guarded:
    guarded = guard.check(rows, schema, name=name)
    if guarded.refused_share > settings.max_rejected_share or guarded.accepted.empty:
        file = re.sub(r"[^\w.-]+", "-", name)  # a batch name may contain any character
        kept = settings.state_dir / "quarantine" / f"{file}.parquet"
        kept.parent.mkdir(parents=True, exist_ok=True)
        guarded.refused.to_parquet(kept)
        worst = ", ".join(f"{refusal.check} ({refusal.rows:,} rows)" for refusal in guarded.refusals[:3])
        raise DataRefused(
            name,
            f"{guarded.refused_share:.1%} of its rows are bad, allowed: {settings.max_rejected_share:.1%}: {worst}",
            str(kept),
        )
    return guarded


def store_batch(
    store: Store, name: str, guarded: Guarded, tables: Mapping[str, Guarded], *, code: Mapping[str, str] | None = None
) -> Batch:
    """Put a guarded batch into the store. The same accepted and refused rows have the same digest and folder.

    `code`: digests of the source code. They are recorded, but are not part of the digest.
    """
    guarded = replace(guarded, accepted=_kept(guarded.accepted, name))
    parts = {BATCH: guarded, **tables}
    content = content_digest(guarded.accepted)
    batch = Batch(
        name=name,
        digest=Digest(""),
        content=content,
        refused_content={part: content_digest(parted.refused) for part, parted in parts.items() if len(parted.refused)},
        rows=len(guarded.accepted),
        refused=len(guarded.refused),
        refusals=guarded.refusals
        + tuple(
            Refusal(check=f"{table}: {refusal.check}", rows=refusal.rows)
            for table, parted in tables.items()
            for refusal in parted.refusals
        ),
        left_out=guarded.left_out,
        code=dict(code or {}),
    )
    batch = replace(batch, digest=batch_digest(batch))

    def fill(folder: Path) -> None:
        guarded.accepted.to_parquet(folder / "rows.parquet", compression="zstd", index=False)
        (folder / "profile.bin").write_bytes(profiles.profile(guarded.accepted))
        for part, parted in parts.items():
            if len(parted.refused):
                (folder / "quarantine").mkdir(exist_ok=True)
                parted.refused.to_parquet(folder / "quarantine" / f"{part}.parquet", index=False)
        (folder / "batch.json").write_bytes(canonical(batch))

    store.put("batches", batch.digest, fill)
    return batch


def _kept(rows: "pd.DataFrame", name: str) -> "pd.DataFrame":
    """The rows after a round trip through Parquet, which must not change them. Raises: DataRefused, naming the column.

    A changed column would not match the digest and could never be read again.
    """
    import numpy as np

    again = {
        str(column): _read_back(rows[column])
        for column, dtype in rows.dtypes.items()
        if not (isinstance(dtype, np.dtype) and dtype.kind in "biuf") and str(dtype) != "str"
    }
    for column, kept in again.items():
        if isinstance(kept, str):
            what = f"its column {column} ({rows[column].dtype}) cannot be stored ({kept})"
            raise DataRefused(name, f"{what}: convert it to text or numbers in the source, or leave it out", "none")
    return rows.assign(**again)


def _read_back(values: "pd.Series[Any]") -> "pd.Series[Any] | str":
    """A column written to a file and read back, or the reason why it changed."""
    import io

    import pandas as pd

    file = io.BytesIO()
    try:
        values.rename("value").to_frame().to_parquet(file, index=False)
        again: pd.Series[Any] = pd.read_parquet(file)["value"].set_axis(values.index)
        if (again.isna() == values.isna()).all() and all(map(_equal, values.dropna(), again.dropna())):
            return again
    except Exception as error:  # pyarrow raises many kinds of errors
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0]:.120}"
    return "Parquet changes it"


def _equal(came: Any, kept: Any) -> bool:
    try:
        return bool(came == kept) or (isinstance(came, list) and came == list(kept))
    except ValueError:  # a comparison of arrays has no single result
        return isinstance(came, list) and came == list(kept)


def extend(store: Store, parent: Snapshot | None, batches: Sequence[Batch]) -> Snapshot:
    """The snapshot of `parent` and `batches`, ordered by name; a corrected batch replaces the old one.

    The same batches give the same digest, in whatever order they were added.
    """
    by_name = {batch.name: batch for batch in (*(parent.batches if parent else ()), *batches)}
    snapshot = of_batches(tuple(by_name[name] for name in sorted(by_name)))
    keep(store, snapshot)
    return snapshot


def of_batches(ordered: tuple[Batch, ...]) -> Snapshot:
    """The snapshot of these batches, which must be ordered by name."""
    return Snapshot(digest=snapshot_digest(ordered), batches=ordered)


def keep(store: Store, snapshot: Snapshot) -> None:
    """Put a snapshot into the store, if it is not there yet."""
    store.put("snapshots", snapshot.digest, lambda folder: _write(folder, snapshot))


def _write(folder: Path, snapshot: Snapshot) -> None:
    (folder / "snapshot.json").write_bytes(canonical(snapshot))


def batch_digest(batch: Batch) -> Digest:
    """The digest of a batch, from its record of accepted and refused rows."""
    return digest_of([
        batch.name, batch.content, dict(batch.refused_content), batch.rows, batch.refused, list(batch.refusals),
    ])  # fmt: skip


def snapshot_digest(batches: Sequence[Batch]) -> Digest:
    """The digest of a snapshot, from its list of batches."""
    return digest_of([[batch.name, batch.digest] for batch in batches])


def describe(store: Store, digest: str) -> Snapshot:
    """The snapshot named `digest`. Raises: NotFound; DataChanged if its list of batches is not what the digest says."""
    file = store.folder("snapshots", digest) / "snapshot.json"
    snapshot = from_json(Snapshot, file.read_bytes())
    # Check batches first, so that the error names the batch.
    for batch in snapshot.batches:
        if batch_digest(batch) != batch.digest:
            raise DataChanged(f"batch {batch.name}", str(file), batch.digest)
    if not snapshot_digest(snapshot.batches) == snapshot.digest == digest:
        raise DataChanged(f"snapshot {digest[:12]}", str(file), digest)
    return snapshot


def read(store: Store, digest: str, *, batches: Sequence[str] | None = None) -> "pd.DataFrame":
    """The accepted rows of a snapshot or of some of its batches. The column `batch` has the batch name of each row.

    Raises: NotFound for a missing snapshot or batch; DataChanged if its list of batches or a batch's rows do not match
        the digest.
    """
    import pandas as pd

    snapshot = describe(store, digest)
    present = {batch.name: batch for batch in snapshot.batches}
    wanted = list(present) if batches is None else list(batches)
    for name in wanted:
        if name not in present:
            raise NotFound(
                "batch", name, f"Snapshot {digest[:12]} has {', '.join(present)}; add it: python flows/ingest.py run"
            )
    return pd.concat([_rows(store, present[name]) for name in wanted], ignore_index=True)


def _rows(store: Store, batch: Batch) -> "pd.DataFrame":
    import pandas as pd

    file = store.folder("batches", batch.digest) / "rows.parquet"
    rows = pd.read_parquet(file)
    if content_digest(rows) != batch.content:
        raise DataChanged(f"batch {batch.name}", str(file), batch.content)
    return rows.assign(**{BATCH: batch.name})


def profile(store: Store, batch_digest: str) -> bytes:
    """The whylogs profile of one batch. Raises: NotFound."""
    return (store.folder("batches", batch_digest) / "profile.bin").read_bytes()


def profile_numbers(store: Store, batch_digest: str) -> tuple[ColumnStats, ...]:
    """The numbers of the whylogs profile of one batch. Raises: NotFound."""
    return profiles.numbers(profile(store, batch_digest))


def content_digest(frame: "pd.DataFrame") -> Digest:
    """SHA-256 of a table's content: column names, kinds, nulls and values, in order.

    It does not depend on the parquet writer or compression.
    """
    hashed = hashlib.sha256()
    for name in frame.columns:
        column = frame[name]
        null = column.isna().to_numpy()
        hashed.update(canonical([name, len(column)]))
        hashed.update(null.tobytes())
        known = column[~null]
        if column.dtype.kind in "iufb":
            values = known.to_numpy()
            hashed.update(values.dtype.str.encode() + values.tobytes())
        else:
            texts = list(map(str, known.tolist()))
            hashed.update(b"text" + canonical(list(map(len, texts))) + "".join(texts).encode())
    return Digest(hashed.hexdigest())
