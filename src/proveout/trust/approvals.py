"""Human approvals (consents): a person's permission to serve one bundle, required after the gate's approval and signed
with that person's key.

Input: a bundle that the gate has approved, and a person's private key. Output: an entry of the ledger; later the valid
consents to a bundle, or NotApproved with the number of missing ones. Approvers are the people whose public keys are in
the project's approvers folder as `NAME.pub`, where they are committed and reviewed. A consent is for one bundle, one
manifest and one verdict, and expires. Private keys are never in the project.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from proveout.errors import BadSignature, NotApproved, UsageError
from proveout.ledger.ledger import Ledger, read
from proveout.ledger.timestamps import utc
from proveout.records.bundle import Bundle
from proveout.records.json_form import canonical
from proveout.records.release import Approval, Consent
from proveout.records.values import Digest
from proveout.settings import Settings
from proveout.trust.signing import PrivateKey, check_signature

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class ApprovalPolicy:
    """How many people must approve a bundle before it may serve, and whose keys count."""

    persons: int
    approvers: Path  # folder of the approvers' public keys, each `NAME.pub`
    gate_keys: Path  # folder of the gate's signing keys, which never count as a person's


NOBODY = ApprovalPolicy(persons=0, approvers=Path(), gate_keys=Path())
"""The gate's approval is enough."""


def quorum(settings: Settings) -> ApprovalPolicy:
    """The project's policy: `required_approvals` and `approvers_dir` in [tool.proveout]."""
    return ApprovalPolicy(
        persons=settings.required_approvals,
        approvers=settings.root / settings.approvers_dir,
        gate_keys=settings.keys_dir,
    )


def public_file(approvers: Path, name: str) -> Path:
    """The file of a person's public key. Raises: UsageError if `name` is not a valid file name."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be an approver's name: letters, digits and . _ @ + -, at most 64.")
    return approvers / f"{name}.pub"


# --- giving -------------------------------------------------------------------------------------------------------


def give(
    ledger: Ledger,
    policy: ApprovalPolicy,
    key: PrivateKey,
    approval: Approval,
    *,
    by: str,
    reason: str,
    at: str,
    expires_at: str,
    seen: int,
) -> Consent:
    """Enter the consent of `by` to what `approval` approves, signed with their `key`, in the ledger.

    Args:
        seen: number of the ledger's last entry when the approval was read.
    Raises: UsageError without a name or a reason; BadSignature if the key is not that person's, or is the gate's;
        NotApproved if `by` packed the bundle; Conflict if the gate has judged something meanwhile.
    """
    file = public_file(policy.approvers, by)
    if not reason.strip():
        raise UsageError('An approval needs a reason: --reason "…".')
    if utc(expires_at) <= utc(at):
        raise UsageError(f"A consent from {at} cannot end at {expires_at}.")
    if by.casefold() in _packers(ledger, approval.bundle):
        name = f"{approval.model}@{approval.bundle[:12]}"
        raise NotApproved(name, f"{by} packed it, and may not approve it: ask another person")
    unsigned = Consent(
        model=approval.model,
        bundle=approval.bundle,
        manifest=approval.manifest,
        verdict=approval.verdict,
        by=by,
        reason=reason,
        approved_at=utc(at),
        expires_at=utc(expires_at),
        key=key.id,
        signature="",
    )
    given = replace(unsigned, signature=key.sign(_payload(unsigned)))
    if not file.is_file():
        raise BadSignature(
            key.id, f"there is no {file.name} in {policy.approvers}. Make it: proveout approvers add {by}"
        )
    _check(given, policy, approval)
    ledger.append(
        "consent", given.bundle, given, actor=by, reason=reason, at=given.approved_at,
        unless_newer=("verdict",), seen=seen,
    )  # fmt: skip
    return given


# --- checking -----------------------------------------------------------------------------------------------------


def entered(ledger: Ledger, bundle: Digest) -> tuple[Consent, ...]:
    """The consents to `bundle` in the ledger, newest first, without those of whoever packed it.

    Their signatures and times are not checked here: see `granted`.
    """
    entries = ledger.entries(kind="consent", subject=bundle, newest_first=True)
    packers = _packers(ledger, bundle) if entries else frozenset()
    found = (read(Consent, entry) for entry in entries)
    return tuple(consent for consent in found if consent.by.casefold() not in packers)


def granted(found: Sequence[Consent], policy: ApprovalPolicy, approval: Approval, *, at: str) -> tuple[Consent, ...]:
    """The consents of `found` that are valid at `at`: for the bundle, manifest and verdict of `approval`, signed by a
    current approver. At most one per person and one per key, the first of `found`.
    """
    held: list[Consent] = []
    required = (approval.model, approval.bundle, approval.manifest, approval.verdict)
    for consent in found:
        try:
            _check(consent, policy, approval)
        except (BadSignature, UsageError):
            continue
        # The signature is valid: now the content can be trusted.
        fits = (consent.model, consent.bundle, consent.manifest, consent.verdict) == required
        again = any(consent.by.casefold() == one.by.casefold() or consent.key == one.key for one in held)
        if fits and not again and utc(at) < utc(consent.expires_at):
            held.append(consent)
    return tuple(held)


def refuse_missing(held: Sequence[Consent], policy: ApprovalPolicy, bundle: Bundle) -> None:
    """Return if enough people have approved.

    Raises: NotApproved with who has approved, how many are missing, and the command to approve.
    """
    if len(held) < policy.persons:
        have = f" ({', '.join(f'{one.by} approved it until {one.expires_at}' for one in held)})" if held else ""
        command = f'proveout approve {bundle.digest[:12]} --by NAME --reason "…"'
        raise NotApproved(bundle.name, f"{shortage(len(held), policy.persons)}{have}. Ask for it: {command}")


def shortage(held: int, persons: int) -> str:
    """How many approvals are missing, as text.

    >>> shortage(1, 2)
    '1 of 2 persons missing'
    """
    return f"{max(0, persons - held)} of {persons} {'person' if persons == 1 else 'persons'} missing"


def until(held: Sequence[Consent], policy: ApprovalPolicy) -> str | None:
    """When the consents will no longer suffice; None if none are required, or too few are valid now."""
    ends = sorted((consent.expires_at for consent in held), reverse=True)
    return ends[policy.persons - 1] if 0 < policy.persons <= len(ends) else None


def _check(consent: Consent, policy: ApprovalPolicy, approval: Approval) -> None:
    """Return if the person it names signed the consent. Raises: BadSignature; UsageError for an invalid name."""
    # The gate must never be able to approve in a person's name, whatever is in the approvers folder.
    if consent.key == approval.key or (policy.gate_keys / f"{consent.key}.pub").exists():
        raise BadSignature(consent.key, "it is the gate's, and the gate cannot approve in a person's name")
    file = public_file(policy.approvers, consent.by)
    check_signature(file, _payload(consent), consent.key, consent.signature)


def _packers(ledger: Ledger, bundle: Digest) -> frozenset[str]:
    # As far as the ledger knows: if a CI system ran the flow, the person behind it is not recorded.
    return frozenset(entry.actor.casefold() for entry in ledger.entries(kind="bundle", subject=bundle))


def _payload(consent: Consent) -> bytes:
    return canonical({name: value for name, value in vars(consent).items() if name != "signature"})
