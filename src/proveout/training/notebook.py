"""Runs a notebook as its author wrote it, with parameters and time limits, and exports its results.

Input: a notebook with a cell tagged `parameters`, their values, names of objects to export. Output: the executed
notebook, kept even if a cell fails, and one file per object: an estimator as skops, a table as parquet, plain values as
JSON; never a pickle. The notebook does not import proveout.

A cell is named by its number in a fresh run, `In [n]`. Empty cells, text and the injected parameters cell have none.
"""

import ast
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from proveout.errors import ConfigError, NotebookFailed, ParametersRefused
from proveout.model import notebook_file
from proveout.training import parameters as parameter_cell
from proveout.training.parameters import SECRET, Fitted, Statement, Value, is_secret
from proveout.training.recorded_notebook import Ask, RecordedRun

if TYPE_CHECKING:
    from proveout.recovery.recovery_report import RecoveredModel

HIDDEN = "[secret]"
_INJECTED = "injected-parameters"  # papermill's own tag for the cell after `parameters`


@dataclass(frozen=True, kw_only=True)
class CellProgress:
    """A code cell that has just begun, or has ended if `seconds` is set."""

    cell: int  # its number, from 1
    cells: int
    title: str  # its first line
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class NotebookRun:
    """An executed notebook and the files of its exported objects, by name."""

    executed: Path
    exports: Mapping[str, Path]
    defaults: tuple[str, ...]  # parameters that kept the notebook's own value
    seconds: float
    notes: tuple[str, ...] = ()  # exports that replace an object, such as a best estimator
    recovered: "RecoveredModel | None" = None  # of a recorded run, with its files in the folder of the run


