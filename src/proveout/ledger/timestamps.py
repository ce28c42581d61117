"""One form for moments: comes in ISO 8601 in any zone, goes out UTC text that sorts and compares as the time does."""

from datetime import UTC, datetime

from proveout.errors import UsageError


def utc(text: str) -> str:
    """The moment `text` names, in UTC with milliseconds, as `records.now` writes it. No zone is taken for UTC.

    Raises: UsageError if `text` is not ISO 8601.

    >>> utc("2013-05-01")
    '2013-05-01T00:00:00.000+00:00'
    >>> utc("2013-05-01T06:00:00-04:00")
    '2013-05-01T10:00:00.000+00:00'
    """
    try:
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        # One precision for all: otherwise 10:00:00 and 10:00:00.000 are the same moment and two texts.
        return aware.astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{text!r} names no moment: write ISO 8601, such as 2013-05-01 or 2013-05-01T10:00:00Z."
        ) from error
