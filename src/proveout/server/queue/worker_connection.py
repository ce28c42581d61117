"""The gateway's connection to a worker: always reconnecting, one message at a time.

Input: a socket's path. Output: the worker's status, whenever it changes; and replies. A closed connection means that
the worker died. A worker that is silent for too long is killed, because LitServe restarts a dead worker and never a
hanging one.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, cast

from proveout.records.answer import TaskFacts
from proveout.server.queue import protocol
from proveout.task import task as tasks
from proveout.task.task import Task

SHADOW_S = 5.0  # nobody waits for a shadow, but one that is silent for this long hangs
_TRY_EVERY_S = 0.05


class WorkerLost(Exception):
    """There is no worker, or it died before it replied, or it was silent for too long."""


class Silent(WorkerLost):
    """It did not reply in time: the line was cut, and the worker killed where that is the line's business."""


@dataclass(frozen=True, kw_only=True)
class WorkerStatus:
    """What a worker sends to each new connection, and again when it changes."""

    pid: int
    holds: Mapping[str, Task]  # the task of each release it can be asked for, by name
    refused: Mapping[str, str]  # why it does not hold what the desired state lists


def read_status(message: Mapping[str, Any]) -> WorkerStatus:
    """What a worker says of itself, with the task of each release that it holds."""
    facts = {
        name: TaskFacts(**{**said, "classes": tuple(said.get("classes", ()))})
        for name, said in message["holds"].items()
    }
    holds = {name: tasks.of(one) for name, one in facts.items()}
    return WorkerStatus(pid=message["pid"], holds=holds, refused=message["refused"])


class Line(Protocol):
    """A line to a worker, as `WorkerConnection` is one."""

    @property
    def status(self) -> WorkerStatus | None:
        """What the worker says of itself; None while there is none."""

    def ask(self, message: Any) -> Awaitable[Any]:
        """Its reply. Raises: WorkerLost."""


class WorkerChannels(Protocol):
    """The lines to one worker, as `Lines` has them."""

    @property
    def plain(self) -> Line:
        """For requests."""

    @property
    def side(self) -> Line:
        """For explanations."""

    @property
    def shadow(self) -> Line:
        """For shadows."""


class WorkerConnection:
    """A line to one worker.

    Args:
        path: where it listens; it may not be there yet, and a new worker will listen there again.
        worker_timeout_s: how long it may be silent on one message.
        kills: whether to kill it then, or only to cut this line: a question nobody waits for is no reason.
        heard: called with every worker status.
    """

    def __init__(
        self,
        path: str,
        *,
        worker_timeout_s: float,
        kills: bool = True,
        heard: Callable[[WorkerStatus], None] = lambda status: None,
    ) -> None:
        self._path, self._hang_s, self._kills, self._heard = path, worker_timeout_s, kills, heard
        self._transport: asyncio.WriteTransport | None = None
        self._reply: asyncio.Future[Any] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._gone = asyncio.Event()
        self.up = asyncio.Event()
        self.status: WorkerStatus | None = None  # None while there is no worker

    def ask(self, message: Any) -> asyncio.Future[Any]:
        """The worker's reply. Only one question is asked at a time. The future raises: WorkerLost."""
        loop = asyncio.get_running_loop()
        reply = loop.create_future()
        if self.status is None or self._transport is None:
            reply.set_exception(WorkerLost())
            return reply
        self._reply = reply
        self._transport.write(protocol.pack(message))
        self._watch = loop.call_later(self._hang_s, self._lose_patience)
        return reply

    async def keep(self) -> None:
        """Stay connected, until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._gone.clear()
                with suppress(OSError):  # there is no worker yet
                    await loop.create_unix_connection(lambda: _Line(self._meet, self._hear, self._lose), self._path)
                    await self._gone.wait()
                await asyncio.sleep(_TRY_EVERY_S)
        finally:
            self._hang_up()

    def _meet(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport

    def _hear(self, message: Any) -> None:
        if "holds" in message:
            self.status = read_status(message)
            self._heard(self.status)
            self.up.set()
        elif self._reply is not None:
            reply = self._reply
            self._settle()
            if not reply.done():
                reply.set_result(message)

    def _lose(self) -> None:
        self.status = None
        self.up.clear()
        self._gone.set()
        self._fail(WorkerLost())

    def _lose_patience(self) -> None:
        status = self.status
        if status is not None and self._kills:
            words = f"worker {status.pid} was silent for {self._hang_s:g} s: it is killed and started again"
            print(f"proveout: {words}", file=sys.stderr, flush=True)
            with suppress(ProcessLookupError, PermissionError):
                os.kill(status.pid, signal.SIGKILL)
        self._fail(Silent())
        self._hang_up()

    def _fail(self, error: WorkerLost) -> None:
        reply = self._reply
        self._settle()
        if reply is not None and not reply.done():
            reply.set_exception(error)

    def _settle(self) -> None:
        self._reply = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _hang_up(self) -> None:
        # Also where killing failed: a late reply must not be taken for that to the next question.
        self.status = None
        self.up.clear()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None


class Lines:
    """The three lines to one worker, each with a thread of the worker's behind it: none waits for another's reply.

    Args:
        path: where it listens.
        worker_timeout_s: how long it may be silent on plain requests before it is killed.
        heard: called with every worker status of the plain line.
    """

    def __init__(
        self, path: str, *, worker_timeout_s: float, heard: Callable[[WorkerStatus], None] = lambda status: None
    ) -> None:
        self.plain = WorkerConnection(path, worker_timeout_s=worker_timeout_s, heard=heard)
        self.side = WorkerConnection(path, worker_timeout_s=worker_timeout_s, kills=False)  # explanations
        self.shadow = WorkerConnection(path, worker_timeout_s=SHADOW_S, kills=False)

    async def keep(self) -> None:
        """Stay connected, until cancelled."""
        await asyncio.gather(self.plain.keep(), self.side.keep(), self.shadow.keep())


class _Line(asyncio.Protocol):
    """Cuts what arrives into messages."""

    def __init__(
        self,
        meet: Callable[[asyncio.WriteTransport], None],
        hear: Callable[[Any], None],
        lose: Callable[[], None],
    ) -> None:
        self._meet, self._hear, self._lose = meet, hear, lose
        self._frames = protocol.Frames()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody listens there."""
        self._meet(cast(asyncio.WriteTransport, transport))

    def data_received(self, data: bytes) -> None:
        """Bytes of the worker."""
        for message in self._frames.feed(data):
            self._hear(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """The worker closed the line: it is dead."""
        self._lose()
