"""Predictions, answers of shadows and feedback as rows of their tables: storing and reading.

Input: records, and a connection in a transaction. Output: how many rows were new; and the records again. Rows go to the
driver as tuples, because SQLAlchemy's own inserts cost five times as much per row, and the log shipper has to keep up
with the server.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Table, bindparam, select, update

from proveout.errors import UsageError
from proveout.ledger.tables import FEEDBACK, OUTCOMES, PREDICTIONS, SHADOWS
from proveout.ledger.timestamps import utc
from proveout.records.answer import Answer
from proveout.records.json_form import canonical
from proveout.records.prediction import Feedback, Outcome, Prediction, ShadowAnswer
from proveout.records.values import Scalar, TargetValue

Logged = Prediction | ShadowAnswer | Feedback

HIDDEN = "pii:"
"""The prefix of a pseudonym in a logged record (`server/service/pseudonyms.py`)."""


def store(connection: Connection, rows: Sequence[Logged], *, event_fields: Sequence[str] = ()) -> int:
    """Store `rows`. Returns how many were new. An outcome in feedback is stored too, unless the request has one.

    Raises: UsageError if a row cannot be stored. Then the caller must roll the transaction back.
    """
    predictions: list[tuple[Any, ...]] = []
    shadows: list[tuple[Any, ...]] = []
    feedback: list[tuple[Any, ...]] = []
    outcomes: list[tuple[Any, ...]] = []
    for row in rows:
        try:
            if isinstance(row, Prediction):
                predictions.append(_prediction_values(row, event_fields))
            elif isinstance(row, ShadowAnswer):
                shadows.append(_shadow_values(row))
            else:
                feedback.append(_feedback_values(row))
                if row.outcome is not None:
                    outcomes.append((row.request_id, value_text(row.outcome), utc(row.at), None, None))
        except (TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"A {type(row).__name__} cannot be stored: {error}.") from error
    new = insert_new(connection, PREDICTIONS, predictions)
    new += insert_new(connection, SHADOWS, shadows) + insert_new(connection, FEEDBACK, feedback)
    insert_new(connection, OUTCOMES, outcomes)
    return new


def without(rows: Sequence[Logged], erased: Mapping[str, str]) -> Sequence[Logged]:
    """`rows` without those of people who were erased after the request.

    Args:
        erased: the time of the last erasure, by pseudonym.
    """
    if not erased:
        return rows
    gone = {
        row.request_id
        for row in rows
        if isinstance(row, Prediction)
        and any(isinstance(value, str) and utc(row.at) <= erased.get(value, "") for value in row.record.values())
    }
    return [row for row in rows if row.request_id not in gone]


def insert_new(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert the `rows` (tuples in the order of the table's columns) that are not there yet. Returns how many."""
    if not rows:
        return 0
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    marks = ", ".join([mark] * len(table.columns))
    statement = f"INSERT INTO {table.name} ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608 - constants
    # Both drivers return the sum over all inserts of one call.
    return connection.exec_driver_sql(statement, list(rows)).rowcount


def correct(connection: Connection, outcomes: Sequence[Outcome]) -> int:
    """Store values that differ from those known, and are newer, as corrections. Returns how many."""
    known = {one.request_id: one for one in outcomes}
    query = select(OUTCOMES).where(OUTCOMES.c.request_id.in_(known)).with_for_update()
    changed = []
    for found in map(outcome, connection.execute(query)):
        told = known[found.request_id]
        if value_text(told.value) != value_text(found.newest) and utc(told.known_at) > (
            found.corrected_at or found.known_at
        ):
            changed.append({"of": found.request_id, "now": value_text(told.value), "at": utc(told.known_at)})
    if changed:
        put = update(OUTCOMES).where(OUTCOMES.c.request_id == bindparam("of"))
        connection.execute(put.values(corrected=bindparam("now"), corrected_at=bindparam("at")), changed)
    return len(changed)


def event_key(values: Iterable[Scalar]) -> tuple[Scalar, ...]:
    """An event key that can be joined by equality: null equals null, and 3 equals 3.0.

    >>> event_key(("B2", 3.0, float("nan")))
    ('B2', 3, None)
    """
    return tuple(map(_event_value, values))


