"""The source of the served bundles: found in the ledger, approved, verified, opened.

Input: settings. Output: the desired state, which says what to serve; and each bundle of it, opened after the checks
that precede serving. The main process checks the champion before anything is started, the log controller makes the
desired states that follow, and a worker checks every bundle again when it opens it.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from proveout.errors import BundleError, ChainBroken, LedgerError, NotApproved, NotFound, Tampered
from proveout.project import open_keyring, open_ledger, open_store
from proveout.records.release import Approval, Release
from proveout.records.values import Digest, now
from proveout.server.server_state import DesiredState, post, read
from proveout.settings import Settings
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.ledger.ledger import Ledger
    from proveout.trust.authorization import Authorization


class Model(Protocol):
    """What the server asks of an opened bundle."""

    @property
    def task(self) -> Task:
        """How its scores are read."""

    @property
    def request_columns(self) -> tuple[str, ...]:
        """The request fields it looks at."""

    def predict(self, records: "pd.DataFrame") -> "NDArray[np.float64]":
        """The scores of each row, of the shape that the task says."""

    def confidences(self, scores: "NDArray[np.float64]") -> Sequence[float | None]:
        """For each row the share of held-out rows with such scores that were right; None where nobody can tell."""

    def reference(self) -> "pd.DataFrame":
        """Training rows: the request columns and more."""


@dataclass(frozen=True, kw_only=True)
class Served:
    """A release and its opened model."""

    release: str  # model@digest, as answers name it
    model: Model


class Source(Protocol):
    """Where a server has its models from. It travels to other processes by pickle: an object without state."""

    def check(self, settings: Settings) -> DesiredState:
        """What is to be served. Raises: ProveoutError with the reason if the champion may not be."""

    def news(self, settings: Settings, *, seq: int) -> DesiredState | None:
        """What is to be served now, None if nothing came after entry number `seq`. Raises: LedgerError.

        A canary or a shadow that may not be served is on it: the worker refuses it, and says why.
        """

    def open(self, settings: Settings, release: Release) -> Served:
        """One of them, opened. Raises: ProveoutError with the reason if it may not be served, or cannot be."""


class Released:
    """What the ledger says is released."""

    def check(self, settings: Settings) -> DesiredState:
        """The desired state. Raises: NotFound, NotApproved, Tampered, LedgerError, ChainBroken."""

        # Closed before anything is forked: a database connection does not survive being shared.
        with open_ledger(settings) as ledger:
            # In an edited ledger another bundle may have been put in the champion's place.
            ledger.verify_chain()
            desired = _desired(ledger, settings.model)
        _checked(settings, desired.champion)
        return desired

    def news(self, settings: Settings, *, seq: int) -> DesiredState | None:
        """The desired state, if there is a newer one. Raises: LedgerError, ChainBroken, NotFound."""

        with open_ledger(settings) as ledger:
            last = ledger.last_seq()
            if last == seq:
                return None
            if last < seq:
                raise ChainBroken(last + 1, f"it ends before entry {seq}, which was there")
            ledger.verify_chain()
            return _desired(ledger, settings.model)

    def open(self, settings: Settings, release: Release) -> Served:
        """It, opened. Raises: as `check`, and BundleError."""
        from proveout.model.bundle import open_bundle

        # By its manifest: a folder can be replaced after it was looked at.
        folder, manifest = _checked(settings, release)
        opened = open_bundle(folder, manifest=manifest)
        if opened.task.name != settings.task:
            problem = f"answers a {opened.task.name} task, and [tool.proveout] says {settings.task}"
            raise BundleError(release.name, problem, "Correct `task`, or release a bundle of this task")
        return Served(release=release.name, model=opened)


def _desired(ledger: "Ledger", model: str) -> DesiredState:
    """What stands, by the ledger alone. Raises: NotFound if no champion was released."""
    from proveout.rollout import releases, roles
    from proveout.trust import api_keys

    seq = ledger.last_seq()  # first: what is appended meanwhile is news
    history = releases.history(ledger, model)
    champion = roles.holder(history)
    if champion is None:
        raise NotFound(
            "release",
            f"of {model}",
            "Make one: python flows/ingest.py run, then python flows/train.py run, then proveout release BUNDLE",
        )
    erasures = ledger.entries(kind="erasure", limit=1, newest_first=True)
    return DesiredState(
        seq=seq,
        champion=champion,
        canary=roles.holder(history, role="canary"),
        shadow=roles.holder(history, role="shadow"),
        before=releases.before(ledger, model),
        keys=api_keys.known(ledger),
        erased=erasures[0].seq if erasures else 0,
    )


def _kept(settings: Settings, bundle: Digest) -> tuple[Path, Path]:
    """Where the approval of a bundle is kept, and where it is with the consents of persons."""
    folder = settings.state_dir / "approvals"
    return folder / f"{bundle}.json", folder / f"{bundle}.persons.json"


def _keep(settings: Settings, permit: "Authorization") -> None:
    alone, persons = _kept(settings, permit.approval.bundle)
    with suppress(OSError):  # a full disk is no reason not to serve
        alone.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        post(alone, permit.approval)
        if settings.required_approvals:
            post(persons, permit)


def _known(settings: Settings, bundle: Digest) -> "Authorization | None":
    """What was kept when the ledger was up."""
    from proveout.trust.authorization import Authorization

    alone, persons = _kept(settings, bundle)
    if settings.required_approvals:
        return read(persons, Authorization)
    approval = read(alone, Approval)
    return Authorization(approval=approval) if approval else None


def _checked(settings: Settings, release: Release) -> tuple[Path, Digest]:
    """The folder of the release's bundle and its manifest's digest, once its files, its approval and the consents of
    persons hold."""
    from proveout.model.manifest import verify
    from proveout.trust import authorization
    from proveout.trust.approvals import quorum

    if not re.fullmatch(r"[0-9a-f]{64}", release.bundle):  # it comes from the ledger: it must not name a path
        raise NotApproved(release.name, "a digest has 64 hexadecimal digits")
    try:
        with open_ledger(settings) as ledger:
            found = authorization.entered(ledger, release.bundle, quorum(settings))
    except NotApproved:
        for kept in _kept(settings, release.bundle):
            kept.unlink(missing_ok=True)  # taken back, it is so when the ledger is down as well
        raise
    except ChainBroken:
        raise
    except LedgerError:
        # A worker that dies while the ledger is down is started again, and what was approved when it was up still is:
        # signatures and ends are looked at below, whoever wrote the file.
        known = _known(settings, release.bundle)
        if known is None:
            raise
        found = (known,)
    folder = open_store(settings).folder("bundles", release.bundle)
    bundle = verify(folder)
    if bundle.digest != release.bundle:
        raise Tampered(release.name, "manifest.json", f"is the one of another bundle, {bundle.name}")
    permit = authorization.check(found, bundle, keyring=open_keyring(settings), quorum=quorum(settings), at=now())
    if bundle.model != release.model:  # approved, but to answer another question
        raise NotApproved(release.name, f"its approval is for the model {bundle.model}, not {release.model}")
    _keep(settings, permit)
    return folder, bundle.manifest
