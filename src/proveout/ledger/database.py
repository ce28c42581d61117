"""The database under the ledger: its address, how SQLite and PostgreSQL are opened, its schema, and what went wrong.

Input: a URL. Output: a SQLAlchemy engine on tables of the newest version. A password in the URL leaves by no
message. Only importer of SQLAlchemy's engines, alembic.
"""

import os
import shlex
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from proveout.errors import LedgerError, NoLedger
from proveout.ledger.tables import HEAD, VERSION_TABLE, VERSIONS

BUSY_S = 15  # how long a writer waits for another one
_OF_THE_DISK = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY)
_SAID_OF_THE_DISK = (
    "unable to open database file",
    "disk I/O error",
    "database or disk is full",
    "attempt to write a readonly database",
)
_FULL_BYTES = 1_000_000  # SQLite wants some pages at once
_LOCK = 0x70726F76656F7574  # "proveout": the advisory lock of whoever appends or migrates on PostgreSQL


def parse(address: str | Path) -> URL:
    """The address of a SQLite file, or in a URL, with the driver this package ships for.

    Raises: LedgerError for any other database.
    """
    if isinstance(address, Path):
        return URL.create("sqlite", database=str(address))
    try:
        parsed = make_url(address)
    except (SQLAlchemyError, ValueError):
        # `from None`: the foreign message may repeat the address, and the address a password.
        remedy = "Write PROVEOUT_LEDGER_URL as sqlite:///path or postgresql://user:password@host/database"
        raise LedgerError("address", "cannot be read", remedy) from None
    if "@" in (parsed.host or ""):
        raise LedgerError("address", "has a bare @ in its password", "Write it as %40 in PROVEOUT_LEDGER_URL")
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        if "?" in address or (parsed.database or "").startswith("file:"):
            # What follows a `?` are options, and SQLite would make a file of what stands before it.
            remedy = "Write PROVEOUT_LEDGER_URL as sqlite:///path, a ? in the path as %3F"
            raise LedgerError("of this address", "is more than a path", remedy)
        return parsed
    problem = f"is a {parsed.drivername} database, neither SQLite nor PostgreSQL"
    raise LedgerError("of this address", problem, "Write PROVEOUT_LEDGER_URL as sqlite:///… or postgresql://…")


def name(url: URL) -> str:
    """What a message calls the ledger: no user, no password, no option (a password may be among those too)."""
    if url.get_backend_name() == "sqlite":
        return url.database or ":memory:"
    host = url.host or url.query.get("host") or "localhost"
    return f"postgresql://{host}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def engine(url: URL, *, create: bool = True) -> Engine:
    """Connections to `url`, made as they are needed. The folder of a SQLite file is made now.

    Raises: NoLedger if there is no such file and none is to be made.
    """
    # hide_parameters: what a failing statement was to store is the users' data, and does not belong in a traceback.
    if url.get_backend_name() == "postgresql":
        timeout = {} if "connect_timeout" in url.query else {"connect_timeout": 5}
        return create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args=timeout)
    file = _file(url)
    if file is None:
        raise LedgerError("of this address", "is in memory and ends with the command", "Write sqlite:///path")
    if not create and not _is_there(file):
        raise NoLedger(name(url))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"has no folder and none can be made: {error.strerror}"
        raise LedgerError(name(url), problem, "Correct the folder, or name another in PROVEOUT_LEDGER_URL") from error
    made = create_engine(url, hide_parameters=True, creator=partial(_open, file))
    event.listen(made, "begin", _begin)
    return made


def _file(url: URL) -> Path | None:
    """The file of a SQLite database; None where there is none."""
    is_file = url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}
    return Path(str(url.database)) if is_file else None


def _is_there(file: Path) -> bool:
    # An empty file is no ledger: SQLite would take it for one and fill it.
    try:
        return file.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False


