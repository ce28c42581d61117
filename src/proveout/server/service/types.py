"""The input of the prediction service: the caller and the request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from proveout.records.api_key import Scope
from proveout.records.values import Scalar

_EVERY: frozenset[Scope] = frozenset(get_args(Scope))


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The owner of an API key, and their limits."""

    key: str  # the id of the API key; "" where none is needed
    tenant: str  # callers of one tenant may share cached answers
    scopes: frozenset[Scope]
    rate_per_s: float | None = None
    burst: int | None = None
    per_day: int | None = None


ANYBODY = Caller(key="", tenant="", scopes=_EVERY)
"""The caller where no key is needed."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A validated request body."""

    record: Mapping[str, Scalar]
    explain: bool
