"""The process manager: it starts the server's processes, restarts those that die, and ends them in order.

Input: the worker that LitServe hosts, the gateway, the log controller. Output: running processes. LitServe alone does
not restart API processes. On SIGTERM it dies, leaves its children on the port, and loses the requests in flight. Only
importer of LitServe (LitServer).
"""

import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import litserve
from litserve.utils import WorkerSetupStatus

from proveout.errors import ProveoutError
from proveout.records.drift_report import Alert
from proveout.records.values import now
from proveout.server import die_with_parent, server_state
from proveout.server.log.controller import LAST_DRAIN_S
from proveout.server.supervisor import SupervisedProcess
from proveout.server.worker.worker import Worker

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_POLL_S = 0.2
_BODY_TIME_S = 6  # a body may take 5 s to arrive
_LAST_WORK_S = 10  # for clients to close their connections, and for the last rows of the journal
_HANG_S = 8.0  # without a note, which an API process posts twice a second: its event loop hangs
_MOST_FAILED_STARTS = 3  # API processes in a row that died before they accepted requests: then the server ends


class NotStarted(ProveoutError):
    """The worker ended before it was ready. `exit_code_of_worker` is None if a signal ended the server."""

    def __init__(self, exit_code_of_worker: int | None) -> None:
        super().__init__(exit_code_of_worker)
        self.exit_code_of_worker = exit_code_of_worker

    def __str__(self) -> str:
        return (
            f"The worker ended before it was ready (exit code {self.exit_code_of_worker}). Its output is above. A "
            "bundle that the gate could open opens here too, unless memory or a library is missing."
        )


