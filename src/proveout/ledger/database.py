"""The database of the ledger: addresses, connections to SQLite and PostgreSQL, migrations, and error messages.

Input: a URL. Output: a SQLAlchemy engine on tables of the newest version. No message contains the URL's password. Only
importer of SQLAlchemy's engines and of alembic.
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

BUSY_S = 15  # how long a writer waits for another writer
_DISK_ERRORS = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY)
_DISK_MESSAGES = (
    "unable to open database file",
    "disk I/O error",
    "database or disk is full",
    "attempt to write a readonly database",
)
_FULL_BYTES = 1_000_000  # with less free space the disk counts as full: SQLite needs several pages at once
_LOCK = 0x70726F76656F7574  # "proveout": PostgreSQL's advisory lock for appending and migrating


def parse(address: str | Path) -> URL:
    """The address as a SQLAlchemy URL, with the driver that this package uses.

    Raises: LedgerError for any other database than SQLite and PostgreSQL.
    """
    if isinstance(address, Path):
        return URL.create("sqlite", database=str(address))
    try:
        parsed = make_url(address)
    except (SQLAlchemyError, ValueError):
        # `from None`: the foreign message may repeat the address, which may contain a password.
        remedy = "Write PROVEOUT_LEDGER_URL as sqlite:///path or postgresql://user:password@host/database"
        raise LedgerError("address", "cannot be read", remedy) from None
    if "@" in (parsed.host or ""):
        raise LedgerError("address", "has a bare @ in its password", "Write it as %40 in PROVEOUT_LEDGER_URL")
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        if "?" in address or (parsed.database or "").startswith("file:"):
            # Text after a `?` is options, and SQLite would create a file with the name before it.
            remedy = "Write PROVEOUT_LEDGER_URL as sqlite:///path, a ? in the path as %3F"
            raise LedgerError("of this address", "is more than a path", remedy)
        return parsed
    problem = f"is a {parsed.drivername} database, neither SQLite nor PostgreSQL"
    raise LedgerError("of this address", problem, "Write PROVEOUT_LEDGER_URL as sqlite:///… or postgresql://…")


def name(url: URL) -> str:
    """The ledger's name in messages: without user, password and options (which may contain a password, too)."""
    if url.get_backend_name() == "sqlite":
        return url.database or ":memory:"
    host = url.host or url.query.get("host") or "localhost"
    return f"postgresql://{host}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def engine(url: URL, *, create: bool = True) -> Engine:
    """An engine for `url`, which connects when needed. Creates the folder of a SQLite file now.

    Raises: NoLedger if there is no such file and `create` is false.
    """
    # hide_parameters: the values of a failing statement are user data and must not be in a traceback.
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
    """The file of a SQLite database; None for other databases."""
    is_file = url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}
    return Path(str(url.database)) if is_file else None


def _is_there(file: Path) -> bool:
    # An empty file is not a ledger, though SQLite would accept and fill it.
    try:
        return file.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False


def _open(file: Path) -> sqlite3.Connection:
    """A connection. If the disk is read-only or full, a read-only one."""
    try:
        return _prepared(_connected(str(file)))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _DISK_ERRORS:
            raise
        try:
            return _reading(file.resolve())
        except sqlite3.OperationalError:
            raise error from None


