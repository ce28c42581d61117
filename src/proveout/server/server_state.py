"""What the processes of the server tell each other: small files in its private folder, replaced atomically.

Input: the log controller's `DesiredState`, whenever the ledger has a new entry, and the note of each process on its own
state. Output: the same, to every process, several times a second. No API process and no worker opens the ledger to
answer a request, so a ledger that is down changes nothing: the last posted state holds.
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
    """What stands in the ledger."""

    seq: int  # the ledger's last entry that it was made from
    champion: Release
    canary: Release | None = None
    shadow: Release | None = None
    before: Release | None = None  # the champion before, kept open for a rollback
    keys: tuple[ApiKey, ...] = ()
    erased: int = 0  # number of the newest erasure's entry: journals that were begun before are given up

    @property
    def releases(self) -> tuple[Release, ...]:
        """Every release a worker shall hold, the champion first, each bundle once."""
        listed = [r for r in (self.champion, self.canary, self.shadow, self.before) if r is not None]
        return tuple({release.bundle: release for release in reversed(listed)}.values())[::-1]


@dataclass(frozen=True, kw_only=True)
class ApiNote:
    """How an API process is."""

    pid: int
    words: str  # of its worker, for whoever started the server
    troubles: tuple[Alert, ...] = ()  # what stands, each told apart by what it says is wrong


@dataclass(frozen=True, kw_only=True)
class ControllerNote:
    """How the controller is: the figures of /readyz and of /metrics that no API process can know."""

    pid: int
    seq: int = 0  # of the desired state it posted last
    drained_rows: int = 0
    damaged_lines: int = 0
    backlog_bytes: int = 0  # of journals that are not in the ledger yet
    trouble: str | None = None  # why the ledger takes no rows


def desired_path(folder: Path) -> Path:
    """Where the desired state is posted."""
    return folder / "desired_state.json"


def controller_path(folder: Path) -> Path:
    """Where the controller's note hangs."""
    return folder / "controller.json"


def api_path(folder: Path, pid: int) -> Path:
    """Where an API process's note hangs."""
    return folder / f"api-{pid}.json"


def api_notes(folder: Path) -> tuple[ApiNote, ...]:
    """The notes of the API processes that live."""
    found = [read(path, ApiNote) for path in sorted(folder.glob("api-*.json"))]
    return tuple(note for note in found if note is not None)


def read(path: Path, kind: type[R]) -> R | None:
    """The note of that kind at `path`; None while there is none that can be read."""
    try:
        return from_json(kind, path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def post(path: Path, record: object) -> None:
    """Put `record` up, whole: a reader sees the old one or the new one."""
    unposted = path.with_name(f"{path.name}.{os.getpid()}.new")
    unposted.write_text(to_json(record), encoding="utf-8")
    unposted.chmod(0o600)
    unposted.replace(path)


class Reader:
    """Reads the desired state at `path` when there is a new one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def look(self) -> DesiredState | None:
        """The desired state, if it is another one than at the last look. None too while there is none."""
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
