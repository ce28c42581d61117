"""API keys: permission to call the server.

Output: `ApiKey`, without its secret, and its scopes.
"""

from dataclasses import dataclass
from typing import Literal

Scope = Literal["predict", "feedback", "admin", "metrics"]


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """Permission to call the server, without the secret, which is shown once when the key is created."""

    id: str  # 12 hexadecimal digits, the middle part of `po_<id>_<secret>`
    name: str  # who uses it
    tenant: str  # callers who may share cached answers
    mac: str  # HMAC-SHA256 of the secret under the pepper, in hex
    scopes: tuple[Scope, ...]
    rate_per_s: float | None = None  # requests; None for no limit
    burst: int | None = None  # requests at once
    per_day: int | None = None  # requests between two midnights in UTC
    created_at: str
    revoked_at: str | None = None
