"""What the prediction service is given: who asks, and what was asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from proveout.records.api_key import Scope
from proveout.records.values import Scalar

_EVERY: frozenset[Scope] = frozenset(get_args(Scope))


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks, and how often they may."""

    key: str  # the id of their API key, "" where none is needed
    tenant: str  # callers of one tenant may share cached answers
    scopes: frozenset[Scope]
    rate_per_s: float | None = None
    burst: int | None = None
    per_day: int | None = None


ANYBODY = Caller(key="", tenant="", scopes=_EVERY)
"""The caller where no key is asked for."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A body that was let in."""

    record: Mapping[str, Scalar]
    explain: bool
