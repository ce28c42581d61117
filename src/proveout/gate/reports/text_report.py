"""A verdict in words, for a terminal, a job summary and a JUnit file: the answer, the evidence, the next command.

Input: a `Verdict`. Output: text.
"""

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from proveout.gate import holdout_use
from proveout.gate.reports.evidence_table import FOLDED_FROM, EvidenceRow, folded
from proveout.gate.verdict import in_short, not_required, source_note, waived
from proveout.records.verdict import Judgement, MovedBound, Verdict, Waiver
from proveout.rollout import moved_bounds as bounds

BY_OTHERS = "not the project's own, but those in"
WIDTH = 110  # columns of a terminal
SHORTEST_WORD = 8  # least width of the result, in the table's last column
SHORTEST_NAME = 24  # least width of names and reasons, if there is too little room
MOST_BYTES = 900_000  # GitHub drops a job summary over 1 MiB completely
Row = tuple[str, str, str, str, str]
Line = tuple[str, str]
"""A line of text and its colour (a markup of pytest's terminal writer), or an empty string."""


def lines(verdict: Verdict) -> list[Line]:
    """The verdict for a terminal, as lines of plain text, each with its colour."""
    colours: dict[Judgement, str] = {"approved": "green", "incomplete": "yellow", "refused": "red"}
    title = f"{verdict.outcome + '  ':<10}{_name(verdict)}   {in_short(verdict)}"
    shown = [(title, colours[verdict.outcome])]
    if verdict.checks_folder:
        shown += _wrapped(f"  {'checks':<11} {BY_OTHERS} {verdict.checks_folder}", "yellow")
    shown += _table(folded(verdict.evidence))
    if note := source_note(verdict):
        shown += _wrapped(f"  {'source':<11} {note}", "yellow")
    colour = "yellow" if verdict.outcome == "incomplete" else "red"
    for outcome, checks, message in _objections(verdict):
        shown += _wrapped(f"  {outcome:<11} {checks}: {message}", colour)
    for result, waiver in waived(verdict):
        shown += _wrapped(f"  {'waived':<11} {result.check} ({result.outcome}) {_leave(waiver)}", "yellow")
    for moved in verdict.moved:
        shown += _wrapped(f"  {'bound':<11} {bounds.in_words(moved, since=verdict.moved_since)}", _tone(moved))
    for title, text in holdout_use.facts(verdict):
        shown += _wrapped(f"  {title:<11} {text}", "yellow" if title == "warning" else "")
    for text in left_out(verdict):
        shown += _wrapped(f"  {'optional':<11} {text}", "yellow")
    return [*shown, (f"next: {next_command(verdict)}", "")]


def next_command(verdict: Verdict) -> str:
    """The next command for a person."""
    short = verdict.candidate[:12]
    other = f" --checks {verdict.checks_folder}" if verdict.checks_folder else ""
    if verdict.outcome == "approved":
        return f'proveout release {short} --reason "…"{other}'
    if verdict.outcome == "incomplete":
        return f"proveout gate {short}{other}   # every required check"
    return f"proveout verdict {short}"


def left_out(verdict: Verdict) -> list[str]:
    """The results of checks that `required_checks` does not name: a sentence for each outcome."""
    alike: dict[str, list[str]] = {}
    for result in not_required(verdict):
        alike.setdefault(result.outcome, []).append(result.check)
    return [
        f"{_counted(checks) if len(checks) >= FOLDED_FROM else ', '.join(checks)}: not required, {outcome}"
        for outcome, checks in alike.items()
    ]


def properties(verdict: Verdict) -> list[tuple[str, str]]:
    """The verdict for a JUnit file: suite properties by name, with one for each waiver."""
    said = [("proveout.verdict", f"{verdict.outcome} {_name(verdict)}: {in_short(verdict)}")]
    said += [(f"proveout.{title.replace(' ', '_')}", text) for title, text in holdout_use.facts(verdict)]
    return said + [("proveout.waived", f"{result.check} {_leave(waiver)}") for result, waiver in waived(verdict)]


