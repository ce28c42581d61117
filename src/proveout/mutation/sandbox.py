"""A gate run that nobody is to remember: the project's own checks, on a state folder that is thrown away.

Input: settings and the folder of a bundle. Output: the verdict that the gate came to. The run has the ledger's
entries, so it knows the champion, and a key of its own, so nothing it signs is worth anything; it reads the project's
store and nothing writes to it. What checks write elsewhere, they write there.
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
SLOWER = 3.0  # a run of the gate may take so many times as long as the candidate's own, and SLACK_S more
OUTPUT = "output.txt"
Limit = Callable[[], float | None]
"""How many seconds a run may take, as far as it is known at this moment; None: it may take its time."""


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """One run of the gate. Without a verdict: it was stopped, or ended in `code` before it came to one."""

    verdict: Verdict | None
    stopped: bool  # it had run for as long as it may
    code: int
    said: str  # the last line that pytest wrote
    seconds: float


class Sandbox:
    """Runs of the gate in `folder`, to be closed: that ends the runs which are not done. Threads may share it.

    Args:
        threads: of the numeric libraries, in each run.
    """

    def __init__(self, settings: Settings, folder: Path, *, threads: int = 1) -> None:
        self._settings, self._folder, self._threads = settings, folder, threads
        self._running: set[subprocess.Popen[bytes]] = set()
        self._guard, self._closed = threading.Lock(), False
        template = folder / "state"
        # Handed on in the environment, so that the key which signs here, wherever it lies, is never asked.
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
        """End every run that is not done."""
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
        """Run the checks on the bundle in a folder.

        Args:
            name: of the run; its state is kept under it.
            first: node ids of the checks that are run before the others.
            failures: stop when so many checks have failed; None: run all.
            limit: says, while it runs, after how many seconds the run is ended.
            options: more of pytest's.
        """
        state = self.new_state(name)
        command = [sys.executable, "-m", "pytest", *self.arguments(bundle, state)]
        command += [*([f"--maxfail={failures}"] if failures else []), *options]
        if first:
            # What failed the last time is what pytest can be asked to begin with.
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
            "PROVEOUT_LEDGER_URL": "",  # the one in its state folder
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
            # A group of its own: whatever a check starts is ended with it.
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
        """What this run, and none before it, said of the bundle."""
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
    """The store as a folder: of a shared one, what was mirrored here, for a run is not to mirror it again."""
    shared = settings.store.startswith("s3://")
    return str((settings.state_dir / "store" if shared else Path(settings.store)).absolute())


def _last_line(file: Path) -> str:
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:_LAST_WORDS]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and what it has started, unless it has ended by itself."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TO_END_S)
