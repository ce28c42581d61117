"""Timestamps: ISO 8601 in any time zone becomes UTC text that sorts and compares like the time."""

from datetime import UTC, datetime

from proveout.errors import UsageError


def utc(text: str) -> str:
    """The timestamp in UTC with milliseconds, as `records.now` writes it. Without a time zone, UTC is assumed.

    Raises: UsageError if `text` is not ISO 8601.

    >>> utc("2013-05-01")
    '2013-05-01T00:00:00.000+00:00'
    >>> utc("2013-05-01T06:00:00-04:00")
    '2013-05-01T10:00:00.000+00:00'
    """
    try:
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        # One precision for all: otherwise 10:00:00 and 10:00:00.000 would be the same time as two texts.
        return aware.astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{text!r} is not a timestamp: write ISO 8601, such as 2013-05-01 or 2013-05-01T10:00:00Z."
        ) from error
