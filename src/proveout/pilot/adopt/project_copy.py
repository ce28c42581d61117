"""A copy of the project that a notebook lies in: notebooks write files, and the original is not ours.

Input: a notebook, and the files that were named for what it asks for. Output: `ProjectCopy`, for the time of a run.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from proveout.pilot.audit.distributions import project_root

SEABORN = "seaborn:"  # a data set of seaborn's is asked for as `seaborn:tips`
_MOST_COPIED = 2_000_000_000  # bytes
_NAMES_LEFT_OUT = (
    ".git", "node_modules", "__pycache__", ".ipynb_checkpoints", ".proveout", "site-packages",
)  # fmt: skip


class ProjectTooLarge(Exception):
    """The notebook's own folder is larger than what is copied."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.size_bytes = size_bytes


@dataclass(frozen=True, kw_only=True)
class ProjectCopy:
    """Where the copy lies. `folder` is that of the notebook, at or below `root`; `environment` is for its kernel."""

    root: Path
    folder: Path
    environment: Mapping[str, str]


@contextmanager
def made(notebook: Path, files: Mapping[str, Path]) -> Iterator[ProjectCopy]:
    """The copy, until the end of the `with`. Of a large repository only the notebook's folder is copied.

    Raises: ProjectTooLarge.
    """
    own = notebook.resolve().parent
    root = project_root(own)
    if root != own and _size(root) > _MOST_COPIED:
        root = own
    if root == own and (size := _size(own)) > _MOST_COPIED:
        raise ProjectTooLarge(size)
    with tempfile.TemporaryDirectory(prefix="proveout-adopt-") as place:
        copy = Path(place) / (root.name or "project")
        shutil.copytree(root, copy, ignore=_left_out, symlinks=False, ignore_dangling_symlinks=True)
        environment = _seaborn_data(Path(place) / "seaborn-data", files)
        yield ProjectCopy(root=copy, folder=copy / own.relative_to(root), environment=environment)


def _left_out(place: str, names: Iterable[str]) -> set[str]:
    """Names in a folder that are not copied: virtual environments among them, whatever they are called."""
    return {name for name in names if name in _NAMES_LEFT_OUT or (Path(place) / name / "pyvenv.cfg").is_file()}


def _size(folder: Path) -> int:
    """Bytes that a copy takes; counting stops where they are too many."""
    size = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _left_out(place, folders))
        for file in (Path(place) / name for name in names):
            size += file.stat().st_size if file.is_file() else 0
        if size > 10 * _MOST_COPIED:
            break
    return size


def _seaborn_data(folder: Path, files: Mapping[str, Path]) -> Mapping[str, str]:
    """Where `seaborn.load_dataset` finds the data sets that were named; it asks a network only for others."""
    named = {asked.removeprefix(SEABORN): file for asked, file in files.items() if asked.startswith(SEABORN)}
    if not named:
        return {}
    folder.mkdir()
    for name, file in named.items():
        shutil.copyfile(file, folder / f"{name}.csv")
    return {"SEABORN_DATA": str(folder)}
