"""Authentication and authorization: API keys, and the rule of every route.

Input: the headers of a request, and the keys that the desired state lists. Output: a `Caller`; or `Refused`, with 401
for an unknown caller and 403 for a missing scope. A key is `po_<id>_<secret>`; the server knows only its HMAC.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Literal

from proveout.records.api_key import ApiKey, Scope
from proveout.server.http.validation import Problem, Refused
from proveout.server.server_state import DesiredState
from proveout.server.service.types import ANYBODY, Caller

Method = Literal["GET", "POST"]

_OPEN: frozenset[Scope] = frozenset()
_PREDICT: frozenset[Scope] = frozenset({"predict"})

RULES: Mapping[tuple[str, Method], frozenset[Scope]] = {
    # A caller needs one of these scopes. An empty set: no key is needed.
    ("/", "GET"): _OPEN,  # the empty form
    ("/docs", "GET"): _OPEN,
    ("/openapi.json", "GET"): _OPEN,
    ("/livez", "GET"): _OPEN,
    ("/readyz", "GET"): _OPEN,  # details only for `admin`
    ("/startupz", "GET"): _OPEN,
    ("/metrics", "GET"): frozenset({"metrics"}),
    ("/predict", "POST"): _PREDICT,
    ("/predict/batch", "POST"): _PREDICT,
    ("/feedback", "POST"): frozenset({"feedback"}),
    ("/predictions/{id}", "GET"): frozenset({"predict", "admin"}),  # `predict`: only answers to the same key
    ("/v2", "GET"): _OPEN,
    ("/v2/health/live", "GET"): _OPEN,
    ("/v2/health/ready", "GET"): _OPEN,
    ("/v2/models/{name}", "GET"): _PREDICT,
    ("/v2/models/{name}/ready", "GET"): _PREDICT,
    ("/v2/models/{name}/infer", "POST"): _PREDICT,
    ("/v2/models/{name}/versions/{version}", "GET"): _PREDICT,
    ("/v2/models/{name}/versions/{version}/ready", "GET"): _PREDICT,
    ("/v2/models/{name}/versions/{version}/infer", "POST"): _PREDICT,
}
"""The scopes of each route. `app.Gateway` does not start if it has a route that is missing here."""

_KEY = re.compile(rb"po_([0-9a-f]{12})_([A-Za-z0-9_-]{16,128})")
_NO_MAC = "0" * 64
_CHALLENGE = (b"www-authenticate", b'Bearer realm="proveout"')


_NOBODY = Caller(key="", tenant="", scopes=frozenset())


class Authenticator:
    """Finds the caller of a request by the API key in its headers.

    Args:
        mac: gives the HMAC of a secret, in hex, as the ledger stores it for each key.
        required: whether requests need a key. If not, every caller is `ANYBODY`.
    """

    def __init__(self, *, mac: Callable[[str], str], required: bool) -> None:
        self._mac, self.required = mac, required
        self._desired: DesiredState | None = None
        self._keys: dict[str, tuple[str, Caller]] = {}
        # Keys verified since this desired state was read, by a hash of their text. At most one entry per key.
        self._verified: dict[bytes, Caller] = {}

    def __repr__(self) -> str:
        return f"Authenticator(required={self.required}, {len(self._keys)} keys)"

    def caller(self, headers: Mapping[bytes, bytes], desired: DesiredState | None) -> Caller:
        """The owner of the key in `headers`, by the keys of `desired`. A key counts as revoked once `desired` says so.

        Returns: a caller without scopes if there is no key, or an unknown or revoked one.
        """
        if not self.required:
            return ANYBODY
        if desired is not self._desired:
            self._read_keys(desired)
        text = _key_text(headers)
        mark = blake2b(text, digest_size=16).digest()
        verified = self._verified.get(mark)
        if verified is not None:
            return verified
        found = _KEY.fullmatch(text)
        if found is None:
            return _NOBODY
        # Unknown ids take the same time, so timing does not reveal which ids exist.
        mac, caller = self._keys.get(found[1].decode(), (_NO_MAC, _NOBODY))
        if not hmac.compare_digest(self._mac(found[2].decode()), mac):
            return _NOBODY
        self._verified[mark] = caller
        return caller

    def _read_keys(self, desired: DesiredState | None) -> None:
        self._desired = desired
        self._verified.clear()
        self._keys = (
            {key.id: (key.mac, _caller(key)) for key in desired.keys if key.revoked_at is None} if desired else {}
        )


def _caller(key: ApiKey) -> Caller:
    return Caller(
        key=key.id,
        tenant=key.tenant,
        scopes=frozenset(key.scopes),
        rate_per_s=key.rate_per_s,
        burst=key.burst,
        per_day=key.per_day,
    )


def _key_text(headers: Mapping[bytes, bytes]) -> bytes:
    """The API key in the headers; b"" if there is none."""
    bearer = headers.get(b"authorization", b"")
    if bearer[:7].lower() == b"bearer ":
        return bearer[7:].strip()
    return headers.get(b"x-api-key", b"").strip()


def admit(caller: Caller, needed: frozenset[Scope]) -> None:
    """Check the caller's scopes. Raises: Refused unless `needed` is empty or they have one of its scopes."""
    if not needed or caller.scopes & needed:
        return
    if not caller.scopes:
        detail = "Send a valid API key: `Authorization: Bearer po_…`, or `X-API-Key: po_…`."
        raise Refused(Problem(status=401, kind="no-key", title="Authentication required", detail=detail), _CHALLENGE)
    detail = f"The key lacks the scope that this route needs: {' or '.join(sorted(needed))}."
    raise Refused(Problem(status=403, kind="scope", title="Insufficient scope", detail=detail))
