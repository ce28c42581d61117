"""The project's server as a process of its own, and callers that ask it while its worker is killed.

Input: settings and bodies. Output: what each caller got. Only loopback is used.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from proveout.demo.sample_requests import SampleRequest
from proveout.errors import ProveoutError
from proveout.settings import Settings

CALLERS = 8
PAUSE_S = 0.03  # of a caller after each answer: more than 200 requests a second, and answers that come at once
PAUSE_WITHOUT_MODEL_S = 0.12  # about 60 a second, so that a new worker is seen to answer
KILL_AT = 0.3  # of all answers, then the worker is killed
_PATIENCE_S = 180.0  # a machine that other work keeps busy takes ten times as long as an idle one


class DemoFailed(ProveoutError):
    """A step of the demo did not do what it should."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer as the caller saw it. A request that failed has status 0."""

    status: int
    body: Mapping[str, Any]
    seconds: float
    malformed: str = ""


@contextmanager
def running(settings: Settings) -> Iterator[int]:
    """The server's port, once it answers; the server is stopped with SIGTERM at the end, as a scheduler would."""
    process, port, log = start(settings)
    try:
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise DemoFailed(f"the server did not stop within {_PATIENCE_S:.0f} s of SIGTERM; its log: {log}") from None
    if code != 0:
        raise DemoFailed(f"the server ended with exit code {code}; its log: {log}")
    print(f"   server    stopped on SIGTERM, exit code {code}", flush=True)


def start(settings: Settings) -> "tuple[subprocess.Popen[bytes], int, Path]":
    """A server of the project that answers: its process, its port on 127.0.0.1 and its log. It outlives the caller.

    Raises: DemoFailed with the end of the log if it does not start.
    """
    port, log = free_port(), settings.state_dir / "demo-server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "proveout", "serve", "--host", "127.0.0.1", "--port", str(port)],
            cwd=settings.root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a Ctrl-C on the caller's terminal is not for it
        )
    try:
        _wait_until_ready(process, port, log)
    except BaseException:
        process.kill()
        raise
    return process, port, log


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def ask_all(port: int, requests: Sequence[SampleRequest]) -> list[Reply]:
    """Send all, by 8 callers at once; kill the worker on the way, and wait until a new one answers."""
    answers, lock, kill_after = count(1), threading.Lock(), int(KILL_AT * len(requests))

    def asked(request: SampleRequest) -> Reply:
        begun = time.monotonic()
        try:
            status, answer = call(port, "POST", "/predict", request.body)
        except (OSError, ValueError) as error:
            status, answer = 0, {"error": str(error)}
        seconds = time.monotonic() - begun
        with lock:
            number = next(answers)
        if number == kill_after:
            _kill_worker(port)
        if number % 100 == 0:
            print(f"   callers   {number} of {len(requests)}", flush=True)
        time.sleep(PAUSE_WITHOUT_MODEL_S if answer.get("answered_by") == "rules" else PAUSE_S)
        return Reply(status=status, body=answer, seconds=seconds, malformed=request.malformed)

    with ThreadPoolExecutor(CALLERS) as pool:
        replies = list(pool.map(asked, requests))
    _wait_for_the_model(port)
    return replies


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < _PATIENCE_S:
        if process.poll() is not None:
            raise DemoFailed(f"the server did not start:\n{log.read_text(errors='replace')[-2000:]}")
        if _ready(port) is not None:
            print(f"   server    ready after {time.monotonic() - begun:.1f} s on port {port}", flush=True)
            return
        time.sleep(0.2)
    raise DemoFailed(f"the server was not ready within {_PATIENCE_S:.0f} s; its log: {log}")


def _ready(port: int) -> Mapping[str, Any] | None:
    try:
        status, body = call(port, "GET", "/readyz", None)
    except OSError:
        return None
    return body if status == 200 else None


def call(port: int, method: str, path: str, body: bytes | None) -> tuple[int, Mapping[str, Any]]:
    """One request to the server: the status and the JSON of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"{}")
    finally:
        connection.close()


def _kill_worker(port: int) -> None:
    ready = _ready(port)
    if ready is None:
        raise DemoFailed("the server was not ready when its worker was to be killed")
    os.kill(int(ready["worker"]), signal.SIGKILL)
    print(f"   worker    killed (pid {ready['worker']}, kill -9)", flush=True)


def _wait_for_the_model(port: int) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < _PATIENCE_S:
        if _ready(port) is not None:
            print("   worker    a new one answers", flush=True)
            return
        time.sleep(0.2)
    raise DemoFailed(f"no worker came back within {_PATIENCE_S:.0f} s of the kill")
