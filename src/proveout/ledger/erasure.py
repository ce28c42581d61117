"""Erasing a person: their predictions, shadows, outcomes and feedback are deleted; an entry in the chain records it.

Input: pseudonyms, and the values themselves for rows from before a field was marked as personal. Output: how much was
deleted. The chain holds only pseudonyms, so it does not change and still verifies. Rows of older journals that are
copied later are dropped (`Ledger.add_journal`), so erased rows do not come back.

SQLite overwrites deleted rows. PostgreSQL keeps them in its files until its next VACUUM.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, delete, func, or_, select

from proveout.errors import UsageError
from proveout.ledger.ledger import Ledger
from proveout.ledger.tables import ENTRIES, FEEDBACK, OUTCOMES, PREDICTIONS, SHADOWS
from proveout.records.json_form import canonical
from proveout.records.values import Scalar

_IDS_AT_ONCE = 5_000  # per statement, allowed by both databases
_SHORTEST = 4  # characters; a shorter text matches everywhere


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A person to erase: the pseudonym and the value of one field. The value is never stored."""

    field: str
    pseudonym: str
    value: Scalar

    def __repr__(self) -> str:  # keeps the value out of logs
        return f"Subject({self.field}, {self.pseudonym})"

    def traces(self) -> tuple[str, ...]:
        """How a record in JSON contains the subject: as pseudonym, or in the clear from before the field was marked."""
        clear = f'"{self.field}":{canonical(self.value).decode()}'
        return (self.pseudonym, f"{clear},", f"{clear}}}")


@dataclass(frozen=True, kw_only=True)
class Erased:
    """What was deleted."""

    pseudonyms: tuple[str, ...]
    predictions: int
    shadows: int
    outcomes: int
    feedback: int
    entries: tuple[int, ...]  # numbers of the erasure entries; none if there was nothing new to erase


def erase(ledger: Ledger, subjects: Sequence[Subject], *, by: str, reason: str, at: str, anew: bool = False) -> Erased:
    """Delete the rows of `subjects`. A second call deletes only rows that arrived since.

    Args:
        anew: add an entry even if there was one before and no row is left, because rows are still in a journal.
    Raises: UsageError without a person or a reason, or if the reason contains the value.
    """
    if not by.strip() or not reason.strip():
        raise UsageError('An erasure needs a person and a reason: --reason "…".')
    if any(len(text := str(one.value)) >= _SHORTEST and text in f"{by} {reason}" for one in subjects):
        raise UsageError("The reason contains the erased value, and the ledger keeps it forever: give another reason.")
    with ledger.reading() as connection:
        found = _requests(connection, subjects)
    recorded = ledger.subjects("erasure")
    entries = []
    for pseudonym in dict.fromkeys(one.pseudonym for one in subjects):
        if found or anew or pseudonym not in recorded:
            # Before deleting: from now on, the log shipper drops rows of these subjects.
            entry = ledger.append("erasure", pseudonym, {"requests": len(found)}, actor=by, reason=reason, at=at)
            entries.append(entry.seq)
    with ledger.writing() as connection:
        requests = _requests(connection, subjects)
        counts = {table.name: 0 for table in (PREDICTIONS, SHADOWS, OUTCOMES, FEEDBACK)}
        for some in _portions(requests):
            for table in (PREDICTIONS, SHADOWS, OUTCOMES, FEEDBACK):
                counts[table.name] += connection.execute(delete(table).where(table.c.request_id.in_(some))).rowcount
    ledger.settle()
    return Erased(pseudonyms=tuple(dict.fromkeys(one.pseudonym for one in subjects)), entries=tuple(entries), **counts)


def mentions(ledger: Ledger, subjects: Sequence[Subject]) -> Mapping[str, int]:
    """How many other rows contain a subject in the clear: feedback on other answers, and entries of the ledger, which
    cannot be changed. Values with fewer than four characters are not searched, because they match everywhere."""
    texts = sorted({value for one in subjects if len(value := str(one.value)) >= _SHORTEST})
    if not texts:
        return {}
    with ledger.reading() as connection:
        place = _place(connection)
        in_feedback = or_(*(place(FEEDBACK.c.text, text) > 0 for text in texts))
        in_entries = or_(*(place(column, text) > 0 for text in texts for column in (ENTRIES.c.body, ENTRIES.c.reason)))
        counts = {
            "feedback": connection.scalar(select(func.count()).select_from(FEEDBACK).where(in_feedback)) or 0,
            "entries": connection.scalar(select(func.count()).select_from(ENTRIES).where(in_entries)) or 0,
        }
    return {name: count for name, count in counts.items() if count}


def _requests(connection: Connection, subjects: Sequence[Subject]) -> list[str]:
    """Ids of the requests whose record contains one of `subjects`. Reads every record: a second per million."""
    place = _place(connection)
    named = [place(PREDICTIONS.c.record, trace) > 0 for one in subjects for trace in one.traces()]
    return list(connection.scalars(select(PREDICTIONS.c.request_id).where(or_(*named)))) if named else []


def _place(connection: Connection) -> Callable[[Column[str], str], ColumnElement[int]]:
    """The SQL function for the position of a text in another, from 1; 0 if it is not there."""
    return func.instr if connection.dialect.name == "sqlite" else func.strpos


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _IDS_AT_ONCE] for start in range(0, len(ids), _IDS_AT_ONCE))
