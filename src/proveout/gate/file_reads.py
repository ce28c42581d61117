"""Records the project files that checks read while they run, because a bound in a JSON file decides like a check.

Input: Python's audit events of this process. Output: each file by its path from the root, with its SHA-256 when it was
first opened. Only files opened by the project's own code count, while checks are imported and run; files that pytest,
a library or proveout open for themselves do not decide anything. Files that a library opens in C, such as parquet
files, raise no event and are missed.
"""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from proveout import code_files

LEFT_OUT = frozenset(
    {".git", ".hg", ".hypothesis", ".metaflow", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv"}
)
_WRITES = os.O_WRONLY | os.O_RDWR

# An audit hook cannot be removed, so there is one for all instances.
_watching: "FileReads | None" = None
_hooked = False


class FileReads:
    """Records files read below a root, from `start` to `stop`."""

    def __init__(self, root: Path, *, left_out: Iterable[Path] = ()) -> None:
        self.root = root
        self.found: dict[str, str] = {}
        self._left_out = tuple(left_out)
        self._known: set[object] = set()
        self._before: FileReads | None = None

    def start(self) -> None:
        """Start recording."""
        global _watching, _hooked  # noqa: PLW0603  # of the process, as the hook is
        if not _hooked:
            sys.addaudithook(_hook)
            _hooked = True
        self._before, _watching = _watching, self

    def stop(self) -> None:
        """Stop recording."""
        global _watching  # noqa: PLW0603
        if _watching is self:
            _watching = self._before

    def leave_out(self, folder: Path) -> None:
        """Ignore everything below a folder, including what was already recorded there."""
        self._left_out = (*self._left_out, folder)
        self.found = {name: digest for name, digest in self.found.items() if self._counts(self.root / name)}

    def saw(self, path: object, flags: object) -> None:
        """Record a file that is about to be opened."""
        global _watching  # noqa: PLW0603
        if path in self._known or not isinstance(path, str | bytes) or (isinstance(flags, int) and flags & _WRITES):
            return
        named = os.fsdecode(path)
        if any(f"{os.sep}{folder}{os.sep}" in named for folder in code_files.INSTALLED):
            return  # the usual case, decided by the name alone at a hundredth of the cost
        file = Path(os.path.realpath(named))
        if file.suffix == ".pyc" and file.parent.name == "__pycache__":
            file = file.parents[1] / f"{file.name.partition('.')[0]}.py"  # pytest's bytecode has other names
        if not self._counts(file):
            self._known.add(path)
        elif self._asked_by_project(sys._getframe(2)):
            self._known.add(path)
            _watching = None  # reading it here must not count as a check's read
            try:
                self.found.setdefault(code_files.name(file, self.root), code_files.sha256(file.read_bytes()))
            finally:
                _watching = self

    def _counts(self, file: Path) -> bool:
        inside = code_files.is_own(file, self.root) and not LEFT_OUT & set(file.relative_to(self.root).parts)
        return inside and not any(file.is_relative_to(folder) for folder in self._left_out)

    def _asked_by_project(self, frame: FrameType | None) -> bool:
        """Whether the project's own code opens it, directly or through a library."""
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith(str(code_files.PACKAGE) + os.sep):
                return False
            if name.startswith(str(self.root) + os.sep) and self._counts(Path(name)):
                return True
            frame = frame.f_back
        return False


def _hook(event: str, args: tuple[Any, ...]) -> None:
    # Called for every file that Python opens.
    if _watching is not None and event == "open":
        with suppress(OSError, ValueError):  # if it cannot be read here, the check's own read fails too
            _watching.saw(args[0], args[2])
