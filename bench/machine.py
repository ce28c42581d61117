"""The machinery of the bench: a server as a group of processes, its CPU time, and wrk.

Linux, for CPU time is read from /proc. Doors to: wrk (Debian's package of that name).
"""

import json
import math
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

START_S = 120
_COUNTED_S = 1.0
_STATE, _PARENT, _SESSION, _TIMES = 0, 1, 3, slice(11, 15)  # of /proc/PID/stat, from its third field on
_TICKS = os.sysconf("SC_CLK_TCK")

SCRIPT = """
local bodies = %s
local asked = 0
wrk.method = "POST"
function init(arguments)
  for place, body in ipairs(bodies) do bodies[place] = wrk.format("POST", nil, %s, body) end
end
function request()
  asked = asked + 1
  return bodies[asked %% #bodies + 1]
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\nMEASURED {"requests": %%d, "seconds": %%f, "p50_ms": %%f, "p99_ms": %%f, "failed": %%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One run of wrk. `cpu_us` is the server's CPU time per request, all its processes together."""

    rps: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    failed: int  # answers that are not 2xx, and socket errors
    not_by_model: int = 0  # 2xx, but of a server that answers in the model's place


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server that answers; its first process."""

    process: int
    port: int


@contextmanager
def running(
    command: Sequence[str], *, port: int, cwd: Path, environment: Mapping[str, str], ready: Callable[[], bool]
) -> Iterator[Running]:
    """A server in a session of its own, from its first good answer until it is asked no more. Nothing of it is left.

    Raises: SystemExit with the end of what it printed, if it does not answer.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            list(command), cwd=cwd, stdout=log, stderr=log, env={**os.environ, **environment}, start_new_session=True
        )
        try:
            begun = time.monotonic()
            while not ready():
                if process.poll() is not None or time.monotonic() - begun > START_S:
                    log.seek(0)
                    raise SystemExit(f"{' '.join(command)} does not answer:\n{log.read().decode()[-3000:]}")
                time.sleep(0.2)
            yield Running(process=process.pid, port=port)
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, ten seconds to end well, and kill -9 for what is left of its family: peers leave orphans."""
    left = set(members(process.pid))
    with _gone_already():
        process.send_signal(signal.SIGTERM)
    until = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < until:
        left |= set(members(process.pid))
        time.sleep(0.1)
    left |= set(members(process.pid))
    while left := left & _alive():
        for pid in left:
            with _gone_already():
                os.kill(pid, signal.SIGKILL)
        process.poll()
        time.sleep(0.05)
    process.wait(timeout=10)


@contextmanager
def _gone_already() -> Iterator[None]:
    try:
        yield
    except ProcessLookupError:
        return


def family(process: int) -> dict[int, float]:
    """CPU seconds so far of a process and all that came of it: its session, and whoever descends from one of these."""
    stats = dict(_stats())
    found = {pid for pid, stat in stats.items() if pid == process or int(stat[_SESSION]) == process}
    while more := {pid for pid, stat in stats.items() if pid not in found and int(stat[_PARENT]) in found}:
        found |= more
    return {pid: sum(map(int, stats[pid][_TIMES])) / _TICKS for pid in found}


def members(process: int) -> list[int]:
    """The living ones of a family."""
    return sorted(family(process).keys() & _alive())


def _alive() -> set[int]:
    return {pid for pid, stat in _stats() if stat[_STATE] not in "ZX"}


def cpu_s(process: int) -> float:
    """CPU seconds that a family, and those that it has waited for, have used so far."""
    return sum(family(process).values())


def _stats() -> Iterator[tuple[int, list[str]]]:
    """Each process and the fields of its /proc/PID/stat from `state` on."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text()
        except OSError:  # ended meanwhile
            continue
        yield int(folder.name), text[text.rindex(")") + 2 :].split()


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, path: str, body: bytes, headers: Mapping[str, str] = {}) -> Any:
    """The JSON answer to one request, or None."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {**headers, **JSON})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)
    except (urllib.error.URLError, OSError, ValueError):
        return None


def get(port: int, path: str, headers: Mapping[str, str]) -> str:
    """The text at `path`. Raises: OSError, an HTTP error among them."""
    time.sleep(_COUNTED_S)  # the processes of a server tell each other what they counted a few times a second
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=dict(headers))
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read().decode()


JSON = {"Content-Type": "application/json"}


class Wrk:
    """wrk with the bodies that it sends in turn, until it is closed."""

    def __init__(self, path: str, bodies: Sequence[bytes], headers: Mapping[str, str]) -> None:
        self.path = path
        listed = "{" + ",\n".join(f"[=[{body.decode()}]=]" for body in bodies) + "}"
        named = "{" + ", ".join(f"[{json.dumps(n)}] = {json.dumps(v)}" for n, v in {**JSON, **headers}.items()) + "}"
        self._script = tempfile.NamedTemporaryFile("w", suffix=".lua")  # noqa: SIM115  # closed by `close`
        self._script.write(SCRIPT % (listed, named))
        self._script.flush()

    def close(self) -> None:
        self._script.close()

    def start(self, port: int, *, connections: int, seconds: float) -> subprocess.Popen[str]:
        """wrk, asking."""
        url = f"http://127.0.0.1:{port}{self.path}"
        command = ["wrk", "-t1", f"-c{connections}", f"-d{math.ceil(seconds)}s", "--timeout", "10s"]  # whole seconds
        command += ["-s", self._script.name, url]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def measure(
        self, server: Running, *, connections: int, seconds: float, others: Callable[[int], int] = lambda port: 0
    ) -> Measured:
        """One run against `server`, after a shorter one to warm up.

        Args:
            others: how many answers the server on a port has given so far that were not the model's.
        """
        self.start(server.port, connections=connections, seconds=max(1, seconds // 4)).communicate()
        before, others_before = cpu_s(server.process), others(server.port)
        said, _ = self.start(server.port, connections=connections, seconds=seconds).communicate()
        found = measured(said, cpu_s=cpu_s(server.process) - before)
        return replace(found, not_by_model=others(server.port) - others_before)


def measured(said: str, *, cpu_s: float) -> Measured:
    """What wrk printed, in figures. Raises: SystemExit with it, if there are none."""
    line = next((line for line in said.splitlines() if line.startswith("MEASURED ")), None)
    if line is None:
        raise SystemExit(f"wrk did not measure:\n{said}")
    found = json.loads(line.removeprefix("MEASURED "))
    answered = max(1, found["requests"])
    return Measured(
        rps=found["requests"] / found["seconds"],
        p50_ms=found["p50_ms"],
        p99_ms=found["p99_ms"],
        cpu_us=cpu_s / answered * 1e6,
        failed=int(found["failed"]),
    )
