"""The worker: a process of LitServe's that holds the models and answers API processes over a Unix socket.

LitServe starts the worker and restarts it when it dies. Requests do not go through LitServe's queues, which lose what a
dead worker had taken. The worker accepts any number of connections, and answers the messages (`protocol`) of each in
order:

    {"ask": "predict", "release", "columns": {field: [value, …]}}  →  {"scores": [[…], …], "confidence": […], "problem"}
    {"ask": "probe", "release"}                                    →  {"scores": [one training row, scored]}
    {"ask": "explain", "release", "columns", "within_s"}           →  {"reasons": [[{"field", "value", …}, …], …]}
    {"ask": "shadow", "release", "columns"}                        →  {"scores": [[…], …], "problem", "took_ms"}

`problem` is null, or a list with the problem of each row; in a reply without `scores`, the problem of the whole
message. The last two are computed in slices, and plain messages are answered between slices. Each new connection first
gets the worker's status, and again when it changes: {"pid", "holds": {release: task facts}, "refused": {release:
reason}}. A thread polls the desired state, and opens and drops bundles to match. Only importer of LitServe (LitAPI,
LitLoop).
"""

import gc
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import litserve
from litserve.loops import LitLoop

from proveout.errors import ProveoutError
from proveout.records.release import Release
from proveout.server import die_with_parent
from proveout.server.incidents import Incident
from proveout.server.queue import protocol
from proveout.server.server_state import Reader, desired_path
from proveout.server.worker.model_pool import ModelPool
from proveout.server.worker.model_runner import ModelRunner
from proveout.server.worker.release_source import Source
from proveout.settings import Settings

_RESTART_PAUSE_S = 1.0  # LitServe restarts a failed worker at once; the cause may be temporary, like a locked ledger
_POLL_S = 0.1
_IDLE_S = 1.0  # without requests
_SEND_S = 5  # for an API process to receive a status or a reply
# How long a busy thread, such as one that opens a bundle, keeps the interpreter after a request arrived.
_SWITCH_S = 0.0005


def socket_path(folder: Path, worker: int) -> str:
    """The socket of worker number `worker`. A socket's path may have only about 100 characters."""
    return str(folder / f"worker-{worker}")


def listen(path: str) -> socket.socket:
    """A socket at `path`. Replaces the one of a dead worker."""
    Path(path).unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(64)
    return listening


def accept_connections(listening: socket.socket, pool: ModelPool) -> None:
    """Answer every API process that connects, until the process ends."""
    while True:
        connection, _ = listening.accept()
        ClientHandler(connection, pool).start()


class ClientHandler:
    """One connection. Its own thread answers its messages. The thread that polls the desired state sends it the
    status."""

    def __init__(self, connection: socket.socket, pool: ModelPool) -> None:
        self._connection, self._pool = connection, pool
        self._sending = threading.Lock()
        # A stopped API process receives nothing, and must not block the thread that sends it the status.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SEND_S, 0))

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        self._pool.listeners.add(self._send_status)
        try:
            with self._connection:
                self._send_status()
                for message in protocol.messages(self._connection):
                    reply = protocol.pack(self._pool.answer(message))
                    with self._sending:
                        self._connection.sendall(reply)
        except OSError:
            return  # the API process is gone
        finally:
            self._pool.listeners.discard(self._send_status)

    def _send_status(self) -> None:
        with self._sending:
            try:
                self._connection.sendall(protocol.pack(self._pool.status()))
            except OSError:  # half a message may be sent: nothing can follow it
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)


class SocketLoop(LitLoop):  # type: ignore[misc]  # LitServe ships no types
    """LitServe's loop: it listens on the socket instead of LitServe's queue."""

    def __call__(self, lit_api: Any, *_: Any, **__: Any) -> None:
        """Answer API processes for as long as the process lives."""
        accept_connections(lit_api.listening, lit_api.pool)


class Worker(litserve.LitAPI):  # type: ignore[misc]  # LitServe ships no types
    """The LitServe API that holds the models in its own process.

    Args:
        parent: the pid of the main process. The worker ends when it does.
        folder: the server's private folder, with the sockets (see `socket_path`) and the desired state.
        dtypes: the pandas type of each request field.
        units: the unit of each field that has one.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        source: Source,
        parent: int,
        folder: Path,
        dtypes: Mapping[str, str],
        units: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(api_path="/predict", loop=SocketLoop())
        self._settings, self._source = settings, source
        self._dtypes, self._units = dict(dtypes), dict(units or {})
        self._parent, self._folder = parent, folder

    def setup(self, device: str) -> None:
        """Open the champion. LitServe counts the worker as ready when this returns. The other bundles follow."""
        die_with_parent.hold(self._parent)
        # The main process ends this one after the gateway has sent its last answer.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        sys.setswitchinterval(_SWITCH_S)
        self.pool = ModelPool(self._open, share=self._settings.background_cpu_share)
        reader = Reader(desired_path(self._folder))
        desired = reader.poll()
        try:
            if desired is None:
                raise FileNotFoundError(desired_path(self._folder))
            self.pool.require(desired)
        except Exception as error:
            reason = str(error) if isinstance(error, ProveoutError) else f"{type(error).__name__}: {error}"
            print(f"proveout: the worker cannot start: {reason}", file=sys.stderr, flush=True)
            time.sleep(_RESTART_PAUSE_S)
            raise
        threading.Thread(target=self._watch, args=(reader,), name="desired-state", daemon=True).start()
        # Bound here and not in the loop: once the worker is ready, API processes must be able to connect.
        self.listening = listen(socket_path(self._folder, int(os.environ.get("LITSERVE_WORKER_ID", "0"))))

    def _open(self, release: Release) -> ModelRunner:
        # Garbage collection of all objects of pandas and scikit-learn blocks the interpreter for 100 ms and more.
        # Freezing the loaded objects keeps later collections short.
        gc.disable()
        try:
            runner = ModelRunner(
                self._source.open(self._settings, release),
                self._dtypes,
                self._units,
                target_unit=self._settings.target_unit,
            )
            gc.collect()
            gc.freeze()
        finally:
            gc.enable()
        return runner

    def _watch(self, reader: Reader) -> None:
        swept = 0
        for dropped in watch(reader, self.pool):
            if dropped != swept and self.pool.idle_s > _IDLE_S:  # dropped bundles were frozen, too
                gc.unfreeze()
                gc.collect()
                gc.freeze()
                swept = dropped

    def predict(self, x: Any, **_: Any) -> Any:
        """Never called: requests arrive on the socket."""
        raise NotImplementedError


def watch(reader: Reader, pool: ModelPool) -> Iterator[int]:
    """Apply the desired state to the model pool at every step. Yields how many bundles were dropped so far."""
    trouble = Incident("the worker's desired state")
    while True:
        try:
            pool.apply(reader.poll())
            trouble.is_over()
        except Exception as error:  # the open bundles continue to answer
            trouble.begins(f"cannot be applied ({type(error).__name__}: {error})")
        yield pool.dropped
        time.sleep(_POLL_S)
