"""Plain values in records: digests, scalars, times.

Output: their types, and `now`. Times are ISO 8601 text in UTC; digests are SHA-256 in hex.
"""

from datetime import UTC, datetime
from typing import NewType

Digest = NewType("Digest", str)
"""SHA-256 of the named content: 64 hexadecimal digits."""

Scalar = str | int | float | bool | None
TargetValue = str | int | float | bool
"""What a target can be: true or false, a class, or a number."""


def now() -> str:
    """The current time in UTC, ISO 8601 with milliseconds. For hosts only: functions that decide get the time."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
