"""The audit of a notebook on a terminal: what to do first, with the cells' own code."""

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from proveout.cli._terminal import page

if TYPE_CHECKING:
    from proveout.pilot.audit.audit import Finding, Report
    from proveout.pilot.audit.finding_groups import KindGroup

_WIDTH = 100
_PLACES = 3


def report_page(report: "Report", *, everything: bool, is_file: bool = True) -> str:
    """The report as text. Without `everything`, the first places of a kind, and kinds of no harm in one line.

    Only of a file another command tells more.
    """
    from proveout.pilot.audit.finding_groups import groups

    found = groups(report)
    lines = [_head(report, [f"{group.count} {group.severity}" for group in found])]
    for unread in report.unread[: None if everything else _PLACES]:
        lines.append(
            f"  cell {unread.cell_index}, line {unread.line} is no valid Python: {unread.problem}. The rest was read."
        )
    if not everything and len(report.unread) > _PLACES:
        lines.append(f"  and {len(report.unread) - _PLACES} more lines that are no valid Python")
    for group in found:
        lines += ["", f"{group.heading} ({group.severity})"]
        if group.severity == "info" and not everything:
            lines += [f"  {kind.code} {kind.kind:<22} {_count(kind)}" for kind in group.kinds]
            continue
        for kind in group.kinds:
            lines += list(_of_kind(kind, everything=everything))
    if not is_file:
        return "\n".join(lines)
    return page(
        lines,
        f"proveout audit {report.notebook} --all"
        if not everything
        else f"proveout audit {report.notebook} --html audit.html",
    )


def _head(report: "Report", counts: list[str]) -> str:
    said = f"{len(report.findings)} findings: {', '.join(counts)}" if counts else "nothing found"
    return f"{report.notebook}   score {report.score} of 100   {report.cells} cells, {said}"


def _count(kind: "KindGroup") -> str:
    cells = sorted({finding.cell_index for finding in kind.findings if finding.cell_index >= 0})
    shown = ", ".join(map(str, cells[:12])) + (", ..." if len(cells) > 12 else "")  # fits a line
    return f"{len(kind.findings):>3}  {'cells ' + shown if cells else 'the notebook'}"


def _of_kind(kind: "KindGroup", *, everything: bool) -> Iterator[str]:
    yield f"  {kind.code} {kind.kind}: {kind.title}"
    yield from _wrapped("why  ", kind.why)
    yield from _wrapped("fix  ", kind.fix)
    shown = kind.findings if everything else kind.findings[:_PLACES]
    for finding in shown:
        yield from _of_place(finding)
    if len(kind.findings) > len(shown):
        yield f"      and {len(kind.findings) - len(shown)} more places"


def _of_place(finding: "Finding") -> Iterator[str]:
    place = "the notebook" if finding.cell_index < 0 else f"cell {finding.cell_index}, line {finding.line}"
    yield f"      {place}: {finding.evidence}"
    if finding.source:
        yield f"        | {finding.source[:_WIDTH]}"


def _wrapped(label: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(text, _WIDTH - 9)
    yield f"    {label}{lines[0]}"
    yield from (f"         {line}" for line in lines[1:])
