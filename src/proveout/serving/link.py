"""The gateway's end of the line to a worker: always trying to be connected, one message at a time.

Comes in: a socket's path. Goes out: what the worker says of itself, and replies. The end of the line is the death
signal; a worker that is silent for too long is killed, because LitServe restarts a dead one and never a hanging one.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from proveout.serving import wire

_TRY_EVERY_S = 0.05


class WorkerLost(Exception):
    """The worker died, or was killed, before it replied."""


@dataclass(frozen=True, kw_only=True)
class Hello:
    """What a worker says when one connects to it."""

    pid: int
    release: str
    threshold: float


class Link:
    """The line to one worker.

    Args:
        path: where it listens; it may not be there yet, and a new worker will listen there again.
        hang_s: how long it may be silent on one message.
    """

    def __init__(self, path: str, *, hang_s: float) -> None:
        self._path, self._hang_s = path, hang_s
        self._transport: asyncio.WriteTransport | None = None
        self._reply: asyncio.Future[Any] | None = None
        self._gone = asyncio.Event()
        self.up = asyncio.Event()
        self.hello: Hello | None = None  # None while there is no worker

    async def ask(self, message: Any) -> Any:
        """The worker's reply. Raises: WorkerLost. Only one question is asked at a time."""
        if self.hello is None or self._transport is None:
            raise WorkerLost
        self._reply = asyncio.get_running_loop().create_future()
        self._transport.write(wire.pack(message))
        try:
            async with asyncio.timeout(self._hang_s):
                return await self._reply
        except TimeoutError as error:
            self._kill()
            raise WorkerLost from error
        finally:
            self._reply = None

    async def keep(self) -> None:
        """Stay connected, until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._gone.clear()
                with suppress(OSError):  # there is no worker yet
                    self._transport, _ = await loop.create_unix_connection(
                        lambda: _Line(self._hear, self._lose), self._path
                    )
                    await self._gone.wait()
                await asyncio.sleep(_TRY_EVERY_S)
        finally:
            self._hang_up()

    def _hear(self, message: Any) -> None:
        if self.hello is None:
            self.hello = Hello(**message)
            self.up.set()
        elif self._reply is not None and not self._reply.done():
            self._reply.set_result(message)

    def _lose(self) -> None:
        self.hello = None
        self.up.clear()
        self._gone.set()
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(WorkerLost())

    def _kill(self) -> None:
        if self.hello is not None:
            words = f"worker {self.hello.pid} was silent for {self._hang_s:g} s: it is killed and started again"
            print(f"proveout: {words}", file=sys.stderr, flush=True)
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.hello.pid, signal.SIGKILL)
        self._hang_up()

    def _hang_up(self) -> None:
        # Also where killing failed: a late reply must not be taken for that to the next question.
        self.hello = None
        self.up.clear()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None


class _Line(asyncio.Protocol):
    """Cuts what arrives into messages."""

    def __init__(self, hear: Callable[[Any], None], lose: Callable[[], None]) -> None:
        self._hear, self._lose = hear, lose
        self._frames = wire.Frames()

    def data_received(self, data: bytes) -> None:
        """Bytes of the worker."""
        for message in self._frames.feed(data):
            self._hear(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """The worker closed the line: it is dead."""
        self._lose()
