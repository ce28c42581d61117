"""A verdict as one HTML page: no script, no font, no picture from elsewhere. It opens offline and in a run's card.

Comes in: a `Verdict`. Goes out: text. Each piece of evidence is drawn on the scale of the numbers it belongs with: the
bound as a line with the forbidden side shaded, the interval as a bar, the candidate as a dot, the champion as a ring.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from itertools import chain

from proveout.gate import holdout_use
from proveout.gate.reports.text_report import BY_OTHERS, left_out
from proveout.gate.verdict import asked, in_short, interval, source_note, waived, word
from proveout.records import Evidence, MovedBound, Scalar, Verdict

WIDTH, HEIGHT, MARGIN = 260, 22, 8  # of a drawing, in pixels
STYLE = """
:root { --ink: #1c2330; --soft: #5d6675; --line: #d9dde4; --paper: #fff; --good: #1a7f4b; --bad: #c0302b;
  --open: #9a6700; --shade: #c0302b1f; --bar: #6b8fd6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa4b5; --line: #353c49; --paper: #14181f;
  --good: #4cc38a; --bad: #ff7b72; --open: #e3b341; --shade: #ff7b7233; --bar: #7aa2f7; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 70rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
.approved { color: var(--good); } .refused, .failed { color: var(--bad); } .incomplete, .open { color: var(--open); }
p { margin: .3rem 0; } .soft, small { color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-size: .9rem; } th { text-align: left; font-weight: 600; }
th, td { padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: middle; }
td.number { text-align: right; font-variant-numeric: tabular-nums; } td.number, .bound { white-space: nowrap; }
code { font-size: .85rem; overflow-wrap: anywhere; } svg { display: block; }
details { margin-top: 2rem; } summary { cursor: pointer; font-weight: 600; }
"""


def html(verdict: Verdict) -> str:
    """The verdict as a whole page."""
    name = f"{verdict.model}@{verdict.candidate[:12]}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(verdict.outcome)}: {escape(name)}</title><style>{STYLE}</style></head><body>\n"
        f'<h1><span class="{verdict.outcome}">{verdict.outcome}</span> {escape(name)}</h1>\n'
        f"<p>{escape(in_short(verdict))}</p>\n{_origin(verdict)}{_held_out(verdict)}{_objections(verdict)}"
        f"{_waivers(verdict)}{_left_out(verdict)}"
        f"{_moved(verdict)}{_evidence(verdict.evidence)}{_bounds(verdict)}{_checks(verdict)}</body></html>\n"
    )


def _origin(verdict: Verdict) -> str:
    champion = f", beside the champion {verdict.champion[:12]}" if verdict.champion else ""
    folder = f" ({escape(BY_OTHERS)} {escape(verdict.checks_folder)})" if verdict.checks_folder else ""
    signed = f"signed by key {verdict.key}" if verdict.signature else "not signed"
    return (
        f'<p class="soft">judged {escape(verdict.judged_at[:19])} UTC on snapshot {verdict.data[:12]}{champion}, '
        f"by checks {verdict.checks[:12]}{folder} and configuration {verdict.configuration[:12]}; "
        f"{escape(signed)}</p>\n" + (f"<p>{escape(note)}</p>\n" if (note := source_note(verdict)) else "")
    )


def _held_out(verdict: Verdict) -> str:
    return "".join(
        f'<p class="{"open" if title == "warning" else "soft"}">{title}: {escape(text)}</p>\n'
        for title, text in holdout_use.facts(verdict)
    )


def _objections(verdict: Verdict) -> str:
    against = {*verdict.failed, *verdict.unproven}
    rows = [
        (f'<span class="{_tone(r.outcome)}">{r.outcome}</span>', _code(r.check), escape(r.message.partition("\n")[0]))
        for r in verdict.results
        if r.check in against
    ]
    return _section("What stands against it", ("", "check", "why"), rows)


def _waivers(verdict: Verdict) -> str:
    rows = [
        (
            _code(result.check), escape(result.outcome), escape(waiver.by), escape(waiver.until), escape(waiver.reason),
        )
        for result, waiver in waived(verdict)
    ]  # fmt: skip
    return _section("Waived", ("check", "outcome", "by", "until", "reason"), rows)


def _moved(verdict: Verdict) -> str:
    rows = [
        (
            f'<span class="{"soft" if one.looser is False else "open"}">{_way(one)}</span>',
            _code(one.name), _value(one.before), _value(one.now),
        )
        for one in verdict.moved
    ]  # fmt: skip
    return _section(
        f"Bounds that moved since {escape(verdict.moved_since, quote=False)}", ("", "bound", "from", "to"), rows
    )


def _way(moved: MovedBound) -> str:
    return "moved" if moved.looser is None else "looser" if moved.looser else "stricter"


def _value(bound: Scalar) -> str:
    return "" if bound is None else escape(str(bound))


def _bounds(verdict: Verdict) -> str:
    table = _table(("bound", "asked"), [(_code(name), _value(one)) for name, one in sorted(verdict.bounds.items())])
    count = f"All {len(verdict.bounds)} bounds of [evaluation]"
    return f"<details><summary>{count}</summary>{table}</details>\n" if verdict.bounds else ""


def _left_out(verdict: Verdict) -> str:
    return _section("Not required", ("",), [(escape(text),) for text in left_out(verdict)])


def _checks(verdict: Verdict) -> str:
    rows = [
        (
            f'<span class="{_tone(r.outcome)}">{r.outcome}</span>',
            _code(r.check),
            escape(", ".join(r.covers)),
            escape(r.message),
        )
        for r in verdict.results
    ]
    table = _table(("", "check", "covers", "message"), rows)
    return f"<details><summary>All {len(verdict.results)} checks</summary>{table}</details>\n"


def _evidence(evidence: Sequence[Evidence]) -> str:
    """A table of all evidence, the numbers of one name in one check drawn on one scale."""
    together: dict[tuple[str, str], list[Evidence]] = defaultdict(list)
    for one in evidence:
        together[one.check.partition("[")[0], one.name].append(one)
    rows = []
    for group in together.values():
        scale = _scale(group)
        rows += [(*_numbers(one), _drawing(one, *scale) if scale else "", _answer(one)) for one in group]
    return _section("Evidence", ("", "candidate", "champion", "asked", "", ""), rows, numbers=(1, 2))


def _numbers(one: Evidence) -> tuple[str, str, str, str]:
    rows = f" <small>{one.rows:,} rows</small>" if one.rows is not None else ""
    of = f", {escape(one.slice)}" if one.slice else ""
    value = "" if one.value is None else f"{one.value:.4g} <small>{interval(one)}</small>"
    champion = "" if one.champion is None else f"{one.champion:.4g}"
    return (
        f'<span title="{escape(one.check)}">{escape(one.name)}{of}</span>{rows}',
        value,
        champion,
        f'<span class="bound">{escape(asked(one))}</span>',
    )


def _answer(one: Evidence) -> str:
    tone = "open" if one.unjudged else "failed" if one.breaks else "approved" if asked(one) else "soft"
    return f'<span class="{tone}">{escape(word(one))}</span>'


def _scale(group: Iterable[Evidence]) -> tuple[float, float] | None:
    """The least and the most of all numbers to be drawn together; None if there is nothing to be seen."""
    every = chain.from_iterable((e.value, e.low, e.high, e.at_least, e.at_most, e.champion) for e in group)
    numbers = [number for number in every if number is not None]
    return (min(numbers), max(numbers)) if len(set(numbers)) > 1 else None


def _drawing(one: Evidence, least: float, most: float) -> str:
    def at(number: float) -> float:
        return round(MARGIN + (number - least) / (most - least) * (WIDTH - 2 * MARGIN), 1)

    middle = HEIGHT / 2
    parts = [f'<line x1="0" x2="{WIDTH}" y1="{middle}" y2="{middle}" stroke="var(--line)"/>']
    for bound, start, end in ((one.at_least, 0.0, None), (one.at_most, None, float(WIDTH))):
        if bound is not None:
            x, other = at(bound), start if start is not None else end or 0.0
            parts.append(
                f'<rect x="{min(x, other)}" width="{abs(x - other):.1f}" y="0" height="{HEIGHT}" fill="var(--shade)"/>'
                f'<line x1="{x}" x2="{x}" y1="0" y2="{HEIGHT}" stroke="var(--bad)" stroke-width="1.5"/>'
            )
    if one.low is not None and one.high is not None:
        x, wide = at(one.low), max(at(one.high) - at(one.low), 1)
        parts.append(f'<rect x="{x}" width="{wide:.1f}" y="{middle - 3}" height="6" rx="3" fill="var(--bar)"/>')
    if one.champion is not None:
        ring = f'cx="{at(one.champion)}" cy="{middle}" r="4.5"'
        parts.append(f'<circle {ring} fill="none" stroke="var(--soft)" stroke-width="1.5"/>')
    if one.value is not None:
        tone = "open" if one.unjudged else "bad" if one.breaks else "good"
        parts.append(f'<circle cx="{at(one.value)}" cy="{middle}" r="4" fill="var(--{tone})"/>')
    said = escape(f"{one.name} {word(one)}")
    scale = f"<title>{least:.4g} to {most:.4g}</title>"
    return f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{said}">{scale}{"".join(parts)}</svg>'


def _section(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()) -> str:
    return f"<h2>{title}</h2>{_table(head, rows, numbers=numbers)}" if rows else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()) -> str:
    body = "".join(
        "<tr>"
        + "".join(f'<td class="number">{c}</td>' if n in numbers else f"<td>{c}</td>" for n, c in enumerate(row))
        + "</tr>\n"
        for row in rows
    )
    return f"<table><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>\n{body}</table>\n"


def _tone(outcome: str) -> str:
    return "approved" if outcome == "passed" else "failed" if outcome in ("failed", "error") else "open"


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"
