"""A served toy project in a session of its own, and clients that load it: for the tests of the whole server.

Its processes are found by their group, so that no others are touched. Deadlines are long: an answer that the rules gave
because the machine is slow would prove nothing. A request that has no answer long after its deadline hangs, and counts
as failed. Who is to wait for something waits until it happened, by `patience` or `Load.wait_for_more`.
"""

import concurrent.futures
import contextlib
import http.client
import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patience import PATIENCE_S, wait_until
from serving_toy import lay_out, request
from warm_python import warm

from proveout.ledger.ledger import Ledger, read
from proveout.records.drift_report import Alert
from proveout.settings import load

TOY = Path(__file__).with_name("serving_toy.py")
DEADLINE_S = 20.0
HANGS_AFTER_S = 60.0  # without an answer


@dataclass(frozen=True)
class Answered:
    """What became of one request of the load."""

    request_id: str
    took_s: float
    answered_by: str | None  # None: no answer
    problem: str = ""
    asked_at: float = 0.0
    release: str = ""
    fallback_reason: str | None = None
    unlogged: bool = False


def _started(pid: int) -> int:
    """When a process was started, in clock ticks since boot: pids begin anew at the kernel's pid_max."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


class Server:
    """A served project, as a process group.

    Args:
        app: the toy's, which is laid out in `root`; or `serve/app.py`, for a project with bundles and a ledger.
    """

    def __init__(self, root: Path, *, app: Path = TOY, **environment: str) -> None:
        self.root = lay_out(root) if app == TOY else root
        self.port = free_port()
        self._environment = {name: value for name, value in environment.items() if name.startswith("PROVEOUT_")}
        self.output = root / "server.log"
        names = {
            "PROVEOUT_ROOT": str(root),
            "PROVEOUT_PORT": str(self.port),
            "PROVEOUT_DEADLINE_S": str(DEADLINE_S),
            "PROVEOUT_WORKER_TIMEOUT_S": "60",
        }
        self.main = warm().run(app, str(root), env={**os.environ, **names, **environment}, cwd=root, output=self.output)

    def wait_ready(self) -> dict[str, Any]:
        return self.wait_for(lambda status, details: status == 200)

    def wait_for(self, wanted: Callable[[int, dict[str, Any]], bool]) -> dict[str, Any]:
        """What /readyz says, once that is what is wanted."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            if self.main.poll() is not None:
                raise AssertionError(f"the server ended with {self.main.returncode}:\n{self.said()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, details = self.get("/readyz")
                found[:] = [details]
                return wanted(status, details)
            return False

        wait_until(there, lambda: f"what is wanted of /readyz, which says {found}:\n{self.said()}")
        return found[0]

    def wait_for_desired(self, seq: int, *, api_processes: int = 1, holds: str | None = None) -> None:
        """Until every API process has that desired state, and its worker holds that release: what is asked then goes by
        it."""

        def everywhere() -> bool:
            with contextlib.suppress(OSError, ValueError, IndexError):  # a process is being started again
                seen = self.seen().values()
                return len(seen) == api_processes and all(
                    details["desired_seq"] >= seq and (holds is None or holds in details["holds"]) for details in seen
                )
            return False

        wait_until(everywhere, lambda: f"desired state {seq} in {api_processes} processes:\n{self.said()}")

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANGS_AFTER_S)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def seen(self) -> dict[int, dict[str, Any]]:
        """What each API process says in /readyz, by its pid: the kernel chooses who takes a connection."""
        wanted, found = set(self.forked()[2]), dict[int, dict[str, Any]]()
        until = time.monotonic() + PATIENCE_S
        while set(found) < wanted and time.monotonic() < until:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                for _, details in pool.map(lambda _: self.get("/readyz"), range(8)):
                    found[details["api"]] = details
        return found

    def ask(self, **changed: Any) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANGS_AFTER_S)
        try:
            connection.request("POST", "/predict", json.dumps(request(**changed)))
            response = connection.getresponse()
            assert response.status == 200
            answer: dict[str, Any] = json.loads(response.read())
            return answer
        finally:
            connection.close()

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def pids(self) -> dict[int, int]:
        """Every living process of the server, and its parent."""
        found: dict[int, int] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, parent, group = stat.read_text().rpartition(")")[2].split()[:3]
                if int(group) == self.main.pid and state != "Z":
                    found[int(stat.parent.name)] = int(parent)
        return found

    def forked(self) -> tuple[int, int, list[int]]:
        """The manager, the controller and the API processes: forked by the main process, so their command is its
        own."""
        command = Path(f"/proc/{self.main.pid}/cmdline").read_bytes()
        own = sorted(
            (
                pid
                for pid, parent in self.pids().items()
                if parent == self.main.pid and Path(f"/proc/{pid}/cmdline").read_bytes() == command
            ),
            key=_started,
        )
        (log_controller,) = [pid for pid in own if os.getpriority(os.PRIO_PROCESS, pid) > 0]
        return own[0], log_controller, [pid for pid in own[1:] if pid != log_controller]  # the manager is the first

    def wait_forked(self, api_processes: int, *, without: int = 0) -> list[int]:
        """The API processes, once there are so many and `without` is not among them or the controller."""
        found: list[int] = []

        def there() -> bool:
            with contextlib.suppress(OSError, ValueError, IndexError):
                _, log_controller, found[:] = self.forked()
                return len(found) == api_processes and without not in {log_controller, *found}
            return False

        wait_until(there, lambda: f"{api_processes} API processes:\n{self.said()}")
        return found

    def ended(self) -> int:
        """The exit code, once it ended."""
        return self.main.wait(PATIENCE_S)

    def wait_gone(self) -> None:
        """Until no process of it is left. Its port is free then."""
        wait_until(lambda: not self.pids(), lambda: f"the end of all its processes: {self.pids()}")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", self.port))

    def stop(self) -> None:
        if self.pids():
            os.killpg(self.main.pid, signal.SIGKILL)
        self.main.wait()

    def ledger(self) -> Ledger:
        state = self._environment.get("PROVEOUT_STATE")
        settings = load(self.root).model_copy(update={"state": Path(state)} if state else {})
        return Ledger(self._environment.get("PROVEOUT_LEDGER_URL") or settings.ledger)

    def logged(self) -> Counter[str]:
        with self.ledger() as ledger:
            return Counter(row.request_id for row in ledger.predictions())

    def alerts(self) -> list[str]:
        with self.ledger() as ledger:
            return [read(Alert, entry).what for entry in ledger.entries(kind="alert")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Load:
    """Clients that ask over kept connections, each one request after the other, until told to stop.

    A client without an answer gives up, unless it is `stubborn`: then it connects again. `pause_s` between requests: at
    full speed the clients take the processor that the server is to start again with.
    """

    def __init__(
        self,
        server: Server,
        *,
        clients: int = 8,
        most: int = 500_000,
        stubborn: bool = False,
        pause_s: float = 0.005,
        body: Callable[[int], Mapping[str, Any]] = lambda i: request(number=i % 1000),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._server, self._most, self._stubborn, self._pause_s = server, most, stubborn, pause_s
        self._body, self._headers = body, dict(headers or {})
        self._stop = threading.Event()
        self.answers: list[Answered] = []
        self._threads = [threading.Thread(target=self._client, args=(i,), daemon=True) for i in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        assert not any(thread.is_alive() for thread in self._threads), "a request hangs"

    def wait_for_more(self, count: int = 100) -> None:
        """Until so many more requests were answered, or no client asks any more."""
        before = len(self.answers)
        wait_until(
            lambda: len(self.answers) >= before + count or not any(thread.is_alive() for thread in self._threads),
            lambda: f"{count} answers more than {before}, not {len(self.answers)}:\n{self._server.said()}",
        )

    def _client(self, number: int) -> None:
        connection: http.client.HTTPConnection | None = None
        for i in range(self._most // len(self._threads)):
            if self._stop.is_set():
                break
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=HANGS_AFTER_S)
                try:
                    connection.connect()
                except OSError:
                    return  # the server does not accept any more: nothing was asked
            answered, kept = self._one(connection, f"{os.getpid()}-{id(self)}-{number}-{i}", i)
            self.answers.append(answered)
            if answered.answered_by is None and not self._stubborn:
                return
            time.sleep(self._pause_s)
            if not kept:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _one(self, connection: http.client.HTTPConnection, request_id: str, i: int) -> tuple[Answered, bool]:
        began = time.perf_counter()
        try:
            headers = {**self._headers, "x-request-id": request_id}
            connection.request("POST", "/predict", json.dumps(self._body(i)), headers)
            response = connection.getresponse()
            text = response.read()
            took = time.perf_counter() - began
            said = json.loads(text) if response.status == 200 else {"answered_by": None, "release": ""}
            answered = Answered(
                request_id,
                took,
                said["answered_by"],
                problem=f"{response.status}",
                asked_at=began,
                release=said["release"],
                fallback_reason=said.get("fallback_reason"),
                unlogged=response.getheader("x-proveout-unlogged") is not None,
            )
            return answered, not response.will_close
        except (OSError, http.client.HTTPException) as error:
            return Answered(request_id, time.perf_counter() - began, None, repr(error), began), False

    def failed(self) -> list[Answered]:
        return [answer for answer in self.answers if answer.answered_by is None]

    def slowest_s(self) -> float:
        return max(answer.took_s for answer in self.answers)


def starting(root: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers of the project in `root`, and ends what is left of them."""
    servers: list[Server] = []

    def start(**environment: str) -> Server:
        servers.append(Server(root, **environment))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
