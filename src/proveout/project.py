"""What a project has, opened in one place: its store, its ledger, its keys; and who acts in it.

Input: the settings. Output: the opened thing. Where each of them lies, and where a shared store is mirrored to, is
decided here and nowhere else. Imports stand inside the functions: who asks for the store alone (or only for the name of
who acts) does not pay for the database or the cryptography of the others.
"""

import getpass
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proveout.data.store import Store
    from proveout.ledger.ledger import Ledger
    from proveout.settings import Settings
    from proveout.trust.signing import Keyring


def actor() -> str:
    """Who does this, as the ledger notes it: `METAFLOW_USER`, else the name of the system's user."""
    return os.environ.get("METAFLOW_USER") or user_name()


def user_name() -> str:
    """The name of the system's user, `uid-N` for one without a name, and `uid-0` for root."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        name = f"uid-{os.getuid()}"
    return "uid-0" if name == "root" else name  # Metaflow takes "root" for no user at all and refuses to run


def open_store(settings: "Settings") -> "Store":
    """The store of snapshots and bundles; a shared one is mirrored into the state folder."""
    from proveout.data.store import Store

    return Store(settings.store, cache=settings.state_dir / "store")


def open_ledger(settings: "Settings", *, create: bool = False) -> "Ledger":
    """The ledger, to be closed; use it as a context manager.

    Args:
        create: whether it is made if it is not there. Only what writes asks for that.
    Raises: NoLedger if there is none and none is to be made; LedgerError if it cannot be reached.
    """
    from proveout.ledger.ledger import Ledger

    return Ledger(settings.ledger, create=create)


def open_keyring(settings: "Settings") -> "Keyring":
    """The key that signs here and the keys that are trusted here."""
    from proveout.trust.signing import Keyring

    return Keyring(settings.keys_dir)
