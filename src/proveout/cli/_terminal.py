"""The parts of every page on a terminal: lines, facts, tables, times; and colour.

Input: values. Output: text. A state is always a word; colour only repeats it, and only on a terminal.
"""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from proveout.records.answer import TaskName

_WORRYING = {
    "critical": 31,
    "refused": 31,
    "failed": 31,
    "warning": 33,
    "expired": 33,
    "unproven": 33,
    "nothing": 33,
    "worse": 31,
    "fault": 31,
    "note": 33,
}
_GOOD = (
    "serving", "served", "approved", "passed", "released", "promoted", "unchanged", "intact", "created", "erased",
    "alike",
)  # fmt: skip
_COLOURS = _WORRYING | dict.fromkeys(_GOOD, 32)


def colour(shown: str) -> str:
    """`shown` with its answer and its bad news in colour, if stdout is a terminal.

    Apply it last: escape codes would break the width of columns.
    """
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return shown
    words = re.compile(rf"(?m)^({'|'.join(_COLOURS)})\b|(?<=  )({'|'.join(_WORRYING)})(?=  |:|$)")
    return words.sub(lambda found: f"\033[{_COLOURS[found[0]]}m{found[0]}\033[0m", shown)


def page(lines: Iterable[str], following: str) -> str:
    """Lines, then `next:` with the command that usually follows."""
    return "\n".join([*lines, f"next: {following}"])


def fact(name: str, value: str) -> str:
    """One line with a name and its value."""
    return f"  {name:<12}{value}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Rows under their head, each column as wide as its widest cell; `right`: the columns of numbers."""
    if not rows:
        return []
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    formats = [f"{'>' if place in right else '<'}{width}" for place, width in enumerate(widths)]
    return [
        "  " + "   ".join(format(cell, how) for cell, how in zip(row, formats, strict=True)).rstrip()
        for row in (head, *rows)
    ]


def number(value: float | None) -> str:
    """Up to three decimals, none for large numbers; empty for None."""
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}"


def moment(text: str) -> str:
    """A time that people can read and paste. Not rounded down: `history --at` would name the earlier release."""
    return text.replace("+00:00", "Z")


def span(since: str, until: str) -> str:
    """The time between two moments, in the two largest units."""
    seconds = max(0, int((_time(until) - _time(since)).total_seconds()))
    units = (("d", seconds // 86_400), ("h", seconds // 3600 % 24), ("min", seconds // 60 % 60), ("s", seconds % 60))
    first = next((place for place, (_, count) in enumerate(units) if count), len(units) - 1)
    return " ".join(f"{count} {unit}" for unit, count in units[first : first + 2] if count or seconds == 0)


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def plain(text: str) -> str:
    """Text without line ends or escape sequences, so that user input such as a reason cannot control the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))


def difference_of(task: TaskName) -> str:
    """What a difference of two answers measures, as the name of a line."""
    return {"binary": "probability", "multiclass": "moved", "regression": "value"}[task]


def difference_format(task: TaskName) -> str:
    """The format of such a difference: three decimals for a probability, three digits for a value."""
    return "+.3g" if task == "regression" else "+.3f"
