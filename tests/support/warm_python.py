"""Scripts that run in a Python process with the server's libraries already imported: it is forked, not started.

A server's main process imports for longer than most tests of it take, and imports nothing else than what stands here
before it reads a setting. What it forks and starts itself is as ever: its worker is a new Python. `Warm.run` gives what
`subprocess.Popen` would.

    test ── parent (imports once) ─┬─ script, in a session of its own
                                   └─ script
"""

import atexit
import gc
import json
import math
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

from patience import PATIENCE_S

IMPORTED = (
    "proveout.server.main",
    "proveout.gate.current_fingerprint",
    "proveout.ledger.ledger",
    "proveout.model.bundle",
    "pandera.pandas",
    "alembic.command",
)
"""What `serve/app.py` and the toys import, and what any start of a server comes to before it forks."""


# --- in the test ------------------------------------------------------------------------------------------------------


class Process:
    """A process of `Warm`, in the words of `subprocess.Popen`. `returncode` is None while it runs."""

    def __init__(self, warm: "Warm", pid: int) -> None:
        self._warm, self.pid = warm, pid

    @property
    def returncode(self) -> int | None:
        return self._warm.ended.get(self.pid)

    def poll(self) -> int | None:
        self._warm.hear(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        until = math.inf if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self._warm.hear(0.2)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Warm:
    """A Python that has imported `IMPORTED`. It ends with the process that made it."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self.ended: dict[int, int] = {}
        self._started: dict[int, int] = {}
        self._orders = 0
        self._heard = b""
        self._hearing = threading.Lock()
        atexit.register(self._end)

    def _end(self) -> None:
        assert self._parent.stdin is not None
        self._parent.stdin.close()
        self._parent.wait(PATIENCE_S)

    def run(self, script: Path, *arguments: str, env: dict[str, str], cwd: Path, output: Path) -> Process:
        """`python script arguments`, in a session of its own, whose output is added to `output`."""
        self._orders += 1
        order = {
            "order": self._orders,
            "argv": [str(script), *arguments],
            "env": env,
            "cwd": str(cwd),
            "output": str(output),
            "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        }
        assert self._parent.stdin is not None
        self._parent.stdin.write(json.dumps(order).encode() + b"\n")
        self._parent.stdin.flush()
        until = time.monotonic() + PATIENCE_S
        while self._orders not in self._started:
            assert time.monotonic() < until and self._parent.poll() is None, "nothing was forked"
            self.hear(0.2)
        return Process(self, self._started[self._orders])

    def hear(self, timeout_s: float) -> None:
        """Take in what the parent has told of its scripts, or tells within that time."""
        pipe = self._parent.stdout
        assert pipe is not None
        with self._hearing:
            if not select.select([pipe], [], [], timeout_s)[0]:
                return
            *lines, self._heard = (self._heard + os.read(pipe.fileno(), 65_536)).split(b"\n")
            for line in lines:
                told = json.loads(line)
                if "started" in told:
                    self.ended.pop(told["pid"], None)  # of an earlier process with that number
                    self._started[told["started"]] = told["pid"]
                else:
                    self.ended[told["pid"]] = told["ended"]


@cache
def warm() -> Warm:
    """The one of this test process."""
    return Warm()


# --- in the parent of the scripts -------------------------------------------------------------------------------------


def _serve_orders() -> dict[str, Any]:
    """Fork for each order. Returns the order in the child that is to run it; the parent never returns."""
    for name in IMPORTED:
        __import__(name)
    gc.collect()
    woken, wake = socket.socketpair()
    for end in (woken, wake):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    waiting = b""
    while True:
        readable, _, _ = select.select([0, woken], [], [])
        if woken in readable:
            woken.recv(4_096)
            _tell_ended()
        if 0 in readable:
            came = os.read(0, 65_536)
            if not came:
                sys.exit(0)
            *lines, waiting = (waiting + came).split(b"\n")
            for line in lines:
                order = json.loads(line)
                if os.fork() == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    woken.close()
                    wake.close()
                    return order


def _tell(**told: int) -> None:
    os.write(1, json.dumps(told).encode() + b"\n")


def _tell_ended() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _tell(pid=pid, ended=os.waitstatus_to_exitcode(status))


def _become(order: dict[str, Any]) -> None:
    """What a new process has of its own: session, folder, environment, output, arguments."""
    os.setsid()
    _tell(pid=os.getpid(), started=order["order"])
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    tempfile.tempdir = None
    resource.setrlimit(resource.RLIMIT_NOFILE, tuple(order["files"]))
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(order["output"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for found, place in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(found, place)
    os.close(nothing)
    os.close(output)
    sys.argv = order["argv"]
    sys.path[0] = str(Path(sys.argv[0]).parent)


if __name__ == "__main__":
    import runpy

    _become(_serve_orders())
    runpy.run_path(sys.argv[0], run_name="__main__")
