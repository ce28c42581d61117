"""The command that makes a project of a stranger's notebook, and brings its model live."""

import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from proveout.pilot.adopt.data_files import DataFile
    from proveout.pilot.adopt.plan import Plan
    from proveout.pilot.audit.analysis import Analysis

_ALONE_S, _ENDS_S = 5.0, 20.0  # how long the run in another interpreter has to end by itself, and when it is told to


def adopt(
    notebook: Annotated[Path, typer.Argument(metavar="NOTEBOOK", help="The pilot, a .ipynb file. It is not edited.")],
    *,
    into: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder of the project. [the notebook's name, beside it]")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take the plan as it is.")] = False,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which model: its class, or its number. [the best held-out one]")
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(metavar="ASKED=FILE", help="The file to read in place of a path or address of the notebook."),
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An edited plan.md: its decisions are taken.")
    ] = None,
    here: Annotated[
        bool, typer.Option("--here", help="Use the running interpreter, whatever the notebook asks for.")
    ] = False,
    time_limit: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="Longest run of the notebook.")] = 1800,
    serve: Annotated[bool, typer.Option(help="Train, gate, release and serve it.")] = True,
) -> None:
    """Make a project of a notebook, and serve its model.

    The notebook is not edited. adopt runs it in a copy of its folder, finds the way from raw rows to the predictions,
    proves it row by row, proposes a plan, writes the project, and takes it through the whole line. Ends with the
    address of the live endpoint.
    """
    from dataclasses import replace

    from proveout.pilot import scaffold
    from proveout.pilot.adopt import adoption, data_files, plan_choices
    from proveout.pilot.adopt.model_choice import NoModel
    from proveout.pilot.adopt.pilot_run import RunLimits, within_memory
    from proveout.pilot.adopt.refusals import PilotRefused

    # On SIGTERM, end the notebook's kernel too: it is in its own process group.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    target = (into or notebook.resolve().parent / f"{notebook.stem}-project").resolve()
    scaffold.check_free(target)
    analysis, asked = adoption.look(notebook)
    files = _files(asked, file or [], yes=yes)
    kept = target / ".proveout" / "adopt"
    again = [
        str(notebook.resolve()), "--into", str(target.resolve()), "--time-limit", str(time_limit),
        *(["--yes"] if yes else []), *(["--model", model] if model is not None else []),
        *(["--plan", str(plan.resolve())] if plan is not None else []), *([] if serve else ["--no-serve"]),
        *(part for name, given in files.items() for part in ("--file", f"{name}={given.resolve()}")),
    ]  # fmt: skip
    if not here:
        _go_on_elsewhere(analysis, target, kept, again)
    choices = plan_choices.read(plan.read_text(encoding="utf-8")) if plan is not None else None
    files = data_files.outside(asked, notebook) | dict(files)
    known = {one.asked: one.file for one in asked if one.file is not None} | dict(files)
    limits = RunLimits(total_s=time_limit)
    if model is not None:  # it may be the last one that is looked at
        limits = replace(limits, enough_s=limits.total_s)
    with within_memory(notebook):
        try:
            recovered = adoption.recover(
                analysis, notebook, into=kept, files=files, limits=limits, model=model, tell=_tell
            )
        except (PilotRefused, NoModel):
            if not here:
                _go_on_in_its_time(analysis, target, kept, again)
            raise
        proposed = adoption.propose(recovered, files=known, name=None, choices=choices, tell=_tell)
    _accept(proposed, yes=yes)
    _write(proposed, target)
    if serve:
        _go_live(proposed, target)


def _tell(line: str) -> None:
    typer.echo(f"   {line}", err=True)


def _go_on_elsewhere(analysis: "Analysis", target: Path, kept: Path, again: list[str]) -> None:
    """Choose the environment; if it is another one than this, run the command again in it, and end with its answer."""
    from proveout.pilot.adopt.environment import environment_for

    chosen = environment_for(analysis, target, tell=_tell)
    for why in chosen.why:
        typer.echo(f"environment: {why}")
    if not chosen.made:
        return
    code = _run(chosen.python, again)
    if code:
        _go_on_in_its_time(analysis, target, kept, again)
    raise typer.Exit(code)


def _go_on_in_its_time(analysis: "Analysis", target: Path, kept: Path, again: list[str]) -> None:
    """After a refusal for the error of a cell: the same with the releases of its time, if they are others."""
    from proveout.pilot.adopt import adoption
    from proveout.pilot.adopt.environment import in_its_time

    refused = adoption.refused_for_a_cell(kept)
    chosen = in_its_time(analysis, target, tell=_tell) if refused else None
    if chosen is None:
        return
    _tell(refused)
    for why in chosen.why:
        typer.echo(f"environment: {why}")
    raise typer.Exit(_run(chosen.python, again))


def _run(python: Path, again: list[str]) -> int:
    """The exit code of the same command in another interpreter.

    It ends its kernel, with what that has started, before it is killed: the workers of a search would go on.
    What uv installs is not compiled. Two dozen processes are started: compiled once is enough, whatever is set here.
    """
    import os
    import subprocess

    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [str(python), "-m", "proveout", "adopt", *again, "--here"]
    process = subprocess.Popen(command, env=environment)
    try:
        return process.wait()
    except BaseException:  # Ctrl-C, which a terminal sends to both, or SIGTERM, which only this process gets
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_ALONE_S)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_ENDS_S)
        process.kill()
        raise


def _files(asked: "tuple[DataFile, ...]", given: list[str], *, yes: bool) -> Mapping[str, Path]:
    """The answers to what the notebook reads and does not have. Each is asked for once."""
    from proveout.errors import UsageError

    answers: dict[str, Path] = {}
    for one in given:
        name, separator, path = one.rpartition("=")
        if not separator or not Path(path).is_file():
            raise UsageError(f"--file {one}: expected ASKED=FILE, with a file that exists.")
        answers[name] = Path(path)
    for found in asked:
        if not found.needs_answer or found.asked in answers:
            continue
        if yes:
            _tell(found.sentence)
            continue
        typer.echo(found.sentence)
        said = typer.prompt("file (empty: none)", default="", show_default=False)
        if said:
            answers[found.asked] = Path(said)
    return answers


def _accept(proposed: "Plan", *, yes: bool) -> None:
    from proveout.pilot.adopt import plan_page

    page = plan_page.page(proposed)
    if yes:
        typer.echo(page.partition("\n## The notebook")[0])  # the rest is in plan.md
        return
    typer.echo(page)
    if not typer.confirm("Write this project? (Its plan.md can be edited and given back with --plan)"):
        raise typer.Exit(1)


def _write(proposed: "Plan", target: Path) -> None:
    from datetime import UTC, datetime

    from proveout.pilot.adopt import project_writer

    made = project_writer.write(proposed, target, today=datetime.now(UTC).date().isoformat())
    typer.echo(f"created   {target}   {len(made.files)} files")


def _go_live(proposed: "Plan", target: Path) -> None:
    from proveout.demo.adopted_line import go_live
    from proveout.settings import load

    live = go_live(load(target), proposed, _tell)
    typer.echo(
        f"proved    {live.parity.equal} of {live.parity.rows} held-out rows are answered as the pilot did; the server "
        f"answered {live.equal} of {live.asked}"
    )
    typer.echo(f"live at {live.url}   {live.bundle.name}   stop it: kill {live.pid}")
    typer.echo(f"next: read {target / 'plan.md'}: what was decided, and what only a person knows")
