"""The status from the ledger: what serves or served, why, how it compares, and how to roll back.

Input: a ledger, a model and a time. Output: `Served` for `history --at`, `Standing` for `proveout status`, `Packed` for
`proveout bundles`: records, so that text and JSON show the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from proveout.errors import NotApproved, NotFound
from proveout.ledger.ledger import Ledger, read
from proveout.ledger.timestamps import utc
from proveout.records.bundle import Bundle
from proveout.records.drift_report import Alert
from proveout.records.release import Approval, Release, Role
from proveout.records.values import Digest, Scalar
from proveout.records.verdict import MovedBound, Verdict
from proveout.rollout import measures, moved_bounds, releases, roles
from proveout.rollout.measures import Measure
from proveout.trust import approvals, authorization
from proveout.trust.approvals import NOBODY, ApprovalPolicy
from proveout.trust.authorization import Authorization

BundleState = Literal["champion", "canary", "shadow", "approved", "expired", "refused", "candidate"]
ROLES: tuple[Role, ...] = ("shadow", "canary", "champion")
NEWEST_ALERTS = 3
ENDED = "its approval has ended"


@dataclass(frozen=True, kw_only=True)
class Served:
    """What served at a given time. `bundle` and `verdict` are None if the ledger does not have them."""

    at: str
    release: Release
    until: str | None  # when the next release took over; None if it still serves
    bundle: Bundle | None
    verdict: Verdict | None
    measures: tuple[Measure, ...] = ()  # its measures by the gate and by its notebook
    canary: Release | None = None  # the canary at that time
    shadow: Release | None = None


@dataclass(frozen=True, kw_only=True)
class ApprovalStatus:
    """Whether a bundle may serve by its gate and human approvals: until when, or why not."""

    bundle: Digest
    until: str | None
    problem: str | None
    persons: int = 0  # required human approvals
    approved_by: tuple[str, ...] = ()  # persons with a valid approval


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What serves now, and the previous champion."""

    model: str
    at: str
    served: Served | None
    approved: ApprovalStatus | None
    before: Bundle | None  # the previous champion, if the ledger has it
    back: ApprovalStatus | None  # approval of that champion
    predictions: int
    alerts: tuple[Alert, ...]  # the newest alerts
    moved: tuple[MovedBound, ...] = ()  # bounds that changed since the champion's verdict


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A bundle and its state."""

    bundle: Bundle
    state: BundleState
    persons: int = 0  # required human approvals
    approved_by: tuple[str, ...] = ()  # persons with a valid approval
    waived: int = 0  # waivers that its newest verdict needed
    source_changed: tuple[str, ...] = ()  # source files changed since the champion at that time was approved
    measures: tuple[Measure, ...] = ()  # measures in its newest verdict, and those of its notebook


def now(
    ledger: Ledger, model: str, *, at: str, quorum: ApprovalPolicy = NOBODY, asked: Mapping[str, Scalar] | None = None
) -> Standing:
    """The status of `model` at `at`, the current time.

    Args:
        asked: the current bounds of the gate by name, to compare with those in the champion's verdict.
    """
    made = releases.history(ledger, model)
    held, behind = roles.holder(made), releases.before(ledger, model)
    before = behind.bundle if behind else None
    alerts = ledger.entries(kind="alert", subject=model, limit=NEWEST_ALERTS, newest_first=True)
    beside = roles.running(made)
    served = _served(ledger, held, beside=beside, at=at, until=None, before=before) if held else None
    judged = served.verdict if served else None
    return Standing(
        model=model,
        at=utc(at),
        served=served,
        approved=_leave(ledger, held.bundle, at=at, quorum=quorum) if held else None,
        before=bundle_of(ledger, before) if before else None,
        back=_leave(ledger, before, at=at, quorum=quorum) if before else None,
        predictions=ledger.prediction_count(),
        alerts=tuple(read(Alert, entry) for entry in alerts),
        moved=moved_bounds.moved(judged.bounds, asked) if judged is not None and asked is not None else (),
    )


def then(ledger: Ledger, model: str, *, moment: str) -> Served:
    """What served at `moment`. Raises: NotFound, with the time of the first release."""
    every = releases.history(ledger, model)
    made = tuple(r for r in every if r.role == "champion")
    held = roles.holder(every, moment=moment)
    if held is None:
        first = f"The first began at {made[0].since}." if made else "Nothing was ever released: proveout bundles"
        raise NotFound("release", f"of {model} at {utc(moment)}", first)
    later = made[made.index(held) + 1 :]
    beside = roles.running(every, moment=moment)
    return _served(ledger, held, beside=beside, at=moment, until=later[0].since if later else None)


def packed(ledger: Ledger, model: str, *, at: str, quorum: ApprovalPolicy = NOBODY) -> tuple[Packed, ...]:
    """All bundles of `model` in the ledger, the newest first."""
    made = releases.history(ledger, model)
    held = {role: roles.holder(made, role=role) for role in ROLES}
    taken = {release.bundle: role for role, release in held.items() if release}
    known: dict[Digest, Bundle] = {}
    for entry in ledger.entries(kind="bundle", newest_first=True):
        bundle = read(Bundle, entry)
        if bundle.model == model:
            known.setdefault(bundle.digest, bundle)  # a bundle packed again is the same bundle: the newest entry counts
    leaves = {digest: _leave(ledger, digest, at=at, quorum=quorum) for digest in known}
    return tuple(
        Packed(
            bundle=bundle,
            state=_state(ledger, leaves[digest], taken=taken),
            persons=quorum.persons,
            approved_by=leaves[digest].approved_by,
            waived=len(verdict.waived) if (verdict := _newest_verdict(ledger, digest)) is not None else 0,
            source_changed=verdict.source_changed if verdict is not None else (),
            measures=measures.of(bundle, verdict),
        )
        for digest, bundle in known.items()
    )


def _state(ledger: Ledger, leave: ApprovalStatus, *, taken: Mapping[Digest, Role]) -> BundleState:
    bundle = leave.bundle
    if bundle in taken:
        return taken[bundle]
    if leave.until is not None:
        return "expired" if leave.problem == ENDED else "approved"
    judged = [read(Verdict, entry) for entry in ledger.entries(kind="verdict", subject=bundle, newest_first=True)]
    # The newest verdict of the project's own checks counts, even if other checks judged later.
    own = [one for one in judged if not one.checks_folder and one.outcome != "incomplete"]
    return "refused" if any(one.outcome == "refused" for one in (*judged[:1], *own[:1])) else "candidate"


def _newest_verdict(ledger: Ledger, bundle: Digest) -> Verdict | None:
    newest = ledger.entries(kind="verdict", subject=bundle, limit=1, newest_first=True)
    return read(Verdict, newest[0]) if newest else None


def held_out(ledger: Ledger, bundle: Bundle, metric: str) -> float | None:
    """A metric of a bundle on its held-out rows: the gate's, or the notebook's, which packing measured again."""
    measured = measures.gate_value(_newest_verdict(ledger, bundle.digest), metric)
    stated = (one.value for one in bundle.metrics if one.name == metric)
    return measured if measured is not None else next(stated, None)


def bundle_of(ledger: Ledger, digest: Digest) -> Bundle | None:
    """The bundle as recorded in the ledger; None if it is not there."""
    entries = ledger.entries(kind="bundle", subject=digest, limit=1, newest_first=True)
    return read(Bundle, entries[0]) if entries else None


def verdict_of(ledger: Ledger, digest: Digest) -> Verdict:
    """The newest verdict on a bundle. Raises: NotFound."""
    entries = ledger.entries(kind="verdict", subject=digest, limit=1, newest_first=True)
    if not entries:
        raise NotFound("verdict", f"of {digest[:12]}", f"Have it judged: proveout gate {digest[:12]}")
    return read(Verdict, entries[0])


def verdict_at(ledger: Ledger, approval: Approval | Release) -> Verdict:
    """The verdict that `approval` was given for, or that a release rests on. Raises: NotFound if it is not here."""
    for entry in ledger.entries(kind="verdict", subject=approval.bundle):
        if entry.hash == approval.verdict:
            return read(Verdict, entry)
    digest = approval.bundle[:12]
    raise NotFound("verdict", f"of {digest} that its approval is for", f"Have it judged: proveout gate {digest}")


def _served(
    ledger: Ledger,
    release: Release,
    *,
    beside: tuple[Release | None, Release | None],
    at: str,
    until: str | None,
    before: Digest | None = None,
) -> Served:
    verdicts = [e for e in ledger.entries(kind="verdict", subject=release.bundle) if e.hash == release.verdict]
    bundle, verdict = bundle_of(ledger, release.bundle), read(Verdict, verdicts[0]) if verdicts else None
    return Served(
        at=utc(at),
        release=release,
        until=until,
        bundle=bundle,
        verdict=verdict,
        measures=measures.of(bundle, verdict, before=_newest_verdict(ledger, before) if before else None),
        canary=beside[0],
        shadow=beside[1],
    )


def _leave(ledger: Ledger, bundle: Digest, *, at: str, quorum: ApprovalPolicy) -> ApprovalStatus:
    try:
        found = authorization.entered(ledger, bundle, quorum)
    except NotApproved as error:
        return ApprovalStatus(bundle=bundle, until=None, problem=error.why, persons=quorum.persons)
    leaves = [_worth(permit, at=at, quorum=quorum) for permit in found]
    return next((leave for leave in leaves if leave.problem is None), leaves[0])


def _worth(permit: Authorization, *, at: str, quorum: ApprovalPolicy) -> ApprovalStatus:
    approval = permit.approval
    held = approvals.granted(permit.consents, quorum, approval, at=at)
    missing = approvals.shortage(len(held), quorum.persons) if len(held) < quorum.persons else None
    return ApprovalStatus(
        bundle=approval.bundle,
        until=min(approval.expires_at, approvals.until(held, quorum) or approval.expires_at),
        problem=ENDED if utc(at) >= utc(approval.expires_at) else missing,
        persons=quorum.persons,
        approved_by=tuple(consent.by for consent in held),
    )
