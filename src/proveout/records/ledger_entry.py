"""One row of the ledger.

Input: nothing. Output: `Entry`.
"""

from dataclasses import dataclass

from proveout.records.values import Digest


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of the ledger. `hash` covers every other field and the hash before it."""

    seq: int
    at: str
    kind: str  # snapshot, bundle, verdict, approval, consent, release, key, erasure, drift, alert, delivery, audit
    subject: str
    actor: str
    reason: str
    body: str  # JSON of the record
    previous: Digest
    hash: Digest
