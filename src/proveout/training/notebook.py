"""Running a notebook: the pilot as its author wrote it, parameterized, watched, its results taken out of the kernel.

Comes in: a notebook with a cell tagged `parameters`, values for them, names of objects wanted. Goes out: the executed
notebook, kept even when a cell fails, and one file per object: an estimator as skops, a table as parquet, plain values
as JSON; never a pickle. The author imports nothing of ours. Door to: papermill.

The kernel is the interpreter that runs the flow, so a notebook needs no registered kernelspec and gets the locked
packages. papermill passes over unknown parameters with a log line and fails on unusual types only after the whole
notebook has run (facts of 2.7.0); here both are refused before the kernel starts.
"""

import ast
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from proveout.errors import ConfigError, NotebookFailed, ParametersRefused

Value = str | int | float | bool | None | list[Any] | dict[str, Any]
SECRET = "env:"  # noqa: S105  # a parameter `env:NAME` is the environment variable NAME, by reference
HIDDEN = "[secret]"


@dataclass(frozen=True, kw_only=True)
class CellProgress:
    """A code cell that has just begun, or ended when `seconds` is set."""

    cell: int  # 1-based, among the code cells
    cells: int
    title: str  # its first line
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class NotebookRun:
    """An executed notebook and the files of the objects taken out of it, by name."""

    executed: Path
    exports: Mapping[str, Path]
    seconds: float


def run(
    notebook: Path,
    *,
    parameters: Mapping[str, Value],
    exports: Sequence[str],
    into: Path,
    timeout_s: float,
    cell_timeout_s: float,
    threads: int = 1,
    progress: Callable[[CellProgress], None] = lambda _: None,
) -> NotebookRun:
    """Run `notebook` to its end and take the objects named in `exports` out of it.

    Args:
        parameters: exactly the names of the notebook's `parameters` cell. `"env:NAME"` is a secret, by reference: the
            kernel gets its value, the saved notebook only the reference.
        into: an existing folder for `executed.ipynb` and the exported files.
        timeout_s, cell_timeout_s: for the notebook as a whole, and for each cell.
        threads: for the numeric libraries in the kernel; part of what makes two runs equal to the last bit.
    Raises: ParametersRefused before anything runs; NotebookFailed naming the cell, or the export that failed.
    """
    declared = _declared(notebook)
    problems = _misfits(declared, parameters)
    if problems:
        raise ParametersRefused(notebook.name, tuple(problems))
    engine = _engine()
    executed = into / "executed.ipynb"
    job = _Job(
        notebook=notebook,
        executed=executed,
        exports=tuple(exports),
        into=into,
        secrets={n: os.environ[v.removeprefix(SECRET)] for n, v in parameters.items() if _is_secret(v)},
        deadline=time.monotonic() + timeout_s,
        timeout_s=timeout_s,
        cell_timeout_s=cell_timeout_s,
        threads=threads,
        progress=progress,
    )
    begun = time.monotonic()
    try:
        import papermill
        from papermill.exceptions import PapermillExecutionError

        papermill.execute_notebook(
            str(notebook),
            str(executed),
            parameters=dict(parameters),
            engine_name=engine,
            kernel_name="python3",  # any: the engine brings its own kernel
            language="python",
            progress_bar=False,
            autosave_cell_every=0,  # a save in the middle of a cell could see a secret before it is hidden
            cwd=str(notebook.parent),
            job=job,
        )
    except PapermillExecutionError as error:
        trace = "\n".join(error.traceback) if isinstance(error.traceback, list) else str(error.traceback)
        raise job.failed(f"{error.ename}: {job.hide(error.evalue)}", job.hide(_plain(trace))) from error
    finally:
        job.hide_in_file()
    return NotebookRun(executed=executed, exports=job.exported, seconds=time.monotonic() - begun)


# --- parameters -------------------------------------------------------------------------------------------------------


def _declared(notebook: Path) -> dict[str, type | None]:
    """The names in the `parameters` cell and the type of their values; None where the value says nothing of a type."""
    import nbformat

    if not notebook.is_file():
        raise ConfigError(str(notebook), "there is no such notebook", "Mend `notebook` in [tool.proveout]")
    cells = [
        cell
        for cell in nbformat.read(str(notebook), as_version=4).cells
        if "parameters" in cell.metadata.get("tags", []) and cell.cell_type == "code"
    ]
    if not cells:
        raise ConfigError(str(notebook), "it has no code cell tagged `parameters`", "Tag the cell that sets them")
    declared: dict[str, type | None] = {}
    for statement in ast.parse(cells[0].source).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        value = getattr(statement, "value", None)
        for target in targets:
            if isinstance(target, ast.Name):
                declared[target.id] = _literal_type(value)
    return declared


