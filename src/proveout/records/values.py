"""Plain values that records are made of: digests, scalars, moments.

Input: nothing. Output: their types, and `now`. Times are ISO 8601 in UTC, as text; digests are SHA-256 in hex.
"""

from datetime import UTC, datetime
from typing import NewType

Digest = NewType("Digest", str)
"""SHA-256 of what it names: 64 hexadecimal digits."""

Scalar = str | int | float | bool | None
TargetValue = str | int | float | bool
"""What a target can be: true or false, a class, or a number."""


def now() -> str:
    """This moment in UTC, ISO 8601 with milliseconds. For hosts only: what decides gets the time as an argument."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