def run(
    notebook: Path,
    *,
    parameters: Mapping[str, Value],
    exports: Sequence[str],
    into: Path,
    timeout_s: float,
    cell_timeout_s: float,
    threads: int = 1,
    defaults_allowed: bool = False,
    recorded: RecordedRun | None = None,
    progress: Callable[[CellProgress], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> NotebookRun:
    """Run `notebook` to its end and export the objects named in `exports`.

    Args:
        parameters: all names of the notebook's `parameters` cell; one whose default is None may be left out.
            `"env:NAME"` is a secret, by reference: the kernel gets its value, the saved notebook only the reference.
        into: an existing folder for `executed.ipynb` and the exported files.
        timeout_s, cell_timeout_s: for the notebook as a whole, and for each cell.
        threads: for the numeric libraries in the kernel; fixed, so that two runs are equal to the last bit.
        defaults_allowed: whether any parameter may be left out.
        recorded: of an adopted notebook. Its kernel works in `into`, for the author's cells may write files.
        clock: for the time limit of the whole notebook, in seconds.
    Raises: ConfigError and ParametersRefused before anything runs; NotebookFailed naming the cell, or the export.
    """
    document = notebook_file.read(notebook)
    statements = _declared(notebook, document)
    fitted = _fitted(notebook, statements, parameters, defaults_allowed=defaults_allowed)
    _inject(document, parameter_cell.injected(statements, fitted.values), parameters)
    job = _Job(
        notebook=notebook,
        document=document,
        executed=into / "executed.ipynb",
        exports=tuple(exports),
        into=into,
        secrets=tuple(os.environ[value.removeprefix(SECRET)] for value in parameters.values() if is_secret(value)),
        deadline=clock() + timeout_s,
        timeout_s=timeout_s,
        cell_timeout_s=cell_timeout_s,
        threads=threads,
        recorded=recorded,
        progress=progress,
        clock=clock,
    )
    begun = time.monotonic()
    taken = job.run()
    return NotebookRun(
        executed=job.executed,
        exports=taken,
        defaults=fitted.kept,
        seconds=time.monotonic() - begun,
        notes=tuple(job.notes),
        recovered=job.recovered[0] if job.recovered else None,
    )


def check_parameters(
    notebook: Path, parameters: Mapping[str, Value], *, defaults_allowed: bool = False
) -> tuple[str, ...]:
    """The names that the notebook's `parameters` cell sets, if `run` would take these values.

    Raises: ConfigError and ParametersRefused as `run` does.
    """
    statements = _declared(notebook, notebook_file.read(notebook))
    _fitted(notebook, statements, parameters, defaults_allowed=defaults_allowed)
    return tuple(one.name for statement in statements for one in statement.sets)


# --- the notebook before it is run ------------------------------------------------------------------------------------


def _declared(notebook: Path, document: Any) -> tuple[Statement, ...]:
    code = _numbered(document)
    tagged = [(number, cell) for number, cell in code if "parameters" in cell.metadata.get("tags", [])]
    if not tagged:
        remedy = "Tag the cell that sets them" if code else "It has no code at all"
        raise ConfigError(str(notebook), "it has no code cell tagged `parameters`", remedy)
    number, cell = tagged[0]
    try:
        return parameter_cell.declared(cell.source)
    except SyntaxError as error:
        line = (cell.source.splitlines() or [""])[(error.lineno or 1) - 1 :][:1]
        where = f"{notebook}, cell {number}, line {error.lineno}"
        raise ConfigError(
            where, f"{error.msg}: {''.join(line).strip()}", "Correct the cell tagged `parameters`"
        ) from error


def _fitted(
    notebook: Path, statements: Sequence[Statement], parameters: Mapping[str, Value], *, defaults_allowed: bool
) -> Fitted:
    fitted = parameter_cell.fit(statements, parameters, defaults_allowed=defaults_allowed)
    if fitted.problems:
        raise ParametersRefused(notebook.name, fitted.problems)
    return fitted


def _numbered(document: Any) -> list[tuple[int, Any]]:
    """Code cells with their numbers in a fresh run."""
    code = [c for c in document.cells if c.cell_type == "code" and c.source.strip() and not _is_injected(c)]
    return list(enumerate(code, 1))


def _is_injected(cell: Any) -> bool:
    return _INJECTED in cell.metadata.get("tags", [])


def _inject(document: Any, source: str, parameters: Mapping[str, Value]) -> None:
    """Insert the cell that sets the parameters after the one that declares them, with papermill's tag."""
    document.cells = [cell for cell in document.cells if not _is_injected(cell)]
    at = next(
        i for i, c in enumerate(document.cells) if c.cell_type == "code" and "parameters" in c.metadata.get("tags", [])
    )
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": [_INJECTED]})
    document.cells.insert(at + 1, cell)
    document.metadata["papermill"] = {"parameters": dict(parameters)}


# --- the run ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One run of a notebook."""

    notebook: Path
    document: Any
    executed: Path
    exports: tuple[str, ...]
    into: Path
    secrets: tuple[str, ...]
    deadline: float
    timeout_s: float
    cell_timeout_s: float
    threads: int
    recorded: RecordedRun | None
    progress: Callable[[CellProgress], None]
    clock: Callable[[], float]
    notes: list[str] = field(default_factory=list)
    recovered: "list[RecoveredModel]" = field(default_factory=list)

    def run(self) -> Mapping[str, Path]:
        """The exported files, by name. The notebook is written in any case."""
        # papermill and what it brings cost 0.6 s.
        from proveout.training.kernel import CellFailed, Kernel, environment

        numbers = {id(cell): number for number, cell in _numbered(self.document)}
        number, running = 0, None
        try:
            with Kernel(
                self.document,
                environment=environment(threads=self.threads),
                cwd=self.notebook.parent if self.recorded is None else self.into,
                hide=self._hide,
                longest_secret=max(map(len, self.secrets), default=0),
            ) as kernel:
                if self.recorded is not None:
                    self.recorded.begin(self._asks(kernel))
                for index, cell in enumerate(self.document.cells):
                    running = cell
                    if self.recorded is not None and not self.recorded.admits(self._asks(kernel), cell):
                        continue
                    if _is_injected(cell):
                        kernel.run(index, **self._limit(), counted=False)
                        cell.execution_count = None
                    elif id(cell) in numbers:
                        number = numbers[id(cell)]
                        self._run_cell(kernel, index, number, len(numbers))
                number, running = 0, None
                if self.recorded is not None:
                    self.recovered.append(self.recorded.finish(self._asks(kernel), self.into))
                    return {}
                return self._export(kernel)
        except CellFailed as failed:
            self._mark(running, failed.problem)
            source = running.source if running is not None else ""
            raise NotebookFailed(
                self.notebook.name, number, source, failed.problem, str(self.executed), failed.traceback
            ) from failed
        finally:
            # Invalid Unicode is written with JSON escapes.
            self.executed.write_text(nbformat.writes(self.document), encoding="utf-8", errors="backslashreplace")

    def _asks(self, kernel: Any) -> Ask:
        def asks(expression: str) -> str:
            told: str = kernel.ask(expression, **self._limit())
            return told

        return asks

    def _limit(self) -> Mapping[str, Any]:
        """The time limit of the next cell, and the message if it takes longer."""
        left = self.deadline - self.clock()
        if left < self.cell_timeout_s:
            return {"limit_s": left, "limit": f"the notebook exceeded its limit (timeout_s = {self.timeout_s:g})"}
        limit = f"the cell exceeded its limit (cell_timeout_s = {self.cell_timeout_s:g})"
        return {"limit_s": self.cell_timeout_s, "limit": limit}

    def _run_cell(self, kernel: Any, index: int, number: int, cells: int) -> None:
        from proveout.training.kernel import CellFailed

        cell = self.document.cells[index]
        title = cell.source.strip().splitlines()[0]
        self.progress(CellProgress(cell=number, cells=cells, title=title))
        begun = time.monotonic()
        try:
            kernel.run(index, **self._limit())
        except CellFailed as failed:
            if self.recorded is None or not self.recorded.may_raise(cell) or kernel.process.poll() is not None:
                raise
            self.notes.append(f"cell {number} raised, where the model needs nothing: {failed.problem}")
        self.progress(CellProgress(cell=number, cells=cells, title=title, seconds=time.monotonic() - begun))

    def _export(self, kernel: Any) -> Mapping[str, Path]:
        from proveout.training.kernel import CellFailed

        given = f"{{'names': {list(self.exports)!r}, 'folder': {str(self.into)!r}, 'notebook': {_BUILTINS}.globals()}}"
        call = f"(lambda own: ({_BUILTINS}.exec({_EXPORT!r}, own), own['told'])[1])({given})"
        done, failed, notes = json.loads(ast.literal_eval(kernel.ask(call, **self._limit())))
        if failed:
            raise CellFailed("; ".join(f"export `{name}`: {self._hide(why)}" for name, why in failed.items()))
        self.notes.extend(notes)
        return {name: self.into / file for name, file in done.items()}

    def _hide(self, value: Any) -> Any:
        """`value` with every secret in it masked, at any depth."""
        if not any(self.secrets):
            return value
        if isinstance(value, str):
            for secret in self.secrets:
                value = value.replace(secret, HIDDEN) if secret else value
            return value
        if isinstance(value, dict):
            return {key: self._hide(inner) for key, inner in value.items()}
        return [self._hide(inner) for inner in value] if isinstance(value, list) else value

    def _mark(self, stopped: Any, problem: str) -> None:
        """Add a note to the notebook where and why it stopped, because a killed cell has no output."""
        cells = self.document.cells
        at, where = len(cells), "here"
        if stopped is not None:
            at, where = next(i for i, cell in enumerate(cells) if cell is stopped), "in the next cell"
        cells.insert(at, nbformat.v4.new_markdown_cell(f"**The run stopped {where}:**\n\n```\n{problem}\n```"))


# Runs in the kernel after the last cell, in a separate namespace, because the notebook may use `list` or `type` as a
# variable. Objects are never exported as pickles, because other processes open them later.
_BUILTINS = "__import__('builtins')"
_EXPORT = """
import copy, json, pathlib
done, failed, notes = {}, {}, []
folder = pathlib.Path(folder)

def best(value):
    kind = type(value).__name__
    if hasattr(value, "cv_results_") and hasattr(value, "best_params_"):
        if not hasattr(value, "best_estimator_"):
            raise ValueError(f"{kind} has no best_estimator_: search with refit=True, or with the name of a metric")
        notes.append(f"the best estimator of {kind} is handed over, {value.best_params_}")
        return best(value.best_estimator_)
    if kind == "Pipeline":
        value = copy.copy(value)
        value.steps = [(name, best(step)) for name, step in value.steps]
    return value

for name in names:
    if name not in notebook:
        failed[name] = "the notebook defines no such name"
        continue
    value = notebook[name]
    try:
        if hasattr(value, "get_params") and hasattr(value, "fit"):
            from proveout.model import model_io
            value = best(value)
            model_io.dump(value, folder / (name + ".skops"))
            done[name] = name + ".skops"
        elif type(value).__name__ == "DataFrame":
            value.to_parquet(folder / (name + ".parquet"))
            done[name] = name + ".parquet"
        else:
            text = json.dumps(value, default=lambda v: v.item(), allow_nan=False)
            (folder / (name + ".json")).write_text(text)
            done[name] = name + ".json"
    except Exception as error:
        failed[name] = f"a {type(value).__name__} cannot be handed over: {type(error).__name__}: {error}"
told = json.dumps([done, failed, notes])
"""
