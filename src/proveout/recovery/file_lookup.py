"""Files that are asked for by a path of another machine: found by their base name below the project's root.

Input: the path as the code has it. Output: the file to read instead. Never one above the root: a stranger's file of the
same name would be read.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

ROOT_VARIABLE = "PROVEOUT_ADOPT_ROOT"  # files that lie elsewhere are looked for below this folder
FILES_VARIABLE = "PROVEOUT_ADOPT_FILES"  # JSON: paths or addresses as the code asks for them, and the files to read


def base_name(asked: str) -> str:
    """The file's name without its folders, as Windows or others write them.

    >>> base_name(r"C:\\data\\iris.csv"), base_name("/content/x.csv"), base_name("x.csv")
    ('iris.csv', 'x.csv', 'x.csv')
    """
    return asked.replace("\\", "/").rpartition("/")[2]


def same_name(asked: str, root: Path, near: Path) -> tuple[Path, ...]:
    """Files below `root` whose name is that of `asked`, in any case. The nearest to the folder `near` is first."""
    name = base_name(asked).lower()
    if not name or "://" in asked:
        return ()
    found = [one for one in sorted(root.resolve().rglob("*")) if one.name.lower() == name and one.is_file()]
    return nearest_first(sorted(found, key=lambda one: one.name != base_name(asked)), near)


def nearest_first(files: Iterable[Path], near: Path) -> tuple[Path, ...]:
    """Files by the number of folders between them and the folder `near`; those equally near stay in their order."""
    return tuple(sorted(files, key=lambda one: _steps(one, near.resolve())))


def _steps(file: Path, near: Path) -> int:
    """How many folders one has to go up and down from `near` to the file."""
    shared = Path(os.path.commonpath((file.parent, near)))
    return len(file.parent.parts) + len(near.parts) - 2 * len(shared.parts)


def answered(asked: str) -> str | None:
    """The file that was named for this path or address before the run; None if none was."""
    named: dict[str, str] = json.loads(os.environ.get(FILES_VARIABLE, "{}"))
    return named.get(asked)
