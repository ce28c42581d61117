"""Many runs of the gate on one candidate, each forked from a process that has it open: without the imports of each.

Input: a sandbox, the folder of a candidate. Output: `Rehearsed`, as of `Sandbox.judge`. Where a process cannot be
forked safely, which is everywhere but on Linux, each run is a process from the start.
"""

import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from proveout.mutation.sandbox import OUTPUT, THREADS, Limit, Rehearsed, Sandbox
from proveout.records.json_form import to_json
from proveout.records.values import Digest
from proveout.training.gate_run import ForkedRun

_LOOK_S = 0.5
# Of the numeric libraries in the process that is forked, whatever a model asks for: no other thread survives a fork.
_ONE_THREAD = {**dict.fromkeys(THREADS, "1"), "OMP_THREAD_LIMIT": "1"}


class WarmGate:
    """Runs of the gate on the bundle in a folder. Threads may share it: each gets a process of its own to fork."""

    def __init__(
        self, sandbox: Sandbox, bundle: Path, digest: Digest, *, forks: bool = sys.platform == "linux"
    ) -> None:
        self._sandbox, self._bundle, self._digest, self._forks = sandbox, bundle, digest, forks
        self._idle: list[_WarmProcess] = []
        self._guard = threading.Lock()

    def judge(self, name: str, *, limit: Limit, options: Sequence[str]) -> Rehearsed:
        """Run the checks. A run that crashes, or takes too long, ends no other one."""
        if not self._forks:
            return self._sandbox.judge(
                self._bundle, self._digest, name=name, failures=None, limit=limit, options=options
            )
        with self._guard:
            warm = self._idle.pop() if self._idle else None
        warm = warm or _WarmProcess(self._sandbox, self._bundle, name=f"warm-{name}")
        state, begun = self._sandbox.new_state(name), time.monotonic()
        stopped = not warm.run(state, [*self._sandbox.arguments(self._bundle, state), *options], limit=limit)
        if warm.alive:
            with self._guard:
                self._idle.append(warm)
        seconds = time.monotonic() - begun
        return self._sandbox.ended(state, self._digest, stopped=stopped, code=warm.code, seconds=seconds)


class _WarmProcess:
    """A process that forks one run at a time, as `gate/warm_runs.py` has it."""

    def __init__(self, sandbox: Sandbox, bundle: Path, *, name: str) -> None:
        self._sandbox, self._state = sandbox, sandbox.new_state(name)
        self.alive, self.code = True, 0  # the exit status of the last run; of the process itself, if that has ended
        command = [sys.executable, "-m", "proveout.gate.warm_runs", str(bundle)]
        environment = {**sandbox.environment(self._state), **_ONE_THREAD}
        with (self._state / OUTPUT).open("wb") as output:
            self._process = sandbox.start(
                command, environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output
            )
        self._ready = False

    def run(self, state: Path, arguments: Sequence[str], *, limit: Limit) -> bool:
        """Whether the run, or the process, ended by itself; with its exit status in `code`."""
        assert self._process.stdin is not None
        begun = time.monotonic()
        order = ForkedRun(
            arguments=tuple(arguments),
            environment=self._sandbox.environment(state),
            output=str(state / OUTPUT),
            modules=str(state / "modules.txt"),
        )
        answer = b"" if self._ready else self._answer(begun, limit)
        if self._ready or answer:
            self._ready = True
            self._process.stdin.write(to_json(order).encode() + b"\n")
            answer = self._answer(begun, limit)
        if answer:
            self.code = int(answer)
            return True
        # It takes too long (None), or the process that was to fork it has ended.
        self.alive = False
        self._sandbox.end(self._process)
        self.code = self._process.returncode
        if not (state / OUTPUT).is_file():
            (state / OUTPUT).write_bytes((self._state / OUTPUT).read_bytes())
        return answer is not None

    def _answer(self, begun: float, limit: Limit) -> bytes | None:
        """A line of the process; nothing at its end; None if it takes too long."""
        said: IO[bytes] | None = self._process.stdout
        assert said is not None
        while not select.select([said], [], [], _LOOK_S)[0]:
            most = limit()
            if most is not None and time.monotonic() - begun > most:
                return None
        return said.readline()
