"""The command that reads a notebook and names its hidden dependencies."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from proveout.cli._terminal import colour

if TYPE_CHECKING:
    from proveout.pilot.audit.audit import Report

FailOn = Literal["high", "medium", "low", "info"]


def audit(
    notebooks: Annotated[
        list[Path], typer.Argument(metavar="NOTEBOOK|FOLDER", help="A notebook, script with cells, or folder of them.")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON; of several, a list.")] = False,
    as_sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF 2.1.0, for code hosts and editors.")] = False,
    page: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page with all of it.")] = None,
    fail_on: Annotated[FailOn | None, typer.Option(help="Exit 1 if something this severe or worse is found.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Print every place, not the first three of a kind.")
    ] = False,
) -> None:
    """Find the hidden dependencies of a notebook. Nothing in it is executed.

    Each finding has a stable code, a severity, its cell (counted from 0 over all cells) and line, why it will hurt in
    production, and the fix. docs/audit/ has a page for each code.
    """
    from proveout.errors import UsageError

    if as_json and as_sarif:
        raise UsageError("--json and --sarif both print: choose one.")
    reports = _reports(notebooks)
    if page is not None:
        _write_page(reports, page)
    if as_json:
        from proveout.records.json_form import to_json

        typer.echo(to_json(reports[0]) if len(reports) == 1 else "[" + ",\n".join(map(to_json, reports)) + "]")
    elif as_sarif:
        from proveout.pilot.audit.sarif import sarif

        typer.echo(sarif(reports, root=Path.cwd()))
    else:
        from proveout.cli._audit_view import report_page

        typer.echo("\n\n".join(colour(report_page(report, everything=everything)) for report in reports))
    if fail_on is not None and any(_reaches(report, fail_on) for report in reports):
        raise typer.Exit(1)


def _reports(named: list[Path]) -> "list[Report]":
    import time

    from proveout.errors import UsageError
    from proveout.pilot.audit.audit import audit, notebooks_in

    files = [file for path in named for file in notebooks_in(path)]
    folder = len(files) > len(named) or any(path.is_dir() for path in named)
    reports, began = [], time.monotonic()
    for count, file in enumerate(files, 1):
        try:
            reports.append(audit(file))
        except UsageError as error:
            # One file among many that is no notebook of Python does not hide what the others have.
            if not folder:
                raise
            typer.echo(f"skipped: {error}", err=True)
        if time.monotonic() - began > _SILENT_S:
            typer.echo(f"{count} of {len(files)} notebooks read", err=True)
            began = time.monotonic()
    if not reports:
        raise UsageError("None of these files is a notebook in Python.")
    return reports


_SILENT_S = 2.0


def _write_page(reports: "list[Report]", page: Path) -> None:
    from proveout.errors import UsageError
    from proveout.pilot.audit.html_report import html

    try:
        page.write_text(html(reports), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{page} cannot be written: {error.strerror}. Name a file in a folder that exists.") from error
    typer.echo(f"wrote {page}", err=True)


def _reaches(report: "Report", severity: FailOn) -> bool:
    from proveout.pilot.audit.audit import worst
    from proveout.pilot.audit.rule import SEVERITIES

    found = worst(report)
    return found is not None and SEVERITIES.index(found) <= SEVERITIES.index(severity)
