"""The command that looks for what is broken: `proveout doctor`."""

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from proveout.cli._common import Json, answer

if TYPE_CHECKING:
    from proveout.doctor.examination import Examination
    from proveout.doctor.finding import Finding

_INDENT = 23


def doctor(as_json: Json = False) -> None:
    """Find what is broken in this project or on this machine.

    Python, packages, settings, code, schema, source, notebook, kernel, disk, clock, datastore, ledger, keys, champion
    and port. It reads the newest batch and starts a kernel, and changes nothing; a batch that the guard refuses goes to
    quarantine. Exit 1 if something is broken.
    """
    import sys
    from pathlib import Path

    from proveout.doctor.examination import examine

    def tell(name: str) -> None:
        typer.echo(f"\r   looking at {name:<12}", err=True, nl=False)

    watched = sys.stderr.isatty() and not as_json
    found = examine(Path.cwd(), tell=tell) if watched else examine(Path.cwd())
    if watched:
        typer.echo("\r" + " " * 30 + "\r", err=True, nl=False)
    answer(found, _page(found), as_json=as_json)
    if not found.well:
        raise typer.Exit(1)


def _page(found: "Examination") -> str:
    from proveout.cli._terminal import page

    states = [finding.state for finding in found.findings]
    broken, notes = states.count("fault"), states.count("note")
    first = f"{broken} broken" if broken else "well"
    counts = f"{states.count('ok')} ok, {notes} {'note' if notes == 1 else 'notes'}, {broken} broken"
    lines = [f"{first}   {found.model or 'no project'}   {counts}"]
    for finding in found.findings:
        lines += _lines(finding)
    following = "proveout doctor   # when the first fault is mended" if broken else "proveout status"
    return page(lines, following)


def _lines(finding: "Finding") -> Iterator[str]:
    from proveout.cli._terminal import plain

    head = f"  {finding.state:<8}{finding.name:<12} "
    yield from textwrap.wrap(
        plain(finding.said), 118, initial_indent=head, subsequent_indent=" " * _INDENT, break_on_hyphens=False
    )
    if finding.remedy:
        yield f"{' ' * _INDENT}do: {plain(finding.remedy)}"
