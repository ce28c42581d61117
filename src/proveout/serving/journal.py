"""The journal: every answer is in a file before it leaves.

Comes in: predictions, once per group of answers that leave together. Goes out: lines of JSON, which `drain` carries
into the ledger. A journal belongs to one API process: `<started>-<pid>.jsonl`, appended with one `write` and held by a
lock for as long as its writer lives. What was written survives kill -9 (it is in the kernel's cache), not a power
failure.

Nothing here changes an answer. What cannot be written is kept in memory, within a bound, and written when that is
possible again; it is counted, shown in /readyz, and said once.
"""

import fcntl
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from proveout.records import Prediction

SUFFIX = ".jsonl"
MOST_OWED_BYTES = 64 * 2**20
LONGEST_FILE = 64 * 2**20  # then a new one is begun, so that what is drained can be deleted


class Trouble:
    """Something that does not work: said once when it begins and once when it is over, however often it is met."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.words: str | None = None

    def begins(self, words: str) -> None:
        """Say it, unless it is the one already said."""
        if words != self.words:
            print(f"proveout: {self._name} {words}", file=sys.stderr, flush=True)
        self.words = words

    def is_over(self) -> None:
        """Say that it is over, if there was one."""
        if self.words is not None:
            print(f"proveout: {self._name} works again", file=sys.stderr, flush=True)
        self.words = None


class Journal:
    """The file of one API process. For one thread, the one that answers; others may only `hold` it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None
        self._size = 0
        self._owed = bytearray()  # what follows the file's last byte once it can be written
        self.owed_rows = 0  # answered predictions that are in memory only
        self.lost_rows = 0  # those there was no room for
        self._path: Path | None = None
        self._closing = threading.Lock()
        self.trouble = Trouble("the prediction journal")
        self.retry()

    def append(self, predictions: Sequence[Prediction]) -> bool:
        """Whether all of `predictions` are in the file. If not, they are kept in memory and written later."""
        lines = b"".join([orjson.dumps(prediction, option=orjson.OPT_APPEND_NEWLINE) for prediction in predictions])
        if len(self._owed) + len(lines) > MOST_OWED_BYTES:
            self.lost_rows += len(predictions)
            return False
        self._owed += lines
        self.owed_rows += len(predictions)
        return self.retry()

    def retry(self) -> bool:
        """Write what is owed. Whether nothing is owed any more."""
        try:
            file = self._begin() if self._file is None else self._file
            while self._owed:
                # A full disk may take a part. The rest follows it byte by byte, so no line is ever broken in two.
                written = os.write(file, self._owed)
                self._size += written
                del self._owed[:written]
            self.owed_rows = 0
            if self._size > LONGEST_FILE:  # here, where the file ends with a whole line
                self._begin()
            self.trouble.is_over()
        except OSError as error:
            self.trouble.begins(f"cannot be written ({error.strerror}); answers go on, their log waits in memory")
        return not self._owed

    def look(self) -> None:
        """Begin a new file if somebody deleted this one: what is written to it could never be read."""
        if self._file is not None and os.fstat(self._file).st_nlink == 0:
            self.close()
        self.retry()

    def close(self) -> None:
        """Give the file up: whoever drains it may delete it."""
        with self._closing:
            if self._file is not None:
                os.close(self._file)
            self._file, self._path = None, None

    @contextmanager
    def hold(self) -> Iterator[Path | None]:
        """The path of the file, None while there is none. Its lock is kept until the end of the block, also if the
        writer gives it up meanwhile: a file that two drain at once would be in the ledger twice."""
        with self._closing:
            file = None if self._file is None else os.dup(self._file)
            path = self._path
        try:
            yield path
        finally:
            if file is not None:
                os.close(file)

    def _begin(self) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # requests may be about people
        path = self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{os.getpid()}{SUFFIX}"
        unlocked = path.with_suffix(".new")
        file = os.open(unlocked, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Locked before it has its name: a file without a lock is one of a dead writer, and would be taken over.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unlocked.rename(path)
        except OSError:
            os.close(file)
            raise
        self.close()
        self._file, self._size, self._path = file, 0, path
        return file
