"""Authorization to serve a bundle: the gate's approval and, where the project requires them, the consents of people.

Input: a ledger and a bundle. Output: the valid authorization, or NotApproved with the reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from proveout.errors import NotApproved
from proveout.ledger.ledger import Ledger, read
from proveout.records.bundle import Bundle
from proveout.records.ledger_entry import Entry
from proveout.records.release import Approval, Consent
from proveout.records.values import Digest
from proveout.records.verdict import Verdict
from proveout.trust import approvals as consents
from proveout.trust.approvals import NOBODY, ApprovalPolicy
from proveout.trust.signing import Keyring, check_approval


@dataclass(frozen=True, kw_only=True)
class Authorization:
    """The approval of one bundle, with people's consents."""

    approval: Approval
    consents: tuple[Consent, ...] = ()


def entered(ledger: Ledger, bundle: Digest, quorum: ApprovalPolicy = NOBODY) -> tuple[Authorization, ...]:
    """The authorizations of `bundle` in the ledger, newest first. Signatures and times are not checked: see `check`.

    Only the one of the newest verdict with an approval. If people must approve, also those of older verdicts.
    Raises: NotApproved if there is none, or if the gate has refused the bundle since.
    """
    judged = ledger.entries(kind="verdict", subject=bundle, newest_first=True)
    found = [read(Approval, entry) for entry in ledger.entries(kind="approval", subject=bundle)]
    approvals = {approval.verdict: approval for approval in found if approval.bundle == bundle}
    # The age of an approval is that of its verdict, not of its own entry: anybody who may write to the ledger can
    # append an old approval again after a refusal.
    approved = next((entry for entry in judged if entry.hash in approvals), None)
    for verdict in (read(Verdict, entry) for entry in judged if approved is None or entry.seq > approved.seq):
        # Any later refusal counts, not only the newest verdict: only a signed approval approves. But a refusal without
        # a failed check does not revoke an approval: it may be from a run of one check by hand.
        if verdict.outcome == "refused" and (verdict.failed or approved is None):
            when = "refused it" if approved is None else "has since refused it"
            raise NotApproved(f"{verdict.model}@{bundle[:12]}", f"the gate {when} on {objections(verdict)}")
    if approved is None:
        why = (
            "its approval names a verdict that is not in this ledger"
            if approvals
            else "its approval is for another bundle"
        )
        raise NotApproved(bundle[:12], why if found else "the gate has not approved it")
    standing = [entry for entry in _since_refusal(judged) if entry.hash in approvals]
    # Verdicts of the project's own checks first: those of another folder cover less.
    standing.sort(key=lambda entry: bool(read(Verdict, entry).checks_folder))
    _refuse_covered(judged, standing)
    if not quorum.persons:
        return (Authorization(approval=approvals[standing[0].hash]),)
    given = consents.entered(ledger, bundle)
    # A new gate run must not cancel the consents that people gave to an older verdict on the same bundle.
    return tuple(Authorization(approval=approvals[entry.hash], consents=given) for entry in standing)


def approval_of(ledger: Ledger, bundle: Digest) -> Approval:
    """The approval of the newest verdict on `bundle` that has one. Raises: as `entered`."""
    return entered(ledger, bundle)[0].approval


def check(
    found: Sequence[Authorization], bundle: Bundle, *, keyring: Keyring, quorum: ApprovalPolicy = NOBODY, at: str
) -> Authorization:
    """The first of `found` that is valid for `bundle` at `at`, with its valid consents.

    Raises: NotApproved with the reason why the newest is not valid.
    """
    why: NotApproved | None = None
    for permit in found:
        try:
            check_approval(permit.approval, bundle=bundle, keyring=keyring, at=at)
            held = consents.granted(permit.consents, quorum, permit.approval, at=at) if quorum.persons else ()
            consents.refuse_missing(held, quorum, bundle)
            return Authorization(approval=permit.approval, consents=held)
        except NotApproved as error:
            why = why or error
    raise why or NotApproved(bundle.name, "the gate has not approved it")


def refuse_never_approved(ledger: Ledger, keyring: Keyring, bundle: Bundle) -> None:
    """Return if a trusted key has ever approved `bundle`, even if that approval has ended: then it may be inspected.

    Raises: NotApproved with the reason. Then nobody vouches for the bundle's code, and it must not run.
    """
    why = NotApproved(bundle.name, "the gate has not approved it")
    for entry in ledger.entries(kind="approval", subject=bundle.digest, newest_first=True):
        approval = read(Approval, entry)
        try:
            return check_approval(approval, bundle=bundle, keyring=keyring, at=approval.approved_at)
        except NotApproved as error:
            why = error
    raise why


def objections(verdict: Verdict) -> str:
    """The reasons of a refusal: the first few checks that failed or are unproven."""
    names = [*verdict.failed, *(f"{name} (unproven)" for name in verdict.unproven)]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (", ".join(names[:3]) or "no check in particular") + more


def _refuse_covered(judged: Sequence[Entry], standing: Sequence[Entry]) -> None:
    """Refuse an approval of other checks after a refusal by the project's own checks. Raises: NotApproved."""
    verdicts = [read(Verdict, entry) for entry in judged]
    own = next((one for one in verdicts if not one.checks_folder and one.outcome != "incomplete"), None)
    by = read(Verdict, standing[0]).checks_folder
    if own is not None and own.outcome == "refused" and by:
        why = f"the project's own checks refused it on {objections(own)}, and the checks in {by} do not cover that"
        raise NotApproved(f"{own.model}@{own.candidate[:12]}", why)


def _since_refusal(judged: Sequence[Entry]) -> list[Entry]:
    """The verdicts since the last one with a failed check, newest first."""
    standing: list[Entry] = []
    for entry in judged:
        verdict = read(Verdict, entry)
        if verdict.outcome == "refused" and verdict.failed:
            break
        standing.append(entry)
    return standing
