"""The source of the served bundles: it finds them in the ledger, checks their approval, verifies and opens them.

Input: settings. Output: the desired state, which says what to serve; and each of its bundles, opened after all checks.
The main process checks the champion before it starts anything. The log controller makes the later desired states. A
worker checks every bundle again when it opens it.
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
    """What the server needs of an opened bundle."""

    @property
    def task(self) -> Task:
        """The task, which reads its scores."""

    @property
    def request_columns(self) -> tuple[str, ...]:
        """The request fields that it uses."""

    def predict(self, records: "pd.DataFrame") -> "NDArray[np.float64]":
        """The scores of each row, in the shape that the task defines."""

    def confidences(self, scores: "NDArray[np.float64]") -> Sequence[float | None]:
        """For each row the share of held-out rows with such scores that were right; None if unknown."""

    def reference(self) -> "pd.DataFrame":
        """Training rows: the request columns and more."""


@dataclass(frozen=True, kw_only=True)
class Served:
    """A release and its opened model."""

    release: str  # model@digest, as in answers
    model: Model


class Source(Protocol):
    """Where a server gets its models. It is pickled to other processes, so it has no state."""

    def check(self, settings: Settings) -> DesiredState:
        """The desired state. Raises: ProveoutError with the reason if the champion may not be served."""

    def news(self, settings: Settings, *, seq: int) -> DesiredState | None:
        """The new desired state; None if the ledger has no entry after number `seq`. Raises: LedgerError.

        It may list a canary or a shadow that may not be served: the worker refuses it and says why.
        """

    def open(self, settings: Settings, release: Release) -> Served:
        """Open a release. Raises: ProveoutError with the reason if it may not or cannot be served."""


class Released:
    """The releases in the ledger."""

    def check(self, settings: Settings) -> DesiredState:
        """The desired state. Raises: NotFound, NotApproved, Tampered, LedgerError, ChainBroken."""

        # Closed before anything is forked: processes must not share a database connection.
        with open_ledger(settings) as ledger:
            # An edited ledger could name another bundle as champion.
            ledger.verify_chain()
            desired = _desired(ledger, settings.model)
        _checked(settings, desired.champion)
        return desired

    def news(self, settings: Settings, *, seq: int) -> DesiredState | None:
        """The new desired state, if the ledger has new entries. Raises: LedgerError, ChainBroken, NotFound."""

        with open_ledger(settings) as ledger:
            last = ledger.last_seq()
            if last == seq:
                return None
            if last < seq:
                raise ChainBroken(last + 1, f"it ends before entry {seq}, which was there")
            ledger.verify_chain()
            return _desired(ledger, settings.model)

    def open(self, settings: Settings, release: Release) -> Served:
        """Open a release. Raises: as `check`, and BundleError."""
        from proveout.model.bundle import open_bundle

        # With the manifest's digest, because the folder could be replaced after the check.
        folder, manifest = _checked(settings, release)
        opened = open_bundle(folder, manifest=manifest)
        if opened.task.name != settings.task:
            problem = f"answers a {opened.task.name} task, and [tool.proveout] says {settings.task}"
            raise BundleError(release.name, problem, "Correct `task`, or release a bundle of this task")
        return Served(release=release.name, model=opened)


def _desired(ledger: "Ledger", model: str) -> DesiredState:
    """The desired state of the ledger, without checking bundles. Raises: NotFound if no champion was released."""
    from proveout.rollout import releases, roles
    from proveout.trust import api_keys

    seq = ledger.last_seq()  # read first: entries appended meanwhile count as new
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


def _cache_files(settings: Settings, bundle: Digest) -> tuple[Path, Path]:
    """The files that cache the gate's approval of a bundle, and the approval together with those of people."""
    folder = settings.state_dir / "approvals"
    return folder / f"{bundle}.json", folder / f"{bundle}.persons.json"


def _cache(settings: Settings, authorization: "Authorization") -> None:
    """Cache an authorization for the time when the ledger is down."""
    gate_only, with_people = _cache_files(settings, authorization.approval.bundle)
    with suppress(OSError):  # a full disk must not stop the server
        gate_only.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        post(gate_only, authorization.approval)
        if settings.required_approvals:
            post(with_people, authorization)


def _cached(settings: Settings, bundle: Digest) -> "Authorization | None":
    """The authorization that was cached while the ledger was up."""
    from proveout.trust.authorization import Authorization

    gate_only, with_people = _cache_files(settings, bundle)
    if settings.required_approvals:
        return read(with_people, Authorization)
    approval = read(gate_only, Approval)
    return Authorization(approval=approval) if approval else None


def _checked(settings: Settings, release: Release) -> tuple[Path, Digest]:
    """Check the files and approvals of a release. Returns its bundle's folder and the digest of the manifest."""
    from proveout.model.manifest import verify
    from proveout.trust import authorization
    from proveout.trust.approvals import quorum

    if not re.fullmatch(r"[0-9a-f]{64}", release.bundle):  # it comes from the ledger and must not be a path
        raise NotApproved(release.name, "a digest has 64 hexadecimal digits")
    try:
        with open_ledger(settings) as ledger:
            found = authorization.entered(ledger, release.bundle, quorum(settings))
    except NotApproved:
        for file in _cache_files(settings, release.bundle):
            file.unlink(missing_ok=True)  # a revoked approval must not count while the ledger is down, either
        raise
    except ChainBroken:
        raise
    except LedgerError:
        # A worker may restart while the ledger is down. The cached approval still counts; its signature and expiry are
        # checked below, as for any other.
        cached = _cached(settings, release.bundle)
        if cached is None:
            raise
        found = (cached,)
    folder = open_store(settings).folder("bundles", release.bundle)
    bundle = verify(folder)
    if bundle.digest != release.bundle:
        raise Tampered(release.name, "manifest.json", f"is the one of another bundle, {bundle.name}")
    permit = authorization.check(found, bundle, keyring=open_keyring(settings), quorum=quorum(settings), at=now())
    if bundle.model != release.model:  # approved, but as another model
        raise NotApproved(release.name, f"its approval is for the model {bundle.model}, not {release.model}")
    _cache(settings, permit)
    return folder, bundle.manifest