def _open(file: Path) -> sqlite3.Connection:
    """A connection. Where the disk takes nothing, because it is read-only or full, one that can read."""
    try:
        return _prepared(_connected(str(file)))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _OF_THE_DISK:
            raise
        try:
            return _reading(file.resolve())
        except sqlite3.OperationalError:
            raise error from None


def _reading(file: Path) -> sqlite3.Connection:
    log = file.with_name(f"{file.name}-wal")
    # SQLite wants an index beside the write-ahead log, and cannot make one here. `immutable` reads the file alone: all
    # there is, while the log is empty.
    for option in ("mode=ro", *(() if _is_there(log) else ("immutable=1",))):
        connection = _connected(f"{file.as_uri()}?{option}")
        try:
            connection.execute("SELECT 1 FROM sqlite_master")
            return connection
        except sqlite3.OperationalError as error:
            connection.close()
            failed = error
    raise failed


def _connected(address: str) -> sqlite3.Connection:
    # As SQLAlchemy opens a file: its pool hands a connection from thread to thread, one at a time.
    connection = sqlite3.connect(address, uri=address.startswith("file:"), timeout=BUSY_S, check_same_thread=False)
    connection.isolation_level = None  # `_begin` says BEGIN; the driver would say it too late and never IMMEDIATE
    return connection


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        _set_up(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection) -> None:
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
    with failures(pool.url), _reopened(pool), pool.connect() as plain:
        connection = plain.execution_options(proveout_writes=writes)
        with connection.begin():
            # SQLite has one writer at a time anyway, from BEGIN IMMEDIATE on.
            if alone and connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield connection


@contextmanager
def _reopened(pool: Engine) -> Iterator[None]:
    """After a failure the next connection is a new one: one that was opened on a full disk can only read."""
    try:
        yield
    except OperationalError:
        pool.dispose()
        raise


def bring_up(pool: Engine, *, create: bool = True) -> bool:
    """Make the tables those of this version; False if they are already.

    Raises: LedgerError if a newer proveout made them; NoLedger if there are none and none are to be made.
    """
    with transaction(pool) as connection:
        version = _version(connection)
        if version == HEAD:
            return False
        if version is None and not create:
            raise NoLedger(name(pool.url))
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
    file = _file(url)
    if file is not None and said in _SAID_OF_THE_DISK:
        return _of_the_disk(file, said)
    if "not a database" in said:
        return (
            "is not a SQLite database",
            "Name another file in PROVEOUT_LEDGER_URL, or restore the ledger from a backup",
        )
    if "locked" in said:
        return f"was locked by another process for {BUSY_S} s", f"See who holds it: fuser {shlex.quote(name(url))}"
    if isinstance(error, DBAPIError) and (error.connection_invalidated or "connect" in said or "resolve host" in said):
        return f"cannot be reached: {said}", "Start its server, or correct PROVEOUT_LEDGER_URL"
    return f"cannot be read or written: {said}", "Look at its disk, its rights and PROVEOUT_LEDGER_URL"


def _of_the_disk(file: Path, said: str) -> tuple[str, str]:
    """What SQLite says of a disk, as far as the disk itself tells more."""
    folder = next(folder for folder in file.absolute().parents if folder.is_dir())
    disk = os.statvfs(folder)
    left = disk.f_bavail * disk.f_frsize
    if disk.f_flag & os.ST_RDONLY:
        what = "written" if "write" in said else "opened"
        remedy = f"Mount it writable, or name a copy of {file.name}* on another disk in PROVEOUT_LEDGER_URL"
        return f"cannot be {what}: its disk is read-only here", remedy
    if "full" in said or left < _FULL_BYTES:
        remedy = f"Nothing of this was written. Free some space where {folder} is, then do it again"
        return f"cannot be written: its disk is full ({left / 1e6:.1f} MB left)", remedy
    return f"cannot be read or written: {said}", f"See who may: ls -l {shlex.quote(str(folder))}"
