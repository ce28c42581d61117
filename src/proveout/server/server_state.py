"""The shared state of the server's processes: small files in its private folder, replaced atomically.

Input: the `DesiredState`, which the log controller posts when the ledger has a new entry, and a note of each process
about itself. Output: the same records; every process reads them several times a second. No API process and no worker
opens the ledger to answer a request. So while the ledger is down, the last posted state holds.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from proveout.records.api_key import ApiKey
from proveout.records.drift_report import Alert
from proveout.records.json_form import from_json, to_json
from proveout.records.release import Release

R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class DesiredState:
    """What the server is to serve, by the ledger."""

    seq: int  # the last ledger entry that it includes
    champion: Release
    canary: Release | None = None
    shadow: Release | None = None
    before: Release | None = None  # the previous champion, kept open for a rollback
    keys: tuple[ApiKey, ...] = ()
    erased: int = 0  # number of the newest erasure entry: journals that began before it are closed

    @property
    def releases(self) -> tuple[Release, ...]:
        """The releases that a worker should hold, champion first, each bundle once."""
        listed = [r for r in (self.champion, self.canary, self.shadow, self.before) if r is not None]
        return tuple({release.bundle: release for release in reversed(listed)}.values())[::-1]


@dataclass(frozen=True, kw_only=True)
class ApiNote:
    """The state of an API process."""

    pid: int
    worker: str  # its worker as text, for the server's output
    problems: tuple[Alert, ...] = ()  # current ones, identified by `what`


@dataclass(frozen=True, kw_only=True)
class ControllerNote:
    """The state of the log controller: the figures of /readyz and /metrics that only it knows."""

    pid: int
    seq: int = 0  # of the last desired state that it posted
    drained_rows: int = 0
    damaged_lines: int = 0
    backlog_bytes: int = 0  # of journals that are not in the ledger yet
    trouble: str | None = None  # why the ledger takes no rows


def desired_path(folder: Path) -> Path:
    """Where the desired state is posted."""
    return folder / "desired_state.json"


def controller_path(folder: Path) -> Path:
    """Where the controller posts its note."""
    return folder / "controller.json"


def api_path(folder: Path, pid: int) -> Path:
    """Where an API process posts its note."""
    return folder / f"api-{pid}.json"


def api_notes(folder: Path) -> tuple[ApiNote, ...]:
    """The notes of the living API processes."""
    found = [read(path, ApiNote) for path in sorted(folder.glob("api-*.json"))]
    return tuple(note for note in found if note is not None)


def read(path: Path, kind: type[R]) -> R | None:
    """The record of class `kind` at `path`; None if there is none that can be read."""
    try:
        return from_json(kind, path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def post(path: Path, record: object) -> None:
    """Write `record` to `path` atomically: a reader sees the old record or the new one."""
    unposted = path.with_name(f"{path.name}.{os.getpid()}.new")
    unposted.write_text(to_json(record), encoding="utf-8")
    unposted.chmod(0o600)
    unposted.replace(path)


class Reader:
    """Reads the desired state at `path` when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def poll(self) -> DesiredState | None:
        """The desired state, if it has changed since the last call; else None. Also None while there is none."""
        try:
            found = self._path.stat()
            mark = (found.st_ino, found.st_mtime_ns)
            if mark == self._seen:
                return None
            desired = from_json(DesiredState, self._path.read_bytes())
        except FileNotFoundError:
            return None
        self._seen = mark
        return desired
