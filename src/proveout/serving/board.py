"""The board: what every process of the server has to know of the ledger, in one small file.

Comes in: a `Board`, written by the clerk whenever the ledger has something new. Goes out: the same, to the API
processes and the workers, which look several times a second. So none of them opens the ledger to answer a request, and
a ledger that is down changes nothing: what was last posted holds. The file lies in the server's private folder.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from proveout.records import ApiKey, Release, from_json, to_json


@dataclass(frozen=True, kw_only=True)
class Board:
    """What stands."""

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


def post(path: Path, board: Board) -> None:
    """Put `board` up, whole: a reader sees the old one or the new one."""
    unposted = path.with_suffix(".new")
    unposted.write_text(to_json(board), encoding="utf-8")
    unposted.chmod(0o600)
    unposted.replace(path)


class Reader:
    """Reads the board at `path` when there is a new one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def look(self) -> Board | None:
        """The board, if it is another one than at the last look. None too while there is none."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return None
        mark = (found.st_ino, found.st_mtime_ns)
        if mark == self._seen:
            return None
        board = from_json(Board, self._path.read_bytes())
        self._seen = mark
        return board
