"""Approvals of a bundle, and releases.

Output: `Approval` by the gate, `Consent` by a person, `Release`.
"""

from dataclasses import dataclass
from typing import Literal

from proveout.records.values import Digest

Role = Literal["champion", "canary", "shadow"]


@dataclass(frozen=True, kw_only=True)
class Approval:
    """The gate's approval of one bundle: an ed25519 signature over the digests in a verdict."""

    model: str
    bundle: Digest
    manifest: Digest
    data: Digest
    checks: Digest
    verdict: Digest  # hash of the verdict's ledger entry
    approved_at: str
    expires_at: str
    key: str  # id of the public key: the first 16 hex digits of its SHA-256
    signature: str  # base64, over the canonical JSON of all fields but this one


@dataclass(frozen=True, kw_only=True)
class Consent:
    """One person's approval of one bundle, after the gate's; required if `required_approvals` is above 0."""

    model: str
    bundle: Digest
    manifest: Digest
    verdict: Digest  # hash of the ledger entry of the verdict it is about
    by: str  # the person, by the name of their public key
    reason: str
    approved_at: str
    expires_at: str
    key: str  # id of the person's public key
    signature: str  # base64, over the canonical JSON of all fields but this one


@dataclass(frozen=True, kw_only=True)
class Release:
    """A bundle in a role with a share of the traffic, from a time on, with who released it and why."""

    model: str
    bundle: Digest
    role: Role
    share: float  # 0 to 1; 0 ends a canary or a shadow
    since: str
    by: str
    reason: str
    data: Digest
    verdict: Digest  # hash of the verdict's ledger entry
    before: Digest | None = None  # the bundle that held the role before

    @property
    def name(self) -> str:
        """`model@digest`, the name of the release in answers and logs."""
        return f"{self.model}@{self.bundle[:12]}"
