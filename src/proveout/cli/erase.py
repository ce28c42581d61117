"""The command that erases a person from the ledger's tables and the journals, and lists where their data remains."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proveout.cli._common import Json, answer, settings
from proveout.cli._erase_view import Erasure, Held
from proveout.errors import DataChanged, UsageError
from proveout.project import actor, open_ledger, open_store

if TYPE_CHECKING:
    from proveout.ledger.erasure import Subject
    from proveout.ledger.ledger import Ledger
    from proveout.schema.spec import RequestField
    from proveout.settings import Settings

_WAIT_S = 10.0  # for a running server to drain the journals that name them


def erase(
    subject: Annotated[
        str, typer.Argument(metavar="SUBJECT", help="A value of a personal data field, or FIELD=VALUE.")
    ],
    reason: Annotated[str, typer.Option(help="Why, without naming the person.")] = "asked to be forgotten",
    as_json: Json = False,
) -> None:
    """Erase a person from the log, and list where their data remains.

    Deletes their predictions with all data about these. The ledger's hash chain stays valid. Snapshots and bundles are
    immutable: those that hold the value are listed, with what to do. Exit 1 if something remains.
    """
    from proveout.cli._erase_view import erased as page
    from proveout.ledger import erasure
    from proveout.records.values import now
    from proveout.schema import request_schema
    from proveout.server.service.pseudonyms import Pseudonyms
    from proveout.trust.secrets import PII_KEY, secret

    project = settings()
    schema = request_schema.load(project)
    marked = {one.name: one for one in schema.fields if one.pii}
    key = Pseudonyms(secret(project.keys_dir, PII_KEY))
    named = [
        erasure.Subject(field=field, pseudonym=key.name(field, value), value=value)
        for field, text in _meant(subject, marked, schema.names).items()
        for value in _values(text, marked[field])
    ]
    if not named:
        raise UsageError(f"No personal data field can have that value. The fields are: {', '.join(marked)}")
    with open_ledger(project) as ledger:
        waiting = any(_naming(project.journal_dir, named))
        done = erasure.erase(ledger, named, by=actor(), reason=reason, at=now(), anew=waiting)
        _clean(project, ledger, named)
        mentions = erasure.mentions(ledger, named)
    left = (
        *(Held(kind="journal", name=path.name, rows=1, path=str(path)) for path in _naming(project.journal_dir, named)),
        *(Held(kind=kind, name="in the clear", rows=rows) for kind, rows in mentions.items()),
        *_trained_on(project, named),
    )
    found = Erasure(fields=tuple(dict.fromkeys(one.field for one in named)), erased=done, left=left)
    answer(found, page(found), as_json=as_json)
    if left:
        raise typer.Exit(1)


def _meant(subject: str, marked: "dict[str, RequestField]", fields: Sequence[str]) -> dict[str, str]:
    """The value to search for, by field."""
    if not marked:
        raise UsageError('The request schema marks no field as personal data. Mark them with metadata={"pii": True}.')
    field, sign, value = subject.partition("=")
    if sign and field in marked:
        return {field: value}
    if sign and field in fields:
        raise UsageError(f"{field} is not marked as personal data. The marked fields are: {', '.join(marked)}")
    return dict.fromkeys(marked, subject)


def _values(text: str, field: "RequestField") -> Iterator[str | int | float | bool]:
    """`text` as values that a record may hold: in a float field, a whole number may be stored as int or float."""
    from proveout.schema.spec import TEXT_KINDS

    if field.kind in TEXT_KINDS:
        yield text
    elif field.kind == "bool" and text.lower() in {"true", "false"}:
        yield text.lower() == "true"
    elif field.kind in {"int", "float"}:
        with suppress(ValueError):
            yield int(text)
        if field.kind == "float":
            with suppress(ValueError):
                yield float(text)


# --- journals -----------------------------------------------------------------------------------------------------


def _clean(project: "Settings", ledger: "Ledger", named: "Sequence[Subject]") -> None:
    """Drain the journals of processes that ended, without the erased rows. A running server drains its own."""
    from proveout.server.log.shipper import LogShipper

    folder = project.journal_dir
    if not folder.is_dir():
        return
    until = time.monotonic() + _WAIT_S
    while any(_naming(folder, named)) and time.monotonic() < until:
        # If no server uses the folder, drain it here, without the erased rows.
        drain = LogShipper(
            folder,
            open_log=lambda: open_ledger(project),
            event_fields=project.event_key,
            alarm=lambda alert: _keep(ledger, alert, project.model),
        )
        drain.once()
        drain.close()
        for path in folder.glob("*.damaged"):
            _strike(path, named)
        if any(_naming(folder, named)):
            time.sleep(0.1)


def _keep(ledger: "Ledger", alert: object, model: str) -> None:
    from proveout.records.drift_report import Alert

    if isinstance(alert, Alert):
        ledger.append("alert", model, alert, actor="serving", reason=alert.what, at=alert.at)


def _strike(path: Path, named: "Sequence[Subject]") -> None:
    """Remove the lines that name them from a file that is not drained."""
    traces = [trace.encode() for one in named for trace in one.traces()]
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not any(trace in line for trace in traces)]
    if len(kept) == len(lines):
        return
    written = path.with_name(f"{path.name}.{os.getpid()}.new")
    written.write_bytes(b"".join(kept))
    written.chmod(0o600)
    written.replace(path)


def _naming(folder: Path, named: "Sequence[Subject]") -> Iterator[Path]:
    """Files in the journal folder that name them."""
    traces = [trace.encode() for one in named for trace in one.traces()]
    for path in sorted((*folder.glob("*.jsonl"), *folder.glob("*.damaged"))):
        with suppress(FileNotFoundError):  # drained and deleted meanwhile
            content = path.read_bytes()
            if any(trace in content for trace in traces):
                yield path


# --- training data ------------------------------------------------------------------------------------------------


def _trained_on(project: "Settings", named: "Sequence[Subject]") -> Iterator[Held]:
    """Batches and bundles with one of the values in its column."""
    from proveout.data import snapshots

    store = open_store(project)
    names: dict[str, str] = {}
    for digest in sorted(store.digests("snapshots")):
        with suppress(DataChanged):  # an edited list only costs a name; the rows themselves are still searched
            names |= {batch.digest: batch.name for batch in snapshots.describe(store, digest).batches}
    for digest in sorted(store.digests("batches")):
        folder = store.folder("batches", digest)
        if rows := sum(_rows(path, named) for path in folder.rglob("*.parquet")):
            yield Held(kind="batch", name=f"{names.get(digest, '')} {digest[:12]}".strip(), rows=rows, path=str(folder))
    for digest in sorted(store.digests("bundles")):
        folder = store.folder("bundles", digest)
        if rows := sum(_rows(path, named) for path in folder.rglob("*.parquet")):
            yield Held(kind="bundle", name=f"{project.model}@{digest[:12]}", rows=rows, path=str(folder))
    for path in sorted((project.state_dir / "quarantine").glob("*.parquet")):
        if rows := _rows(path, named):
            yield Held(kind="quarantine", name=path.name, rows=rows, path=str(path))


def _rows(path: Path, named: "Sequence[Subject]") -> int:
    """The number of table rows with one of the values in its column."""
    from pyarrow import parquet

    columns = set(parquet.read_schema(path).names)
    asked = [one for one in named if one.field in columns]
    if not asked:
        return 0
    table = parquet.read_table(path, columns=sorted({one.field for one in asked}))
    rows: set[int] = set()
    for one in asked:
        rows.update(place for place, value in enumerate(table[one.field].to_pylist()) if value == one.value)
    return len(rows)