def _reading(file: Path) -> sqlite3.Connection:
    log = file.with_name(f"{file.name}-wal")
    # SQLite needs an index file for the write-ahead log, and cannot create one here. `immutable` reads the database
    # file alone, which is complete if the log is empty.
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
    # Like SQLAlchemy's own: its pool passes a connection between threads, one at a time.
    connection = sqlite3.connect(address, uri=address.startswith("file:"), timeout=BUSY_S, check_same_thread=False)
    connection.isolation_level = None  # `_begin` sends BEGIN; the driver would send it too late and never IMMEDIATE
    return connection


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        _set_up(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")  # with WAL: a power cut may lose the last commits, never the file
    connection.execute("PRAGMA secure_delete = ON")  # deleted rows are overwritten
    give_up = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # If two processes switch a new file to WAL, SQLite refuses one at once, regardless of `timeout`.
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _begin(connection: Connection) -> None:
    # A writer takes the lock at once. If it tried later, it would fail if another process wrote since its first read.
    writes = connection.get_execution_options().get("proveout_writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def transaction(pool: Engine, *, writes: bool = False, alone: bool = False) -> Iterator[Connection]:
    """One transaction. It is rolled back if the block raises.

    Args:
        alone: no other process appends or migrates meanwhile.
    Raises: LedgerError for an error of the database.
    """
    with failures(pool.url), _reopened(pool), pool.connect() as plain:
        connection = plain.execution_options(proveout_writes=writes)
        with connection.begin():
            # SQLite has only one writer at a time, from BEGIN IMMEDIATE on.
            if alone and connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield connection


@contextmanager
def _reopened(pool: Engine) -> Iterator[None]:
    """Drop all connections after a failure, because one that was opened on a full disk can only read."""
    try:
        yield
    except OperationalError:
        pool.dispose()
        raise


def bring_up(pool: Engine, *, create: bool = True) -> bool:
    """Create or migrate the tables. Returns False if they are up to date.

    Raises: LedgerError if a newer proveout made them; NoLedger if there are none and `create` is false.
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
        # Not at the top: migrations are rare, and alembic takes 0.1 s to import.
        from alembic import command
        from alembic.config import Config

        config = Config(attributes={"connection": connection})
        folder = str(Path(__file__).parent / "migrations")
        config.set_main_option("script_location", folder.replace("%", "%%"))  # a ConfigParser reads it
        command.upgrade(config, HEAD)
        return True


def schema_version(url: URL) -> str | None:
    """The number of the last migration of a database, which stays as it is; None if it has no tables.

    Raises: LedgerError if it cannot be read; NoLedger if there is no such file.
    """
    with failures(url):
        pool = engine(url, create=False)
    try:
        with transaction(pool) as connection:
            return _version(connection)
    finally:
        pool.dispose()


def _version(connection: Connection) -> str | None:
    """The number of the last migration; None for an empty database."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - a constant
    return version


@contextmanager
def failures(url: URL) -> Iterator[None]:
    """Turn errors of SQLAlchemy and the drivers into a LedgerError of one line, without the password."""
    try:
        yield
    except ModuleNotFoundError as error:
        remedy = "Install it: pip install 'proveout[postgres]'"
        raise LedgerError(name(url), f"needs the module {error.name}", remedy) from error
    except SQLAlchemyError as error:
        raise LedgerError(name(url), *_explain(error, url)) from error


def _explain(error: SQLAlchemyError, url: URL) -> tuple[str, str]:
    message = str(error.orig if isinstance(error, DBAPIError) else error).strip().partition("\n")[0]
    if url.password:
        message = message.replace(str(url.password), "***")
    file = _file(url)
    if file is not None and message in _DISK_MESSAGES:
        return _explain_disk(file, message)
    if "not a database" in message:
        return (
            "is not a SQLite database",
            "Name another file in PROVEOUT_LEDGER_URL, or restore the ledger from a backup",
        )
    if "locked" in message:
        return f"was locked by another process for {BUSY_S} s", f"See who holds it: fuser {shlex.quote(name(url))}"
    # psycopg before 3.2.4 hands on the error of getaddrinfo, whose numbers are negative.
    unreachable = "connect" in message or "resolve host" in message or message.startswith("[Errno -")
    if isinstance(error, DBAPIError) and (error.connection_invalidated or unreachable):
        return f"cannot be reached: {message}", "Start its server, or correct PROVEOUT_LEDGER_URL"
    return f"cannot be read or written: {message}", "Check its disk, its permissions and PROVEOUT_LEDGER_URL"


def _explain_disk(file: Path, message: str) -> tuple[str, str]:
    """Problem and remedy for a disk error of SQLite, by the state of the disk."""
    folder = next(folder for folder in file.absolute().parents if folder.is_dir())
    disk = os.statvfs(folder)
    left = disk.f_bavail * disk.f_frsize
    if disk.f_flag & os.ST_RDONLY:
        what = "written" if "write" in message else "opened"
        remedy = f"Mount it writable, or name a copy of {file.name}* on another disk in PROVEOUT_LEDGER_URL"
        return f"cannot be {what}: its disk is read-only here", remedy
    if "full" in message or left < _FULL_BYTES:
        remedy = f"Nothing was written. Free some space on the disk of {folder}, then retry"
        return f"cannot be written: its disk is full ({left / 1e6:.1f} MB left)", remedy
    return f"cannot be read or written: {message}", f"Check the permissions: ls -l {shlex.quote(str(folder))}"
