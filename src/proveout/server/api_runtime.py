"""Lifecycle of one API process: startup, background tasks, readiness, drain, shutdown.

Input: the service config, the server's private folder, the journal's folder. Output: a prediction service, the current
desired state, readiness, and an orderly shutdown that closes no connection that a client is about to use.
"""

import asyncio
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from proveout.records.drift_report import Alert, Severity
from proveout.records.values import now
from proveout.server import listening_port, server_state
from proveout.server.log.journal import Journal
from proveout.server.no_answer import NoAnswer
from proveout.server.queue.batcher import Dispatch
from proveout.server.queue.worker_connection import WorkerConnections, WorkerStatus
from proveout.server.server_state import ApiNote, ControllerNote, DesiredState
from proveout.server.service.pseudonyms import Pseudonyms
from proveout.server.service.routing import Routing
from proveout.server.service.service import PredictionService, ServiceConfig
from proveout.server.worker.worker import socket_path
from proveout.settings import Settings
from proveout.task import task as tasks
from proveout.task.task import Task

DRAIN_S = 1.0  # after the signal: answers carry `connection: close`, so clients leave before connections are closed
_POLL_S = 0.02
_CLOSES_S = 3.0  # at most, after the signal, for the other processes to close the port too
_WORKER_S = 10.0  # how long startup waits for the worker; after that, the rules answer until it is there
_FRESH_S = 2.0  # a reply this recent proves readiness; otherwise the model is probed
_PROBE_S = 1.0
_READ_EVERY_S, _NOTE_EVERY_S = 0.1, 0.5
_LAST_WRITE_S = 3.0  # at shutdown, to wait for room on a full disk
_MISSED_S = 5.0  # without a worker before it is an incident: longer than a restart takes


