"""Whose file something is: the project's, proveout's, a library's or Python's.

Input: paths. Output: whether it is the project's own, and what to call it in a sentence.
"""

import os
from pathlib import Path

from proveout.code_files import INSTALLED, PACKAGE


def is_foreign(file: Path, root: Path) -> bool:
    """Whether a file is somebody's own: neither proveout's, nor installed, nor Python's."""
    if not file.is_absolute() or INSTALLED & set(file.parts) or file.is_relative_to(PACKAGE):
        return False
    return file.is_relative_to(root) or not file.is_relative_to(Path(os.__file__).parent)


def short(file: Path | None, root: Path) -> str:
    """A file's name as people say it: from the project's root, where it lies below."""
    if file is None:
        return "no file"
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
