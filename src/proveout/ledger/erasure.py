"""Erasing a person: their answers, and what was said of them, leave the tables; that it was done stays in the chain.

Input: pseudonyms, and the values themselves for rows from before a field was hidden. Output: how much was
deleted. The chain holds pseudonyms only, so nothing in it has to change and it still verifies. What is drained later
from a journal that was written before is dropped (`Ledger.add_journal`), so it does not come back.

On SQLite what is deleted is overwritten. PostgreSQL keeps it in its files until its next VACUUM.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, delete, func, or_, select

from proveout.errors import UsageError
from proveout.ledger.ledger import Ledger
from proveout.ledger.tables import ENTRIES, FEEDBACK, OUTCOMES, PREDICTIONS, SHADOWS
from proveout.records.json_form import canonical
from proveout.records.values import Scalar

_IDS_AT_ONCE = 5_000  # as many as a statement may name on either database
_SHORTEST = 4  # characters; a shorter text is found everywhere


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One value of one field: what the log calls it, and what it is. The value is stored nowhere."""

    field: str
    pseudonym: str
    value: Scalar

    def __repr__(self) -> str:  # the value is in no log
        return f"Subject({self.field}, {self.pseudonym})"

    def traces(self) -> tuple[str, ...]:
        """How a record in JSON names the subject: hidden, and in the clear from before the field was marked."""
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
    entries: tuple[int, ...]  # numbers of the ledger's entries that say so; none if there was nothing new to erase


def erase(ledger: Ledger, subjects: Sequence[Subject], *, by: str, reason: str, at: str, anew: bool = False) -> Erased:
    """What was deleted of `subjects`. Once more, it deletes what has come since, and nothing else.

    Args:
        anew: say so in the ledger also where it was said before and no row is left: their rows lie in a journal.
    Raises: UsageError if the reason would say who it is.
    """
    if not by.strip() or not reason.strip():
        raise UsageError('An erasure needs a person and a reason: --reason "…".')
    if any(len(text := str(one.value)) >= _SHORTEST and text in f"{by} {reason}" for one in subjects):
        raise UsageError("The reason names whom it erases, and the ledger keeps it for ever: give another one.")
    with ledger.reading() as connection:
        found = _requests(connection, subjects)
    said = ledger.subjects("erasure")
    entries = []
    for pseudonym in dict.fromkeys(one.pseudonym for one in subjects):
        if found or anew or pseudonym not in said:
            # First: what a drain stores from now on, it stores without them.
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
    """Rows that name a subject in the clear where nobody would look: feedback on other answers, and entries of the
    ledger, which cannot be changed. Values of a few characters are not searched: they are found everywhere."""
    texts = sorted({value for one in subjects if len(value := str(one.value)) >= _SHORTEST})
    if not texts:
        return {}
    with ledger.reading() as connection:
        place = _place(connection)
        told = or_(*(place(FEEDBACK.c.text, text) > 0 for text in texts))
        noted = or_(*(place(column, text) > 0 for text in texts for column in (ENTRIES.c.body, ENTRIES.c.reason)))
        counts = {
            "feedback": connection.scalar(select(func.count()).select_from(FEEDBACK).where(told)) or 0,
            "entries": connection.scalar(select(func.count()).select_from(ENTRIES).where(noted)) or 0,
        }
    return {name: count for name, count in counts.items() if count}


def _requests(connection: Connection, subjects: Sequence[Subject]) -> list[str]:
    """Ids of the requests whose record names one of `subjects`. Reads every record: a second for a million."""
    place = _place(connection)
    named = [place(PREDICTIONS.c.record, trace) > 0 for one in subjects for trace in one.traces()]
    return list(connection.scalars(select(PREDICTIONS.c.request_id).where(or_(*named)))) if named else []


def _place(connection: Connection) -> Callable[[Column[str], str], ColumnElement[int]]:
    """Where a text stands in another, from 1; 0 for nowhere."""
    return func.instr if connection.dialect.name == "sqlite" else func.strpos


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _IDS_AT_ONCE] for start in range(0, len(ids), _IDS_AT_ONCE))
