"""The worker: a process of LitServe's that holds the models and answers gateways over a unix socket.

LitServe starts it, sees it die and starts another; requests do not travel through LitServe's queues, which lose
what a dead worker had taken. Messages in (`protocol`), any number of connections, each answered in order:

    {"ask": "predict", "release", "columns": {field: [value, …]}}  →  {"scores": [[…], …], "confidence": […], "problem"}
    {"ask": "probe", "release"}                                    →  {"scores": [one training row, scored]}
    {"ask": "explain", "release", "columns", "within_s"}           →  {"reasons": [[{"field", "value", …}, …], …]}
    {"ask": "shadow", "release", "columns"}                        →  {"scores": [[…], …], "problem", "took_ms"}

`problem` is null or says of each row what is wrong with it; where there are no `scores`, of all. The last two are
computed in slices, between which plain messages are answered. Whoever connects is first told, and told again when it
changes: {"pid", "holds": {release: task facts}, "refused": {release: reason}}. What is held follows the desired state,
which a thread looks at. Only importer of LitServe (LitAPI, LitLoop).
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

_BREATH_S = 1.0  # LitServe starts a worker that failed at once again; the reason may pass (a locked ledger) or not
_LOOK_EVERY_S = 0.1
_IDLE_S = 1.0  # so long nobody asked
_SEND_S = 5  # for a gateway to take what it is told
# A thread that has work, such as the opening of a bundle, keeps the interpreter for this long when a request comes.
_SWITCH_S = 0.0005


def socket_path(folder: Path, worker: int) -> str:
    """Where worker number `worker` listens. The folder's path is short: a socket's may have 100 characters."""
    return str(folder / f"worker-{worker}")


def listen(path: str) -> socket.socket:
    """A socket at `path`, in place of the one a dead worker left there."""
    Path(path).unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(64)
    return listening


def attend(listening: socket.socket, pool: ModelPool) -> None:
    """Answer every gateway that connects, until the process ends."""
    while True:
        connection, _ = listening.accept()
        ClientHandler(connection, pool).attend()


class ClientHandler:
    """A connection. Its own thread answers its messages; the one that looks at the desired state tells it what is
    held."""

    def __init__(self, connection: socket.socket, pool: ModelPool) -> None:
        self._connection, self._pool = connection, pool
        self._sending = threading.Lock()
        # A gateway that was stopped takes nothing: it shall not stop the thread that tells it.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SEND_S, 0))

    def attend(self) -> None:
        """Begin."""
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        self._pool.listeners.add(self._tell)
        try:
            with self._connection:
                self._tell()
                for message in protocol.messages(self._connection):
                    reply = protocol.pack(self._pool.answer(message))
                    with self._sending:
                        self._connection.sendall(reply)
        except OSError:
            return  # the gateway is gone: nobody waits for this any more
        finally:
            self._pool.listeners.discard(self._tell)

    def _tell(self) -> None:
        with self._sending:
            try:
                self._connection.sendall(protocol.pack(self._pool.status()))
            except OSError:  # half a message may be on its way: nothing can follow it
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)


class SocketLoop(LitLoop):  # type: ignore[misc]  # LitServe ships no types
    """LitServe's loop: it listens on the socket instead of LitServe's queue."""

    def __call__(self, lit_api: Any, *_: Any, **__: Any) -> None:
        """Attend to gateways for as long as the process lives."""
        attend(lit_api.listening, lit_api.pool)


class Worker(litserve.LitAPI):  # type: ignore[misc]  # LitServe ships no types
    """What LitServe hosts: models, opened in a process of their own.

    Args:
        parent: the process that has to live for this one to.
        folder: where it listens, see `socket_path`, and where the desired state is posted.
        dtypes: the pandas type of each request field.
        units: of the fields that have one.
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
        """Open the champion; LitServe calls the worker ready when this returns. The others are opened after it."""
        die_with_parent.hold(self._parent)
        # The main process ends this one, after the gateway has given its last answer.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        sys.setswitchinterval(_SWITCH_S)
        self.pool = ModelPool(self._open, share=self._settings.background_cpu_share)
        reader = Reader(desired_path(self._folder))
        desired = reader.look()
        try:
            if desired is None:
                raise FileNotFoundError(desired_path(self._folder))
            self.pool.require(desired)
        except Exception as error:
            words = str(error) if isinstance(error, ProveoutError) else f"{type(error).__name__}: {error}"
            print(f"proveout: the worker cannot start: {words}", file=sys.stderr, flush=True)
            time.sleep(_BREATH_S)
            raise
        threading.Thread(target=self._watch, args=(reader,), name="desired-state", daemon=True).start()
        # Bound here and not in the loop, so that whoever hears "ready" can connect.
        self.listening = listen(socket_path(self._folder, int(os.environ.get("LITSERVE_WORKER_ID", "0"))))

    def _open(self, release: Release) -> ModelRunner:
        # Looking through all objects of pandas and scikit-learn for garbage takes the interpreter for 100 ms and more.
        # What is loaded stays: it is not looked at again.
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
            if dropped != swept and self.pool.idle_s > _IDLE_S:  # what is dropped was frozen as well
                gc.unfreeze()
                gc.collect()
                gc.freeze()
                swept = dropped

    def predict(self, x: Any, **_: Any) -> Any:
        """Never called: requests arrive at the socket."""
        raise NotImplementedError


def watch(reader: Reader, pool: ModelPool) -> Iterator[int]:
    """Let the model pool follow the desired state, at every step; how many bundles it has dropped."""
    trouble = Incident("the worker's desired state")
    while True:
        try:
            pool.apply(reader.look())
            trouble.is_over()
        except Exception as error:  # what is held goes on answering
            trouble.begins(f"cannot be followed ({type(error).__name__}: {error})")
        yield pool.dropped
        time.sleep(_LOOK_EVERY_S)
