"""Notebooks as the audit reads them: cells of text, whatever wrote the file. Nothing is executed.

Input: a path to an .ipynb file of nbformat 3 or 4, a marimo notebook or a script with `# %%` cells.
Output: `NotebookText`, or UsageError with the way on.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from proveout.errors import UsageError

PERCENT = re.compile(r"^#\s*%%")
MARKDOWN_CELL = re.compile(r"^#\s*%%.*\[(markdown|md|raw)\]", re.IGNORECASE)
SUFFIXES = (".ipynb", ".py")

CellType = Literal["code", "markdown", "raw"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell. `index` counts all cells from 0, so that it is the place Jupyter and nbformat give it."""

    index: int
    cell_type: CellType
    source: str
    execution_count: int | None = None
    outputs: tuple[str, ...] = ()  # the text of what it printed and of its result
    first_line: int = 0  # the line of the file before the cell's first one, where it is known

    def line_in_file(self, line: int) -> int:
        """Where line `line` of the cell stands in the file, from 1. Jupyter writes each on a line of its own."""
        return self.first_line + line


@dataclass(frozen=True, kw_only=True)
class NotebookText:
    """A notebook as written. `metadata` says nothing (None) where the file has no place for it, as scripts have not."""

    path: Path
    cells: tuple[Cell, ...]
    kernel_name: str | None = None
    language: str = "python"
    language_version: str | None = None
    has_metadata: bool = True


def is_notebook(file: Path) -> bool:
    """Whether `file` looks like a notebook: .ipynb, or a script that marimo or an editor with cells wrote."""
    if file.suffix == ".ipynb":
        return True
    if file.suffix != ".py":
        return False
    text = _text(file)
    return _is_marimo(text) or any(PERCENT.match(line) for line in text.splitlines())


def read(file: Path) -> NotebookText:
    """The notebook in `file`. Raises: UsageError if there is none, or nothing in it can be read as cells."""
    if not file.is_file():
        raise UsageError(f"{file}: there is no such file. Name a notebook (.ipynb, .py) or a folder with notebooks.")
    text = _text(file)
    if file.suffix == ".py":
        return _from_marimo(file, text) if _is_marimo(text) else _from_script(file, text)
    return _from_json(file, text)


def of_sources(name: str, sources: Sequence[str]) -> NotebookText:
    """Cells of code that are in no file, such as those of a running notebook."""
    cells = (Cell(index=place, cell_type="code", source=source) for place, source in enumerate(sources))
    return NotebookText(path=Path(name), cells=tuple(cells))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return file.read_text(encoding="latin-1")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error


def _from_json(file: Path, text: str) -> NotebookText:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "it is empty" if not text.strip() else f"it is not JSON ({error})"
        raise UsageError(f"{file} is no notebook: {reason}. Save it again in Jupyter.") from error
    given = _raw_cells(document) if isinstance(document, dict) else None
    if given is None:
        raise UsageError(f"{file} is no notebook: it has no list of cells. Save it again in Jupyter.")
    starts = _first_lines(text, given)
    cells = tuple(_cell(index, raw, first_line=starts[index]) for index, raw in enumerate(given))
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    kernel, language = (_mapping(metadata, name) for name in ("kernelspec", "language_info"))
    name = kernel.get("name") or _mapping(metadata, "kernel_info").get("name")
    spoken = language.get("name") or kernel.get("language") or _mapping(metadata, "kernel_info").get("language")
    version = language.get("version")
    return NotebookText(
        path=file,
        cells=cells,
        kernel_name=str(name) if name else None,
        language=str(spoken or _language_of_cells(given) or "python").lower(),
        language_version=str(version) if version else None,
    )


def _raw_cells(document: Mapping[str, Any]) -> list[Any] | None:
    """The cells of nbformat 4, or of all worksheets of nbformat 3."""
    cells = document.get("cells")
    if isinstance(cells, list):
        return cells
    sheets = document.get("worksheets")
    if not isinstance(sheets, list):
        return None
    listed = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    return [cell for cells in listed if isinstance(cells, list) for cell in cells]


