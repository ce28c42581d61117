"""The bundle that answers: found in the ledger, approved, whole, opened.

Comes in: settings. Goes out: its release's name, after the checks that stand before serving; or the model itself,
after the same checks. The main process checks before anything is started, each worker checks again when it opens.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from proveout.errors import NotFound, Tampered
from proveout.records import Release, now
from proveout.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class Model(Protocol):
    """What the server asks of an opened bundle."""

    @property
    def threshold(self) -> float:
        """The label is `probability >= threshold`."""

    @property
    def request_columns(self) -> tuple[str, ...]:
        """The request fields it looks at."""

    def predict(self, records: "pd.DataFrame") -> "NDArray[np.float64]":
        """The probability of the label for each row, shape (rows,)."""

    def confidence(self, probability: float) -> float:
        """The share of held-out rows with such a score that were called right."""

    def reference(self) -> "pd.DataFrame":
        """Training rows: the request columns and more."""


@dataclass(frozen=True, kw_only=True)
class Served:
    """A release and its opened model."""

    release: str  # model@digest, as answers name it
    model: Model


class Source(Protocol):
    """Where a server has its model from. It travels to the worker by pickle: an object without state of its own."""

    def check(self, settings: Settings) -> str:
        """The name of the release that may be served. Raises: ProveoutError with the reason if none may."""

    def open(self, settings: Settings) -> Served:
        """The same, opened."""


class Champion:
    """The released champion of the ledger."""

    def check(self, settings: Settings) -> str:
        """Its name. Raises: NotFound, NotApproved, Tampered, LedgerError, ChainBroken."""
        from proveout.registry.ledger import Ledger

        with Ledger(settings.ledger) as ledger:
            # In an edited ledger another bundle may have been put in the champion's place.
            ledger.verify_chain()
        release, _ = _checked(settings)
        return release.name

    def open(self, settings: Settings) -> Served:
        """It, opened. Raises: as `check`, and BundleError."""
        from proveout.training.bundle import open_bundle

        release, folder = _checked(settings)
        return Served(release=release.name, model=open_bundle(folder))


def _checked(settings: Settings) -> tuple[Release, Path]:
    """The champion's release and the folder of its bundle, once release, files and approval hold."""
    from proveout.data.store import Store
    from proveout.registry.ledger import Ledger
    from proveout.registry.releases import approval_of, current
    from proveout.registry.signing import Keyring, check_approval
    from proveout.training.bundle import verify

    # Closed before anything is forked: a database connection does not survive being shared.
    with Ledger(settings.ledger) as ledger:
        release = current(ledger, settings.model)
        if release is None:
            raise NotFound(
                "release",
                f"of {settings.model}",
                "Make one: python flows/ingest.py run, then python flows/train.py run, then proveout release BUNDLE",
            )
        approval = approval_of(ledger, release.bundle)
    folder = Store(settings.store, settings.state_dir / "store").folder("bundles", release.bundle)
    bundle = verify(folder)
    if bundle.digest != release.bundle:
        raise Tampered(release.name, "manifest.json", f"is the one of another bundle, {bundle.name}")
    check_approval(approval, bundle=bundle, keyring=Keyring(settings.keys_dir), at=now())
    return release, folder
