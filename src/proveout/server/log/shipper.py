"""The log shipper: copies journals into the ledger, each line exactly once.

Input: the journals of the API processes, living and dead. Output: rows of the ledger. One transaction stores the rows
and the position in the journal, so a shipper that is killed and restarted stores nothing twice. A line without a line
feed is not a row, because its answer was never sent. The journal of a dead writer is deleted once it is copied.

Only the holder of a folder's lock ships from it, because two servers may share a state folder. If the ledger is locked,
down or full, the lines wait in their files.
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

PORTION_BYTES = 2**20  # per transaction: about 2,000 rows, for which other writers wait 0.1 s
_UNNAMED_S = 60.0  # a journal of this age without its final name has no writer any more

Stored = Prediction | ShadowAnswer | Feedback


class PredictionLog(Protocol):
    """What the shipper needs of the ledger."""

    def add_journal(
        self, rows: Sequence[Stored], *, journal: str, offset: int, event_fields: Sequence[str] = ()
    ) -> int:
        """Store rows and the position in the journal in one transaction. Returns how many rows were new."""

    def journal_offset(self, journal: str) -> int:
        """How many bytes of the journal are in the ledger."""

    def prediction_ids(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of `ids` that are stored."""

    def close(self) -> None:
        """Close the connections."""


class LogShipper:
    """Copies the journals of a folder into the ledger. For one thread.

    Args:
        open_log: opens the ledger; called again after a failure.
        event_fields: the request fields that identify an event.
        alarm: called with each alert in a journal.
    """

    def __init__(
        self,
        folder: Path,
        *,
        open_log: Callable[[], PredictionLog],
        event_fields: Sequence[str] = (),
        alarm: Callable[[Alert], None] = lambda alert: None,
    ) -> None:
        self._folder, self._open_log, self._alarm = folder, open_log, alarm
        self._event_fields = tuple(event_fields)
        self._log: PredictionLog | None = None
        self._lock: int | None = None
        self._drained: dict[str, int] = {}  # copied bytes of each journal; valid while this process holds the lock
        self.trouble = Incident("the ledger")
        self.drained_rows = 0
        self.damaged_lines = 0

    def once(self) -> None:
        """Copy all complete lines. Never raises: an error is kept in `trouble`."""
        try:
            if not self._alone():
                return
            for path in self._journals():
                self._take(path)
            self.trouble.is_over()
        except Exception as error:  # of any kind: the next try may work, and answers do not depend on it
            # A foreign error may contain the ledger's password, so only its class is shown.
            reason = str(error) if isinstance(error, ProveoutError) else type(error).__name__
            self.trouble.begins(f"takes no predictions: {reason} They wait in {self._folder}")
            self._close_log()

    def backlog_bytes(self) -> int:
        """Bytes of journals that are not in the ledger yet. Also 0 while another server ships from the folder."""
        total = 0
        if self._lock is not None:
            for path in self._journals():
                with suppress(FileNotFoundError):
                    total += max(0, path.stat().st_size - self._drained.get(path.name, 0))
        return total

    def close(self) -> None:
        """Close the ledger and release the folder."""
        self._close_log()
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None
        self._drained.clear()

    def _alone(self) -> bool:
        """Whether this process holds the folder's lock; takes it if it is free."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._lock is not None:
            held, there = os.fstat(self._lock), self._folder.stat()
            if (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino):
                return True
            self.close()  # the folder was deleted and created again
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
        """Copy a journal, and delete it if its writer is dead."""
        try:
            with path.open("rb") as file:
                dead = _is_free(file.fileno())
                if os.fstat(file.fileno()).st_size > self._drained.get(path.name, -1):
                    self._drain(path)
                if dead:
                    # The rest is not a complete line: its answer was never sent.
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
                    portion *= 2  # one line is longer than the portion
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

    def _store(self, log: PredictionLog, path: Path, rows: list[Stored], *, offset: int, end: int) -> None:
        ids = [row.request_id for row in rows if isinstance(row, Prediction)]
        unique = _with_unique_ids(rows, log.prediction_ids(ids) if ids else frozenset(), f"{path.name}:{offset}")
        add = partial(log.add_journal, journal=path.name, event_fields=self._event_fields)
        try:
            self.drained_rows += add(unique, offset=end)
            return
        except LedgerError:
            raise
        except (ProveoutError, ValueError, TypeError):
            pass  # a bad row, not the ledger: store the others one by one
        for row in unique:
            try:
                self.drained_rows += add([row], offset=offset)
            except LedgerError:
                raise
            except (ProveoutError, ValueError, TypeError):
                self._set_aside(path, codec.write(row).rstrip())
        add([], offset=end)

    def _set_aside(self, path: Path, line: bytes) -> None:
        """Move an unreadable line to a `.damaged` file."""
        self.damaged_lines += 1
        aside = path.with_suffix(".damaged")
        if self.damaged_lines == 1:
            print(f"proveout: a line of {path.name} cannot be read; it is kept in {aside}", file=sys.stderr, flush=True)
        with aside.open("ab") as file:
            file.write(line + b"\n")

    def _close_log(self) -> None:
        log, self._log = self._log, None
        if log is not None:
            log.close()


def _is_free(file: int) -> bool:
    """Whether no writer has the file locked. If so, the descriptor `file` takes the lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _with_unique_ids(rows: Sequence[Stored], stored: frozenset[str], place: str) -> list[Stored]:
    """`rows`, where each prediction whose id is taken already gets a new one.

    No row is copied twice. So if an id is in the ledger already, a client used it twice: on two servers, or on one that
    had forgotten it. Both answers belong in the log.

    Args:
        stored: the ids that are in the ledger.
        place: the position of the rows, from which new ids are derived.
    """
    seen = set(stored)
    unique: list[Stored] = []
    for number, row in enumerate(rows):
        renamed = row
        if isinstance(row, Prediction):
            if row.request_id in seen:
                tail = blake2b(f"{place}:{number}".encode(), digest_size=6).hexdigest()
                renamed = replace(row, request_id=f"{row.request_id}~{tail}")
            seen.add(renamed.request_id)
        unique.append(renamed)
    return unique
