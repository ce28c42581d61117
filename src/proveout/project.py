"""Opens a project's store, ledger and keys, and gives the name of the person who acts.

Input: the settings. Output: the opened object. Only this module decides where each of them is, and where a shared store
is mirrored. Imports are inside the functions, so that opening the store alone does not load the database or the
cryptography.
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
    """The person who acts, for the ledger: `METAFLOW_USER`, else the name of the system's user."""
    return os.environ.get("METAFLOW_USER") or user_name()


def user_name() -> str:
    """The name of the system's user, `uid-N` for one without a name, and `uid-0` for root."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        name = f"uid-{os.getuid()}"
    return "uid-0" if name == "root" else name  # Metaflow refuses to run as "root"


def open_store(settings: "Settings") -> "Store":
    """The store of snapshots and bundles; a shared one is mirrored into the state folder."""
    from proveout.data.store import Store

    return Store(settings.store, cache=settings.state_dir / "store")


def open_ledger(settings: "Settings", *, create: bool = False) -> "Ledger":
    """The ledger. Close it, or use it as a context manager.

    Args:
        create: whether to create a missing ledger. Only commands that write do.
    Raises: NoLedger if it is missing and `create` is false; LedgerError if it cannot be reached.
    """
    from proveout.ledger.ledger import Ledger

    return Ledger(settings.ledger, create=create)


def open_keyring(settings: "Settings") -> "Keyring":
    """The key that signs here and the keys that are trusted here."""
    from proveout.trust.signing import Keyring

    return Keyring(settings.keys_dir)
