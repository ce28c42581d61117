"""Group commit: all rows that are ready in one turn of the event loop go to the journal in one write.

Input: rows, one by one. Output: whether each is in the journal, before the answer is sent.
"""

import asyncio
from collections.abc import Sequence

from proveout.server import safe_traceback
from proveout.server.log.codec import Row
from proveout.server.log.journal import Journal


class Unlogged(Exception):
    """The journal cannot be written, and `on_log_failure = "refuse"` forbids unlogged answers."""


class _Group:
    """Rows that are written together."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.waiting: list[asyncio.Future[bool]] = []

    def settle(self, logged: bool) -> None:
        """Resolve the futures of all rows: whether they are in the journal."""
        for written in self.waiting:
            if not written.done():  # done if the client disconnected
                written.set_result(logged)


class GroupCommit:
    """Writes rows to the journal in groups. For one event loop.

    Args:
        refuses: whether a row that cannot be written raises Unlogged.
    """

    def __init__(self, journal: Journal, *, refuses: bool) -> None:
        self._journal, self._refuses = journal, refuses
        self._group = _Group()
        self._committing: set[asyncio.Task[None]] = set()  # the loop itself holds tasks only weakly

    async def write(self, row: Row) -> bool:
        """Write `row`. Returns whether it is in the journal. Raises: Unlogged if not, and the settings refuse that."""
        written = asyncio.get_running_loop().create_future()
        self.enqueue(row)
        self._group.waiting.append(written)
        logged: bool = await written
        if not logged and self._refuses:
            raise Unlogged
        return logged

    def enqueue(self, row: Row) -> None:
        """Write `row` with the next group, without waiting for it."""
        if not self._group.rows:
            asyncio.get_running_loop().call_soon(self._send)
        self._group.rows.append(row)

    def _send(self) -> None:
        group, self._group = self._group, _Group()
        if self._journal.durable:
            task = asyncio.create_task(self._commit(group))
            self._committing.add(task)
            task.add_done_callback(self._committing.discard)
            return
        try:
            logged = self._journal.append(group.rows)
        except Exception as error:  # no failure of the log may block an answer
            logged = self._lose(group.rows, error)
        group.settle(logged)

    async def _commit(self, group: _Group) -> None:
        try:
            logged = await self._journal.commit(group.rows)
        except Exception as error:
            logged = self._lose(group.rows, error)
        group.settle(logged)

    def _lose(self, rows: Sequence[Row], error: Exception) -> bool:
        safe_traceback.report(error)
        self._journal.lost_rows += len(rows)
        return False
