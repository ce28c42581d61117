"""The pilot's run: its notebook, unedited, in a copy of its folder, in a kernel that records.

Input: a notebook and limits. Output: `PilotRun`: the cells that raised, and what was recovered of its models. The
notebook's own folder is never written to.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proveout.errors import ProveoutError
from proveout.model import notebook_file
from proveout.records.json_form import from_json
from proveout.recovery.recovery_report import RecoveredNotebook
from proveout.training.kernel import CellFailed, Kernel

_SIDE = "__import__('proveout.recovery.kernel_side', fromlist=['begin'])"
_ASK_S = 60.0
_MOST_COPIED = 2_000_000_000  # bytes of a folder that are copied
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "venv", "node_modules", "__pycache__", ".ipynb_checkpoints", ".proveout"
)


class PilotFailed(ProveoutError):
    """The notebook's run gave nothing to recover a model from."""

    def __init__(self, notebook: str, problem: str, remedy: str) -> None:
        super().__init__(notebook, problem, remedy)
        self.notebook, self.problem, self.remedy = notebook, problem, remedy

    def __str__(self) -> str:
        return f"{self.notebook}: {self.problem}. {self.remedy}"


@dataclass(frozen=True, kw_only=True)
class RaisedCell:
    """A cell that raised, ran out of time or ended the kernel. `index` counts all cells from 0."""

    index: int
    problem: str


@dataclass(frozen=True, kw_only=True)
class PilotRun:
    """What came of the run. `seconds` is the notebook's own time."""

    recovered: RecoveredNotebook
    raised: tuple[RaisedCell, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RunLimits:
    """How long a cell and the whole run may take, in seconds, and the memory of the kernel; 0 bytes are no limit."""

    cell_s: float = 600
    total_s: float = 1800
    memory_bytes: int = 0


def run(
    notebook: Path, *, into: Path, limits: RunLimits | None = None, tell: Callable[[str], None] = lambda line: None
) -> PilotRun:
    """Run the notebook and recover its models.

    Args:
        into: a folder that gets recovered.json and the features of each model.
        tell: takes a line of progress for each cell that takes its time.
    Raises: ConfigError if the file is no notebook of Python; PilotFailed if the kernel ends before anything is known.
    """
    limits = limits or RunLimits()
    document = notebook_file.read(notebook)
    document.metadata["papermill"] = {}  # where its engine notes times
    for cell in document.cells:
        cell.metadata["papermill"] = {}
    with _copied(notebook.resolve().parent) as folder:
        kernel = Kernel(document, environment={**os.environ, "MPLBACKEND": "Agg"}, cwd=folder)
        began = time.monotonic()
        try:
            with kernel:
                begin = f"begin(get_ipython(), root={str(folder)!r}, memory_bytes={limits.memory_bytes})"
                kernel.ask(f"{_SIDE}.{begin}", limit_s=_ASK_S, limit="the kernel did not begin to record")
                raised = _cells(kernel, document, limits, tell)
                seconds = time.monotonic() - began
                tell("looking for the way from raw rows to each model")
                kernel.ask(
                    f"{_SIDE}.end({str(into)!r})", limit_s=limits.total_s, limit="the models were not recovered in time"
                )
        except CellFailed as failed:
            raise PilotFailed(str(notebook), failed.problem, "Run it in Jupyter to see where it ends") from failed
    recovered = from_json(RecoveredNotebook, (into / "recovered.json").read_text(encoding="utf-8"))
    return PilotRun(recovered=recovered, raised=tuple(raised), seconds=round(seconds, 3))


def _cells(kernel: Kernel, document: Any, limits: RunLimits, tell: Callable[[str], None]) -> list[RaisedCell]:
    """Run all code cells. One that raises does not end the run: it may not be needed."""
    raised, began = [], time.monotonic()
    for index, cell in enumerate(document.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        left = limits.total_s - (time.monotonic() - began)
        if left <= 0:
            raised.append(RaisedCell(index=index, problem=f"the run took longer than {limits.total_s:.0f} s"))
            break
        tell(f"cell {index} of {len(document.cells)}")
        kernel.ask(f"{_SIDE}.cell({index})", limit_s=_ASK_S, limit="the kernel does not answer")
        limit = f"it took longer than {min(left, limits.cell_s):.0f} s"
        try:
            kernel.run(index, limit_s=min(left, limits.cell_s), limit=limit)
        except CellFailed as failed:
            raised.append(RaisedCell(index=index, problem=failed.problem))
            if kernel.process.poll() is not None:
                raise
    return raised


@contextmanager
def _copied(folder: Path) -> Iterator[Path]:
    """A copy of the notebook's folder: notebooks write files, and the original is not ours."""
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and ".git" not in file.parts)
    if size > _MOST_COPIED:
        problem = f"its folder holds {size / 1e9:.1f} GB, and it runs in a copy"
        raise PilotFailed(str(folder), problem, "Move the notebook and the data it reads into a folder of their own")
    with tempfile.TemporaryDirectory(prefix="proveout-adopt-") as place:
        copy = Path(place) / folder.name
        shutil.copytree(folder, copy, ignore=_LEFT_OUT, symlinks=False, ignore_dangling_symlinks=True)
        yield copy
