"""Where a project's state lies: Metaflow's datastore, the ledger, keys, the champion, the port.

Input: the settings. Output: a finding of each. Nothing is created or migrated; an error of another room is raised, and
says what is wrong.
"""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from proveout.doctor import machine
from proveout.doctor.finding import Finding, fault, note, well
from proveout.errors import ConfigError, NoLedger
from proveout.settings import Settings

INGEST = "python flows/ingest.py run"
SOON = timedelta(days=7)


def state_folder(settings: Settings) -> Finding:
    """Whether the state folder can be written to."""
    folder = settings.state_dir
    return machine.writable("state", folder, said=str(folder), remedy="Change its permissions, or set PROVEOUT_STATE")


def datastore(settings: Settings, environment: Mapping[str, str]) -> Finding:
    """Whether Metaflow can write what a run versions: into the project, or where the environment says."""
    kind = environment.get("METAFLOW_DEFAULT_DATASTORE", "local")
    if kind != "local":
        return note("metaflow", f"it stores runs in {kind}, which was not looked at", "metaflow status")
    folder = Path(environment.get("METAFLOW_DATASTORE_SYSROOT_LOCAL", settings.root)) / ".metaflow"
    return machine.writable("metaflow", folder, said=f"runs are stored in {folder}", remedy=f"ls -ld {folder}")


def ledger(settings: Settings) -> Finding:
    """Whether the ledger can be reached, read and written, in the schema of this version."""
    from proveout.ledger import database
    from proveout.ledger.tables import VERSIONS
    from proveout.project import open_ledger

    address = database.parse(settings.ledger)
    try:
        behind = schema(database.schema_version(address), versions=VERSIONS, name=database.name(address))
    except NoLedger:
        return note("ledger", "there is none yet", INGEST)
    if behind is not None:
        return behind
    with open_ledger(settings) as book:
        with book.writing():
            pass  # whoever may not write, or waits for a lock in vain, is told so here
        return well("ledger", f"{book.name}, {book.last_seq():,} entries, schema {VERSIONS[-1]}")


def schema(found: str | None, *, versions: Sequence[str], name: str) -> Finding | None:
    """What is wrong with the schema of a ledger, by the number of its last migration; None if it is the newest."""
    if found is None:
        return note("ledger", f"{name} has no tables yet", INGEST)
    if found not in versions:
        said = f"{name} was written by a newer proveout: its schema is {found}, this one knows up to {versions[-1]}"
        return fault("ledger", said, "pip install --upgrade proveout")
    if found != versions[-1]:
        return note("ledger", f"{name} has schema {found}, this version has {versions[-1]}", "proveout ledger upgrade")
    return None


def newest_entry_s(settings: Settings) -> float | None:
    """The time of the ledger's newest entry, in seconds since 1970; None if there is none that can be read."""
    from proveout.errors import LedgerError
    from proveout.project import open_ledger

    try:
        with open_ledger(settings) as book:
            entries = book.entries(limit=1, newest_first=True)
    except (LedgerError, ConfigError):
        return None
    return datetime.fromisoformat(entries[0].at).timestamp() if entries else None


def keys(settings: Settings) -> Finding:
    """Whether the private keys are readable by their owner alone, and the signing key is one. Raises: ConfigError."""
    from proveout.trust import secret_files
    from proveout.trust.signing import PRIVATE_KEY_VARIABLE, PrivateKey, unfolded

    folder = settings.keys_dir
    private = sorted(path for path in folder.glob("*") if path.suffix != ".pub" and path.is_file())
    for path in private:
        secret_files.read(path)
    given = os.environ.get(PRIVATE_KEY_VARIABLE)
    if given:
        signer = PrivateKey(unfolded(given), PRIVATE_KEY_VARIABLE).id
    elif (file := folder / "signing.key").exists():
        signer = PrivateKey(secret_files.read(file), str(file)).id
    else:
        return well("keys", f"{len(private)} in {folder}; the first verdict makes the one that signs")
    trusted = sorted(path.stem for path in folder.glob("*.pub"))
    if trusted and signer not in trusted:
        said = f"verdicts are signed here by key {signer}, which is not trusted here: {', '.join(trusted)}"
        return fault("keys", said, f"Put {signer}.pub into {folder}, or use a key that is trusted")
    return well("keys", f"{len(private)} private in {folder}, readable by their owner alone; {signer} signs")


def champion(settings: Settings, *, at: str) -> Finding:
    """Whether a model is released whose files are whole and whose approval is valid at `at`.

    Raises: NotFound, Tampered, NotApproved.
    """
    from proveout.model.manifest import verify
    from proveout.project import open_keyring, open_ledger, open_store
    from proveout.rollout import releases
    from proveout.trust import authorization
    from proveout.trust.approvals import quorum

    try:
        with open_ledger(settings) as book:
            held = releases.current(book, settings.model)
            if held is None:
                return note("champion", "nothing serves yet", "proveout bundles   # then: proveout release BUNDLE")
            entered = authorization.entered(book, held.bundle, quorum(settings))
    except NoLedger:
        return note("champion", "nothing serves yet", f"{INGEST} && python flows/train.py run")
    packed = verify(open_store(settings).folder("bundles", held.bundle))
    permit = authorization.check(entered, packed, keyring=open_keyring(settings), quorum=quorum(settings), at=at)
    ends = permit.approval.expires_at
    said = f"{packed.name}, approved until {ends[:10]}"
    if datetime.fromisoformat(ends) - datetime.fromisoformat(at) < SOON:
        return note("champion", said, f"proveout gate {held.bundle[:12]}")
    return well("champion", said)


def port(settings: Settings) -> Finding:
    """Whether the server can listen where the settings say, or already does. Raises: ConfigError."""
    from proveout.server import listening_port

    try:
        host, number = listening_port.free(settings)
    except ConfigError:
        if _serves(settings):
            return well("port", f"{settings.port} on {settings.host}: a server of {settings.model} answers there")
        raise
    return well("port", f"{number} on {host} is free")


def _serves(settings: Settings) -> bool:
    """Whether a server of this project's model answers at its port."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104  # a name, no bind
    try:
        with urlopen(f"http://{host}:{settings.port}/openapi.json", timeout=2) as answer:  # of this machine
            page = json.load(answer)
        return isinstance(page, dict) and page.get("info", {}).get("title") == settings.model
    except (URLError, OSError, ValueError, AttributeError):
        return False
