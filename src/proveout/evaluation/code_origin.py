"""Whether a file belongs to the project, to proveout, to a library or to Python.

Input: paths. Output: whether a file is the project's own, and its name for messages.
"""

import os
from pathlib import Path

from proveout.code_files import INSTALLED, PACKAGE


def is_foreign(file: Path, root: Path) -> bool:
    """Whether a file is user code: not proveout's, not installed, and not Python's."""
    if not file.is_absolute() or INSTALLED & set(file.parts) or file.is_relative_to(PACKAGE):
        return False
    return file.is_relative_to(root) or not file.is_relative_to(Path(os.__file__).parent)


def short(file: Path | None, root: Path) -> str:
    """A file's name for messages: relative to the project's root if it is below it."""
    if file is None:
        return "no file"
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
