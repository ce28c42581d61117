"""The commands that do something: lay out a project, judge, serve."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from proveout.cli.parts import bundle_folder, settings


def init(folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to lay the project out in.")]) -> None:
    """Lay out a project to start from.

    Flows, notebook, checks and server of the reference project, ready to run and to be changed.
    """
    import shlex

    from proveout.pilot.scaffold import init as lay_out

    laid = lay_out(folder)
    inside = (path.relative_to(folder) if path.is_relative_to(folder) else path for path in laid)
    typer.echo(f"laid out   {folder}   {len(laid)} files: {', '.join(sorted({path.parts[0] for path in inside}))}")
    there = shlex.quote(str(folder))
    typer.echo(f"next: cd {there} && python flows/ingest.py run && python flows/train.py run && proveout bundles")


def demo() -> None:
    """From raw data to a served and watched model, in one go."""
    from proveout.demo import run

    raise typer.Exit(run(settings()))


def gate(
    bundle: Annotated[str | None, typer.Argument(help="The bundle to judge; without it, the newest candidate.")] = None,
) -> None:
    """Judge a bundle by the project's checks.

    Runs pytest on them, which records the verdict, and exits with its exit code.
    """
    import subprocess

    project = settings()
    command = [sys.executable, "-m", "pytest", project.checks]
    if bundle is not None:
        command += ["--candidate", bundle_folder(project, bundle).name]
    code = subprocess.run(command, cwd=project.root, check=False).returncode
    raise typer.Exit(code if code >= 0 else 128 - code)  # ended by a signal: as a shell says it


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = None,
    api_processes: Annotated[int | None, typer.Option(min=1, max=64, help="Processes that accept requests.")] = None,
    auth: Annotated[
        Literal["auto", "on", "off"] | None, typer.Option(help="Whether a request needs an API key.")
    ] = None,
) -> None:
    """Answer requests with what is released.

    And with the project's rules where no model answers in time.
    """
    from proveout.gate.yardstick import yardstick
    from proveout.serving.host import serve as run

    given = {"host": host, "port": port, "api_processes": api_processes, "auth": auth}
    changed = settings().model_copy(update={name: value for name, value in given.items() if value is not None})
    raise typer.Exit(run(changed, yardstick=yardstick))
