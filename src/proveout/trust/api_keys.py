"""API keys: who may call the server, and what for. Entries of the ledger, which hold the HMAC of a secret, never it.

Input: what a key is for. Output: the key's text `po_<id>_<secret>`, once; and the keys as they stand, folded from
the entries. A key that is revoked is an entry more, so the book says who could call when.
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
    """A key that was just made. `text` is shown only here, and only once."""

    key: ApiKey
    text: str = field(repr=False)  # a traceback or a log shows the record without it


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
    """A new key called `name`. Raises: UsageError if that cannot be meant; Conflict if keys were changed meanwhile."""
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
    """The key `which` (its name, or the first digits of its id), from now on without use. Revoked before: as it was.

    Raises: NotFound; UsageError if several keys are meant; Conflict if keys were changed meanwhile.
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
    """Every key, revoked ones included, in the order they were made."""
    folded: dict[str, ApiKey] = {}
    for entry in ledger.entries(kind="key"):
        key = read(ApiKey, entry)
        before = folded.get(key.id)
        # Nothing brings a revoked key back, also not an entry that was decided on before.
        folded[key.id] = replace(key, revoked_at=before.revoked_at) if before and before.revoked_at else key
    return tuple(folded.values())


def find(ledger: Ledger, which: str) -> ApiKey:
    """The one key with that name, or whose id begins so; of a name used again, the one that is in use.

    Raises: NotFound; UsageError if several are meant.
    """
    # Somebody in a hurry pastes the whole key. Its secret stays out of what is said.
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
        raise UsageError("A key has a name, and a tenant: whose cached answers it may be given.")
    if not scopes or set(scopes) - set(SCOPES):
        raise UsageError(f"A key's scopes are some of {', '.join(SCOPES)}; asked for: {', '.join(scopes) or 'none'}.")
    if any(limit is not None and not limit > 0 for limit in limits):
        raise UsageError("A key's limits are above zero; without one, leave it out. To stop a key, revoke it.")
