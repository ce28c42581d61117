"""The end of a process that proveout started. Input: nothing. Output: nothing; the process ends sooner."""

import atexit
import gc
import io
from contextlib import suppress
from typing import Any

_STANDARD = 2  # the highest number of stdin, stdout and stderr


def without_collection() -> None:
    """Let this process end without a last search for reference cycles; the system takes its memory anyway.

    With pandas, SciPy, scikit-learn and pandera imported, Python searches a million objects several times at its end:
    0.75 s of 3.7 s of processor time. Files that a module or a notebook left open would have been closed by it: those
    are closed here. The `__del__` of other objects is not called, which Python does not promise at its end anyway.
    """
    atexit.register(_end)


def _end() -> None:
    base: Any = io.IOBase.__base__  # without the slow `isinstance` of an abstract class
    files = [one for one in gc.get_objects() if issubclass(type(one), base) and not isinstance(one, io.RawIOBase)]
    # A file that writes into another one before that one: text, then compressed bytes, then buffers of the system's.
    for file in sorted(files, key=lambda one: (not isinstance(one, io.TextIOBase), type(one).__module__ == "_io")):
        with suppress(Exception):
            if not _is_standard(file):
                file.close()
    gc.freeze()


def _is_standard(file: Any) -> bool:
    with suppress(OSError, ValueError, AttributeError):  # not a file of the system, or closed
        return bool(file.fileno() <= _STANDARD)
    return False
