"""The commands that run the demo, judge and serve."""

from typing import Annotated, Literal

import typer

from proveout.cli._common import Checks, bundle_folder, judging_settings, settings


def demo(
    batch: Annotated[
        str | None,
        typer.Option(help="Send rows of this batch, newer than the held-out rows, as requests. Ingest it afterwards."),
    ] = None,
    checks: Checks = None,
) -> None:
    """Run the whole line once: from raw data to a monitored model.

    Ingests, trains, judges, releases, serves, sends held-out rows while it kills the worker, and runs the monitor.
    Exit 1 if a promise was broken.
    """
    from proveout.demo.line import run

    raise typer.Exit(run(judging_settings(checks), batch=batch))


def gate(
    bundle: Annotated[str | None, typer.Argument(help="The bundle to judge. [the newest candidate]")] = None,
    checks: Checks = None,
) -> None:
    """Judge a bundle by the project's checks.

    Runs them with pytest, and records the verdict. Exit 0 if the verdict approves and 1 if not, whatever pytest's own
    exit code; 3 if the run wrote no verdict.
    """
    from proveout.training import gate_run

    project = judging_settings(checks)
    candidate = [] if bundle is None else ["--candidate", bundle_folder(project, bundle).name]
    run = gate_run.judge(project, candidate)
    if run.verdict is None:
        typer.echo(f"error: the gate {run.end} before its verdict, so nothing is approved. Run it again.", err=True)
        raise typer.Exit(3)
    if run.verdict.outcome != "approved":
        raise typer.Exit(1)
    if run.exit_code:
        typer.echo(f"error: the gate {run.end} after its verdict: see why, then run it again.", err=True)
        raise typer.Exit(3)


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port. 0: any free one.")] = None,
    api_processes: Annotated[int | None, typer.Option(min=1, max=64, help="Processes that accept requests.")] = None,
    auth: Annotated[Literal["auto", "on", "off"] | None, typer.Option(help="Whether requests need an API key.")] = None,
) -> None:
    """Serve the released model.

    If the model does not answer in time, the project's rules answer.
    """
    from proveout.gate.current_fingerprint import current_fingerprint
    from proveout.server.main import serve as run

    given = {"host": host, "port": port, "api_processes": api_processes, "auth": auth}
    changed = settings().model_copy(update={name: value for name, value in given.items() if value is not None})
    raise typer.Exit(run(changed, current_fingerprint=current_fingerprint))