def _literal_type(value: ast.expr | None) -> type | None:
    try:
        literal = ast.literal_eval(value) if value is not None else None
    except ValueError:
        return None  # an expression, such as Path("x") or 2 * 3
    return None if literal is None else type(literal)


def _misfits(declared: Mapping[str, type | None], given: Mapping[str, Value]) -> list[str]:
    problems = [
        f"parameter `{name}` is unknown: the notebook declares {', '.join(sorted(declared)) or 'none'}"
        for name in given
        if name not in declared
    ]
    problems += [f"parameter `{name}` is missing" for name in declared if name not in given]
    for name, value in given.items():
        asked = declared.get(name)
        if _is_secret(value):
            if value.removeprefix(SECRET) not in os.environ:
                problems.append(f"parameter `{name}` refers to {value}, and that variable is not set")
        elif not _is_plain(value):
            problems.append(f"parameter `{name}` is a {type(value).__name__}: only JSON values can be handed in")
        elif asked is not None and type(value) is not asked and not (asked is float and type(value) is int):
            problems.append(f"parameter `{name}` is {value!r}, a {type(value).__name__}; {asked.__name__} was declared")
    return problems


def _is_secret(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.startswith(SECRET)


def _is_plain(value: object) -> bool:
    # By exact type: a numpy integer is an `int` to nobody who writes JSON.
    if isinstance(value, list | dict):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return value is None or type(value) in {str, int, bool} or (type(value) is float and math.isfinite(value))


# --- the run ----------------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class _Job:
    """One run: what the engine is to do, and what has become of it."""

    notebook: Path
    executed: Path
    exports: tuple[str, ...]
    into: Path
    secrets: Mapping[str, str]
    deadline: float
    timeout_s: float
    cell_timeout_s: float
    threads: int
    progress: Callable[[CellProgress], None]
    cell: int = 0
    source: str = ""
    exported: Mapping[str, Path] = ()  # type: ignore[assignment]  # set at the end of the run

    def timeout(self, _cell: object) -> int:
        """Seconds the next cell may take: nbclient wants a whole number and takes 0 for «no limit»."""
        return max(1, math.ceil(min(self.cell_timeout_s, self.deadline - time.monotonic())))

    def failed(self, problem: str, traceback: str = "") -> NotebookFailed:
        return NotebookFailed(self.notebook.name, self.cell, self.source, problem, str(self.executed), traceback)

    def hide(self, value: Any) -> Any:
        """`value` with every secret in it blotted out, however deep it lies."""
        if isinstance(value, str):
            for secret in self.secrets.values():
                value = value.replace(secret, HIDDEN) if secret else value
            return value
        if isinstance(value, dict):
            return {key: self.hide(inner) for key, inner in value.items()}
        return [self.hide(inner) for inner in value] if isinstance(value, list) else value

    def hide_in_file(self) -> None:
        """A last pass over the saved notebook: output that came in pieces is whole here."""
        if self.secrets and self.executed.is_file():
            document = json.loads(self.executed.read_text(encoding="utf-8"))
            for cell in document["cells"]:
                for output in cell.get("outputs", []):
                    if isinstance(output.get("text"), list):
                        output["text"] = "".join(output["text"])
            self.executed.write_text(json.dumps(self.hide(document), indent=1), encoding="utf-8")


# Runs in the kernel after the last cell, leaving no trace in the notebook. No pickle crosses the border: what a
# notebook hands over is opened by others later.
_EXPORT = """
def _proveout_export(names, folder):
    import json, pathlib
    done, failed = {}, {}
    folder = pathlib.Path(folder)
    for name in names:
        if name not in globals():
            failed[name] = "the notebook defines no such name"
            continue
        value = globals()[name]
        try:
            if hasattr(value, "get_params") and hasattr(value, "fit"):
                import skops.io
                skops.io.dump(value, folder / (name + ".skops"))
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
    return json.dumps([done, failed])
"""


def _engine() -> str:
    """Register our engine with papermill, once, and return its name. papermill costs 0.6 s: imported when it is run."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from nbclient.util import run_sync
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines

    name = "proveout"
    if name in papermill_engines._engines:
        return name

    class ThisInterpreter(AsyncKernelManager):
        """A kernel of the interpreter we run in; whatever kernelspec the notebook names is not asked."""

        @property
        def kernel_spec(self) -> Any:
            argv = [sys.executable, "-m", "ipykernel_launcher", "--IPKernelApp.log_level=40", "-f", "{connection_file}"]
            return KernelSpec(argv=argv, display_name="proveout", language="python")

    class Client(PapermillNotebookClient):  # type: ignore[misc]  # papermill ships no types
        """Executes the cells one by one, tells of each, and exports before the kernel goes."""

        job: _Job

        def process_message(self, msg: Any, *rest: Any, **named: Any) -> Any:
            return super().process_message({**msg, "content": self.job.hide(msg["content"])}, *rest, **named)

        def papermill_execute_cells(self) -> None:
            job, code = self.job, [cell for cell in self.nb.cells if cell.cell_type == "code" and cell.source.strip()]
            for index, cell in enumerate(self.nb.cells):
                number = next((i for i, known in enumerate(code, 1) if known is cell), None)
                if number is None:
                    continue
                job.cell, job.source = number, cell.source
                title = cell.source.strip().splitlines()[0]
                job.progress(CellProgress(cell=number, cells=len(code), title=title))
                begun = time.monotonic()
                self.nb_man.cell_start(cell, index)
                try:
                    self.execute_cell(cell, index)
                except CellExecutionError as error:
                    # papermill raises it, with the traceback, once the notebook is saved
                    self.nb_man.cell_exception(cell, cell_index=index, exception=error)
                    self.nb_man.cell_complete(cell, cell_index=index)
                    return
                except CellTimeoutError as error:
                    self.nb_man.cell_exception(cell, cell_index=index, exception=error)
                    limit = min(job.cell_timeout_s, job.timeout_s)  # of a cell, or of the whole
                    raise job.failed(f"it ran longer than it may ({limit:g} s)") from error
                except DeadKernelError as error:
                    self.nb_man.cell_exception(cell, cell_index=index, exception=error)
                    raise job.failed("the kernel died (out of memory, or killed)") from error
                self.nb_man.cell_complete(cell, cell_index=index)
                job.progress(CellProgress(cell=number, cells=len(code), title=title, seconds=time.monotonic() - begun))
                if "injected-parameters" in cell.metadata.get("tags", []):
                    self._hand_in_secrets()
            self._export()

        def _hand_in_secrets(self) -> None:
            lines = [f"{n} = __import__('os').environ['PROVEOUT_SECRET_{n}']" for n in self.job.secrets]
            if lines:
                self._ask("\n".join(lines), "None")

        def _export(self) -> None:
            job = self.job
            call = f"_proveout_export({list(job.exports)!r}, {str(job.into)!r})"
            done, failed = json.loads(ast.literal_eval(self._ask(_EXPORT, call)))
            if failed:
                job.source = ""
                raise job.failed("; ".join(f"export `{n}`: {problem}" for n, problem in failed.items()))
            job.exported = {n: job.into / file for n, file in done.items()}

        def _ask(self, code: str, expression: str) -> str:
            """Run `code` unseen and return the repr of `expression`."""

            async def ask() -> Any:
                asked = self.kc.execute(code, silent=True, store_history=False, user_expressions={"r": expression})
                while True:
                    message = await self.kc.get_shell_msg(timeout=self.job.timeout(None))
                    if message["parent_header"].get("msg_id") == asked:
                        return message["content"]

            answer = run_sync(ask)()
            reply = answer.get("user_expressions", {}).get("r", {})
            if reply.get("status") != "ok":
                raise self.job.failed(f"the kernel could not hand its objects over: {self.job.hide(str(answer))}")
            text: str = reply["data"]["text/plain"]
            return text

    class Engine(NBClientEngine):  # type: ignore[misc]  # papermill ships no types
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **named: Any) -> Any:
            job: _Job = named["job"]
            client = Client(
                nb_man,
                timeout_func=job.timeout,
                startup_timeout=60,
                kernel_name=kernel_name,
                coalesce_streams=True,
            )
            client.job = job
            client.km = ThisInterpreter()
            client.owns_km = True
            threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(job.threads))
            secrets = {f"PROVEOUT_SECRET_{n}": value for n, value in job.secrets.items()}
            # A fixed hash seed: the order of a set is part of what makes two runs equal.
            environment = {**os.environ, "PYTHONHASHSEED": "0", **threads, **secrets}
            return client.execute(env=environment)

    papermill_engines.register(name, Engine)
    return name


def _plain(text: str) -> str:
    """Without the colours of a terminal."""
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)
