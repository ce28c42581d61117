"""The ledger: what was made, judged, released and answered, on SQLite or PostgreSQL.

Input: records. Output: entries, append-only and chained by hash, so that edits, removals and reordering are detected;
and predictions, shadows, feedback and outcomes, which are ordinary rows. Each call is one transaction: a failure leaves
nothing behind. Threads may share a ledger; a forked process opens its own. Only importer of SQLAlchemy Core.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects import postgresql, sqlite

from proveout.errors import Conflict, LedgerError, UsageError
from proveout.ledger import database, hash_chain, prediction_rows
from proveout.ledger.tables import ENTRIES, FEEDBACK, JOURNALS, OUTCOMES, PREDICTIONS, SHADOWS
from proveout.ledger.timestamps import utc
from proveout.records.json_form import canonical
from proveout.records.ledger_entry import Entry
from proveout.records.prediction import Feedback, Outcome, Prediction, ShadowAnswer
from proveout.records.values import Digest, TargetValue

_IDS_AT_ONCE = 5_000  # a statement may name 32,766 values on SQLite, 65,535 on PostgreSQL

R = TypeVar("R")
Each = TypeVar("Each")


class Ledger:
    """The tables at an address, created or migrated if needed. On a read-only or full disk it can still be read.

    Args:
        where: a SQLite file (its folder is created), `sqlite:///path` or `postgresql://user:password@host/database`.
        create: whether to create a missing ledger. Readers should not: an empty ledger at a wrong address would say
            that nothing is released.
    Raises: LedgerError if it cannot be reached, is not a database, or was written by a newer proveout; NoLedger if it
        does not exist.
    """

    def __init__(self, where: str | Path, *, create: bool = True) -> None:
        address = database.parse(where)
        self.name = database.name(address)  # for messages: without the password
        with database.failures(address):
            self._pool = database.engine(address, create=create)
        self._insert = postgresql.insert if self._pool.dialect.name == "postgresql" else sqlite.insert
        try:
            self.migrated = database.bring_up(self._pool, create=create)  # whether tables were created or changed
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connections. A closed ledger opens again when it is used."""
        self._pool.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for a query of this package; no other package uses SQLAlchemy."""
        with database.transaction(self._pool) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """The same for changing rows, in one transaction."""
        with database.transaction(self._pool, writes=True) as connection:
            yield connection

    def settle(self) -> None:
        """Remove deleted rows from SQLite's write-ahead log, as far as no other process is reading."""
        if self._pool.dialect.name == "sqlite":
            with database.failures(self._pool.url), self._pool.connect() as connection:
                raw: Any = connection.connection.dbapi_connection
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # --- entries --------------------------------------------------------------------------------------------------

    def append(
        self,
        kind: str,
        subject: str,
        body: object,
        *,
        actor: str,
        reason: str,
        at: str,
        unless_newer: Sequence[str] = (),
        seen: int = 0,
    ) -> Entry:
        """Append an entry to the chain.

        Args:
            body: a record, or a mapping of plain values.
            unless_newer: kinds of entries that must not have been appended after entry number `seen`, because the new
                entry was decided on the state at that time.
        Raises: Conflict if one was; UsageError if a text cannot be stored. Then nothing is appended.
        """
        texts = {"at": utc(at), "kind": kind, "subject": subject, "actor": actor, "reason": reason}
        texts["body"] = _json(texts, body)
        with database.transaction(self._pool, writes=True, alone=True) as connection:
            _refuse_newer(connection, unless_newer, seen, what=f"The {kind} of {subject[:12]}")
            last = connection.execute(
                select(ENTRIES.c.seq, ENTRIES.c.hash).order_by(ENTRIES.c.seq.desc()).limit(1)
            ).first()
            after, previous = last or (0, hash_chain.START)
            entry = hash_chain.link(after=after, previous=previous, **texts)
            connection.execute(ENTRIES.insert(), asdict(entry))
        return entry

    def entries(
        self,
        *,
        kind: str | None = None,
        subject: str | None = None,
        after: int = 0,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> tuple[Entry, ...]:
        """Entries in the order they were appended, or newest first; only those `after` the entry of that number."""
        query = select(ENTRIES).order_by(ENTRIES.c.seq.desc() if newest_first else ENTRIES.c.seq).limit(limit)
        if after:
            query = query.where(ENTRIES.c.seq > after)
        if kind is not None:
            query = query.where(ENTRIES.c.kind == kind)
        if subject is not None:
            query = query.where(ENTRIES.c.subject == subject)
        with database.transaction(self._pool) as connection:
            return tuple(_entry(row) for row in connection.execute(query))

    def subjects(self, kind: str) -> frozenset[str]:
        """The subjects of all entries of this kind."""
        with database.transaction(self._pool) as connection:
            return frozenset(connection.scalars(select(ENTRIES.c.subject).where(ENTRIES.c.kind == kind).distinct()))

    def last_seq(self) -> int:
        """The number of the last entry; 0 if there is none. Entries are numbered from 1 without gaps."""
        with database.transaction(self._pool) as connection:
            return connection.scalar(select(func.max(ENTRIES.c.seq))) or 0

    def head(self) -> Digest:
        """The hash of the last entry. Noted elsewhere, it later shows whether entries were cut off the end."""
        with database.transaction(self._pool) as connection:
            last = connection.scalar(select(ENTRIES.c.hash).order_by(ENTRIES.c.seq.desc()).limit(1))
        return Digest(last) if last else hash_chain.START

    def verify_chain(self, expected_head: str | None = None) -> int:
        """Verify the chain. Returns the number of its entries.

        Args:
            expected_head: a head that was noted earlier, which must still be in the chain.
        Raises: ChainBroken at the first entry that was edited, removed, inserted or reordered.
        """
        with database.transaction(self._pool) as connection:
            # One statement, so it reads one state of the table; in portions, so it does not fill memory.
            rows = connection.execution_options(yield_per=500).execute(select(ENTRIES).order_by(ENTRIES.c.seq))
            return hash_chain.follow((_entry(row) for row in rows), expected_head=expected_head)

    # --- predictions, shadows, feedback and outcomes --------------------------------------------------------------

    def add_journal(
        self, rows: Sequence[prediction_rows.Logged], *, journal: str, offset: int, event_fields: Sequence[str] = ()
    ) -> int:
        """Store `rows` and the journal's copied `offset` (bytes) in one transaction, so a repeated call stores no row
        twice. Feedback with an outcome is also stored as an outcome. Rows of people who were erased since are dropped.

        Args:
            event_fields: request fields that identify an event (`settings.event_key`); without them, all fields do.
        Returns: how many rows were new.
        Raises: UsageError if a row cannot be stored. Then nothing is stored.
        """
        position = self._insert(JOURNALS).values(name=journal, drained=offset)
        # `alone`, because it must see every erasure that has begun to delete: rows stored later would stay.
        with database.transaction(self._pool, writes=True, alone=True) as connection:
            erasures = (
                select(ENTRIES.c.subject, ENTRIES.c.at).where(ENTRIES.c.kind == "erasure").order_by(ENTRIES.c.seq)
            )
            erased = {row.subject: row.at for row in connection.execute(erasures)}
            new = prediction_rows.store(connection, prediction_rows.without(rows, erased), event_fields=event_fields)
            connection.execute(position.on_conflict_do_update(index_elements=["name"], set_={"drained": offset}))
        return new

    def journal_offset(self, journal: str) -> int:
        """How many bytes of `journal` are copied; 0 for an unknown journal."""
        with database.transaction(self._pool) as connection:
            return connection.scalar(select(JOURNALS.c.drained).where(JOURNALS.c.name == journal)) or 0

    def predictions(
        self, *, model: str | None = None, since: str | None = None, until: str | None = None, newest: int | None = None
    ) -> tuple[Prediction, ...]:
        """Logged answers from `since` on and before `until`, in order of time; only the `newest` ones."""
        query = select(PREDICTIONS).order_by(PREDICTIONS.c.at.desc(), PREDICTIONS.c.request_id.desc()).limit(newest)
        if model is not None:
            query = query.where(PREDICTIONS.c.model == model)
        if since is not None:
            query = query.where(PREDICTIONS.c.at >= utc(since))
        if until is not None:
            query = query.where(PREDICTIONS.c.at < utc(until))
        with database.transaction(self._pool) as connection:
            return tuple(prediction_rows.prediction(row) for row in reversed(connection.execute(query).all()))

    def prediction(self, request_id: str) -> Prediction | None:
        """The answer to one request; None if none is logged."""
        with database.transaction(self._pool) as connection:
            row = connection.execute(select(PREDICTIONS).where(PREDICTIONS.c.request_id == request_id)).first()
        return None if row is None else prediction_rows.prediction(row)

    def feedback_of(self, request_id: str) -> tuple[Feedback, ...]:
        """The feedback on one answer, oldest first."""
        query = select(FEEDBACK).where(FEEDBACK.c.request_id == request_id)
        with database.transaction(self._pool) as connection:
            rows = connection.execute(query.order_by(FEEDBACK.c.at, FEEDBACK.c.feedback_id))
            return tuple(prediction_rows.feedback(row) for row in rows)

    def shadows(
        self,
        *,
        release: str | None = None,
        request_id: str | None = None,
        since: str | None = None,
        newest: int | None = None,
    ) -> tuple[ShadowAnswer, ...]:
        """Answers of shadows in order of time: of one `release`, to one request, only the `newest` ones."""
        query = select(SHADOWS).order_by(SHADOWS.c.at.desc(), SHADOWS.c.request_id.desc()).limit(newest)
        if release is not None:
            query = query.where(SHADOWS.c.release == release)
        if request_id is not None:
            query = query.where(SHADOWS.c.request_id == request_id)
        if since is not None:
            query = query.where(SHADOWS.c.at >= utc(since))
        with database.transaction(self._pool) as connection:
            return tuple(prediction_rows.shadow(row) for row in reversed(connection.execute(query).all()))

    def prediction_count(self) -> int:
        """How many answers are logged, of every model."""
        with database.transaction(self._pool) as connection:
            return connection.scalar(select(func.count()).select_from(PREDICTIONS)) or 0

    def prediction_ids(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of `ids` that are logged."""
        known: set[str] = set()
        with database.transaction(self._pool) as connection:
            for some in _portions(ids):
                query = select(PREDICTIONS.c.request_id).where(PREDICTIONS.c.request_id.in_(some))
                known.update(connection.scalars(query))
        return frozenset(known)

    def add_outcomes(self, outcomes: Sequence[Outcome]) -> int:
        """Store outcomes. Returns how many were new or corrected.

        The first outcome of a request stays as such; a later and different one is stored beside it as its correction.
        """
        rows = [
            (outcome.request_id, prediction_rows.value_text(outcome.value), utc(outcome.known_at), None, None)
            for outcome in outcomes
        ]
        with database.transaction(self._pool, writes=True) as connection:
            new = prediction_rows.insert_new(connection, OUTCOMES, rows)
            if new == len(rows):
                return new
            return new + sum(prediction_rows.correct(connection, some) for some in _portions(outcomes))

    def outcomes(self, request_ids: Sequence[str]) -> Mapping[str, TargetValue]:
        """The known outcomes of `request_ids`, as corrected."""
        return {request_id: one.newest for request_id, one in self.outcome_records(request_ids).items()}

    def outcome_records(self, request_ids: Sequence[str]) -> Mapping[str, Outcome]:
        """The same, as first known and as corrected, with both times."""
        known: dict[str, Outcome] = {}
        with database.transaction(self._pool) as connection:
            for some in _portions(request_ids):
                query = select(OUTCOMES).where(OUTCOMES.c.request_id.in_(some))
                known.update((row.request_id, prediction_rows.outcome(row)) for row in connection.execute(query))
        return known


def read(kind: type[R], entry: Entry) -> R:
    """The record in `entry`. Raises: LedgerError if it does not contain such a record."""
    from pydantic import ValidationError

    any_kind: Any = kind  # mypy does not know that a type is hashable
    try:
        record: R = _reader(any_kind).validate_json(entry.body)
    except ValidationError as error:
        problem = f"holds no {kind.__name__} in entry {entry.seq}, which calls itself a {entry.kind}"
        raise LedgerError("of this project", problem, "See whether it was edited: proveout ledger verify") from error
    return record


@lru_cache(maxsize=32)
def _reader(kind: Any) -> Any:
    # Building an adapter takes a hundred times as long as reading one record.
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _json(texts: Mapping[str, str], body: object) -> str:
    """JSON of `body`. Raises: UsageError if the body or one of the `texts` cannot be stored."""
    try:
        canonical(texts)
        stored = canonical(body).decode()
    except TypeError as error:
        raise UsageError(f"The ledger cannot hold this {texts['kind']}: {error}.") from error
    if any("\0" in value for value in texts.values()):
        raise UsageError(f"The ledger cannot hold this {texts['kind']}: PostgreSQL knows no NUL character.")
    return stored


def _refuse_newer(connection: Connection, kinds: Sequence[str], seen: int, *, what: str) -> None:
    if not kinds:
        return
    newer = select(ENTRIES).where(ENTRIES.c.seq > seen, ENTRIES.c.kind.in_(kinds)).order_by(ENTRIES.c.seq).limit(1)
    for row in connection.execute(newer):
        raise Conflict(what, f"{row.actor} added a {row.kind} of {row.subject[:12]}, because: {row.reason}")


def _entry(row: Row[Any]) -> Entry:
    return Entry(**row._mapping)


def _portions(all_of: Sequence[Each]) -> Iterator[tuple[Each, ...]]:
    rest = iter(all_of)
    return iter(lambda: tuple(islice(rest, _IDS_AT_ONCE)), ())
