"""The connections of an API process to a worker: they reconnect, and send one message at a time.

Input: a socket's path. Output: the worker's status, whenever it changes; and replies. A closed connection means that
the worker died. A worker that does not reply in time is killed, because LitServe restarts a dead worker but not a
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

SHADOW_S = 5.0  # timeout of a shadow: no request waits for it, but after this long it hangs
_TRY_EVERY_S = 0.05


class WorkerLost(Exception):
    """There is no worker, or it died before it replied, or it did not reply in time."""


class WorkerTimeout(WorkerLost):
    """The worker did not reply in time. The connection was closed; if it `kills`, the worker was killed."""


@dataclass(frozen=True, kw_only=True)
class WorkerStatus:
    """What a worker sends to each new connection, and again when it changes."""

    pid: int
    holds: Mapping[str, Task]  # the task of each release that it holds, by name
    refused: Mapping[str, str]  # why it does not hold a release of the desired state, by name


def read_status(message: Mapping[str, Any]) -> WorkerStatus:
    """The worker status in a message."""
    facts = {
        name: TaskFacts(**{**members, "classes": tuple(members.get("classes", ()))})
        for name, members in message["holds"].items()
    }
    holds = {name: tasks.of(one) for name, one in facts.items()}
    return WorkerStatus(pid=message["pid"], holds=holds, refused=message["refused"])


class Connection(Protocol):
    """A connection to a worker, such as `WorkerConnection`."""

    @property
    def status(self) -> WorkerStatus | None:
        """The worker's last status; None while there is no worker."""

    def ask(self, message: Any) -> Awaitable[Any]:
        """Send `message`. Returns the reply. Raises: WorkerLost."""


class WorkerChannels(Protocol):
    """The connections to one worker, such as `WorkerConnections`."""

    @property
    def plain(self) -> Connection:
        """For requests."""

    @property
    def side(self) -> Connection:
        """For explanations."""

    @property
    def shadow(self) -> Connection:
        """For shadows."""


class WorkerConnection:
    """One connection to a worker.

    Args:
        path: the socket. It may not exist yet; after a restart the new worker listens there again.
        worker_timeout_s: how long the worker may take to reply.
        kills: whether to kill the worker after that, or only close this connection.
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
        self._lost = asyncio.Event()
        self.up = asyncio.Event()
        self.status: WorkerStatus | None = None  # None while there is no worker

    def ask(self, message: Any) -> asyncio.Future[Any]:
        """Send `message`. Returns a future of the reply, which may raise WorkerLost. Only one message at a time."""
        loop = asyncio.get_running_loop()
        reply = loop.create_future()
        if self.status is None or self._transport is None:
            reply.set_exception(WorkerLost())
            return reply
        self._reply = reply
        self._transport.write(protocol.pack(message))
        self._watch = loop.call_later(self._hang_s, self._on_timeout)
        return reply

    async def keep(self) -> None:
        """Stay connected, until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._lost.clear()
                with suppress(OSError):  # there is no worker yet
                    await loop.create_unix_connection(
                        lambda: _MessageProtocol(self._on_connect, self._on_message, self._on_lost), self._path
                    )
                    await self._lost.wait()
                await asyncio.sleep(_TRY_EVERY_S)
        finally:
            self._disconnect()

    def _on_connect(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport

    def _on_message(self, message: Any) -> None:
        if "holds" in message:
            self.status = read_status(message)
            self._heard(self.status)
            self.up.set()
        elif self._reply is not None:
            reply = self._reply
            self._settle()
            if not reply.done():
                reply.set_result(message)

    def _on_lost(self) -> None:
        self.status = None
        self.up.clear()
        self._lost.set()
        self._fail(WorkerLost())

    def _on_timeout(self) -> None:
        status = self.status
        if status is not None and self._kills:
            message = f"worker {status.pid} did not reply within {self._hang_s:g} s: it is killed and restarted"
            print(f"proveout: {message}", file=sys.stderr, flush=True)
            with suppress(ProcessLookupError, PermissionError):
                os.kill(status.pid, signal.SIGKILL)
        self._fail(WorkerTimeout())
        self._disconnect()

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

    def _disconnect(self) -> None:
        # Even if the kill failed: a late reply must not be read as the reply to the next message.
        self.status = None
        self.up.clear()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None


class WorkerConnections:
    """The three connections to one worker. The worker has a thread for each, so none waits for another's reply.

    Args:
        path: the worker's socket.
        worker_timeout_s: how long the worker may take for plain requests before it is killed.
        heard: called with every worker status of the plain connection.
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


class _MessageProtocol(asyncio.Protocol):
    """Splits the received bytes into messages."""

    def __init__(
        self,
        on_connect: Callable[[asyncio.WriteTransport], None],
        on_message: Callable[[Any], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._on_connect, self._on_message, self._on_lost = on_connect, on_message, on_lost
        self._frames = protocol.Frames()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The worker accepted the connection."""
        self._on_connect(cast(asyncio.WriteTransport, transport))

    def data_received(self, data: bytes) -> None:
        """The worker sent bytes."""
        for message in self._frames.feed(data):
            self._on_message(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed: the worker died, or this side disconnected."""
        self._on_lost()
