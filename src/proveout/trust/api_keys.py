"""API keys: who may call the server, and with which scopes. The ledger holds the HMAC of a key's secret, never the
secret.

Input: the name, tenant, scopes and limits of a key. Output: the key's text `po_<id>_<secret>`, once; and the current
keys, folded from the entries. Revoking a key adds an entry, so the ledger shows who could call when.
"""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from proveout.errors import NotFound, UsageError
from proveout.ledger.ledger import Ledger, read
from proveout.ledger.timestamps import utc
from proveout.records.api_key import ApiKey, Scope

SCOPES: tuple[Scope, ...] = ("predict", "feedback", "admin", "metrics")


@dataclass(frozen=True, kw_only=True)
class NewKey:
    """A key that was just created. Its `text` exists only here and cannot be shown again."""

    key: ApiKey
    text: str = field(repr=False)  # kept out of tracebacks and logs


def create(
    ledger: Ledger,
    pepper: bytes,
    *,
    name: str,
    tenant: str,
    scopes: Sequence[Scope],
    rate_per_s: float | None = None,
    burst: int | None = None,
    per_day: int | None = None,
    by: str,
    reason: str,
    at: str,
) -> NewKey:
    """Create a key called `name`. Raises: UsageError for invalid arguments; Conflict if keys were changed meanwhile."""
    seen = ledger.last_seq()
    _refuse_misuse(name, tenant, scopes, limits=(rate_per_s, burst, per_day))
    if not by.strip() or not reason.strip():
        raise UsageError('A key says who made it and why: --by NAME --reason "…".')
    if any(key.name == name and key.revoked_at is None for key in known(ledger)):
        raise UsageError(f"A key called {name} is in use. Revoke it first, or take another name: proveout keys list")
    text = secrets.token_urlsafe(32)
    key = ApiKey(
        id=secrets.token_hex(6),
        name=name,
        tenant=tenant,
        mac=mac_of(pepper, text),
        scopes=tuple(scope for scope in SCOPES if scope in scopes),
        rate_per_s=rate_per_s,
        burst=burst,
        per_day=per_day,
        created_at=utc(at),
    )
    ledger.append("key", key.id, key, actor=by, reason=reason, at=at, unless_newer=("key",), seen=seen)
    return NewKey(key=key, text=f"po_{key.id}_{text}")


def revoke(ledger: Ledger, which: str, *, by: str, reason: str, at: str) -> ApiKey:
    """Revoke the key `which` (its name, or the first digits of its id). A revoked key stays as it is.

    Raises: NotFound; UsageError if several keys match; Conflict if keys were changed meanwhile.
    """
    seen = ledger.last_seq()
    if not by.strip() or not reason.strip():
        raise UsageError('Revoking a key needs a person and a reason: --by NAME --reason "…".')
    key = find(ledger, which)
    if key.revoked_at is not None:
        return key
    revoked = replace(key, revoked_at=utc(at))
    ledger.append("key", key.id, revoked, actor=by, reason=reason, at=at, unless_newer=("key",), seen=seen)
    return revoked


def known(ledger: Ledger) -> tuple[ApiKey, ...]:
    """Every key, including revoked ones, in the order of creation."""
    folded: dict[str, ApiKey] = {}
    for entry in ledger.entries(kind="key"):
        key = read(ApiKey, entry)
        before = folded.get(key.id)
        # A revoked key stays revoked, even if a later entry was decided before the revocation.
        folded[key.id] = replace(key, revoked_at=before.revoked_at) if before and before.revoked_at else key
    return tuple(folded.values())


def find(ledger: Ledger, which: str) -> ApiKey:
    """The key with this name, or whose id begins with it. If a name was reused, the key in use, else the last one.

    Raises: NotFound; UsageError if several keys match.
    """
    # If somebody pastes the whole key, its secret must not appear in messages.
    start = which[3:15] if which.startswith("po_") else which
    every = known(ledger)
    named = [key for key in every if key.name == start]
    found = [key for key in named if key.revoked_at is None] or named[-1:]
    if not found and start:
        found = [key for key in every if key.id.startswith(start.lower())]
    if not found:
        raise NotFound("key", start, "List them: proveout keys list")
    if len(found) > 1:
        raise UsageError(f"{start} begins the ids of {len(found)} keys: give more digits.")
    return found[0]


def mac_of(pepper: bytes, secret: str) -> str:
    """HMAC-SHA256 of a key's secret under the pepper, in hex. A secret of 256 random bits needs no slow hash."""
    return hmac.digest(pepper, secret.encode(), "sha256").hex()


def _refuse_misuse(name: str, tenant: str, scopes: Sequence[Scope], *, limits: Sequence[float | None]) -> None:
    if not name.strip() or not tenant.strip():
        raise UsageError("A key needs a name and a tenant. Keys of one tenant share cached answers.")
    if not scopes or set(scopes) - set(SCOPES):
        raise UsageError(f"A key needs scopes from {', '.join(SCOPES)}. Given: {', '.join(scopes) or 'none'}.")
    if any(limit is not None and not limit > 0 for limit in limits):
        raise UsageError("A key's limits must be above zero. For no limit, leave it out. To stop a key, revoke it.")
