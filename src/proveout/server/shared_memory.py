"""A small file that several processes map: all of them see its bytes, and they survive kill -9.

Input: a path and a size. Output: the mapped bytes. Disk space is allocated when the file is opened. Otherwise the first
write to a page on a full disk would end the process with SIGBUS, in the middle of an answer.
"""

import mmap
import os
import sys
from pathlib import Path


def opened(file: Path) -> int:
    """A descriptor of `file`. Creates file and folder if needed, readable only by the owner; not inherited by exec."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def mapped(descriptor: int, size: int, *, what: str) -> mmap.mmap:
    """The first `size` bytes of the file, initially zeros. On a full disk, private memory of this process instead.

    Args:
        what: the content of the file, for the message on stderr.
    """
    try:
        # Always the same size, so two processes that create the file at once do not conflict.
        if hasattr(os, "posix_fallocate"):  # not on macOS, where the file has holes instead
            os.posix_fallocate(descriptor, 0, size)
        else:
            os.ftruncate(descriptor, size)
        return mmap.mmap(descriptor, size)
    except OSError as error:
        effect = f"{what} are not shared between processes, and are lost when this one ends"
        print(f"proveout: the state folder has no room ({error.strerror}): {effect}", file=sys.stderr, flush=True)
        return mmap.mmap(-1, size)