def _event_value(value: Scalar) -> Scalar:
    if isinstance(value, float):
        return None if math.isnan(value) else int(value) if value.is_integer() else value
    return value


def event_of(record: Mapping[str, Scalar], fields: Sequence[str]) -> int:
    """The number of the request's event: equal for equal key `fields` (all fields, if none are named)."""
    named = {field: _event_value(record.get(field)) for field in fields or record}
    return int.from_bytes(blake2b(canonical(named), digest_size=8).digest(), "big", signed=True)


def prediction(row: Row[Any]) -> Prediction:
    """The prediction in a row of its table."""
    fields = dict(row._mapping)
    del fields["event"], fields["value"]  # derived from the record and the answer
    return Prediction(**{**fields, "record": orjson.loads(row.record), "answer": answer(row.answer)})


def shadow(row: Row[Any]) -> ShadowAnswer:
    """The shadow's answer in a row of its table."""
    return ShadowAnswer(**{**row._mapping, "answer": None if row.answer is None else answer(row.answer)})


def feedback(row: Row[Any]) -> Feedback:
    """The feedback in a row of its table."""
    return Feedback(**{**row._mapping, "outcome": None if row.outcome is None else value(row.outcome)})


def outcome(row: Row[Any]) -> Outcome:
    """The outcome in a row of its table."""
    corrected = None if row.corrected is None else value(row.corrected)
    return Outcome(
        request_id=row.request_id, value=value(row.value), known_at=row.known_at, corrected=corrected,
        corrected_at=row.corrected_at,
    )  # fmt: skip


def answer(text: str) -> Answer:
    """The answer from its JSON text."""
    return Answer(**orjson.loads(text))


def value(text: str) -> TargetValue:
    """A predicted value or an outcome, from its JSON text."""
    found: TargetValue = orjson.loads(text)
    return found


def value_text(found: TargetValue) -> str:
    """The canonical JSON text of a value: two values are equal if and only if their texts are.

    >>> value_text(True), value_text("red"), value_text(2.5)
    ('true', '"red"', '2.5')
    """
    if found is True or found is False:  # nearly always
        return "true" if found else "false"
    if isinstance(found, float) and not math.isfinite(found):
        raise ValueError(f"{found} is no value")
    return canonical(found).decode()


# Each in the order of its table's columns.


def _prediction_values(row: Prediction, event_fields: Sequence[str]) -> tuple[Any, ...]:
    return (
        _text(row.request_id),
        utc(row.at),
        _text(row.model),
        _text(row.release),
        _text(row.answered_by),
        None if row.answer.value is None else value_text(row.answer.value),
        _answer_text(row.answer),
        float(row.latency_ms),
        None if row.fallback_reason is None else _text(row.fallback_reason),
        canonical(row.record).decode(),
        _text(row.role),
        _text(row.key),
        event_of(row.record, event_fields),
    )


def _shadow_values(row: ShadowAnswer) -> tuple[Any, ...]:
    return (
        _text(row.request_id),
        _text(row.release),
        utc(row.at),
        None if row.answer is None else _answer_text(row.answer),
        float(row.latency_ms),
        None if row.problem is None else _text(row.problem),
    )


def _feedback_values(row: Feedback) -> tuple[Any, ...]:
    return (
        _text(row.feedback_id),
        _text(row.request_id),
        utc(row.at),
        None if row.outcome is None else value_text(row.outcome),
        bool(row.wrong),
        _text(row.text),
        _text(row.key),
    )


def _text(value: str) -> str:
    # A text that one of the two databases cannot store is refused on both, so that it does not block other rows.
    if "\0" in value:
        raise ValueError("PostgreSQL knows no NUL character")
    value.encode()  # a lone surrogate has no bytes
    return value


def _answer_text(given: Answer) -> str:
    """The JSON of an answer, without fields that are None. JSON escapes NUL and has no lone surrogates."""
    return canonical(vars(given)).decode()
