"""Leave to call the server.

Input: nothing. Output: `ApiKey`, without its secret, and what it may be for.
"""

from dataclasses import dataclass
from typing import Literal

Scope = Literal["predict", "feedback", "admin", "metrics"]


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """Leave to call the server, without the secret: that is shown once, when the key is made."""

    id: str  # 12 hexadecimal digits, the middle part of `po_<id>_<secret>`
    name: str  # whose it is, as people know it
    tenant: str  # callers who may share cached answers
    mac: str  # HMAC-SHA256 of the secret under the pepper, in hex
    scopes: tuple[Scope, ...]
    rate_per_s: float | None = None  # requests; None for no limit
    burst: int | None = None  # requests at once
    per_day: int | None = None  # requests between two midnights in UTC
    created_at: str
    revoked_at: str | None = None
