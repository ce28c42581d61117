"""The logged answers of a time span, in portions, because all at once would not fit into memory.

Input: a ledger and a time span. Output: predictions in order of time, each with its outcome if known, and the number of
its event.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, or_, select

from proveout.ledger import prediction_rows
from proveout.ledger.ledger import Ledger
from proveout.ledger.tables import PREDICTIONS
from proveout.ledger.timestamps import utc
from proveout.records.prediction import Outcome, Prediction
from proveout.records.values import TargetValue

_THEIRS = PREDICTIONS.c


@dataclass(frozen=True, kw_only=True)
class LoggedAnswer:
    """One logged answer."""

    prediction: Prediction
    outcome: TargetValue | None  # as corrected; None if unknown
    event: int | None  # equal for answers about the same event, such as one flight; None if it was logged without
    first: Outcome | None = None  # the outcome as it was first known, and when


def count(ledger: Ledger, model: str, *, since: str, until: str) -> int:
    """How many answers are logged from `since` on and before `until`."""
    query = select(func.count()).select_from(PREDICTIONS).where(*_span(model, since, until))
    with ledger.reading() as connection:
        return connection.scalar(query) or 0


def portions(
    ledger: Ledger, model: str, *, since: str, until: str, newest: int | None = None, rows: int = 2_000
) -> Iterator[list[LoggedAnswer]]:
    """Answers from `since` on and before `until`, in order of time, at most `rows` per portion.

    Each portion is a separate query: no transaction is open while the caller works on it.

    Args:
        newest: only this many, the newest ones.
    """
    query = select(PREDICTIONS).where(*_span(model, since, until))
    first = _nth_newest(ledger, model, since=since, until=until, nth=newest) if newest else None
    after = None if first is None else _later(*first, itself=True)
    while True:
        some = query if after is None else query.where(after)
        with ledger.reading() as connection:
            found = connection.execute(some.order_by(_THEIRS.at, _THEIRS.request_id).limit(rows)).all()
        if not found:
            return
        known = ledger.outcome_records([row.request_id for row in found])
        yield [_logged(row, known.get(row.request_id)) for row in found]
        after = _later(found[-1].at, found[-1].request_id)


def _logged(row: Row[Any], outcome: Outcome | None) -> LoggedAnswer:
    return LoggedAnswer(
        prediction=prediction_rows.prediction(row),
        outcome=None if outcome is None else outcome.newest,
        event=row.event,
        first=outcome,
    )


def _nth_newest(ledger: Ledger, model: str, *, since: str, until: str, nth: int) -> tuple[str, str] | None:
    """Time and id of the `nth` newest answer; None if there are fewer."""
    query = select(_THEIRS.at, _THEIRS.request_id).where(*_span(model, since, until))
    with ledger.reading() as connection:
        ordered = query.order_by(_THEIRS.at.desc(), _THEIRS.request_id.desc())
        row = connection.execute(ordered.offset(nth - 1).limit(1)).first()
    return None if row is None else (row.at, row.request_id)


def _span(model: str, since: str, until: str) -> tuple[ColumnElement[bool], ...]:
    return _THEIRS.model == model, _THEIRS.at >= utc(since), _THEIRS.at < utc(until)


def _later(at: str, request_id: str, *, itself: bool = False) -> ColumnElement[bool]:
    after = _THEIRS.request_id >= request_id if itself else _THEIRS.request_id > request_id
    # The bound on the time alone lets the database use the index.
    return and_(_THEIRS.at >= at, or_(_THEIRS.at > at, after))
