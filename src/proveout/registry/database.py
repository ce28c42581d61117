"""The database under the ledger: its address, how SQLite and PostgreSQL are opened, its schema, and what went wrong.

Comes in: a URL. Goes out: a SQLAlchemy engine on tables of the newest version. A password in the URL leaves by no
message. Door to: SQLAlchemy's engines, alembic.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from proveout.errors import LedgerError
from proveout.registry.tables import HEAD, VERSION_TABLE, VERSIONS

BUSY_S = 15  # how long a writer waits for another one
_LOCK = 0x70726F76656F7574  # "proveout": the advisory lock of whoever appends or migrates on PostgreSQL


def parse(url: str) -> URL:
    """The address in `url`, with the driver this package ships for. Raises: LedgerError for any other database."""
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        # `from None`: the foreign message may repeat the address, and the address a password.
        remedy = "Write PROVEOUT_LEDGER_URL as sqlite:///path or postgresql://user:password@host/database"
        raise LedgerError("address", "cannot be read", remedy) from None
    if "@" in (parsed.host or ""):
        raise LedgerError("address", "has a bare @ in its password", "Write it as %40 in PROVEOUT_LEDGER_URL")
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        return parsed
    problem = f"is a {parsed.drivername} database, neither SQLite nor PostgreSQL"
    raise LedgerError("of this address", problem, "Write PROVEOUT_LEDGER_URL as sqlite:///… or postgresql://…")


def name(url: URL) -> str:
    """What a message calls the ledger: no user, no password, no option (a password may be among those too)."""
    if url.get_backend_name() == "sqlite":
        return url.database or ":memory:"
    host = url.host or url.query.get("host") or "localhost"
    return f"postgresql://{host}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def engine(url: URL) -> Engine:
    """Connections to `url`, made as they are needed. The folder of a SQLite file is made now."""
    # hide_parameters: what a failing statement was to store is the users' data, and does not belong in a traceback.
    if url.get_backend_name() == "postgresql":
        timeout = {} if "connect_timeout" in url.query else {"connect_timeout": 5}
        return create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args=timeout)
    if url.database:
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f"has no folder and none can be made: {error.strerror}"
            raise LedgerError(name(url), problem, "Mend the folder, or name another in PROVEOUT_LEDGER_URL") from error
    made = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_S})
    event.listen(made, "connect", _prepare)
    event.listen(made, "begin", _begin)
    return made


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # `_begin` says BEGIN; the driver would say it too late and never IMMEDIATE
    connection.execute("PRAGMA synchronous = NORMAL")  # with WAL: a power cut may cost the last commits, never the file
    connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten, not only forgotten
    give_up = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # Of two processes that switch a new file to WAL, SQLite refuses one at once, whatever `timeout` says.
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _begin(connection: Connection) -> None:
    # A writer asks for the lock at once: one that asks half-way is refused when another wrote since it began to read.
    writes = connection.get_execution_options().get("proveout_writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def transaction(pool: Engine, *, writes: bool = False, alone: bool = False) -> Iterator[Connection]:
    """One transaction, rolled back by whatever raises in it. `alone`: nobody else appends or migrates meanwhile.

    Raises: LedgerError for what the database refused.
    """
    with failures(pool.url), pool.connect() as plain:
        connection = plain.execution_options(proveout_writes=writes)
        with connection.begin():
            # SQLite has one writer at a time anyway, from BEGIN IMMEDIATE on.
            if alone and connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield connection


def bring_up(pool: Engine) -> bool:
    """Make the tables those of this version; False if they are already.

    Raises: LedgerError if a newer proveout made them.
    """
    with transaction(pool) as connection:
        if _version(connection) == HEAD:
            return False
    with transaction(pool, writes=True, alone=True) as connection:
        version = _version(connection)  # again: another process may have been faster
        if version == HEAD:
            return False
        if version is not None and version not in VERSIONS:
            problem = f"was written by a newer proveout (its schema is {version}, this one knows up to {HEAD})"
            raise LedgerError(name(pool.url), problem, "Upgrade proveout: pip install --upgrade proveout")
        # Not at the top: there is seldom anything to migrate, and alembic takes 0.1 s to import.
        from alembic import command
        from alembic.config import Config

        config = Config(attributes={"connection": connection})
        folder = str(Path(__file__).parent / "migrations")
        config.set_main_option("script_location", folder.replace("%", "%%"))  # a ConfigParser reads it
        command.upgrade(config, HEAD)
        return True


def _version(connection: Connection) -> str | None:
    """Number of the last migration; None for an empty database."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - a constant
    return version


@contextmanager
def failures(url: URL) -> Iterator[None]:
    """What SQLAlchemy and the drivers raise, as one LedgerError of one line and without the password."""
    try:
        yield
    except ModuleNotFoundError as error:
        remedy = "Install it: pip install 'proveout[postgres]'"
        raise LedgerError(name(url), f"needs the module {error.name}", remedy) from error
    except SQLAlchemyError as error:
        raise LedgerError(name(url), *_explain(error, url)) from error


def _explain(error: SQLAlchemyError, url: URL) -> tuple[str, str]:
    said = str(error.orig if isinstance(error, DBAPIError) else error).strip().partition("\n")[0]
    if url.password:
        said = said.replace(str(url.password), "***")
    if "not a database" in said:
        return (
            "is not a SQLite database",
            "Name another file in PROVEOUT_LEDGER_URL, or restore the ledger from a backup",
        )
    if "locked" in said:
        return f"was locked by another process for {BUSY_S} s", f"See who holds it: fuser {name(url)}"
    if isinstance(error, DBAPIError) and (error.connection_invalidated or "connect" in said or "resolve host" in said):
        return f"cannot be reached: {said}", "Start its server, or mend PROVEOUT_LEDGER_URL"
    return f"cannot be read or written: {said}", "Look at its disk, its rights and PROVEOUT_LEDGER_URL"
