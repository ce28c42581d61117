"""What the runner asks of the notebook's kernel, by name: begin, which cell comes, and the end.

Input: calls as expressions, from outside. Output: a tape, and the file with what was recovered.
"""

import os
import resource
from pathlib import Path
from typing import Any

from proveout.records.json_form import to_json
from proveout.recovery import kernel_hook
from proveout.recovery.file_lookup import ROOT_VARIABLE
from proveout.recovery.recovery_report import recover
from proveout.recovery.tape import Tape

_TAPES: list[Tape] = []


def begin(shell: Any, *, root: str, memory_bytes: int) -> int:
    """Record what runs from now on. `root`: below it files are looked for that lie elsewhere. Returns 0."""
    os.environ[ROOT_VARIABLE] = root
    if memory_bytes:
        # Not RLIMIT_AS: allocators and thread pools reserve far more addresses than they use, and fail under it.
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, most))
    _TAPES.append(kernel_hook.install(shell))
    return 0


def cell(index: int) -> int:
    """The next cell is that of `index` among all cells of the notebook. Returns 0."""
    _TAPES[-1].cell = index
    return 0


def end(folder: str) -> int:
    """Recover the models, and write recovered.json and their features into `folder`. Returns how many there are."""
    place = Path(folder)
    found = recover(_TAPES[-1], place)
    (place / "recovered.json").write_text(to_json(found), encoding="utf-8")
    return len(found.models)
