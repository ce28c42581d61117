"""The commands that do something: lay out a project, judge, release, serve."""

import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from proveout.cli.parts import BundleName, Json, answer, bundle_folder, open_ledger, settings


def init(folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to lay the project out in.")]) -> None:
    """Lay out a project to start from.

    Flows, notebook, checks and server of the reference project, ready to run and to be changed.
    """
    from proveout.pilot.scaffold import init as lay_out

    laid = lay_out(folder)
    inside = (path.relative_to(folder) if path.is_relative_to(folder) else path for path in laid)
    typer.echo(f"laid out   {folder}   {len(laid)} files: {', '.join(sorted({path.parts[0] for path in inside}))}")
    typer.echo(f"next: cd {folder} && python flows/ingest.py run && python flows/train.py run && proveout bundles")


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


def release(
    bundle: BundleName,
    reason: Annotated[str, typer.Option(help="Why: whoever asks later will read it.")],
    role: Annotated[str, typer.Option("--as", help="Its role. This version knows champion only.")] = "champion",
    by: Annotated[str | None, typer.Option(help="Who releases it; without it, the user who is logged in.")] = None,
    as_json: Json = False,
) -> None:
    """Let a bundle answer.

    Once its files are what was packed and its approval holds. To go back, release the one before.
    """
    from proveout.cli import show
    from proveout.records import Role, now
    from proveout.registry import releases
    from proveout.registry.signing import Keyring
    from proveout.training.bundle import verify as verify_files
    from proveout.training.flow import actor

    project, at = settings(), now()
    packed = verify_files(bundle_folder(project, bundle))
    keyring = Keyring(project.keys_dir)
    with open_ledger(project) as ledger:
        made = releases.release(
            ledger,
            keyring,
            packed,
            role=cast(Role, role),  # any other is refused in there, with the reason
            by=actor() if by is None else by,
            reason=reason,
            at=at,
        )
    answer(made, show.released(made, unchanged=made.since != at), as_json=as_json)


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = None,
) -> None:
    """Answer requests with what is released.

    And with the project's rules where no model answers in time.
    """
    from proveout.serving.host import serve as run

    given = {"host": host, "port": port}
    changed = settings().model_copy(update={name: value for name, value in given.items() if value is not None})
    raise typer.Exit(run(changed))
