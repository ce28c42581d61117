"""The command that creates a project to start from."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from proveout.cli._init_questions import Start, complete
from proveout.records.answer import TaskName


def init(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="The folder to create the project in. [asked for]")
    ] = None,
    *,
    table: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Make a project for this table: CSV or Parquet file, glob or URL."),
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of the table to predict.")] = None,
    task: Annotated[
        Literal["binary", "multiclass", "regression"] | None,
        typer.Option(help="The task. [guessed from the column's values]"),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Which rows to hold out: random, time:COLUMN, group:COLUMN or column:COLUMN.")
    ] = "random",
    example: Annotated[
        str | None, typer.Option(metavar="NAME", help="Copy an example of another task. An unknown name lists them.")
    ] = None,
    notebook: Annotated[
        Path | None, typer.Option("--from", metavar="NOTEBOOK", help="Adopt this notebook: see `proveout adopt`.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take the defaults.")] = False,
) -> None:
    """Create a project to start from.

    Without arguments: asks what there is to start from, and where to. With DIR alone: a copy of the reference project,
    with flows, notebook, checks and server, ready to run and to change. With --table and --target: a project for that
    table, with a schema, a notebook and bounds proposed from its rows. With --example: a copy of an example with
    another task. With --from: a project of a notebook.
    """
    from proveout.errors import UsageError

    if sum(one is not None for one in (example, table, notebook)) > 1:
        raise UsageError("--example NAME, --table FILE and --from NOTEBOOK exclude each other: give one of them.")
    if table is None and (target is not None or task is not None or split != "random"):
        raise UsageError("--table FILE and --target COLUMN go together; --task and --split need both.")
    given = Start(folder=folder, notebook=notebook, table=table, target=target, example=example)
    start = complete(given, yes=yes)
    into = start.folder or start.usual_folder
    if start.notebook is not None:
        from proveout.cli.adopt import adopt

        adopt(start.notebook, into=into, yes=yes, serve=True, time_limit=1800)
    elif start.table is not None and start.target is not None:
        _init_table(into, table=start.table, target=start.target, task=task, split=split)
    else:
        _init_example(into, example=start.example)


def _init_example(folder: Path, *, example: str | None) -> None:
    """Copy an example, or the reference project."""
    import shlex

    from proveout.pilot.scaffold import init as lay_out

    laid = lay_out(folder, example=example)
    inside = (path.relative_to(folder) if path.is_relative_to(folder) else path for path in laid)
    typer.echo(f"created   {folder}   {len(laid)} files: {', '.join(sorted({path.parts[0] for path in inside}))}")
    there = shlex.quote(str(folder))
    typer.echo(f"next: cd {there} && python flows/ingest.py run && python flows/train.py run && proveout bundles")


def _init_table(folder: Path, *, table: str, target: str, task: TaskName | None, split: str) -> None:
    """Create a project for one table, and print the decisions."""
    import shlex
    from datetime import UTC, datetime

    from proveout.pilot import table_project

    typer.echo(f"reading {table}, and fitting a first model to propose bounds", err=True)
    today = datetime.now(UTC).date().isoformat()
    made = table_project.init(
        folder, table=table, predicted=target, today=today, task=task, split=split, folder=Path.cwd()
    )
    typer.echo(f"created   {folder}   {len(made.files)} files")
    for line in made.decisions:
        typer.echo(f"  {line}")
    for line in made.warnings:
        typer.echo(f"warning: {line}")
    typer.echo("everything is a proposal: read checks/schemas.py and the comments in flows/train.toml")
    typer.echo(f"next: cd {shlex.quote(str(folder))} && {_make_demo()}")


def _make_demo() -> str:
    """The command that installs the project's packages and runs the whole line."""
    import shlex

    from proveout.pilot.adopt.package_bounds import own_requirements

    *_, own = own_requirements()
    return "make demo" if own.startswith("proveout") else f"make demo PROVEOUT={shlex.quote(own)}"
