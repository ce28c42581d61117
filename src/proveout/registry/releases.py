"""Releases: which bundle answers, since when, by whom and why; and what was there before.

Comes in: a bundle whose files were verified, and the ledger. Goes out: a release, once the gate's approval covers
the bundle. Who held a role at a moment is a pure function of the releases (`holder`), so yesterday's answer is
tomorrow's.
"""

from collections.abc import Sequence

from proveout.errors import Misused, NotApproved, NotFound
from proveout.records import Approval, Bundle, Digest, Release, Role, Verdict
from proveout.registry.ledger import Ledger, read
from proveout.registry.moments import utc
from proveout.registry.signing import Keyring, check_approval


def release(
    ledger: Ledger,
    keyring: Keyring,
    bundle: Bundle,
    *,
    role: Role = "champion",
    share: float = 1.0,
    by: str,
    reason: str,
    at: str,
) -> Release:
    """`bundle` in its new role: from `at` on it answers. If it holds the role already, its release as it stands.

    Raises: NotApproved if no valid approval covers it; ChainBroken if the ledger was edited, for then no approval in
    it can be believed; LostRace if somebody released or judged something meanwhile; Misused for another role than
    champion.
    """
    _refuse_misuse(role, share, by, reason)
    seen = ledger.verify_chain()
    approval = approval_of(ledger, bundle.digest)
    check_approval(approval, bundle=bundle, keyring=keyring, at=at)
    before = current(ledger, bundle.model, role)
    if before is not None and before.bundle == bundle.digest:
        return before
    new = Release(
        model=bundle.model,
        bundle=bundle.digest,
        role=role,
        share=share,
        since=utc(at),
        by=by,
        reason=reason,
        data=bundle.snapshot,
        verdict=approval.verdict,
        before=before.bundle if before else None,
    )
    ledger.append(
        "release", bundle.digest, new, actor=by, reason=reason, at=at, unless_newer=("release", "verdict"), seen=seen
    )
    return new


def current(ledger: Ledger, model: str, role: Role = "champion") -> Release | None:
    """Who holds the role now; None while nothing was released."""
    return holder(history(ledger, model), role=role)


def at_moment(ledger: Ledger, model: str, moment: str, role: Role = "champion") -> Release | None:
    """Who held the role at `moment` (ISO 8601); None if nothing was released by then."""
    return holder(history(ledger, model), role=role, moment=moment)


def history(ledger: Ledger, model: str) -> tuple[Release, ...]:
    """Every release of `model`, in the order of the ledger."""
    releases = (read(Release, entry) for entry in ledger.entries(kind="release"))
    return tuple(found for found in releases if found.model == model)


def holder(releases: Sequence[Release], *, role: Role = "champion", moment: str | None = None) -> Release | None:
    """Who holds `role` after `releases`, or held it at `moment`.

    The order of the ledger decides, not the clocks of the machines that wrote it: of two releases that began by
    then, the one appended later holds the role.
    """
    until = None if moment is None else utc(moment)
    held = [r for r in releases if r.role == role and (until is None or utc(r.since) <= until)]
    return held[-1] if held else None


def approval_of(ledger: Ledger, bundle: Digest) -> Approval:
    """The newest approval of `bundle`; whether its signature and its time hold is for `check_approval` to say.

    Raises: NotApproved if there is none, or if the gate has refused the bundle since.
    """
    approvals = ledger.entries(kind="approval", subject=bundle, limit=1, newest_first=True)
    approved_seq = approvals[0].seq if approvals else 0
    judged = ledger.entries(kind="verdict", subject=bundle, newest_first=True)
    for verdict in (read(Verdict, entry) for entry in judged if entry.seq > approved_seq):
        # Any refusal since counts, not only the last word: what approves a bundle is a signature. But one for want of
        # evidence alone takes nothing back: who runs one check by hand has not found the champion wanting.
        if verdict.outcome == "refused" and (verdict.failed or not approvals):
            when = "has since refused it" if approvals else "refused it"
            raise NotApproved(f"{verdict.model}@{bundle[:12]}", f"the gate {when} on {objections(verdict)}")
    if not approvals:
        raise NotApproved(bundle[:12], "the gate has not approved it")
    approval = read(Approval, approvals[0])
    if approval.bundle != bundle or approval.verdict not in {entry.hash for entry in judged}:
        raise NotApproved(bundle[:12], "its approval names a verdict that is not in this ledger")
    return approval


def objections(verdict: Verdict) -> str:
    """What a refusal was for: the first few checks that failed or went unproven."""
    names = [*verdict.failed, *(f"{name} (unproven)" for name in verdict.unproven)]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (", ".join(names[:3]) or "no check in particular") + more


def find(ledger: Ledger, kind: str, prefix: str) -> Digest:
    """The one subject of `kind` that starts with `prefix`, which may be written `model@prefix`.

    Raises: NotFound; Misused if several do.
    """
    start = prefix.rpartition("@")[2].lower()
    found = sorted(subject for subject in ledger.subjects(kind) if subject.startswith(start)) if start else []
    if not found:
        raise NotFound(kind, f"of {prefix}", "List what was packed: proveout bundles")
    if len(found) > 1:
        raise Misused(f"{prefix} begins the names of {len(found)} bundles with a {kind}: give more digits.")
    return Digest(found[0])


def _refuse_misuse(role: Role, share: float, by: str, reason: str) -> None:
    if role != "champion" or share != 1.0:
        raise Misused(
            f"Nothing can be released as {role} with {share:.0%} of the traffic: canary and shadow routing are not "
            "part of this version. Release it as champion, to all of it."
        )
    if not by.strip() or not reason.strip():
        raise Misused('A release says who did it and why: --by NAME --reason "…".')
