"""Snapshots: immutable versions of the data, named by the digest of their content.

Input: guarded batches. Output: folders in the store. A batch's folder holds `rows.parquet`, the whylogs profile
(`profile.bin`), `quarantine/*.parquet` and `batch.json`; a snapshot's holds `snapshot.json`, the list of its batches,
so that a new batch adds one folder and no copy of the old ones. Only importer of pyarrow.
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
    """Read batch `name` from the source, guard it and its reference tables, and store what is good and what is not.

    Args:
        code: of the source as it was loaded (`sources.code`), where this process had loaded it before.
    Raises: DataRefused if more than `max_rejected_share` of the rows of the batch, or of one of its tables, are bad.
    The
    bad rows are kept then too, below `quarantine/` in the state folder.
    """
    code = sources.code(settings) if code is None else code
    return store_batch(store, name, *guarded_batch(settings, name), code=code)


def guarded_batch(settings: Settings, name: str) -> tuple[Guarded, Mapping[str, Guarded]]:
    """Batch `name` from the source and the reference tables it was joined with, each guarded.

    Raises: DataRefused; ConfigError for a request schema that nothing can be served by.
    """
    features.check_target(settings)
    request_schema.load(settings)  # rows that no request can be like are not worth the training
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
    """The schema of a raw batch; where there is none, that of a request, for the columns that a request has."""
    if settings.batch_schema is not None:
        return load_object(settings.batch_schema, settings.root)
    schema = load_object(settings.request_schema, settings.root)
    schema = copy.deepcopy(schema.to_schema() if hasattr(schema, "to_schema") else schema)
    schema.strict = schema.ordered = False  # the outcome, and what else is known only later, stands beside them
    return schema


def _guarded(settings: Settings, rows: "pd.DataFrame", schema: Any, name: str) -> Guarded:
    guarded = guard.check(rows, schema, name=name)
    if guarded.refused_share > settings.max_rejected_share or guarded.accepted.empty:
        file = re.sub(r"[^\w.-]+", "-", name)  # a batch may have any name
        kept = settings.state_dir / "quarantine" / f"{file}.parquet"
        kept.parent.mkdir(parents=True, exist_ok=True)
        guarded.refused.to_parquet(kept)
        worst = ", ".join(f"{refusal.check} ({refusal.rows:,} rows)" for refusal in guarded.refusals[:3])
        raise DataRefused(
            name,
            f"{guarded.refused_share:.1%} of its rows are bad and {settings.max_rejected_share:.1%} may be: {worst}",
            str(kept),
        )
    return guarded


def store_batch(
    store: Store, name: str, guarded: Guarded, tables: Mapping[str, Guarded], *, code: Mapping[str, str] | None = None
) -> Batch:
    """Put a guarded batch into the store: the same rows, accepted and refused, have the same digest and one folder.

    `code`: of the source that made them. It is written down, and names nothing.
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
    """The rows as Parquet gives them back, equal to what went in. Raises: DataRefused naming a column that is not.

    What came back otherwise would not be what its digest names, and could never be read.
    """
    import numpy as np

    again = {
        str(column): _read_back(rows[column])
        for column, dtype in rows.dtypes.items()
        if not (isinstance(dtype, np.dtype) and dtype.kind in "biuf") and str(dtype) != "str"
    }
    for column, kept in again.items():
        if isinstance(kept, str):
            what = f"its column {column} ({rows[column].dtype}) cannot be kept ({kept})"
            raise DataRefused(name, f"{what}: make text or numbers of it in the source, or leave it out", "none")
    return rows.assign(**again)


def _read_back(values: "pd.Series[Any]") -> "pd.Series[Any] | str":
    """A column from a file that it was written to, or why it is not the one that went in."""
    import io

    import pandas as pd

    file = io.BytesIO()
    try:
        values.rename("value").to_frame().to_parquet(file, index=False)
        again: pd.Series[Any] = pd.read_parquet(file)["value"].set_axis(values.index)
        if (again.isna() == values.isna()).all() and all(map(_equal, values.dropna(), again.dropna())):
            return again
    except Exception as error:  # pyarrow has an error of its own for each type
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0]:.120}"
    return "it comes back from Parquet as something else"


def _equal(came: Any, kept: Any) -> bool:
    try:
        return bool(came == kept) or (isinstance(came, list) and came == list(kept))
    except ValueError:  # an array has no one answer
        return isinstance(came, list) and came == list(kept)


def extend(store: Store, parent: Snapshot | None, batches: Sequence[Batch]) -> Snapshot:
    """The snapshot of `parent` and `batches`, by name in order; a batch that came again corrected takes the old place.

    The same batches give the same digest, whichever way they came together.
    """
    by_name = {batch.name: batch for batch in (*(parent.batches if parent else ()), *batches)}
    snapshot = of_batches(tuple(by_name[name] for name in sorted(by_name)))
    keep(store, snapshot)
    return snapshot


def of_batches(ordered: tuple[Batch, ...]) -> Snapshot:
    """The snapshot of these batches, which are in the order of their names."""
    return Snapshot(digest=snapshot_digest(ordered), batches=ordered)


def keep(store: Store, snapshot: Snapshot) -> None:
    """Put a snapshot into the store, where it may be already."""
    store.put("snapshots", snapshot.digest, lambda folder: _write(folder, snapshot))


def _write(folder: Path, snapshot: Snapshot) -> None:
    (folder / "snapshot.json").write_bytes(canonical(snapshot))


def batch_digest(batch: Batch) -> Digest:
    """The digest of a batch, from what it says of its rows: accepted and refused ones, how many, and why."""
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
    # A batch first: then the error names it.
    for batch in snapshot.batches:
        if batch_digest(batch) != batch.digest:
            raise DataChanged(f"batch {batch.name}", str(file), batch.digest)
    if not snapshot_digest(snapshot.batches) == snapshot.digest == digest:
        raise DataChanged(f"snapshot {digest[:12]}", str(file), digest)
    return snapshot


def read(store: Store, digest: str, *, batches: Sequence[str] | None = None) -> "pd.DataFrame":
    """The accepted rows of a snapshot, or of some of its batches, with the column `batch` naming each row's.

    Raises: NotFound if the snapshot, or a batch asked for, is not there; DataChanged if its list of batches, or a
    batch's rows, are no longer what its digest says.
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


def profile_numbers(store: Store, batch_digest: str) -> tuple[ColumnStats, ...]:
    """The numbers of the whylogs profile of one batch. Raises: NotFound."""
    return profiles.numbers((store.folder("batches", batch_digest) / "profile.bin").read_bytes())


def content_digest(frame: "pd.DataFrame") -> Digest:
    """SHA-256 of what is in a table: column names, kinds, which values are null and the values, in order.

    Over the content, not the file: another parquet writer or compression leaves the name as it is.
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
            texts = [str(value) for value in known]
            hashed.update(b"text" + canonical([len(text) for text in texts]) + "".join(texts).encode())
    return Digest(hashed.hexdigest())
