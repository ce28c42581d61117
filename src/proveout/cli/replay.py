"""The command that replays logged traffic with another bundle, and its report as text."""

import re
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from proveout.cli._common import Json, answer, settings
from proveout.cli._terminal import difference_format, difference_of, fact, moment, number, page, plain, table
from proveout.errors import UsageError
from proveout.project import open_ledger

if TYPE_CHECKING:
    from proveout.replay import Replay

_UNITS = {"min": "minutes", "h": "hours", "d": "days"}
_QUIET_S = 2.0


def replay(
    *,
    candidate: Annotated[
        str, typer.Option(metavar="BUNDLE", help="Any packed bundle, judged or not: its digest, or MODEL@DIGEST.")
    ],
    window: Annotated[
        str | None,
        typer.Option(metavar="FROM..TO", help="From FROM up to, but not including, TO (ISO 8601). One is optional."),
    ] = None,
    last: Annotated[str | None, typer.Option(metavar="SPAN", help="Instead: the last 90min, 24h or 7d.")] = None,
    rows: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most this many, the newest.")] = 1_000_000,
    margin: Annotated[float, typer.Option(min=0, max=0.5, help="How much worse its AUC may be.")] = 0.01,
    as_json: Json = False,
) -> None:
    """Send logged requests to another bundle.

    Compares its answers with the logged ones: which labels flip, where they differ most, and which requests it cannot
    answer. If outcomes are known: which of the two was better, and what both cost. Nothing is released.
    """
    from proveout import replay as replays
    from proveout.evaluation.context import find_candidate
    from proveout.model.bundle import open_bundle
    from proveout.records.values import now

    project = settings()
    since, until = span(window, last, now=now())
    opened = open_bundle(find_candidate(project, candidate.rpartition("@")[2].lower()))
    if opened.bundle.model != project.model:
        raise UsageError(f"{opened.bundle.name} has another task than {project.model}, whose traffic is logged.")
    with open_ledger(project) as ledger:
        found = replays.run(
            ledger, project, opened, since=since, until=until, newest=rows, margin=margin, tell=_progress()
        )
    answer(found, replayed(found), as_json=as_json)


def span(window: str | None, last: str | None, *, now: str) -> tuple[str, str]:
    """The start and end of the window; an end that is not given is that of the log. Raises: UsageError.

    >>> span("2013-05-01..2013-06-01", None, now="2026-01-01")
    ('2013-05-01T00:00:00.000+00:00', '2013-06-01T00:00:00.000+00:00')
    """
    from proveout.ledger.timestamps import utc

    if (window is None) == (last is None):
        raise UsageError("Which traffic? Either --window FROM..TO or --last 24h.")
    if last is not None:
        said = re.fullmatch(r"(\d{1,6})(min|h|d)", last)
        if said is None or not int(said[1]):
            raise UsageError(f"{last!r} is not a duration: write 90min, 24h or 7d.")
        back = timedelta(**{_UNITS[said[2]]: int(said[1])})
        return utc((datetime.fromisoformat(utc(now)) - back).isoformat()), utc(now)
    since, dots, until = str(window).partition("..")
    if not dots:
        raise UsageError(f"{window!r} is not a window: write FROM..TO, such as 2013-05-01..2013-06-01.")
    ends = utc(since or "0001-01-01"), utc(until or now)
    if ends[0] >= ends[1]:
        raise UsageError(f"A window from {ends[0]} cannot end at {ends[1]}.")
    return ends


def _progress() -> Callable[[int, int], None]:
    """Prints progress to stderr, once it takes longer than a user expects."""
    began = told = time.monotonic()

    def tell(done: int, of: int) -> None:
        nonlocal told
        every_s = 1 if sys.stderr.isatty() else 10
        if time.monotonic() - began < _QUIET_S or (time.monotonic() - told < every_s and done < of):
            return
        told = time.monotonic()
        end = "\r" if sys.stderr.isatty() and done < of else "\n"
        print(f"replayed {done:,} of {of:,} answers", end=end, file=sys.stderr, flush=True)

    return tell


def replayed(found: "Replay") -> str:
    """How many labels it flips; then how far answers differ, where most, and which were better."""
    from proveout.gate.verdict import interval, word

    lines = [
        f"replayed   {plain(found.candidate)}   {_turns(found)}",
        fact("window", f"{moment(found.window_from)} to {moment(found.window_to)}, {_replayed(found)}"),
        fact("beside", "; ".join(f"{plain(name)} {rows:,}" for name, rows in found.by.items()) or "nobody"),
    ]
    if found.others:
        lines.append(fact("left out", f"{found.others:,} that no model answered"))
    if found.hidden:
        what = f"{', '.join(map(plain, found.hidden))}, which the log hides, in {found.hidden_rows:,} records"
        lines.append(fact("not known", f"to the candidate: {what}. All numbers here include the effect of that"))
    lines.append(fact("no answer", _problems(found)))
    if found.mean_difference is not None:
        apart = f"without sign p50 {number(found.p50)}, p95 {number(found.p95)}, at most {number(found.most)}"
        lines.append(
            fact(
                difference_of(found.task),
                f"{found.mean_difference:{difference_format(found.task)}} on average; {apart}",
            )
        )
    worst = [(plain(one.field), plain(one.values), f"{one.rows:,}", number(one.mean_difference)) for one in found.worst]
    lines += table((f"differs most where{_of_newest(found)}", "is", "rows", "by"), worst, right=(2, 3))
    unknown = "none known yet, so it is open which of the two was better"
    lines.append(fact("outcomes", f"{found.outcomes:,} known" if found.outcomes else unknown))
    measured = [
        (plain(one.name), _digits(one.value), _digits(one.champion), interval(one), _word(word(one)))
        for one in found.measured
    ]
    lines += table(("number", "candidate", "answered", "interval", ""), measured, right=(1, 2))
    return page(lines, f"proveout gate {found.bundle[:12]}   # a replay approves nothing")


def _turns(found: "Replay") -> str:
    """How many labels the candidate flips, and to what; for a regression, how many requests both answered."""
    if found.task == "regression":
        return f"answers {found.rows:,} of the same requests"
    turned = sum(found.turned.values())
    share = f" ({turned / found.rows:.1%})" if found.rows else ""
    to = ", ".join(f"{rows:,} to {plain(value)}" for value, rows in found.turned.items())
    return f"flips {turned:,} of {found.rows:,} labels{share}{f': {to}' if to else ''}"


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"


def _word(said: str) -> str:
    """The result of a comparison; empty for a value without one."""
    return said.removeprefix("noted: ").removeprefix("noted")


def _replayed(found: "Replay") -> str:
    every = f"{found.logged:,} logged"
    return every if found.replayed == found.logged else f"the newest {found.replayed:,} of {every}"


def _problems(found: "Replay") -> str:
    return f"to {found.problems:,} records, the first: {plain(found.example or '')}" if found.problems else "to none"


def _of_newest(found: "Replay") -> str:
    return "" if found.sliced_rows == found.rows else f" (newest {found.sliced_rows:,})"
