"""The pilot's run: its notebook, unedited, in a copy of its project, in a kernel that records.

Input: a notebook and limits. Output: `PilotRun`: the cells that raised, and what was recovered of its models. The
notebook's own folder is never written to.
"""

import ast
import copy
import json
import os
import resource
import threading
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proveout.errors import ProveoutError
from proveout.model import notebook_file
from proveout.pilot.adopt import install_lines, project_copy
from proveout.pilot.adopt.project_copy import ProjectTooLarge
from proveout.records.adopted_notebook import CallPlace
from proveout.records.json_form import from_json, to_json
from proveout.recovery.file_lookup import FILES_VARIABLE
from proveout.recovery.recovery_report import RecoveredNotebook
from proveout.training.kernel import CellFailed, Kernel
from proveout.training.kernel import environment as kernel_environment

REST_RAN = "(the rest of the cell ran)"
_SIDE = "__import__('proveout.recovery.kernel_side', fromlist=['begin'])"
_ASK_S = 60.0
_GRACE_S = 20.0  # for a cell that was interrupted; then its kernel is killed
_TICK_S = 10.0  # between two lines of progress of one cell
_MEMORY_SHARE = 0.8
_MOST_ENDS = 2  # cells that end the kernel; the notebook runs again without them
_EXITS = "it ended the notebook (exit or quit)"
_AGAIN = "no model answers rows that the notebook holds out: once more, with a fifth of all rows held back from it"
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class PilotFailed(ProveoutError):
    """The notebook's run gave nothing to recover a model from."""

    def __init__(self, notebook: str, problem: str, remedy: str) -> None:
        super().__init__(notebook, problem, remedy)
        self.notebook, self.problem, self.remedy = notebook, problem, remedy

    def __str__(self) -> str:
        return f"{self.notebook}: {self.problem}. {self.remedy}"


@dataclass(frozen=True, kw_only=True)
class RaisedCell:
    """A cell that raised, lost an import or a drawing, ran out of time or ended the kernel.

    `index` counts all cells from 0.
    """

    index: int
    problem: str


@dataclass(frozen=True, kw_only=True)
class PilotRun:
    """What came of the run. `seconds` is the notebook's own time, `cell_seconds` that of each cell that ran."""

    recovered: RecoveredNotebook
    raised: tuple[RaisedCell, ...]
    seconds: float
    cell_seconds: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunLimits:
    """How long a cell and the whole run may take, in seconds, and the memory of the kernel in bytes.

    None bytes are 80 % of the machine's memory, 0 are no limit. A cell over its time is interrupted, and the run goes
    on; one that asks for more memory gets a MemoryError. After `enough_s` of looking for the way to the models, no
    further one is looked at if several can be served.
    """

    cell_s: float = 600
    total_s: float = 1800
    memory_bytes: int | None = None
    enough_s: float = 60


