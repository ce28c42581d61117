"""Group commit: all rows that are ready in one turn of the event loop are one write of the journal.

Input: rows, one by one. Output: whether each is in the journal, before the answer is sent.
"""

import asyncio
from collections.abc import Sequence

from proveout.server import safe_traceback
from proveout.server.log.codec import Row
from proveout.server.log.journal import Journal


class Unlogged(Exception):
    """Nothing was answered: the log cannot be written, and the settings say not to answer without one."""


class _Group:
    """Rows that are written together."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.waiting: list[asyncio.Future[bool]] = []

    def settle(self, logged: bool) -> None:
        """Say to all that wait whether their rows are in the journal."""
        for written in self.waiting:
            if not written.done():  # it is, where the client left
                written.set_result(logged)


class Log:
    """Writes groups. For one event loop.

    Args:
        refuses: whether what cannot be written is not to be answered either.
    """

    def __init__(self, journal: Journal, *, refuses: bool) -> None:
        self._journal, self._refuses = journal, refuses
        self._group = _Group()
        self._committing: set[asyncio.Task[None]] = set()  # the loop itself holds tasks only weakly

    async def write(self, row: Row) -> bool:
        """Whether `row` is in the journal. Raises: Unlogged if it is not, and that means no answer."""
        written = asyncio.get_running_loop().create_future()
        self.leave(row)
        self._group.waiting.append(written)
        logged: bool = await written
        if not logged and self._refuses:
            raise Unlogged
        return logged

    def leave(self, row: Row) -> None:
        """Have `row` written with the next group, without waiting for it."""
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
        except Exception as error:  # an answer does not wait for its log, whatever is wrong with it
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
