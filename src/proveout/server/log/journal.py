"""The journal: every answer is in a file before it is sent.

Input: groups of rows (answers, shadow answers, feedback). Output: lines of JSON, which the controller copies into the
ledger. A journal belongs to one API process: `<started>-<pid>.jsonl`, appended with one `write` per group and locked
for as long as its writer lives. Written rows survive kill -9, because they are in the kernel's cache. With `durability
= "power"` an answer is sent after `fdatasync`, and survives a power failure too.

The journal never changes an answer. Rows that cannot be written stay in memory, up to a bound, and are written as soon
as possible. They are counted, shown in /readyz, and reported once on stderr.
"""

import asyncio
import fcntl
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from proveout.server.incidents import Incident
from proveout.server.log import codec
from proveout.server.log.codec import Row

SUFFIX = ".jsonl"
MOST_OWED_BYTES = 64 * 2**20
LONGEST_FILE = 64 * 2**20  # then a new file is begun, so that copied rows can be deleted
_KEEPING = "answers continue, their rows wait in memory"
_REFUSING = "requests are refused until it can"
_BLANK = b" " * 4_095 + b"\n"  # an empty line, to test whether a full disk has room again


class Journal:
    """The journal of one API process. For one thread, the one that answers.

    Args:
        durability: what a row survives, see above.
        keeps: whether rows that cannot be written wait in memory. False if unlogged answers are refused.
    """

    def __init__(
        self, folder: Path, *, durability: Literal["process", "power"] = "process", keeps: bool = True
    ) -> None:
        self._folder, self._keeps = folder, keeps
        self.durable = durability == "power"
        self._file: int | None = None
        self._size = 0
        self._owed = bytearray()  # whole lines that are not in the file yet; the first may be there in part
        self._begun = 0  # how many bytes of the first line are in the file
        self.owed_rows = 0  # rows that are in memory only
        self.lost_rows = 0  # rows lost because memory was full
        self._path: Path | None = None
        self._coming: asyncio.Future[bool] | None = None  # the next `fdatasync`; None if no row waits for one
        self._syncing = False
        self._turning = False  # whether beginning a new file failed and is to be tried again
        self._syncer = ThreadPoolExecutor(1, "journal")
        self.trouble = Incident("the prediction journal")
        self.retry()

    async def commit(self, rows: Sequence[Row]) -> bool:
        """`append`, and with `durable` also sync to disk. Groups that arrive during a sync share the next one."""
        written = self.append(rows)
        return await self._settle() if written and self.durable else written

    def append(self, rows: Sequence[Row]) -> bool:
        """Write `rows`. Returns whether all are in the file. If not, they stay in memory and are written later."""
        text = b"".join([codec.write(row) for row in rows])
        if not self._keeps and self._owed and not self.retry():
            return False
        if len(self._owed) + len(text) > MOST_OWED_BYTES:
            self.lost_rows += len(rows)
            return False
        self._owed += text
        self.owed_rows += len(rows)
        written = self.retry()
        if not self._keeps:
            self._drop_owed()
        return written

    def retry(self) -> bool:
        """Write the rows that are in memory only. Returns whether all are written."""
        try:
            file = self._begin() if self._file is None else self._file
            while self._owed:
                # A full disk may accept only a part. The next write continues there, so no line is split.
                written = os.write(file, self._owed[self._begun :] if self._begun else self._owed)
                self._size += written
                whole = self._owed.rfind(b"\n", 0, self._begun + written) + 1
                self._begun += written - whole
                del self._owed[:whole]
            self.owed_rows = 0
            if self._size > LONGEST_FILE:  # here, where the file ends with a whole line
                self._begin()
            self.trouble.is_over()
        except OSError as error:
            self.trouble.begins(f"cannot be written ({error.strerror}); {_KEEPING if self._keeps else _REFUSING}")
        return not self._owed

    def check(self) -> None:
        """Begin a new file if this one was deleted or failed, and retry to write. Call it regularly."""
        if self._file is not None and os.fstat(self._file).st_nlink == 0:
            self.close()
        if self.trouble.message is not None or self._turning:
            self._turning = False
            self.turn()  # the old file can be deleted, which makes room on the disk
        if self.trouble.message is not None and not self._owed:
            self._owed += _BLANK
        self.retry()

    def turn(self) -> None:
        """Begin a new file. The shipper deletes the old one. Call it after an erasure, so that no copy remains."""
        if self._size:
            try:
                self._begin()
            except OSError:
                self._turning = True  # the next `check` tries again

    def close(self) -> None:
        """Close the file. The shipper may delete it."""
        if self._file is not None:
            os.close(self._file)
        self._file, self._path = None, None

    def _begin(self) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # requests may be about people
        path = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{os.getpid()}{SUFFIX}"
        unlocked = path.with_suffix(".new")
        file = os.open(unlocked, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Lock it before it gets its name: the shipper takes an unlocked file for that of a dead writer.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unlocked.rename(path)
            if self.durable:
                _sync_folder(self._folder)
                if self._file is not None:
                    _to_disk(self._file)  # its last sync
        except OSError:
            os.close(file)
            for left in (unlocked, path):
                left.unlink(missing_ok=True)
            raise
        self.close()
        # A line that is only partly in the old file is written again in full: without its end, the old one is ignored.
        self._file, self._size, self._path, self._begun = file, 0, path, 0
        return file

    def _drop_owed(self) -> None:
        """Drop rows whose answers were refused. A line that is partly in the file is finished later."""
        end = self._owed.find(b"\n") + 1 if self._begun else 0
        del self._owed[end:]
        self.owed_rows = 1 if end else 0

    # --- durability -----------------------------------------------------------------------------------------------

    async def _settle(self) -> bool:
        """Sync in a thread, because a disk takes milliseconds. Returns whether all written rows are on the disk."""
        if self._coming is None:
            self._coming = asyncio.get_running_loop().create_future()
        coming = self._coming
        if not self._syncing:
            self._sync()
        return await asyncio.shield(coming)

    def _sync(self) -> None:
        # A running sync covers only what was written before it began: later rows wait for the next one.
        settled, self._coming = self._coming, None
        if settled is None:
            return
        try:
            if self._file is None:  # closed meanwhile
                settled.set_result(False)
                return
            running = asyncio.get_running_loop().run_in_executor(self._syncer, _sync_file, os.dup(self._file))
        except OSError as error:
            self._unsynced(settled, error)
            return
        self._syncing = True
        running.add_done_callback(lambda ended: self._synced(settled, ended.exception()))

    def _synced(self, settled: "asyncio.Future[bool]", error: BaseException | None) -> None:
        self._syncing = False
        if error is None:
            settled.set_result(True)
        else:
            self._unsynced(settled, error)
        self._sync()

    def _unsynced(self, settled: "asyncio.Future[bool]", error: BaseException) -> None:
        why = getattr(error, "strerror", None) or type(error).__name__
        self.trouble.begins(f"is not safe from a power failure ({why}); answers continue")
        # After a failed sync the kernel marks the pages as clean, so another sync of this file would prove nothing.
        self.close()
        settled.set_result(False)


def _sync_file(file: int) -> None:
    try:
        _to_disk(file)
    finally:
        os.close(file)


def _to_disk(file: int) -> None:
    # macOS has no fdatasync; fsync also writes metadata.
    getattr(os, "fdatasync", os.fsync)(file)


def _sync_folder(folder: Path) -> None:
    """Sync the directory `folder`: without it, a new file's name may be lost."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
