"""PA209 wall-clock."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.rule import Example, Hit, Rule

_CLOCKS = re.compile(
    r"^(?:(?:datetime\.)?(?:datetime\.)?(?:now|utcnow|today)|datetime\.(?:datetime|date)\.(?:now|utcnow|today)|(?:dt|date|datetime)\.(?:datetime\.|date\.)?(?:now|utcnow|today)|"
    r"time\.(?:time|ctime|localtime|gmtime|strftime|asctime|perf_counter|process_time|clock|monotonic)|timeit\.default_timer|"
    r"pandas\.(?:Timestamp\.(?:now|today|utcnow)|to_datetime\.today)|(?:pandas\.)?Timestamp\.now|arrow\.(?:now|utcnow)|pendulum\.now)$"
)
_TIMERS = re.compile(r"time\.(?:time|perf_counter|process_time|clock|monotonic)$|default_timer$")


def find(analysis: Analysis) -> Iterator[Hit]:
    """Cells that read the clock. `info` where only a duration comes of it."""
    cells: dict[int, list[Call]] = {}
    for call in analysis.calls:
        if _CLOCKS.match(call.name) and not (
            call.method in ("strftime", "localtime", "gmtime", "ctime")
            and call.node.args[-1:]
            and len(call.node.args) > 1
        ):
            cells.setdefault(call.cell, []).append(call)
    for index, calls in sorted(cells.items()):
        timers = all(_TIMERS.search(call.name) for call in calls)
        duration = timers or _only_subtracted(analysis, index)
        cell = analysis.cell(index)
        lines = cell.code.lines if cell else ()
        line = next((n for n, text in enumerate(lines, 1) if text.strip() and not text.lstrip().startswith("#")), 1)
        yield Hit(
            cell=index,
            line=line,
            evidence=f"{calls[0].name} reads the clock{', for a duration' if duration else ''}",
            severity="info" if duration else None,
        )


def _only_subtracted(analysis: Analysis, index: int) -> bool:
    cell = analysis.cell(index)
    return cell is not None and any(
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Sub)
        and re.search(r"start|begin|t0|tic|end", ast.unparse(node), re.IGNORECASE)
        for node in cell.nodes
    )


RULE = Rule(
    code="PA209",
    kind="wall-clock",
    severity="low",
    title="Reads the clock",
    why="The same rows give another result tomorrow.",
    fix="Take the day as a parameter of the run.",
    adopt="asks",
    adopt_note="Freezes the value the pilot had, and says which column depends on it.",
    find=find,
    positive=(
        Example(cells=("from datetime import datetime\nage = datetime.now().year - df['born']",), found=((0, 1),)),
        Example(cells=("import time", "\nt = time.time()\nfit()\nprint(time.time() - t)"), found=((1, 2),)),
        Example(cells=("import pandas as pd\ntoday = pd.Timestamp.now()",), found=((0, 1),)),
    ),
    negative=(Example(cells=("import datetime\nd = datetime.date(2020, 1, 1)\ntime.sleep(1)",)),),
)