class ApiRuntime:
    """The backend of the gateway. For one event loop.

    Args:
        fields: the request's fields, in the order in which the worker gets them.
        folder: the server's private folder, with the worker's socket and the desired state.
        pseudonyms: replaces personal data in the log.
        gentle: whether to delay the signals that end uvicorn, see `DRAIN_S`.
    """

    def __init__(
        self,
        config: ServiceConfig,
        *,
        settings: Settings,
        fields: Sequence[str],
        folder: Path,
        pseudonyms: Pseudonyms,
        gentle: bool = False,
    ) -> None:
        self._folder, self._gentle = folder, gentle
        self._connections = WorkerConnections(
            socket_path(folder, 0), worker_timeout_s=settings.worker_timeout_s, heard=self._on_status
        )
        self.dispatch = Dispatch(self._connections, fields, cool_s=settings.breaker_reset_s)
        key = settings.event_key or fields
        self.routing = Routing(key, task=tasks.named(settings.task), broken=self.dispatch.broken)
        self.journal = Journal(
            settings.journal_dir, durability=settings.durability, keeps=settings.on_log_failure == "answer"
        )
        self.service = PredictionService(
            config, dispatch=self.dispatch, routing=self.routing, journal=self.journal, pseudonyms=pseudonyms
        )
        self.desired: DesiredState | None = None  # None until first read
        self.entered = False
        self.draining = False  # connections are no longer kept open
        self._reader = server_state.Reader(server_state.desired_path(folder))
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = False  # that shutdown has begun
        self._up_at = time.monotonic()  # when a worker was last connected
        self._since: dict[str, Alert] = {}

    async def enter(self) -> None:
        """Start. Returns when a worker is connected, or after ten seconds without one."""
        if self._gentle:
            self._delay_signals(asyncio.get_running_loop())
        self._read_desired()
        work = (
            self._connections.keep(),
            self.dispatch.run(),
            _again(self._read_desired, _READ_EVERY_S),
            _again(self._check, _NOTE_EVERY_S),
        )
        self._tasks = [asyncio.create_task(one) for one in work]
        with suppress(TimeoutError):
            async with asyncio.timeout(_WORKER_S):
                await self._connections.plain.up.wait()
        self.entered = True
        self._note()

    async def leave(self) -> None:
        """Shut down. All answers are in the journal then, and the controller drains it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        until = time.monotonic() + _LAST_WRITE_S
        self.journal.check()
        while self.journal.owed_rows and time.monotonic() < until:
            await asyncio.sleep(_READ_EVERY_S)
            self.journal.check()
        if self.journal.owed_rows:
            lost = f"{self.journal.owed_rows} answers were not logged: the journal was not writable until shutdown"
            print(f"proveout: {lost}", file=sys.stderr, flush=True)
        self.journal.close()

    # --- state and problems ---------------------------------------------------------------------------------------

    @property
    def task(self) -> Task:
        """The champion's task; until a worker reports it, the task of the settings."""
        return self.routing.champion.task

    def log_controller(self) -> ControllerNote | None:
        """The controller's newest note about itself; None before the first one."""
        return server_state.read(server_state.controller_path(self._folder), ControllerNote)

    async def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Whether the model answers (a reply in the last two seconds, or a probe now), and the details."""
        reason = await self._why_not_ready()
        status, log_controller, journal = self._connections.plain.status, self.log_controller(), self.journal
        return reason is None, {
            "reason": reason,
            "release": self.routing.champion.release,
            "api": os.getpid(),
            "worker": status.pid if status else None,
            "holds": sorted(status.holds) if status else [],
            "refused": dict(status.refused) if status else {},
            "breakers": dict(self.dispatch.breakers),
            "waiting": self.dispatch.waiting,
            "desired_seq": self.desired.seq if self.desired else None,
            "answered": self.service.answered,
            "journal": {
                "unlogged_rows": journal.owed_rows,
                "lost_rows": journal.lost_rows,
                "trouble": journal.trouble.message,
            },
            "ledger": {
                "drained_rows": log_controller.drained_rows if log_controller else 0,
                "damaged_lines": log_controller.damaged_lines if log_controller else 0,
                "backlog_bytes": log_controller.backlog_bytes if log_controller else 0,
                "trouble": log_controller.trouble if log_controller else "the log controller has not started",
            },
        }

    async def _why_not_ready(self) -> str | None:
        if self._ending:
            return "the server is ending"
        if self._connections.plain.status is None:
            return "the worker is down"
        if asyncio.get_running_loop().time() - self.dispatch.heard_at < _FRESH_S:
            return None
        try:
            await self.dispatch.probe(until=asyncio.get_running_loop().time() + _PROBE_S)
        except NoAnswer as no_answer:
            return str(no_answer)
        return None

    def _on_status(self, status: WorkerStatus) -> None:
        self.routing.holds(status.holds)

    def _read_desired(self) -> None:
        new = self._reader.poll()
        if new is None:
            return
        if self.desired is not None and new.erased > self.desired.erased:
            self.journal.turn()  # the rows of erased persons are gone once the controller has drained it
        self.desired = new
        self.routing.post(new)
        self.dispatch.post(new)

    def _check(self) -> None:
        self.journal.check()
        self._note()

    def _note(self) -> None:
        """Write this process's state for the main process and the controller."""
        status = self._connections.plain.status
        worker = f"worker {status.pid}" if status else "no worker yet: the rules answer"
        path = server_state.api_path(self._folder, os.getpid())
        try:
            server_state.post(path, ApiNote(pid=os.getpid(), worker=worker, problems=tuple(self._problems(status))))
        except OSError:  # the disk is full; a heartbeat needs no room
            with suppress(OSError):
                os.utime(path)

    def _problems(self, status: WorkerStatus | None) -> list[Alert]:
        """Alerts for the current problems, each with the time it began."""
        clock, journal, problems = time.monotonic(), self.journal, list[tuple[Severity, str, str, str]]()
        if status is not None:
            self._up_at = clock
        elif clock - self._up_at > _MISSED_S and not self._ending:
            step = "See in the server's output why it does not start"
            problems.append(("critical", "no model answers", "There is no worker; cache and rules answer.", step))
        if journal.trouble.message is not None:
            step = "Make room on the disk of the state folder: proveout status"
            what = f"{journal.trouble.name} is in trouble"
            problems.append(("critical", what, f"It {journal.trouble.message}.", step))
        if journal.lost_rows:
            details = f"{journal.lost_rows} answers of API process {os.getpid()} were not logged: memory was full, too."
            problems.append(("critical", "answers were not logged", details, "Count them: the clients got them"))
        for release, why in (status.refused if status else {}).items():
            step = "Release another bundle, or roll back: proveout rollback"
            problems.append(("critical", f"{release} is refused", f"The worker does not serve it: {why}", step))
        for release, state in self.dispatch.breakers.items():
            if state != "closed":
                details = "Half of its last answers failed, so it gets only trial requests; cache and rules answer."
                step = "See in the server's output why it fails, or roll back: proveout rollback"
                problems.append(("critical", f"the circuit breaker of {release} is open", details, step))
        alerts = [Alert(severity=s, what=what, details=d, next_step=n, at=now()) for s, what, d, n in problems]
        self._since = {alert.what: self._since.get(alert.what, alert) for alert in alerts}
        return list(self._since.values())

    # --- shutdown -------------------------------------------------------------------------------------------------

    def _delay_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        """Delay uvicorn's own signal handler by `DRAIN_S`, because it closes idle connections at once."""

        def delay(number: int, then: Callable[[int, FrameType | None], Any]) -> None:
            def drain_when_closed(addresses: Sequence[listening_port.Address], until: float) -> None:
                # A client that is told to close reconnects at once. It should find no open port, rather than one
                # that closes while it waits in the queue. The other processes with the port get the same signal.
                if loop.time() < until and any(listening_port.is_open(address) for address in addresses):
                    loop.call_later(_POLL_S, drain_when_closed, addresses, until)
                else:
                    self.draining = True
                    end_when_all_are_gone(loop.time() + DRAIN_S)

            def end_when_all_are_gone(until: float) -> None:
                if loop.time() < until and _has_connections(then):
                    loop.call_later(_POLL_S, end_when_all_are_gone, until)
                else:
                    then(number, None)

            def begin() -> None:
                if self._ending and number == signal.SIGINT:
                    then(number, None)  # a second Ctrl-C: end at once
                elif not self._ending:
                    self._ending = True
                    addresses = listening_port.close(then)
                    # Not in this iteration of the event loop, which still holds the socket.
                    loop.call_later(_POLL_S, drain_when_closed, addresses, loop.time() + _CLOSES_S)

            signal.signal(number, lambda *_: loop.call_soon_threadsafe(begin))

        for number in (signal.SIGTERM, signal.SIGINT):
            handler = signal.getsignal(number)
            if callable(handler):
                delay(number, handler)
        # Signals were blocked since this process was forked: a pending one is delivered now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT))


async def _again(work: Callable[[], None], every_s: float) -> None:
    """Repeat `work` until cancelled. An exception does not stop the loop."""
    while True:
        await asyncio.sleep(every_s)
        try:
            work()
        except Exception:
            traceback.print_exc(file=sys.stderr)


def _has_connections(handler: object) -> bool:
    """Whether a client is left, idle or not. True if uvicorn does not say."""
    state = getattr(getattr(handler, "__self__", None), "server_state", None)
    return bool(getattr(state, "connections", True))
