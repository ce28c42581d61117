"""The processes of the server: LitServe's, and what LitServe lacks.

Input: the worker that LitServe hosts, the gateway, the log controller. Output: processes that are started, restarted
when they die, and ended in order. LitServe alone restarts no API process, dies of SIGTERM with its children still on
the port, and loses the requests in flight. Only importer of LitServe (LitServer).
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
from proveout.server.supervisor import Kept
from proveout.server.worker.worker import Worker

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LOOK_EVERY_S = 0.2
_BODY_TIME_S = 6  # a body may take 5 s to arrive
_LAST_WORK_S = 10  # the moment for clients to hear of the end, and the last words of the journal
_HANG_S = 8.0  # without a note, which an API process leaves twice a second: its event loop stands still
_STILLBORN = 3  # API processes in a row that died before they accepted: another one would not live either


class NotStarted(ProveoutError):
    """The worker ended before it was ready. `exit_code_of_worker` is None if it was told to."""

    def __init__(self, exit_code_of_worker: int | None) -> None:
        super().__init__(exit_code_of_worker)
        self.exit_code_of_worker = exit_code_of_worker

    def __str__(self) -> str:
        return (
            f"The worker ended before it could answer (exit code {self.exit_code_of_worker}). What it said stands "
            "above; a bundle that the gate could open opens here too, unless memory or a library is missing."
        )


class Server(litserve.LitServer):  # type: ignore[misc]  # LitServe ships no types
    """LitServer that starts every process again that dies, drains on SIGTERM and SIGINT, and leaves none behind.

    Args:
        gateway: puts the gateway in front of LitServe's application, in each API process.
        controller: what the controller's process does, until something arrives at the connection it is given.
        folder: the server's private folder.
        opened: called with a word on the worker, once every API process accepts requests.
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
        self.monitor_internal = _LOOK_EVERY_S
        self.uvicorn_graceful_timeout = int(deadline_s) + _BODY_TIME_S
        self.lost = False  # whether it ended because a process was lost
        self._gateway, self._folder, self._opened = gateway, folder, opened
        self._ending = threading.Event()
        self._main = os.getpid()
        self._sockets: list[Any] = []
        self._api: dict[int, Any] = {}
        self._manager: Any = None
        self._log_controller = Kept("log controller", log_controller, patience_s=LAST_DRAIN_S * 1.5)
        self._events = count()
        self._stillborn = 0
        self._beats: dict[int, tuple[int, int]] = {}  # of each API process: when it left its note, and looks since
        # The kernel ends a tethered child with the thread that started it: LitServe's monitor, which restarts
        # workers, ends before the last answers are given. This thread lives as long as the process.
        self._starter = ThreadPoolExecutor(1, initializer=_block_signals)

    # --- starting -------------------------------------------------------------------------------------------------

    def run(self, *args: Any, **kwargs: Any) -> None:
        """LitServer's `run`, its manager started before the port is bound.

        A manager or a controller forked later holds the listening socket too: the port would accept connections that
        nobody answers from the moment the API processes close it until those end.
        """
        os.register_at_fork(after_in_child=partial(_tether_child, self._main))
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # the manager inherits it: it has to outlive the API processes
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
        """Start the worker, from a thread that lives on."""
        started = self._starter.submit(super().launch_inference_worker, lit_api).result()
        return [_kill_to_end(process) for process in started]

    def launch_single_inference_worker(self, lit_api: Any, worker_id: int) -> Any:
        """Start the worker again, from the same thread."""
        return _kill_to_end(self._starter.submit(super().launch_single_inference_worker, lit_api, worker_id).result())

    def verify_worker_status(self) -> None:
        """Wait for the worker. Raises: NotStarted if it ends before it is ready; LitServe would wait for ever."""
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
            own = sockets if servers == 1 else [_beside(held) for held in sockets]
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
        # In front of all that LitServe and FastAPI bring along, which costs each request 20 µs and serves none.
        app.middleware_stack = self._gateway(app.build_middleware_stack())

    def _start_api(self, number: int, start_one: Callable[[], Any]) -> None:
        # With the signals blocked that end it: one that comes before uvicorn listens for them would be lost. The
        # API runtime lets them in.
        self._api[number] = process = self._starter.submit(start_one).result()
        if self._ending.is_set():  # meanwhile: `_end` did not see this one
            os.kill(process.pid, signal.SIGTERM)

    # --- watching -------------------------------------------------------------------------------------------------

    def _watch(self, start_api: Callable[[], Any]) -> None:
        """LitServe watches its workers only: a dead API process's connections would wait in a queue for ever."""
        said = False
        while not self._ending.wait(_LOOK_EVERY_S):
            try:
                notes = {note.pid: note for note in server_state.api_notes(self._folder)}
                for number, process in list(self._api.items()):
                    if not process.is_alive():
                        self._replace_api(number, process, lived=process.pid in notes, start_api=start_api)
                    elif self._hangs(process.pid):
                        _say(f"the API process {process.pid} did nothing for {_HANG_S:g} s")
                        process.kill()
                if not said and all(process.pid in notes for process in self._api.values()):
                    said = True
                    self._opened(next(iter(notes.values())).words)
                if self._log_controller.is_due():
                    words = f"the log controller died (exit code {self._log_controller.exit_code}): it is started again"
                    self._tell(words, what="the log controller died")
                    self._starter.submit(self._log_controller.start, self._sockets).result()
            except Exception:  # a machine out of memory or processes: the next look may find it better
                traceback.print_exc(file=sys.stderr)

    def _replace_api(self, number: int, process: Any, *, lived: bool, start_api: Callable[[], Any]) -> None:
        self._stillborn = 0 if lived else self._stillborn + 1
        server_state.api_path(self._folder, process.pid).unlink(missing_ok=True)
        words = f"the API process {process.pid} died (exit code {process.exitcode})"
        if self._stillborn == _STILLBORN:
            _say(f"{words} like those before it: the server ends")
            self.lost = True
            self._end()
        elif not self._ending.is_set():
            self._tell(f"{words}: it is started again", what="an API process died")
            self._start_api(number, start_api)

    def _hangs(self, pid: int) -> bool:
        """Whether its note has not changed for too long, by the looks of this thread: a machine that slept for an hour
        has no process that hangs."""
        try:
            beat = server_state.api_path(self._folder, pid).stat().st_mtime_ns
        except FileNotFoundError:
            return False  # it is still starting
        last, looks = self._beats.get(pid, (0, 0))
        looks = looks + 1 if beat == last else 0
        self._beats[pid] = (beat, looks)
        return looks * _LOOK_EVERY_S > _HANG_S

    def _tell(self, words: str, *, what: str) -> None:
        """Tell whoever started the server, and leave an alert for the controller to write down."""
        _say(words)
        step = "If it happens again, see what the server said before"
        alert = Alert(severity="warning", what=what, details=f"{words}.", next_step=step, at=now())
        with suppress(OSError):  # the disk is full: it was said above
            server_state.post(self._folder / f"event-{next(self._events):06}.json", alert)

    # --- ending ---------------------------------------------------------------------------------------------------

    def _end(self, *_: Any) -> None:
        if os.getpid() == self._main:  # the API processes inherit this handler and have their own work to do
            self._ending.set()
            # At once, as the API processes do: else the port accepts, and nobody answers, until this one is gone.
            for listening in self._sockets:
                listening.close()
            # All at once; LitServe would end one after the other, and the port is open as long as one has it.
            for process in list(self._api.values()):
                with suppress(ProcessLookupError, TypeError):
                    os.kill(process.pid, signal.SIGTERM)
            # LitServe's event is a call to another process, which a signal handler must not wait for.
            threading.Thread(target=self._tell_litserve, daemon=True).start()

    def _tell_litserve(self) -> None:
        with suppress(EOFError, OSError):  # its manager is gone, which ends it as well
            self._shutdown_event.set()

    def _perform_graceful_shutdown(self, *args: Any, **kwargs: Any) -> None:
        self._end()
        super()._perform_graceful_shutdown(*args, **kwargs)


def _beside(held: socket.socket) -> socket.socket:
    """Another socket on the port of `held`, which nobody listens on: the kernel spreads connections over those who do.

    Processes that accept from one socket leave them to chance: whoever wakes first takes all that came together.
    """
    listening = socket.socket(held.family, held.type)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind(held.getsockname())
    return listening


def _say(words: str) -> None:
    print(f"proveout: {words}", file=sys.stderr, flush=True)


def _block_signals() -> None:
    # A worker inherits the mask, so it cannot be ended by a signal to the group before it ignores them itself.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _tether_child(main: int) -> None:
    if os.getppid() == main:
        die_with_parent.hold(main)


def _kill_to_end(process: Any) -> Any:
    """`process`, which ignores SIGTERM: LitServe ends it when the last answer is given."""
    process.terminate = process.kill
    return process
