"""The host: LitServe, started so that it ends well.

Comes in: settings. Goes out: an exit code, when the server has ended. LitServe starts the worker, restarts it when it
dies and carries the HTTP application; gateway, transport and shutdown are ours, through its public extension points
and a subclass. What was wrong with it as it comes: facts/litserve.md. Door to: LitServe (LitServer).

    main ─┬─ manager (LitServe's queues; idle)
          ├─ worker  (the model; restarted)
          └─ API     (uvicorn, gateway, journal)       SIGTERM or Ctrl-C to main, or to all of them: everything
                                                       accepted is answered, then exit 0. kill -9 of main ends all.
"""

import fcntl
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import litserve
from litserve.utils import WorkerSetupStatus

from proveout.errors import ConfigError, ProveoutError
from proveout.serving import tether
from proveout.serving.champion import Champion, Source
from proveout.serving.desk import Habits
from proveout.serving.drain import Log
from proveout.serving.gateway import Gateway
from proveout.serving.office import Office
from proveout.serving.schema import RequestSchema, compile_schema
from proveout.serving.worker import Worker, socket_path
from proveout.settings import Settings, load_object

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SOCKETS = "proveout-sockets-"
_LOOK_EVERY_S = 0.2
_BODY_TIME_S = 6  # a body may take 5 s to arrive
_LAST_WORK_S = 10  # the moment for clients to hear of the end, and the last drain
_LITSERVE_HOSTS = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "0.0.0.0": "0.0.0.0", "::": "::"}  # noqa: S104


def serve(settings: Settings, *, source: Source | None = None) -> int:
    """Serve until a signal ends it. Returns 0 after an orderly end, 1 if a process was lost that cannot be restarted.

    Args:
        source: where the model comes from; the ledger's champion, unless a test brings its own. It is sent to the
            worker by pickle.
    Raises: NotFound, NotApproved, Tampered, LedgerError, ConfigError: nothing was started.
    """
    source = source or Champion()
    schema = compile_schema(load_object(settings.request_schema, settings.root), name=settings.request_schema)
    rules, action = (load_object(name, settings.root) for name in (settings.fallback, settings.actions))
    host, port = _address(settings)
    release = source.check(settings)
    # Threads of BLAS and OpenMP in the worker would fight for the few cores that the API process needs as well.
    # Set here, because they are read when NumPy is imported; whoever sets them outside is obeyed.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    with _socket_folder() as sockets:
        habits = Habits(
            model=settings.model,
            label_name=settings.label_name,
            release=release,
            rules=rules,
            action=action,
            deadline_s=settings.deadline_s,
        )
        office = partial(
            Office,
            habits,
            fields=schema.names,
            socket=socket_path(sockets, 0),
            hang_s=settings.hang_s,
            journal_dir=settings.journal_dir,
            open_log=partial(_open_ledger, settings.ledger),
            gentle=True,
            opened=partial(_announce, release, host, port),
        )
        worker = Worker(settings, source=source, parent=os.getpid(), folder=sockets, dtypes=schema.dtypes)
        server = _Server(worker, _middleware(schema, office, settings), deadline_s=settings.deadline_s)
        return _run(server, host, port)


def _run(server: "_Server", host: str, port: int) -> int:
    try:
        server.run(
            host=host,
            port=port,
            generate_client_file=False,  # LitServe would write a client.py into the working directory
            log_level="warning",
            access_log=False,
            server_header=False,
        )
    except NotStarted as error:
        if error.exit_code_of_worker is not None:
            raise
    except (EOFError, ConnectionError) as error:
        print(f"proveout: LitServe's manager process is gone ({type(error).__name__})", file=sys.stderr, flush=True)
        return 1
    return 1 if server.lost else 0


