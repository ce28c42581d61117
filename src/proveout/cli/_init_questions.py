"""The questions of `proveout init`: what a project starts from, its file, the column to predict, the folder.

Input: what the command line says. Output: the same, complete. What was said is not asked again.
"""

import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeVar

import typer

T = TypeVar("T")

KINDS = {
    "notebook": "its model is recovered, proved and served",
    "table": "schema, notebook, checks and rules are proposed from its rows",
    "example": "a project that runs, to look at and to change",
}
REFERENCE = "flights"
"""What the reference project is called among the examples."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a project starts from, and its folder. Without notebook, table and example: the reference project."""

    folder: Path | None = None
    notebook: Path | None = None
    table: str | None = None
    target: str | None = None
    example: str | None = None

    @property
    def named(self) -> bool:
        """Whether it says what the project starts from."""
        return any(one is not None for one in (self.notebook, self.table, self.example))

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not said, as the command line calls it."""
        folder = () if self.folder is not None else ("DIR",)
        return (*folder, "--target COLUMN") if self.table is not None and self.target is None else folder

    @property
    def usual_folder(self) -> Path:
        """The folder that the file or the example gives its name to."""
        if self.notebook is not None:
            return self.notebook.parent / f"{self.notebook.stem}-project"
        name = self.table if self.table is not None else self.example or REFERENCE
        return Path(PurePosixPath(name).name.partition(".")[0].strip("*?[]") or "project")

    @property
    def command(self) -> str:
        """The command that says the same."""
        options = {"--from": self.notebook, "--table": self.table, "--target": self.target, "--example": self.example}
        said = [part for name, value in options.items() if value is not None for part in (name, str(value))]
        return shlex.join(["proveout", "init", *(() if self.folder is None else (str(self.folder),)), *said])


def complete(given: Start, *, yes: bool) -> Start:
    """`given` with all that is missing: by default with `yes`, else asked for at the terminal.

    Raises: UsageError if something has no default, or there is no terminal to ask at.
    """
    from proveout.errors import UsageError

    if not given.missing:
        return given
    if yes:
        if given.table is not None and given.target is None:
            raise UsageError("--table FILE needs --target COLUMN: which column to predict has no default.")
        return replace(given, folder=given.usual_folder)
    if not sys.stdin.isatty():
        raise UsageError(
            f"{' and '.join(given.missing)} not given, and stdin is no terminal to ask at. Say what the project starts "
            "from: proveout init DIR --from NOTEBOOK, or --table FILE --target COLUMN, or --example NAME. Or take the "
            "defaults: --yes."
        )
    answered = _ask(given)
    typer.echo(f"without questions: {answered.command}", err=True)
    return answered


def _ask(given: Start) -> Start:
    found = given if given.named or given.folder is not None else _ask_for_start()
    if found.table is not None and found.target is None:
        found = replace(found, target=_ask_for_target(found.table))
    if found.folder is None:
        found = replace(found, folder=_prompt("Folder of the project", _free_folder, default=str(found.usual_folder)))
    return found


def _ask_for_start() -> Start:
    for number, (kind, what) in enumerate(KINDS.items(), 1):
        typer.echo(f"  {number}  {kind:<10}{what}", err=True)
    kind = _prompt("What do you have", _kind, default="example")
    if kind == "notebook":
        return Start(notebook=_prompt("Its file", _notebook, default=_only(Path.cwd().glob("*.ipynb"))))
    if kind == "table":
        here = (path for ending in ("csv", "csv.gz", "parquet") for path in Path.cwd().glob(f"*.{ending}"))
        return Start(table=_prompt("Its file, a glob or a URL", _table, default=_only(here)))
    return Start(example=_prompt(f"Which one: {', '.join(_examples())}", _example, default=REFERENCE))


def _ask_for_target(table: str) -> str:
    from proveout.pilot import table_file

    columns = table_file.column_names(table, folder=Path.cwd())
    if columns:
        typer.echo(f"  its columns: {', '.join(columns)}", err=True)

    def known(text: str) -> str:
        if columns and text not in columns:
            raise typer.BadParameter(f"{table} has no column {text}")
        return text

    return _prompt("The column to predict", known)


def _prompt(question: str, read: Callable[[str], T], *, default: str | None = None) -> T:
    """The answer. What `read` refuses, a typer.BadParameter, is said, and the question asked again."""
    answer: T = typer.prompt(question, default=default, value_proc=read, err=True)
    return answer


def _only(files: Iterable[Path]) -> str | None:
    names = [path.name for path in files]
    return names[0] if len(names) == 1 else None


def _examples() -> tuple[str, ...]:
    from proveout.pilot.scaffold import examples

    return (REFERENCE, *examples())


# --- what an answer can be --------------------------------------------------------------------------------------------


def _kind(text: str) -> str:
    numbers = {str(number): kind for number, kind in enumerate(KINDS, 1)}
    kind = numbers.get(text.strip(), text.strip().lower())
    if kind not in KINDS:
        raise typer.BadParameter(f"answer {', '.join(numbers)} or {', '.join(KINDS)}")
    return kind


def _notebook(text: str) -> Path:
    file = Path(text).expanduser()
    if not file.is_file():
        raise typer.BadParameter(f"there is no file {text}")
    return file


def _table(text: str) -> str:
    from proveout.pilot import table_file

    try:
        table_file.column_names(text, folder=Path.cwd())
    except table_file.TableRefused as refused:
        raise typer.BadParameter(str(refused)) from refused
    return text


def _example(text: str) -> str | None:
    if text not in _examples():
        raise typer.BadParameter(f"there is no example {text}")
    return None if text == REFERENCE else text


def _free_folder(text: str) -> Path:
    from proveout.errors import UsageError
    from proveout.pilot.scaffold import check_free

    try:
        check_free(folder := Path(text).expanduser())
    except UsageError as refused:
        raise typer.BadParameter(str(refused)) from refused
    return folder