def run(
    notebook: Path,
    *,
    into: Path,
    document: Any | None = None,
    limits: RunLimits | None = None,
    files: Mapping[str, Path] | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> PilotRun:
    """Run the notebook and recover its models. Lines that install packages do nothing.

    A notebook that fits its model to all rows runs twice: the second time without a fifth of them.

    Args:
        into: a folder that gets recovered.json and the features of each model.
        document: what to run in its place; default: what is in its file.
        files: what to read in place of paths and addresses that the notebook asks for, as `data_files.find` names them.
        tell: takes a line of progress for each cell, and every ten seconds of one that takes its time.
    Raises: ConfigError if the file is no notebook of Python; PilotFailed if the kernel ends before anything is known.
    """
    limits, clock = limits or RunLimits(), _Clock(tell)
    answers = {asked: file.resolve() for asked, file in (files or {}).items()}
    without: dict[int, str] = {}
    unsplit: CallPlace | None = None
    try:
        with clock:
            while True:
                try:
                    recovered, raised, cell_seconds, seconds = _recorded(
                        notebook, document, into=into, limits=limits, answers=answers, clock=clock, without=without,
                        unsplit=unsplit,
                    )  # fmt: skip
                    if recovered.unsplit is None or unsplit is not None or clock.elapsed_s + seconds > limits.total_s:
                        break
                    unsplit = recovered.unsplit
                    clock.tell(_AGAIN)
                except _KernelEnded as ended:
                    if len(without) == _MOST_ENDS or clock.elapsed_s > limits.total_s:
                        raise CellFailed(ended.problem) from ended
                    without[ended.index] = f"{ended.problem} (the others ran again without it)"
                    clock.tell(f"cell {ended.index} ended the kernel, {ended.problem}: once more without it")
    except CellFailed as failed:
        raise PilotFailed(str(notebook), failed.problem, "Run it in Jupyter to see where it ends") from failed
    except ProjectTooLarge as large:
        problem = f"its folder holds {large.size_bytes / 1e9:.1f} GB, and it runs in a copy"
        remedy = "Move the notebook and the data it reads into a folder of their own"
        raise PilotFailed(str(notebook), problem, remedy) from large
    raised += [RaisedCell(index=index, problem=problem) for index, problem in without.items()]
    in_order = tuple(sorted(raised, key=lambda one: one.index))
    return PilotRun(recovered=recovered, raised=in_order, seconds=round(seconds, 3), cell_seconds=cell_seconds)


class _KernelEnded(Exception):
    """A cell ended the kernel, and with it what the cells before it had reached."""

    def __init__(self, index: int, problem: str) -> None:
        super().__init__(index, problem)
        self.index, self.problem = index, problem


def _recorded(
    notebook: Path,
    document: Any | None,
    *,
    into: Path,
    limits: RunLimits,
    answers: Mapping[str, Path],
    clock: "_Clock",
    without: Container[int],
    unsplit: CallPlace | None = None,
) -> tuple[RecoveredNotebook, list[RaisedCell], dict[int, float], float]:
    """One run in a fresh copy, without some cells.

    Returns what was recovered, cells that raised, the seconds of each cell and of the run.

    Args:
        unsplit: of the rows that are read there, a share is held back from the notebook.
    Raises: _KernelEnded; CellFailed if it is not a cell that ended it; ProjectTooLarge.
    """
    memory_bytes = machine_memory_limit() if limits.memory_bytes is None else limits.memory_bytes
    document = notebook_file.read(notebook) if document is None else copy.deepcopy(document)
    document.metadata["papermill"] = {}  # where its engine notes times
    for index, cell in enumerate(document.cells):
        cell.metadata["papermill"] = {}
        if cell.cell_type == "code":
            cell.source = "" if index in without else install_lines.without(cell.source)
    with project_copy.made(notebook, answers) as copied:
        named = json.dumps({asked: str(file) for asked, file in answers.items()})
        environment = {**kernel_environment(), "MPLBACKEND": "Agg", FILES_VARIABLE: named, **copied.environment}
        kernel, began = Kernel(document, environment=environment, cwd=copied.folder), clock.elapsed_s
        with kernel:
            place = to_json(unsplit) if unsplit is not None else ""
            begin = f"begin(get_ipython(), root={str(copied.root)!r}, memory_bytes={memory_bytes}, unsplit={place!r})"
            kernel.ask(f"{_SIDE}.{begin}", limit_s=_ASK_S, limit="the kernel did not begin to record")
            raised, cell_seconds = _cells(kernel, document, limits, clock)
            seconds = clock.elapsed_s - began
            raised = [*_lost(kernel), *raised]
            clock.tell("looking for the way from raw rows to each model")
            end = f"end({str(into)!r}, within_s={limits.total_s / 2}, enough_s={limits.enough_s})"
            kernel.ask(f"{_SIDE}.{end}", limit_s=limits.total_s, limit="the models were not recovered in time")
    recovered = from_json(RecoveredNotebook, (into / "recovered.json").read_text(encoding="utf-8"))
    return recovered, raised, cell_seconds, seconds


def _lost(kernel: Kernel) -> list[RaisedCell]:
    lost = kernel.ask(f"{_SIDE}.lost()", limit_s=_ASK_S, limit="the kernel does not answer")
    told: list[tuple[int, str]] = ast.literal_eval(lost)
    return [RaisedCell(index=cell, problem=f"{problem} {REST_RAN}") for cell, problem in told]


@contextmanager
def within_memory(notebook: Path) -> Iterator[None]:
    """What is worked out of a notebook may take as much memory as the notebook: 80 % of the machine's.

    Raises: PilotFailed if it asks for more, where the system would kill this process without a word.
    """
    before = resource.getrlimit(resource.RLIMIT_DATA)
    limit = machine_memory_limit()
    most = limit if before[1] == resource.RLIM_INFINITY else min(limit, before[1])
    resource.setrlimit(resource.RLIMIT_DATA, (most, before[1]))
    try:
        yield
    except MemoryError as error:
        found = f"what its tables become takes more than {limit / 1e9:.0f} GB of memory"
        raise PilotFailed(notebook.name, found, "Read fewer rows in it, or use a machine with more") from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def machine_memory_limit() -> int:
    """80 % of the memory in bytes that this process may have: of the machine, or of its container."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for file in map(Path, _CGROUP_LIMITS):
        text = file.read_text(encoding="ascii").strip() if file.is_file() else ""
        memory = min(memory, int(text)) if text.isdigit() else memory
    return int(memory * _MEMORY_SHARE)


class _Clock:
    """Lines of progress with the seconds since the run began; the last line again while nothing else happens."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._line = tell, ""
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._ticks = threading.Thread(target=self._tick, daemon=True)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def tell(self, line: str) -> None:
        self._line = line
        self._tell(f"{line} ({self.elapsed_s:.0f} s)")

    def _tick(self) -> None:
        told = ""
        while not self._ended.wait(_TICK_S):
            if told == self._line:
                self.tell(self._line)
            told = self._line

    def __enter__(self) -> "_Clock":
        self._ticks.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()


def _cells(
    kernel: Kernel, document: Any, limits: RunLimits, clock: _Clock
) -> tuple[list[RaisedCell], dict[int, float]]:
    """Run all code cells: those that raised, and the seconds of each.

    One that raises does not end the run: it may not be needed. Raises: _KernelEnded.
    """
    raised, seconds = [], {}
    for index, cell in enumerate(document.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        left = limits.total_s - clock.elapsed_s
        if left <= 0:
            raised.append(RaisedCell(index=index, problem=f"the run took longer than {limits.total_s:.0f} s"))
            break
        clock.tell(f"cell {index} of {len(document.cells)}")
        kernel.ask(f"{_SIDE}.cell({index})", limit_s=_ASK_S, limit="the kernel does not answer")
        limit_s, began = min(left, limits.cell_s), clock.elapsed_s
        try:
            kernel.run(index, limit_s=limit_s, limit=f"it took longer than {limit_s:.0f} s", grace_s=_GRACE_S)
        except CellFailed as failed:
            if kernel.process.poll() is not None or failed.problem.startswith(_EXITS):
                raise _KernelEnded(index, failed.problem) from failed
            raised.append(RaisedCell(index=index, problem=failed.problem))
        seconds[index] = clock.elapsed_s - began
    return raised, seconds