def _mapping(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _language_of_cells(given: list[Any]) -> str | None:
    """What nbformat 3 says of each code cell, if it says the same of all."""
    spoken = [cell.get("language") for cell in given if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    first = spoken[0] if spoken else None
    return first if isinstance(first, str) and all(one == first for one in spoken) else None


def _first_lines(text: str, given: list[Any]) -> list[int]:
    """For each cell the line before its source, in a file as Jupyter writes it; 0 where that cannot be told."""
    marks = [n for n, line in enumerate(text.splitlines(), 1) if line.strip().startswith(('"source":', '"input":'))]
    return marks if len(marks) == len(given) else [0] * len(given)


def _cell(index: int, raw: object, *, first_line: int) -> Cell:
    if not isinstance(raw, dict):
        return Cell(index=index, cell_type="raw", source="")
    kind = raw.get("cell_type")
    source = _joined(raw.get("source", raw.get("input", "")))
    if kind != "code":
        return Cell(index=index, cell_type="markdown" if kind in ("markdown", "heading") else "raw", source=source)
    count = raw.get("execution_count", raw.get("prompt_number"))
    outputs = raw.get("outputs")
    return Cell(
        index=index,
        cell_type="code",
        source=source,
        execution_count=count if isinstance(count, int) and not isinstance(count, bool) else None,
        outputs=tuple(_output_texts(outputs)) if isinstance(outputs, list) else (),
        first_line=first_line,
    )


def _joined(text: object) -> str:
    if isinstance(text, str):
        return text
    if isinstance(text, list):
        return "".join(str(part) for part in text)
    return ""


def _output_texts(outputs: list[Any]) -> Iterator[str]:
    """The plain text of outputs. A broken one is passed over."""
    for output in outputs:
        if not isinstance(output, dict):
            continue
        if "text" in output:
            yield _joined(output["text"])
        data = output.get("data")
        if isinstance(data, dict) and "text/plain" in data:
            yield _joined(data["text/plain"])


# --- scripts with cells -------------------------------------------------------------------------------------------


def _from_script(file: Path, text: str) -> NotebookText:
    """A script cut at its `# %%` lines. Without one, the whole script is one cell."""
    lines = text.splitlines(keepends=True)
    starts = [place for place, line in enumerate(lines) if PERCENT.match(line)]
    places = sorted({0, *starts}) if not starts or "".join(lines[: starts[0]]).strip() else starts
    cells = []
    for index, (start, end) in enumerate(zip(places, [*places[1:], len(lines)], strict=True)):
        headed = start in starts
        kind: CellType = "markdown" if headed and MARKDOWN_CELL.match(lines[start]) else "code"
        source = "".join(lines[start + headed : end]).rstrip("\n")
        cells.append(Cell(index=index, cell_type=kind, source=source, first_line=start + headed))
    return NotebookText(path=file, cells=tuple(cells), has_metadata=False)


def _is_marimo(text: str) -> bool:
    return "marimo.App(" in text and "@app." in text


def _from_marimo(file: Path, text: str) -> NotebookText:
    """The bodies of the functions below `@app.cell`, without the `return` that marimo writes."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        return _from_script(file, text) if PERCENT.search(text) else _unparsed_marimo(file, text, error)
    lines = text.splitlines()
    cells: list[Cell] = []
    for node in tree.body:
        block = _marimo_block(node)
        if block is None:
            continue
        first, last = block
        source = _dedented(lines[first - 1 : last])
        cells.append(Cell(index=len(cells), cell_type="code", source=source, first_line=first - 1))
    return NotebookText(path=file, cells=tuple(cells), has_metadata=False)


def _unparsed_marimo(file: Path, text: str, error: Exception) -> NotebookText:
    raise UsageError(f"{file} looks like a marimo notebook and is no valid Python: {error}. Open it in marimo.")


def _marimo_block(node: ast.stmt) -> tuple[int, int] | None:
    """First and last line of a marimo cell's code: of `@app.cell`, `@app.function`, `with app.setup`."""
    if isinstance(node, ast.With):
        named = {ast.unparse(item.context_expr).partition("(")[0] for item in node.items}
        return (node.body[0].lineno, node.end_lineno or node.lineno) if "app.setup" in named else None
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return None
    decorators = {ast.unparse(one).partition("(")[0] for one in node.decorator_list}
    if "app.cell" in decorators and not isinstance(node, ast.ClassDef):
        body = list(node.body)
        if body and isinstance(body[-1], ast.Return):
            body.pop()
        return (body[0].lineno, body[-1].end_lineno or body[-1].lineno) if body else None
    if decorators & {"app.function", "app.class_definition"}:
        return node.lineno, node.end_lineno or node.lineno
    return None


def _dedented(lines: list[str]) -> str:
    depths = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    depth = min(depths, default=0)
    return "\n".join(line[depth:] if line[:depth].isspace() or not depth else line for line in lines)
