"""Files that hold a secret: written once, atomically, and readable only by their owner.

Input: a path and its content. Output: a file, which two processes may safely create at once; and its bytes.
"""

import os
import shlex
import stat
import tempfile
from pathlib import Path

from proveout.errors import ConfigError


def place(file: Path, content: bytes, *, mode: int) -> None:
    """Write `file` atomically. If another process was faster, its file stays. Raises: ConfigError."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".new-", dir=file.parent)
    except OSError as error:
        raise ConfigError(
            str(file.parent), f"no key can be written there: {error.strerror}", "Change its permissions"
        ) from error
    written = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        written.chmod(mode)
        file.hardlink_to(written)  # unlike a rename, a link does not replace an existing file
    except FileExistsError:
        pass
    finally:
        written.unlink()


def read(file: Path) -> bytes:
    """The content of `file`. Raises: ConfigError if it cannot be read, or if others may read it."""
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise ConfigError(str(file), "others may read this private key", f"chmod 600 {shlex.quote(str(file))}")
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(str(file), f"cannot be read: {error.strerror}", "Change its permissions") from error
