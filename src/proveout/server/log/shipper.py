"""The log shipper: copies journals into the ledger, each line exactly once.

Input: the journals of the API processes, living and dead. Output: rows of the ledger. The position in a journal is
stored with the rows in one transaction, so a shipper that is killed and repeated stores nothing twice. A line without
an end is no row: its answer was never sent. The journal of a dead writer is deleted once it is copied.

The holder of a folder's lock is the only one that ships from it: two servers may share a state folder. If the ledger is
locked, down or full, the lines wait in their files.
"""

import fcntl
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from proveout.errors import LedgerError, ProveoutError
from proveout.records.drift_report import Alert
from proveout.records.prediction import Feedback, Prediction, ShadowAnswer
from proveout.server.incidents import Incident
from proveout.server.log import codec
from proveout.server.log.journal import SUFFIX

PORTION_BYTES = 2**20  # drained in one transaction: about 2,000 rows, for which other writers wait 0.1 s
_UNNAMED_S = 60.0  # a journal this old that never got its name has no writer any more

Stored = Prediction | ShadowAnswer | Feedback


class Log(Protocol):
    """Where rows end up: the ledger, as far as a journal knows it."""

    def add_journal(
        self, rows: Sequence[Stored], *, journal: str, offset: int, event_fields: Sequence[str] = ()
    ) -> int:
        """Store rows and how far the journal is drained, together. How many were new."""

    def journal_offset(self, journal: str) -> int:
        """How many bytes of it are drained."""

    def prediction_ids(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of `ids` that are stored."""

    def close(self) -> None:
        """Give connections back."""


class LogShipper:
    """What carries journals into the ledger. For one thread.

    Args:
        open_log: opens the ledger; called again and again while that fails.
        event_fields: of a request that name what it is about.
        alarm: takes the alerts that stand in journals.
    """

    def __init__(
        self,
        folder: Path,
        *,
        open_log: Callable[[], Log],
        event_fields: Sequence[str] = (),
        alarm: Callable[[Alert], None] = lambda alert: None,
    ) -> None:
        self._folder, self._open_log, self._alarm = folder, open_log, alarm
        self._event_fields = tuple(event_fields)
        self._log: Log | None = None
        self._lock: int | None = None
        self._drained: dict[str, int] = {}  # bytes of each journal; true for as long as the lock is held
        self.trouble = Incident("the ledger")
        self.drained_rows = 0
        self.damaged_lines = 0

    def once(self) -> None:
        """Drain everything there is now. Never raises: a trouble is kept in `trouble`."""
        try:
            if not self._alone():
                return
            for path in self._journals():
                self._take(path)
            self.trouble.is_over()
        except Exception as error:  # whatever it is, the next try may work, and answers do not wait for it
            # A foreign error may hold the ledger's password: its class is enough here.
            words = str(error) if isinstance(error, ProveoutError) else type(error).__name__
            self.trouble.begins(f"takes no predictions: {words} They wait in {self._folder}")
            self._close_log()

    def backlog_bytes(self) -> int:
        """Bytes of journals that are not in the ledger yet. 0 too while another server drains them."""
        total = 0
        if self._lock is not None:
            for path in self._journals():
                with suppress(FileNotFoundError):
                    total += max(0, path.stat().st_size - self._drained.get(path.name, 0))
        return total

    def close(self) -> None:
        """Give the ledger and the folder back."""
        self._close_log()
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None
        self._drained.clear()

    def _alone(self) -> bool:
        """Whether the folder is this process's to drain."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._lock is not None:
            held, there = os.fstat(self._lock), self._folder.stat()
            if (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino):
                return True
            self.close()  # somebody cleared it away, and made another one
        lock = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        self._sweep()
        return True

    def _sweep(self) -> None:
        for unnamed in self._folder.glob("*.new"):
            with suppress(FileNotFoundError):
                if time.time() - unnamed.stat().st_mtime > _UNNAMED_S:
                    unnamed.unlink()

    def _journals(self) -> list[Path]:
        return sorted(self._folder.glob(f"*{SUFFIX}"))

    def _take(self, path: Path) -> None:
        """Drain a journal, and delete it if its writer is dead."""
        try:
            with path.open("rb") as file:
                dead = _is_free(file.fileno())
                if os.fstat(file.fileno()).st_size > self._drained.get(path.name, -1):
                    self._drain(path)
                if dead:
                    # What is left is no whole line: its answer never left.
                    path.unlink(missing_ok=True)
                    self._drained.pop(path.name, None)
        except FileNotFoundError:
            return

    def _drain(self, path: Path) -> None:
        log = self._log = self._log or self._open_log()
        offset, portion = log.journal_offset(path.name), PORTION_BYTES
        with path.open("rb") as file:
            while True:
                file.seek(offset)
                data = file.read(portion)
                end = data.rfind(b"\n") + 1
                if end == 0 and len(data) < portion:
                    self._drained[path.name] = offset
                    return
                if end == 0:
                    portion *= 2  # one line longer than that
                    continue
                self._store(log, path, self._rows(path, data[:end]), offset=offset, end=offset + end)
                offset += end
                self._drained[path.name] = offset

    def _rows(self, path: Path, text: bytes) -> list[Stored]:
        rows: list[Stored] = []
        for line in text.split(b"\n")[:-1]:
            if not line or line.isspace():
                continue  # see `journal._BLANK`
            try:
                row = codec.read(line)
            except (ValueError, TypeError, KeyError, AttributeError):
                self._set_aside(path, line)
                continue
            if isinstance(row, Alert):
                self._alarm(row)
            else:
                rows.append(row)
        return rows

    def _store(self, log: Log, path: Path, rows: list[Stored], *, offset: int, end: int) -> None:
        asked = [row.request_id for row in rows if isinstance(row, Prediction)]
        named = _named_apart(rows, log.prediction_ids(asked) if asked else frozenset(), f"{path.name}:{offset}")
        add = partial(log.add_journal, journal=path.name, event_fields=self._event_fields)
        try:
            self.drained_rows += add(named, offset=end)
            return
        except LedgerError:
            raise
        except (ProveoutError, ValueError, TypeError):
            pass  # one of the rows, not the ledger: the others shall not wait for it for ever
        for row in named:
            try:
                self.drained_rows += add([row], offset=offset)
            except LedgerError:
                raise
            except (ProveoutError, ValueError, TypeError):
                self._set_aside(path, codec.write(row).rstrip())
        add([], offset=end)

    def _set_aside(self, path: Path, line: bytes) -> None:
        """Keep a line that is no row, for a person to look at."""
        self.damaged_lines += 1
        aside = path.with_suffix(".damaged")
        if self.damaged_lines == 1:
            print(f"proveout: a line of {path.name} is no row; it is kept in {aside}", file=sys.stderr, flush=True)
        with aside.open("ab") as file:
            file.write(line + b"\n")

    def _close_log(self) -> None:
        log, self._log = self._log, None
        if log is not None:
            log.close()


def _is_free(file: int) -> bool:
    """Whether no writer holds the file. Then it is held by whoever has `file` open."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _named_apart(rows: Sequence[Stored], stored: frozenset[str], place: str) -> list[Stored]:
    """`rows`, the predictions among them under ids that are not in the ledger yet.

    Rows and offset are stored together, so a row is never drained twice, and an id that is there already was given
    twice by a client: to two servers, or to one whose memory of it had gone. Both answers belong in the log.
    """
    seen = set(stored)
    named: list[Stored] = []
    for number, row in enumerate(rows):
        apart = row
        if isinstance(row, Prediction):
            if row.request_id in seen:
                tail = blake2b(f"{place}:{number}".encode(), digest_size=6).hexdigest()
                apart = replace(row, request_id=f"{row.request_id}~{tail}")
            seen.add(apart.request_id)
        named.append(apart)
    return named