@contextmanager
def _socket_folder() -> Iterator[Path]:
    """A folder for the worker's socket: private, and short enough for a socket's path. Those that servers killed by
    kill -9 have left are swept up; a living one's is known by its lock, which its processes share."""
    for left in Path(tempfile.gettempdir()).glob(f"{_SOCKETS}*/lock"):
        with suppress(OSError), left.open("rb") as lock:  # another user's, or a living server's
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_SOCKETS))
    with (folder / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _middleware(
    schema: RequestSchema, office: Callable[[], Office], settings: Settings
) -> list[tuple[type[Gateway], Mapping[str, Any]]]:
    return [(Gateway, {"schema": schema, "office": office, "max_body_bytes": settings.max_body_bytes})]


def _open_ledger(url: str) -> Log:
    from proveout.registry.ledger import Ledger

    return Ledger(url)


def _announce(release: str, host: str, port: int, worker: str) -> None:
    address = f"[{host}]" if ":" in host else host
    print(f"proveout: {release} answers on http://{address}:{port}/predict ({worker})", file=sys.stderr, flush=True)


def _address(settings: Settings) -> tuple[str, int]:
    """Host and port to listen on, known to be free. Port 0 is any free one. Raises: ConfigError."""
    host = _LITSERVE_HOSTS.get(settings.host)
    if host is None:
        raise ConfigError("host", f"{settings.host} cannot be listened on", "Use 127.0.0.1, 0.0.0.0 or ::")
    if 0 < settings.port < 1024:
        raise ConfigError("port", f"{settings.port} is below 1024", "Use a higher one: PROVEOUT_PORT=8080")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as uvicorn does: a port in TIME_WAIT is free
        try:
            probe.bind((host, settings.port))
            probe.listen()
        except OSError as error:
            problem = f"{settings.port} on {host} cannot be used: {error.strerror}"
            remedy = "Stop the server that has it, or choose another: PROVEOUT_PORT=8081"
            raise ConfigError("port", problem, remedy) from error
        return host, int(probe.getsockname()[1])


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


class _Server(litserve.LitServer):  # type: ignore[misc]  # LitServe ships no types
    """LitServer that drains on SIGTERM and SIGINT, leaves no process behind and notices a lost API process."""

    def __init__(self, worker: Worker, middleware: list[Any], *, deadline_s: float) -> None:
        super().__init__(worker, accelerator="cpu", timeout=False, restart_workers=True, middlewares=middleware)
        self.monitor_internal = _LOOK_EVERY_S
        self.uvicorn_graceful_timeout = int(deadline_s) + _BODY_TIME_S
        self.lost = False  # whether it ended because a process was lost
        self._ending = threading.Event()
        self._main = os.getpid()
        self._sockets: list[socket.socket] = []
        self._manager: Any = None
        # The kernel ends a tethered child with the thread that started it: LitServe's monitor, which restarts
        # workers, ends before the last answers are given. This thread lives as long as the process.
        self._starter = ThreadPoolExecutor(1, initializer=_block_signals)

    # --- starting -------------------------------------------------------------------------------------------------

    def run(self, *args: Any, **kwargs: Any) -> None:
        """LitServer's `run`, its manager started before the port is bound.

        A manager forked later holds the listening socket too: the port would accept connections that nobody answers
        from the moment the API process closes it until the manager ends.
        """
        os.register_at_fork(after_in_child=partial(_tether_child, self._main))
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # the manager inherits it: it has to outlive the API process
        self._manager = super()._init_manager(1)
        for number in _SIGNALS:
            signal.signal(number, self._end)
        super().run(*args, num_api_servers=1, **kwargs)

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
        processes = super()._start_server(port, servers, log_level, sockets, *args, **kwargs)
        self.uvicorn_graceful_timeout += _LAST_WORK_S  # from here on, how long the main process waits for uvicorn
        threading.Thread(target=self._watch_api, args=(list(processes.values()),), daemon=True).start()
        return processes

    def _watch_api(self, processes: list[Any]) -> None:
        """LitServe watches its workers only: without this, a dead API process leaves a port that accepts and hangs."""
        while not self._ending.wait(_LOOK_EVERY_S):
            dead = [process for process in processes if not process.is_alive()]
            if dead:
                words = f"the API process {dead[0].pid} died (exit code {dead[0].exitcode}): the server ends"
                print(f"proveout: {words}", file=sys.stderr, flush=True)
                self.lost = True
                self._end()

    # --- ending ---------------------------------------------------------------------------------------------------

    def _end(self, *_: Any) -> None:
        if os.getpid() == self._main:  # the API process inherits this handler and has its own work to do
            self._ending.set()
            # At once, as the API process does: else the port accepts, and nobody answers, until this process is gone.
            for listening in self._sockets:
                listening.close()
            # LitServe's event is a call to another process, which a signal handler must not wait for.
            threading.Thread(target=self._tell_litserve, daemon=True).start()

    def _tell_litserve(self) -> None:
        with suppress(EOFError, OSError):  # its manager is gone, which ends it as well
            self._shutdown_event.set()

    def _perform_graceful_shutdown(self, *args: Any, **kwargs: Any) -> None:
        self._end()
        super()._perform_graceful_shutdown(*args, **kwargs)


def _block_signals() -> None:
    # A worker inherits the mask, so it cannot be ended by a signal to the group before it ignores them itself.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def _tether_child(main: int) -> None:
    if os.getppid() == main:
        tether.hold(main)


def _kill_to_end(process: Any) -> Any:
    """`process`, which ignores SIGTERM: LitServe ends it when the last answer is given."""
    process.terminate = process.kill
    return process
