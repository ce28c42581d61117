"""Gate runs in a temporary state folder: the project's own checks, without a trace in its ledger.

Input: settings and the folder of a bundle. Output: the gate's verdict. The run has a copy of the ledger's entries, so
it knows the champion, and a temporary signing key, so its signatures are worthless. It reads the project's store and
never writes to it. It does not stop checks that write elsewhere.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from proveout.gate_settings import pytest_arguments
from proveout.ledger.ledger import Ledger, read
from proveout.ledger.ledger_copy import copy_entries
from proveout.project import open_ledger
from proveout.records.values import Digest
from proveout.records.verdict import Verdict
from proveout.settings import Settings
from proveout.trust.signing import PRIVATE_KEY_VARIABLE, PrivateKey, new_key

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_NOT_HANDED_ON = frozenset({"PROVEOUT_CANDIDATE", "GITHUB_STEP_SUMMARY"})
_TO_END_S = 5.0
_LAST_WORDS = 300
_LOOK_S = 0.5
SLACK_S = 60.0
SLOWER = 3.0  # a mutant's gate run may take this many times as long as the candidate's, plus SLACK_S
OUTPUT = "output.txt"
Limit = Callable[[], float | None]
"""Returns the seconds that a run may take, as known at this moment; None for no limit."""


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """One gate run. Without a verdict, it was stopped, or it ended early with exit status `code`."""

    verdict: Verdict | None
    stopped: bool  # it reached its time limit
    code: int
    said: str  # the last line of pytest's output
    seconds: float


class Sandbox:
    """Runs the gate in `folder`. Threads may share it. Close it to end runs that are still going.

    Args:
        threads: for the numeric libraries, in each run.
    """

    def __init__(self, settings: Settings, folder: Path, *, threads: int = 1) -> None:
        self._settings, self._folder, self._threads = settings, folder, threads
        self._running: set[subprocess.Popen[bytes]] = set()
        self._guard, self._closed = threading.Lock(), False
        template = folder / "state"
        # Passed in the environment, so that the project's own signing key is never used.
        self._key = new_key()
        signer = PrivateKey(self._key, "the rehearsal's own key")
        (template / "keys").mkdir(parents=True)
        (template / "keys" / f"{signer.id}.pub").write_bytes(signer.public_pem())
        for trusted in settings.keys_dir.glob("*.pub"):
            shutil.copyfile(trusted, template / "keys" / trusted.name)
        with open_ledger(settings) as source, Ledger(template / "ledger.db") as copy:
            self._known = copy_entries(source, copy)
            copy.settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every run that is still going."""
        with self._guard:
            self._closed = True
            running = list(self._running)
        for process in running:
            _end(process)

    def judge(
        self,
        bundle: Path,
        digest: Digest,
        *,
        name: str,
        failures: int | None,
        limit: Limit,
        first: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> Rehearsed:
        """Run the checks on the bundle in the folder `bundle`.

        Args:
            name: names the run's state folder.
            first: node ids of checks to run before the others.
            failures: stop after this many failed checks; None: run all.
            limit: called during the run; gives the time limit in seconds.
            options: further options for pytest.
        """
        state = self.new_state(name)
        command = [sys.executable, "-m", "pytest", *self.arguments(bundle, state)]
        command += [*([f"--maxfail={failures}"] if failures else []), *options]
        if first:
            # pytest can start with the checks that failed last, so list them as such.
            failed = state / "pytest" / "v" / "cache" / "lastfailed"
            failed.parent.mkdir(parents=True)
            failed.write_text(json.dumps(dict.fromkeys(first, True)), encoding="utf-8")
            command += ["--failed-first"]
        begun = time.monotonic()
        with (state / OUTPUT).open("wb") as output:
            process = self.start(command, self.environment(state), stdin=subprocess.DEVNULL, stdout=output)
            try:
                stopped = not _ended_within(process, limit)
            finally:
                self.end(process)
        return self.ended(state, digest, stopped=stopped, code=process.returncode, seconds=time.monotonic() - begun)

    # --- what a run is made of: for `judge`, and for whoever runs it in another way -----------------------------------

    def new_state(self, name: str) -> Path:
        """A state folder of its own for the run of this name."""
        return Path(shutil.copytree(self._folder / "state", self._folder / f"state-{name}"))

    def arguments(self, bundle: Path, state: Path) -> list[str]:
        """What pytest is told, to run the checks on a bundle."""
        told = [*pytest_arguments(self._settings), "--candidate", str(bundle), "-q"]
        return [*told, "-o", f"cache_dir={state / 'pytest'}"]

    def environment(self, state: Path) -> dict[str, str]:
        """All variables of a run: among them the project's folder and store, and a state that is thrown away."""
        inherited = {name: value for name, value in os.environ.items() if name not in _NOT_HANDED_ON}
        return inherited | {
            PRIVATE_KEY_VARIABLE: self._key.decode(),
            "PROVEOUT_ROOT": str(self._settings.root),
            "PROVEOUT_STATE": str(state),
            "PROVEOUT_LEDGER_URL": "",  # use the ledger in its state folder
            "PROVEOUT_STORE_URL": _local_store(self._settings),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(state / "hypothesis"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **dict.fromkeys(THREADS, str(self._threads)),
        }

    def ended(self, state: Path, digest: Digest, *, stopped: bool, code: int, seconds: float) -> Rehearsed:
        """A run that has ended, with its verdict if it came to one."""
        verdict = None if stopped else self._verdict(state, digest)
        said = _last_line(state / OUTPUT)
        return Rehearsed(verdict=verdict, stopped=stopped, code=code, said=said, seconds=seconds)

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        stdin: int,
        stdout: int | IO[bytes],
        stderr: int | IO[bytes] = subprocess.STDOUT,
    ) -> "subprocess.Popen[bytes]":
        """A process that `close` ends. Raises: KeyboardInterrupt if that was called."""
        with self._guard:
            if self._closed:
                raise KeyboardInterrupt
            # A new process group, so that processes started by a check end with it.
            process = subprocess.Popen(
                command,
                cwd=self._settings.root,
                env=environment,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                bufsize=0,
            )
            self._running.add(process)
        return process

    def end(self, process: "subprocess.Popen[bytes]") -> None:
        """End a process of `start`, and what it has started, unless it has ended by itself."""
        _end(process)
        with self._guard:
            self._running.discard(process)

    def _verdict(self, state: Path, digest: Digest) -> Verdict | None:
        """The verdict on the bundle from this run, not from an earlier one."""
        with Ledger(state / "ledger.db") as ledger:
            newest = ledger.entries(kind="verdict", subject=digest, newest_first=True, limit=1)
        return read(Verdict, newest[0]) if newest and newest[0].seq > self._known else None


def _ended_within(process: subprocess.Popen[bytes], limit: Limit) -> bool:
    begun = time.monotonic()
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_S)
            return True
        most = limit()
        if most is not None and time.monotonic() - begun > most:
            return False


def _local_store(settings: Settings) -> str:
    """The store as a local folder. For a shared store it is the local mirror, so that runs do not mirror it again."""
    shared = settings.store.startswith("s3://")
    return str((settings.state_dir / "store" if shared else Path(settings.store)).absolute())


def _last_line(file: Path) -> str:
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:_LAST_WORDS]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and its children, unless it has already ended."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TO_END_S)
