"""What the runner asks of the notebook's kernel, by name: begin, which cell comes, and the end.

Input: calls as expressions, from outside; records as JSON. Output: a tape, and the files of what was recovered.
"""

import os
import random
import resource
from pathlib import Path
from typing import Any

import numpy as np

from proveout.records.adopted_notebook import AdoptedNotebook, CallPlace
from proveout.records.json_form import from_json, to_json
from proveout.recovery import handed_rows, kernel_hook, recovery_report
from proveout.recovery.file_lookup import ROOT_VARIABLE
from proveout.recovery.handed_rows import HoldBack
from proveout.recovery.tape import Tape

SEED = 0  # of Python's and NumPy's global generators: a split without a seed is the same in each run
_TAPES: list[Tape] = []


def begin(shell: Any, *, root: str, memory_bytes: int = 0, adopted: str = "", rows: str = "", unsplit: str = "") -> int:
    """Record what runs from now on. Returns 0.

    Args:
        root: below it files are looked for that lie elsewhere.
        adopted, rows: a record `AdoptedNotebook` as JSON and a Parquet file: the call that reads the raw rows gives
            those of the file. Without them, it reads what it asks for.
        unsplit: a `CallPlace` as JSON: of the rows that are read there, a share is held back from the notebook.
    """
    os.environ[ROOT_VARIABLE] = root
    if memory_bytes:
        # Not RLIMIT_AS: allocators and thread pools reserve far more addresses than they use, and fail under it.
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, most))
    random.seed(SEED)
    np.random.seed(SEED)  # the generator that notebooks use without naming it
    known = from_json(AdoptedNotebook, adopted) if adopted else None
    handed = handed_rows.read(known, Path(rows)) if known is not None else None
    hold_back = None
    if known is not None and known.held_back:
        hold_back = HoldBack(place=known.source, share=known.held_back)
    elif unsplit:
        hold_back = HoldBack(place=from_json(CallPlace, unsplit), share=handed_rows.SHARE)
    _TAPES.append(kernel_hook.install(shell, handed, hold_back))
    return 0


def cell(index: int) -> int:
    """The next cell is that of `index` among all cells of the pilot's file. Returns 0."""
    _TAPES[-1].cell = index
    return 0


def lost() -> list[tuple[int, str]]:
    """Cells with what Python said of an import or of a drawing in them that failed; the rest of such a cell ran."""
    return _TAPES[-1].lost


def end(folder: str, *, within_s: float, enough_s: float) -> int:
    """Recover the models, the best first: recovered.json and their files in `folder`. Returns how many there are.

    Args:
        within_s, enough_s: as in `recovery_report.recover`.
    """
    place = Path(folder)
    found = recovery_report.recover(_TAPES[-1], place, within_s=within_s, enough_s=enough_s)
    (place / "recovered.json").write_text(to_json(found), encoding="utf-8")
    return len(found.models)


def end_with(adopted: str, folder: str) -> str:
    """Recover the model of an adopted notebook: its files in `folder`. Returns a `RecoveredModel` as JSON."""
    return to_json(recovery_report.recover_one(_TAPES[-1], from_json(AdoptedNotebook, adopted), Path(folder)))
