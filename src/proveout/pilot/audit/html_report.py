"""Reports as one page, with the code of each place. Nothing is loaded from elsewhere.

Input: reports. Output: HTML.
"""

from collections.abc import Sequence
from pathlib import Path

from proveout.html_pages import render
from proveout.pilot.audit.audit import Report
from proveout.pilot.audit.finding_groups import groups


def html(reports: Sequence[Report]) -> str:
    """The page of one report or several."""
    shown = [{"report": report, "groups": groups(report)} for report in reports]
    return render(Path(__file__).parent / "templates", "audit.html.jinja", values={"shown": shown})
