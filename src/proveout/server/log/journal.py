"""The journal: every answer is in a file before it leaves.

Input: rows (answers, what shadows said, feedback), once per group that leaves together. Output: lines of JSON,
which the controller carries into the ledger. A journal belongs to one API process: `<started>-<pid>.jsonl`, appended
with one `write` and held by a lock for as long as its writer lives. What was written survives kill -9 (it is in the
kernel's cache); with `durability = "power"` an answer leaves after `fdatasync`, and survives a power failure too.

Nothing here changes an answer. What cannot be written is kept in memory, within a bound, and written when that is
possible again; it is counted, shown in /readyz, and said once.
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
LONGEST_FILE = 64 * 2**20  # then a new one is begun, so that what is drained can be deleted
_KEEPING = "answers go on, their log waits in memory"
_REFUSING = "requests are refused until it can"
_BLANK = b" " * 4_095 + b"\n"  # a line that says nothing, to see whether a disk that was full has room again


class Journal:
    """The file of one API process. For one thread, the one that answers.

    Args:
        durability: what a row survives, see above.
        keeps: whether what cannot be written waits in memory. Not where an answer is refused that cannot be logged.
    """

    def __init__(
        self, folder: Path, *, durability: Literal["process", "power"] = "process", keeps: bool = True
    ) -> None:
        self._folder, self._keeps = folder, keeps
        self.durable = durability == "power"
        self._file: int | None = None
        self._size = 0
        self._owed = bytearray()  # whole lines that are not in the file, the first one perhaps in part
        self._begun = 0  # bytes of that one that are
        self.owed_rows = 0  # rows that are in memory only
        self.lost_rows = 0  # those there was no room for
        self._path: Path | None = None
        self._coming: asyncio.Future[bool] | None = None  # the next `fdatasync`; None while nobody waits for one
        self._syncing = False
        self._turning = False  # a new file is to be begun, and could not be
        self._syncer = ThreadPoolExecutor(1, "journal")
        self.trouble = Incident("the prediction journal")
        self.retry()

    async def commit(self, rows: Sequence[Row]) -> bool:
        """`append`, and with `durable` the disk has them too: groups that come meanwhile share the next sync."""
        written = self.append(rows)
        return await self._settle() if written and self.durable else written

    def append(self, rows: Sequence[Row]) -> bool:
        """Whether all of `rows` are in the file. If not, they are kept in memory and written later."""
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
        """Write what is owed. Whether nothing is owed any more."""
        try:
            file = self._begin() if self._file is None else self._file
            while self._owed:
                # A full disk may take a part. The rest follows it byte by byte, so no line is ever broken in two.
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

    def look(self) -> None:
        """Begin a new file if somebody deleted this one: what is written to it could never be read."""
        if self._file is not None and os.fstat(self._file).st_nlink == 0:
            self.close()
        if self.trouble.words is not None or self._turning:
            self._turning = False
            self.turn()  # what is drained of a file can be deleted as soon as nobody writes to it
        if self.trouble.words is not None and not self._owed:
            self._owed += _BLANK
        self.retry()

    def turn(self) -> None:
        """Begin a new file: whoever drains the old one deletes it. After an erasure, so that no copy stays behind."""
        if self._size:
            try:
                self._begin()
            except OSError:
                self._turning = True  # at the next look

    def close(self) -> None:
        """Give the file up: whoever drains it may delete it."""
        if self._file is not None:
            os.close(self._file)
        self._file, self._path = None, None

    def _begin(self) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # requests may be about people
        path = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{os.getpid()}{SUFFIX}"
        unlocked = path.with_suffix(".new")
        file = os.open(unlocked, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Locked before it has its name: a file without a lock is one of a dead writer, and would be taken over.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unlocked.rename(path)
            if self.durable:
                _sync_folder(self._folder)
                if self._file is not None:
                    _to_disk(self._file)  # nobody syncs it after this
        except OSError:
            os.close(file)
            for left in (unlocked, path):
                left.unlink(missing_ok=True)
            raise
        self.close()
        # A line that the old file has a part of is written again, whole: without its end it is no row there.
        self._file, self._size, self._path, self._begun = file, 0, path, 0
        return file

    def _drop_owed(self) -> None:
        """Forget what was refused. A line that is in the file in part is finished later."""
        end = self._owed.find(b"\n") + 1 if self._begun else 0
        del self._owed[end:]
        self.owed_rows = 1 if end else 0

    # --- durability -----------------------------------------------------------------------------------------------

    async def _settle(self) -> bool:
        """Whether everything written until now is on the disk, asked of a thread: a disk takes its milliseconds."""
        if self._coming is None:
            self._coming = asyncio.get_running_loop().create_future()
        coming = self._coming
        if not self._syncing:
            self._sync()
        return await asyncio.shield(coming)

    def _sync(self) -> None:
        # A sync that is under way covers what was written before it began: who comes later waits for the next one.
        settled, self._coming = self._coming, None
        if settled is None:
            return
        try:
            if self._file is None:  # given up meanwhile
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
        self.trouble.begins(f"is not safe from a power failure ({why}); answers go on")
        # The kernel forgets after one refusal which pages it could not write: this file is never asked again.
        self.close()
        settled.set_result(False)


def _sync_file(file: int) -> None:
    try:
        _to_disk(file)
    finally:
        os.close(file)


def _to_disk(file: int) -> None:
    # macOS has no fdatasync; fsync puts some more on the disk.
    getattr(os, "fdatasync", os.fsync)(file)


def _sync_folder(folder: Path) -> None:
    """Put the names in `folder` on the disk: a file without one is lost."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