def markdown(verdict: Verdict) -> str:
    """The verdict for a job summary: a third-level heading, the evidence, and all checks in a collapsed block."""
    note = f"- **source** {_escaped(source_note(verdict))}\n" if source_note(verdict) else ""
    head = f"### {verdict.outcome}: `{_name(verdict)}`\n\n{in_short(verdict)}\n\n"
    if verdict.checks_folder:
        head += f"Checks: {BY_OTHERS} `{_escaped(verdict.checks_folder)}`\n\n"
    table = _markdown_table(
        ("check", "candidate", "champion", "asked", ""), [_as_markdown(_cells(row)) for row in folded(verdict.evidence)]
    )
    objections = "".join(
        f"- **{outcome}** `{checks}`: {_escaped(message)}\n" for outcome, checks, message in _objections(verdict)
    )
    leave = "".join(
        f"- **waived** `{_escaped(result.check)}` ({result.outcome}) {_escaped(_leave(waiver))}\n"
        for result, waiver in waived(verdict)
    )
    moved = [("bound", bounds.in_words(one, since=verdict.moved_since)) for one in verdict.moved]
    beside = "".join(f"- **{title}** {_escaped(text)}\n" for title, text in (*moved, *holdout_use.facts(verdict)))
    leave += "".join(f"- **optional** {_escaped(text)}\n" for text in left_out(verdict))
    everything = _markdown_table(
        ("check", "outcome", "message"),
        [(f"`{_escaped(r.check)}`", r.outcome, _escaped(_first_line(r.message))) for r in verdict.results],
    )
    details = f"<details><summary>All {len(verdict.results)} checks</summary>\n\n{everything}\n</details>\n"
    text = f"{head}{table}\n{objections}{leave}{beside}{note}\nNext: `{next_command(verdict)}`\n\n"
    if len((text + details).encode()) > MOST_BYTES:
        details = f"All {len(verdict.results)} checks: `proveout verdict {verdict.candidate[:12]}`\n"
    return text + details


def _tone(moved: MovedBound) -> str:
    return "" if moved.looser is False else "yellow"


def _name(verdict: Verdict) -> str:
    return f"{verdict.model}@{verdict.candidate[:12]}"


def _objections(verdict: Verdict) -> list[tuple[str, str, str]]:
    """What prevents an approval: outcome, check and message. Many checks that did not run for one reason share one."""
    against = {*verdict.failed, *verdict.unproven}
    alike: dict[tuple[str, str], list[str]] = {}
    for result in verdict.results:
        if result.check in against:
            # Failed checks are listed one by one.
            own = result.check if result.outcome in {"failed", "error"} else ""
            alike.setdefault((result.outcome, own or _first_line(result.message)), []).append(result.check)
    messages = {result.check: _first_line(result.message) for result in verdict.results}
    return [
        (outcome, part, messages[checks[0]])
        for (outcome, _), checks in alike.items()
        for part in ([_counted(checks)] if len(checks) >= FOLDED_FROM else checks)
    ]


def _counted(checks: Sequence[str]) -> str:
    """The number of checks, by file.

    >>> _counted(["checks/test_data.py::test_a", "checks/test_data.py::test_b", "checks/test_model.py::test_c"])
    '3 checks: 2 of checks/test_data.py, 1 of checks/test_model.py'
    """
    files = Counter(check.partition("::")[0] for check in checks)
    return f"{len(checks)} checks: {', '.join(f'{count} of {file}' for file, count in files.items())}"


def _leave(waiver: Waiver) -> str:
    return f"by {waiver.by} until {waiver.until}: {waiver.reason}"


def _table(rows: Sequence[EvidenceRow]) -> list[Line]:
    if not rows:
        return []
    cells: list[Row] = [("evidence", "candidate", "champion", "asked", ""), *map(_cells, rows)]
    # Without a champion, its column is left out.
    shown = [0, 1, *([2] if any(row.champion for row in rows) else []), 3, 4]
    widths = {column: max(len(row[column]) for row in cells) for column in shown}
    # Values and results stay complete; a long decision is shortened first, then a long name.
    others = sum(widths[column] + 3 for column in shown[1:-1]) + 2 + 3
    widths[0] = min(widths[0], max(SHORTEST_NAME, WIDTH - others - min(widths[4], SHORTEST_WORD)))
    tones = ["", *("red" if row.tone == "failed" else "" for row in rows)]
    return [(_cut(_line(row, widths), WIDTH), tone) for row, tone in zip(cells, tones, strict=True)]


def _cells(row: EvidenceRow) -> Row:
    """The five columns of the terminal and of the job summary."""
    value = " ".join(filter(None, (row.value, row.interval)))
    return row.name, value or "-", row.champion, row.asked, row.answer


def _line(row: Row, widths: Mapping[int, int]) -> str:
    """A row of the table. Names and bounds are left-aligned, numbers right-aligned."""
    cells = [
        f"{_cut(row[column], width):{'>' if column in {1, 2} else '<'}{width}}" for column, width in widths.items()
    ]
    return f"  {'   '.join([*cells[:-1], row[4]])}".rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _wrapped(text: str, colour: str) -> list[Line]:
    """A long line wrapped for a terminal. Node ids are not split, so that people can copy them."""
    parts = textwrap.wrap(text, WIDTH, subsequent_indent=" " * 14, break_long_words=False, break_on_hyphens=False)
    return [(part, colour) for part in parts]


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = [list(row) for row in rows]
    if not body:
        return ""
    return "".join(f"| {' | '.join(row)} |\n" for row in ([*head], ["---"] * len(head), *body))


def _as_markdown(row: Row) -> Row:
    name, value, champion, bounds, kept = (_escaped(text) for text in row)
    return name, value, champion, bounds, f"**{kept}**" if kept.startswith("failed") else kept


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
