"""A small file that several processes map: all of them see its bytes, and kill -9 does not lose them.

Input: a path and a size. Output: the mapped bytes. Disk space is allocated when the file is opened. Otherwise the first
write to a page on a full disk would end the process with SIGBUS, in the middle of an answer.
"""

import mmap
import os
import sys
from pathlib import Path


def opened(file: Path) -> int:
    """A descriptor of `file`, made with its folder if it is not there: its owner's alone, and no child's."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def mapped(descriptor: int, size: int, *, what: str) -> mmap.mmap:
    """The first `size` bytes of the file, zeros at first. Without room for them, bytes of this process alone.

    Args:
        what: lives there, for the words on stderr.
    """
    try:
        # Always of one size, so two processes that make it at once make the same.
        if hasattr(os, "posix_fallocate"):  # not on macOS, where the file has holes instead
            os.posix_fallocate(descriptor, 0, size)
        else:
            os.ftruncate(descriptor, size)
        return mmap.mmap(descriptor, size)
    except OSError as error:
        words = f"{what} are not shared between processes, and end with this one"
        print(f"proveout: the state folder has no room ({error.strerror}): {words}", file=sys.stderr, flush=True)
        return mmap.mmap(-1, size)
