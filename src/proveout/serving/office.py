"""The office: what runs beside the requests in the API process, from its beginning to its end.

Comes in: how to answer, where the worker listens, where the journal lies. Goes out: a desk that answers; whether the
server is ready; and an orderly end, in which no connection is closed under a client that was about to use it.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from proveout.serving.desk import Desk, Habits
from proveout.serving.dispatch import Dispatch
from proveout.serving.drain import Drain, Log
from proveout.serving.journal import Journal
from proveout.serving.ladder import NoClaim
from proveout.serving.link import Link

DRAIN_S = 0.3  # after the signal: answers say `connection: close`, so clients go before connections are closed
_WORKER_S = 10.0  # the server waits for its worker when it starts; then the rules answer until there is one
_FRESH_S = 2.0  # a reply this young proves that the model answers; later one is asked for
_PROBE_S = 1.0
_LOOK_EVERY_S = 0.5
_LAST_DRAIN_S = 5.0


class Office:
    """What stands behind the gateway. For one event loop.

    Args:
        fields: the request's fields, as the worker is sent them.
        socket: where the worker listens.
        open_log: opens the ledger.
        gentle: whether to delay the signals that end uvicorn, see `DRAIN_S`.
        opened: called once the worker is there, or was waited for long enough.
    """

    def __init__(
        self,
        habits: Habits,
        *,
        fields: Sequence[str],
        socket: str,
        hang_s: float,
        journal_dir: Path,
        open_log: Callable[[], Log],
        gentle: bool = False,
        opened: Callable[[str], None] = lambda words: None,
    ) -> None:
        self._link = Link(socket, hang_s=hang_s)
        self._dispatch = Dispatch(self._link, fields)
        self._journal = Journal(journal_dir)
        self._drain = Drain(journal_dir, open_log=open_log, own=self._journal.hold)
        self._gentle, self._opened = gentle, opened
        self._tasks: list[asyncio.Task[None]] = []
        self._told = False  # that the server is about to end
        self.draining = False  # connections are not kept any more
        self.desk = Desk(habits, dispatch=self._dispatch, journal=self._journal)

    async def enter(self) -> None:
        """Start. Returns when a worker is connected, or after ten seconds without one."""
        if self._gentle:
            self._delay_signals(asyncio.get_running_loop())
        self._drain.start()
        self._tasks = [asyncio.create_task(work) for work in (self._link.keep(), self._dispatch.run(), self._look())]
        with suppress(TimeoutError):
            async with asyncio.timeout(_WORKER_S):
                await self._link.up.wait()
        hello = self._link.hello
        if hello is not None:
            self.desk.met(release=hello.release, threshold=hello.threshold)
        self._opened(f"worker {hello.pid}" if hello else "no worker yet: the rules answer")

    async def leave(self) -> None:
        """End: everything answered is in the ledger, or waits in the journal for the next server."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._journal.look()
        self._journal.close()
        await asyncio.to_thread(self._drain.finish, within_s=_LAST_DRAIN_S)

    async def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Whether a model answers, by a reply of the last two seconds or one asked for now; and the details."""
        reason = await self._why_not_ready()
        hello = self._link.hello
        journal, drain = self._journal, self._drain
        return reason is None, {
            "reason": reason,
            "release": self.desk.release,
            "worker": hello.pid if hello else None,
            "answered": self.desk.answered,
            "journal": {
                "unlogged_rows": journal.owed_rows,
                "lost_rows": journal.lost_rows,
                "trouble": journal.trouble.words,
            },
            "ledger": {
                "drained_rows": drain.drained_rows,
                "damaged_lines": drain.damaged_lines,
                "trouble": drain.trouble.words,
            },
        }

    async def _why_not_ready(self) -> str | None:
        if self._told:
            return "the server is ending"
        if self._link.hello is None:
            return "the worker is down"
        if time.monotonic() - self._dispatch.heard_at < _FRESH_S:
            return None
        try:
            await self._dispatch.probe(until=asyncio.get_running_loop().time() + _PROBE_S)
        except NoClaim as silence:
            return str(silence)
        return None

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self._journal.look()

    def _drain_connections(self) -> None:
        self.draining = True

    def _delay_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        """Put a moment between the signal and uvicorn's own handler, which closes idle connections at once."""

        def delay(number: int, then: Callable[[int, FrameType | None], Any]) -> None:
            def begin() -> None:
                if self._told and number == signal.SIGINT:
                    then(number, None)  # Ctrl-C a second time: now
                elif not self._told:
                    self._told = True
                    _stop_listening(then)
                    # Not yet: the main process holds the port too, and closes it as it hears the same signal.
                    loop.call_later(DRAIN_S / 3, self._drain_connections)
                    loop.call_later(DRAIN_S, then, number, None)

            signal.signal(number, lambda *_: loop.call_soon_threadsafe(begin))

        for number in (signal.SIGTERM, signal.SIGINT):
            handler = signal.getsignal(number)
            if callable(handler):
                delay(number, handler)


def _stop_listening(handler: object) -> None:
    """Let clients that are told to close find no port, rather than one that closes while they wait in its queue.

    `handler` is a method of uvicorn's server, which is known from here by nothing else.
    """
    for listening in getattr(getattr(handler, "__self__", None), "servers", ()):
        listening.close()
