"""The drain: carries journals into the ledger, each line exactly once.

Comes in: the journals of this process and of dead ones. Goes out: rows of the ledger; how far a journal is drained is
stored with them in one transaction, so a drain that is killed and repeated stores nothing twice. A line without an end
is no row: its answer never left. A journal of a dead writer is deleted when it is drained.

A ledger that is locked, down or full costs nothing but time: the lines wait in their files.
"""

import fcntl
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import orjson

from proveout.errors import LedgerError, ProveoutError
from proveout.records import Prediction
from proveout.serving.journal import SUFFIX, Trouble

_PORTION_BYTES = 256 * 2**10  # drained in one transaction: about 500 rows, which leaves other threads some air
_DRAIN_EVERY_S, _LONGEST_WAIT_S = 0.2, 5.0

Own = Callable[[], AbstractContextManager[Path | None]]
"""Holds the journal of this process, see `Journal.hold`."""


class Log(Protocol):
    """Where predictions end up: the ledger, as far as a journal knows it."""

    def add_predictions(self, predictions: Sequence[Prediction], *, journal: str, offset: int) -> int:
        """Store rows and how far the journal is drained, together."""

    def journal_offset(self, journal: str) -> int:
        """How many bytes of it are drained."""

    def prediction_ids(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of `ids` that are stored."""

    def close(self) -> None:
        """Give connections back."""


class Drain:
    """The thread that carries journals into the ledger.

    Args:
        open_log: opens the ledger; called in the thread, again and again while that fails.
        own: holds this process's journal, see `Journal.hold`.
    """

    def __init__(
        self, folder: Path, *, open_log: Callable[[], Log], own: Callable[[], AbstractContextManager[Path | None]]
    ) -> None:
        self._folder, self._open_log, self._own = folder, open_log, own
        self._log: Log | None = None
        self._ending = threading.Event()
        self._draining = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)
        self.trouble = Trouble("the ledger")
        self.drained_rows = 0
        self.damaged_lines = 0

    def start(self) -> None:
        """Begin draining."""
        self._thread.start()

    def finish(self, *, within_s: float) -> None:
        """Drain what there is, then end. What is not drained in time is drained by the next server."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(within_s)

    def once(self) -> None:
        """Drain everything there is now. Never raises: a trouble is kept in `trouble`."""
        try:
            with self._draining, self._own() as own:
                if self._log is None:
                    self._log = self._open_log()
                for path in sorted(self._folder.glob(f"*{SUFFIX}")):
                    if path == own:
                        self._drain(self._log, path)
                    else:
                        self._take_over(self._log, path)
            self.trouble.is_over()
        except Exception as error:  # whatever it is, the next try may work, and answers do not wait for it
            # A foreign error may hold the ledger's password: its class is enough here.
            words = str(error) if isinstance(error, ProveoutError) else type(error).__name__
            self.trouble.begins(f"takes no predictions: {words} They wait in {self._folder}")
            self._close()

    def _run(self) -> None:
        wait_s = _DRAIN_EVERY_S
        while not self._ending.wait(wait_s):
            self.once()
            wait_s = _DRAIN_EVERY_S if self.trouble.words is None else min(_LONGEST_WAIT_S, wait_s * 2)
        self.once()
        self._close()

    def _close(self) -> None:
        log, self._log = self._log, None
        if log is not None:
            log.close()

    def _take_over(self, log: Log, path: Path) -> None:
        """Drain and delete the journal of a dead writer. One of a living writer is left alone."""
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._drain(log, path)
                # What is left is no whole line: its answer never left.
                path.unlink(missing_ok=True)
        except (BlockingIOError, FileNotFoundError):
            return

    def _drain(self, log: Log, path: Path) -> None:
        offset, portion = log.journal_offset(path.name), _PORTION_BYTES
        with path.open("rb") as file:
            while True:
                file.seek(offset)
                data = file.read(portion)
                end = data.rfind(b"\n") + 1
                if end == 0 and len(data) < portion:
                    return
                if end == 0:
                    portion *= 2  # one line longer than that
                    continue
                self._store(log, path, self._rows(path, data[:end], offset), offset=offset, end=offset + end)
                offset += end

    def _rows(self, path: Path, lines: bytes, offset: int) -> list[Prediction]:
        rows: list[Prediction] = []
        for line in lines.splitlines():
            try:
                rows.append(Prediction(**orjson.loads(line)))
            except (ValueError, TypeError):
                self._set_aside(path, line)
        return rows

    def _store(self, log: Log, path: Path, rows: list[Prediction], *, offset: int, end: int) -> None:
        named = _named_apart(rows, log.prediction_ids([row.request_id for row in rows]), f"{path.name}:{offset}")
        try:
            self.drained_rows += log.add_predictions(named, journal=path.name, offset=end)
            return
        except LedgerError:
            raise
        except (ProveoutError, ValueError, TypeError):
            pass  # one of the rows, not the ledger: the others shall not wait for it for ever
        for row in named:
            try:
                self.drained_rows += log.add_predictions([row], journal=path.name, offset=offset)
            except LedgerError:
                raise
            except (ProveoutError, ValueError, TypeError):
                self._set_aside(path, orjson.dumps(row))
        log.add_predictions([], journal=path.name, offset=end)

    def _set_aside(self, path: Path, line: bytes) -> None:
        """Keep a line that is no prediction, for a person to look at."""
        self.damaged_lines += 1
        aside = path.with_suffix(".damaged")
        if self.damaged_lines == 1:
            print(
                f"proveout: a line of {path.name} is no prediction; it is kept in {aside}", file=sys.stderr, flush=True
            )
        with aside.open("ab") as file:
            file.write(line + b"\n")


def _named_apart(rows: Sequence[Prediction], stored: frozenset[str], place: str) -> list[Prediction]:
    """`rows` under ids that are not in the ledger yet.

    Rows and offset are stored together, so a row is never drained twice, and an id that is there already was given
    twice by a client: to two servers, or to one whose memory of it had gone. Both answers belong in the log.
    """
    seen = set(stored)
    named: list[Prediction] = []
    for number, row in enumerate(rows):
        apart = row
        if row.request_id in seen:
            tail = blake2b(f"{place}:{number}".encode(), digest_size=6).hexdigest()
            apart = replace(row, request_id=f"{row.request_id}~{tail}")
        seen.add(apart.request_id)
        named.append(apart)
    return named
