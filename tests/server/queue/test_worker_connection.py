"""server/queue/worker_connection.py: a line to a worker that comes, changes, falls silent and goes."""

import asyncio
import os
import socket
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import virtual_clock
from patience import PATIENCE_S, async_wait_until

from proveout.server.queue import protocol
from proveout.server.queue import worker_connection as link_module
from proveout.server.queue.worker_connection import (
    WorkerConnection,
    WorkerConnections,
    WorkerLost,
    WorkerStatus,
    WorkerTimeout,
)
from proveout.server.worker.worker import listen
from proveout.task.binary import Binary

A = {"a": {"task": "binary", "threshold": 0.5}}
HELLO = {"pid": os.getpid(), "holds": A, "refused": {}}


class Worker:
    """A worker of which a test says what it does: it greets, and `says` what comes after each message."""

    def __init__(self, path: str, says: Callable[[Any, socket.socket], None]) -> None:
        self.listening = listen(path)
        self.connections: list[socket.socket] = []
        self._says = says
        threading.Thread(target=self._attend, daemon=True).start()

    def _attend(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            connection.sendall(protocol.pack(HELLO))
            for message in protocol.messages(connection):
                self._says(message, connection)
        except OSError:
            return

    def die(self) -> None:
        self.listening.close()
        for connection in self.connections:
            connection.close()


def echo(message: Any, connection: socket.socket) -> None:
    connection.sendall(protocol.pack({"said": message}))


@pytest.fixture
def path() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield str(Path(folder) / "w")


def run(work: Callable[[], Awaitable[None]], *keeping: WorkerConnection | WorkerConnections) -> None:
    async def running() -> None:
        kept = [asyncio.create_task(each.keep()) for each in keeping]
        try:
            async with asyncio.timeout(PATIENCE_S):
                await work()
        finally:
            for task in kept:
                task.cancel()
            await asyncio.gather(*kept, return_exceptions=True)

    virtual_clock.run(running(), loop=virtual_clock.SkippingLoop)


def test_news_is_heard_and_is_no_reply(path):
    """What is held may change between a question and its answer."""

    def newsy(message: Any, connection: socket.socket) -> None:
        connection.sendall(protocol.pack({**HELLO, "holds": {**A, "b": {"task": "binary", "threshold": 0.6}}}))
        echo(message, connection)

    Worker(path, newsy)
    heard: list[WorkerStatus] = []
    line = WorkerConnection(path, worker_timeout_s=10, heard=heard.append)

    async def work() -> None:
        await line.up.wait()
        assert await line.ask("first") == {"said": "first"}
        assert line.status is not None
        assert line.status.holds == {"a": Binary(0.5), "b": Binary(0.6)}
        assert [sorted(status.holds) for status in heard] == [["a"], ["a", "b"]]

    run(work, line)


def test_nobody_there_is_said_at_once_and_somebody_later_is_found(path):
    """A worker takes seconds to start; the line is there as soon as it is."""
    line = WorkerConnection(path, worker_timeout_s=10)

    async def work() -> None:
        with pytest.raises(WorkerLost):
            await line.ask("anybody?")
        Worker(path, echo)
        await line.up.wait()
        assert await line.ask("now?") == {"said": "now?"}

    run(work, line)


def test_a_worker_that_dies_is_lost_at_once_and_the_next_is_found(path):
    """The kernel closes its socket: nobody waits for a deadline."""
    line = WorkerConnection(path, worker_timeout_s=600)
    workers = [Worker(path, lambda message, connection: workers[0].die())]

    async def work() -> None:
        await line.up.wait()
        with pytest.raises(WorkerLost) as lost:
            await line.ask("are you well?")
        assert lost.type is WorkerLost, "it was waited for until it was silent for too long"
        workers.append(Worker(path, echo))
        await line.up.wait()
        assert await line.ask("and you?") == {"said": "and you?"}

    run(work, line)


def test_a_silent_worker_is_killed_by_the_line_whose_business_it_is(path, monkeypatch, capsys):
    """LitServe restarts a dead worker, never a hanging one. And only silence on requests is a reason."""
    killed: list[int] = []
    monkeypatch.setattr(link_module.os, "kill", lambda pid, number: killed.append(pid))
    Worker(path, lambda message, connection: None)
    plain, side = (
        WorkerConnection(path, worker_timeout_s=0.1),
        WorkerConnection(path, worker_timeout_s=0.1, kills=False),
    )

    async def work() -> None:
        for line in (side, plain):
            await line.up.wait()
            with pytest.raises(WorkerTimeout):
                await line.ask("hello?")
            assert killed == ([os.getpid()] if line is plain else [])

    run(work, plain, side)
    assert "did not reply within 0.1 s: it is killed" in capsys.readouterr().err


def test_a_late_reply_is_not_taken_for_the_next_one(path):
    """The line is cut and made anew: otherwise everybody would get the answer of the one before."""
    asked, due, late = threading.Event(), threading.Event(), threading.Event()

    def slow(message: Any, connection: socket.socket) -> None:
        if message == "slow":
            asked.set()
            due.wait(PATIENCE_S)
        try:
            echo(message, connection)
        finally:
            if message == "slow":
                late.set()

    Worker(path, slow)
    side = WorkerConnection(path, worker_timeout_s=60, kills=False)

    async def work() -> None:
        await side.up.wait()
        reply = side.ask("slow")
        await async_wait_until(asked.is_set, "the slow question")
        virtual_clock.advance(60)
        with pytest.raises(WorkerTimeout):
            await reply
        await side.up.wait()
        assert await side.ask("quick") == {"said": "quick"}
        due.set()
        await async_wait_until(late.is_set, "the late reply")
        assert await side.ask("again") == {"said": "again"}

    run(work, side)


def test_three_lines_do_not_wait_for_each_other(path):
    """A shadow that hangs holds up no explanation, and neither holds up a request."""

    def choosy(message: Any, connection: socket.socket) -> None:
        if message != "hang":
            echo(message, connection)

    Worker(path, choosy)
    lines = WorkerConnections(path, worker_timeout_s=10)

    async def work() -> None:
        for line in (lines.plain, lines.side, lines.shadow):
            await line.up.wait()
        hanging = lines.shadow.ask("hang")
        assert await lines.side.ask("why?") == {"said": "why?"}
        assert await lines.plain.ask("what?") == {"said": "what?"}
        hanging.cancel()

    run(work, lines)