class Server(litserve.LitServer):  # type: ignore[misc]  # LitServe ships no types
    """A LitServer that restarts every dead process, drains on SIGTERM and SIGINT, and leaves no process behind.

    Args:
        gateway: wraps LitServe's application in the gateway, in each API process.
        log_controller: the work of the controller's process, until a message arrives on the connection it gets.
        folder: the server's private folder.
        opened: called with a text about the worker, once every API process accepts requests.
    """

    def __init__(
        self,
        worker: Worker,
        gateway: Callable[[Any], Any],
        *,
        log_controller: Callable[[Connection], None],
        folder: Path,
        deadline_s: float,
        opened: Callable[[str], None],
    ) -> None:
        super().__init__(worker, accelerator="cpu", timeout=False, restart_workers=True)
        self.monitor_internal = _POLL_S
        self.uvicorn_graceful_timeout = int(deadline_s) + _BODY_TIME_S
        self.lost = False  # whether the server ended because a process could not be restarted
        self._gateway, self._folder, self._opened = gateway, folder, opened
        self._ending = threading.Event()
        self._main = os.getpid()
        self._sockets: list[Any] = []
        self._api: dict[int, Any] = {}
        self._manager: Any = None
        self._log_controller = SupervisedProcess("log controller", log_controller, patience_s=LAST_DRAIN_S * 1.5)
        self._events = count()
        self._failed_starts = 0
        # By pid of an API process: the time of its last note, and how many checks found no newer one.
        self._heartbeats: dict[int, tuple[int, int]] = {}
        # The kernel ends a child (see `die_with_parent`) together with the thread that started it. LitServe's monitor
        # thread, which restarts workers, ends before the last answers are sent. This thread lives as long as the
        # process.
        self._starter = ThreadPoolExecutor(1, initializer=_block_signals)

    # --- starting -------------------------------------------------------------------------------------------------

    def run(self, *args: Any, **kwargs: Any) -> None:
        """LitServer's `run`, but manager and controller are started before the port is bound.

        If they were forked later, they would inherit the listening socket. At shutdown the port would then accept
        connections that no process answers.
        """
        os.register_at_fork(after_in_child=partial(_tether_child, self._main))
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # the manager inherits it, because it must outlive the API processes
        self._manager = super()._init_manager(kwargs["num_api_servers"])
        self._starter.submit(self._log_controller.start, ()).result()
        for number in SIGNALS:
            signal.signal(number, self._end)
        try:
            super().run(*args, **kwargs)
        finally:
            self._log_controller.finish()

    def _init_manager(self, num_api_servers: int) -> Any:
        return self._manager

    def launch_inference_worker(self, lit_api: Any) -> Any:
        """Start the worker, from the thread that lives as long as this process."""
        started = self._starter.submit(super().launch_inference_worker, lit_api).result()
        return [_kill_to_end(process) for process in started]

    def launch_single_inference_worker(self, lit_api: Any, worker_id: int) -> Any:
        """Restart the worker, from the same thread."""
        return _kill_to_end(self._starter.submit(super().launch_single_inference_worker, lit_api, worker_id).result())

    def verify_worker_status(self) -> None:
        """Wait for the worker. Raises: NotStarted if it ends before it is ready. LitServe would wait forever."""
        while not any(status == WorkerSetupStatus.READY for status in self.workers_setup_status.values()):
            dead = [process for process in self.inference_workers if not process.is_alive()]
            if dead or self._ending.is_set():
                for process in self.inference_workers:
                    process.kill()
                self._manager.shutdown()
                raise NotStarted(None if self._ending.is_set() else dead[0].exitcode)
            time.sleep(0.05)

    def _start_server(
        self, port: int, servers: int, log_level: str, sockets: list[Any], *args: Any, **kwargs: Any
    ) -> Any:
        self._sockets = sockets
        start_litserve = super()._start_server

        def start_one() -> Any:
            own = sockets if servers == 1 else [_socket_on_same_port(held) for held in sockets]
            started = start_litserve(port, 1, log_level, own, *args, **kwargs)
            for listening in own if servers > 1 else ():
                listening.close()
            return started[0]

        for number in range(servers):
            self._start_api(number, start_one)
        self.uvicorn_graceful_timeout += _LAST_WORK_S  # from here on, how long this process waits for each of them
        threading.Thread(target=self._watch, args=(start_one,), name="watch", daemon=True).start()
        return self._api  # kept: LitServe ends those that are in it then

    def _prepare_app_run(self, app: Any) -> None:
        super()._prepare_app_run(app)
        # In front of LitServe's and FastAPI's own middleware, which would cost each request 20 µs for nothing.
        app.middleware_stack = self._gateway(app.build_middleware_stack())

    def _start_api(self, number: int, start_one: Callable[[], Any]) -> None:
        # The starter thread blocks SIGTERM and SIGINT: a signal before uvicorn installs its handlers would be lost.
        # The API runtime unblocks them.
        self._api[number] = process = self._starter.submit(start_one).result()
        if self._ending.is_set():  # set meanwhile: `_end` did not see this process
            os.kill(process.pid, signal.SIGTERM)

    # --- watching -------------------------------------------------------------------------------------------------

    def _watch(self, start_api: Callable[[], Any]) -> None:
        """Restart dead and hanging API processes, and a dead controller. LitServe itself watches only its workers."""
        announced = False
        while not self._ending.wait(_POLL_S):
            try:
                notes = {note.pid: note for note in server_state.api_notes(self._folder)}
                for number, process in list(self._api.items()):
                    if not process.is_alive():
                        self._replace_api(number, process, lived=process.pid in notes, start_api=start_api)
                    elif self._hangs(process.pid):
                        _print(f"the API process {process.pid} did not respond for {_HANG_S:g} s")
                        process.kill()
                if not announced and all(process.pid in notes for process in self._api.values()):
                    announced = True
                    self._opened(next(iter(notes.values())).worker)
                if self._log_controller.is_due():
                    message = f"the log controller died (exit code {self._log_controller.exit_code}): it is restarted"
                    self._alert(message, what="the log controller died")
                    self._starter.submit(self._log_controller.start, self._sockets).result()
            except Exception:  # for example out of memory or processes: try again at the next check
                traceback.print_exc(file=sys.stderr)

    def _replace_api(self, number: int, process: Any, *, lived: bool, start_api: Callable[[], Any]) -> None:
        self._failed_starts = 0 if lived else self._failed_starts + 1
        server_state.api_path(self._folder, process.pid).unlink(missing_ok=True)
        message = f"the API process {process.pid} died (exit code {process.exitcode})"
        if self._failed_starts == _MOST_FAILED_STARTS:
            _print(f"{message} like those before it: the server ends")
            self.lost = True
            self._end()
        elif not self._ending.is_set():
            self._alert(f"{message}: it is restarted", what="an API process died")
            self._start_api(number, start_api)

    def _hangs(self, pid: int) -> bool:
        """Whether its note has not changed for too long. Counted in checks of this thread, not by the clock: after the
        machine slept for an hour, no process hangs."""
        try:
            beat = server_state.api_path(self._folder, pid).stat().st_mtime_ns
        except FileNotFoundError:
            return False  # it is still starting
        last, checks = self._heartbeats.get(pid, (0, 0))
        checks = checks + 1 if beat == last else 0
        self._heartbeats[pid] = (beat, checks)
        return checks * _POLL_S > _HANG_S

    def _alert(self, message: str, *, what: str) -> None:
        """Print `message`, and post an alert, which the controller writes to the ledger."""
        _print(message)
        step = "If it happens again, see the server's output before it"
        alert = Alert(severity="warning", what=what, details=f"{message}.", next_step=step, at=now())
        with suppress(OSError):  # the disk is full: the message was printed
            server_state.post(self._folder / f"event-{next(self._events):06}.json", alert)

    # --- ending ---------------------------------------------------------------------------------------------------

    def _end(self, *_: Any) -> None:
        if os.getpid() == self._main:  # the API processes inherit this handler, and must ignore it
            self._ending.set()
            # At once, as in the API processes: otherwise the port would accept connections that no process answers.
            for listening in self._sockets:
                listening.close()
            # All at once: LitServe would end one after the other, and the port is open as long as one of them has it.
            for process in list(self._api.values()):
                with suppress(ProcessLookupError, TypeError):
                    os.kill(process.pid, signal.SIGTERM)
            # LitServe's event is a call to another process, and a signal handler must not wait for that.
            threading.Thread(target=self._set_shutdown_event, daemon=True).start()

    def _set_shutdown_event(self) -> None:
        with suppress(EOFError, OSError):  # its manager is gone, which ends LitServe as well
            self._shutdown_event.set()

    def _perform_graceful_shutdown(self, *args: Any, **kwargs: Any) -> None:
        self._end()
        super()._perform_graceful_shutdown(*args, **kwargs)


def _socket_on_same_port(held: socket.socket) -> socket.socket:
    """A second socket on the port of `held` (SO_REUSEPORT), so that the kernel spreads connections over the processes.

    Processes that share one socket get uneven loads: the first one that wakes up accepts all waiting connections.
    """
    listening = socket.socket(held.family, held.type)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind(held.getsockname())
    return listening


def _print(message: str) -> None:
    print(f"proveout: {message}", file=sys.stderr, flush=True)


def _block_signals() -> None:
    # A worker inherits the mask, so a signal to the process group cannot end it before it ignores them itself.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _tether_child(main: int) -> None:
    if os.getppid() == main:
        die_with_parent.hold(main)


def _kill_to_end(process: Any) -> Any:
    """Make `terminate` kill the process, because it ignores SIGTERM. LitServe calls it after the last answer."""
    process.terminate = process.kill
    return process
