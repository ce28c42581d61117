"""A verdict as one self-contained HTML page, which opens offline and in a run's card.

Input: a `Verdict`. Output: text. Each piece of evidence is drawn on a scale shared with related values: the bound as a
line with the forbidden side shaded, the interval as a bar, the candidate as a dot, the champion as a ring.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from proveout import html_pages
from proveout.gate import holdout_use
from proveout.gate.reports import evidence_table
from proveout.gate.reports.evidence_table import EvidenceRow, Tone
from proveout.gate.reports.text_report import BY_OTHERS, left_out
from proveout.gate.verdict import in_short, source_note, waived
from proveout.records.verdict import CheckOutcome, Evidence, Verdict

_WIDTH, _HEIGHT, _MARGIN = 260, 22, 8  # of a drawing, in pixels


@dataclass(frozen=True, kw_only=True)
class _Bar:
    start: float
    width: float
    at: float = 0.0  # the position of a bound's line


@dataclass(frozen=True, kw_only=True)
class _Drawing:
    """The drawing of one piece of evidence, in pixels."""

    scale: str
    bounds: tuple[_Bar, ...]
    interval: _Bar | None
    candidate: float | None
    champion: float | None
    width: int = _WIDTH
    height: int = _HEIGHT
    middle: float = _HEIGHT / 2


@dataclass(frozen=True, kw_only=True)
class _Row:
    check: str
    cells: EvidenceRow
    drawing: _Drawing | None


def html(verdict: Verdict) -> str:
    """The verdict as a complete page."""
    against = {*verdict.failed, *verdict.unproven}
    return html_pages.render(
        Path(__file__).with_name("templates"),
        "verdict.html.jinja",
        filters={"tone": _tone},
        values={
            "verdict": verdict,
            "name": f"{verdict.model}@{verdict.candidate[:12]}",
            "in_short": in_short(verdict),
            "by_others": BY_OTHERS,
            "source_note": source_note(verdict),
            "holdout_facts": holdout_use.facts(verdict),
            "objections": [result for result in verdict.results if result.check in against],
            "waived": waived(verdict),
            "left_out": left_out(verdict),
            "evidence": list(_rows(verdict.evidence)),
        },
    )


def _tone(outcome: CheckOutcome) -> Tone:
    return "approved" if outcome == "passed" else "failed" if outcome in ("failed", "error") else "open"


def _rows(evidence: Sequence[Evidence]) -> Iterator[_Row]:
    """All evidence. Values with the same name in one check are together and share a scale."""
    together: dict[tuple[str, str], list[Evidence]] = defaultdict(list)
    for one in evidence:
        together[one.check.partition("[")[0], one.name].append(one)
    for group in together.values():
        scale = _scale(group)
        for one in group:
            drawing = _drawing(one, *scale) if scale else None
            yield _Row(check=one.check, cells=evidence_table.row(one), drawing=drawing)


def _scale(group: Iterable[Evidence]) -> tuple[float, float] | None:
    """The least and greatest value of a group; None if there is nothing to draw."""
    every = chain.from_iterable((e.value, e.low, e.high, e.at_least, e.at_most, e.champion) for e in group)
    numbers = [number for number in every if number is not None]
    return (min(numbers), max(numbers)) if len(set(numbers)) > 1 else None


def _drawing(one: Evidence, least: float, most: float) -> _Drawing:
    def at(number: float) -> float:
        return round(_MARGIN + (number - least) / (most - least) * (_WIDTH - 2 * _MARGIN), 1)

    bounds = []
    if one.at_least is not None:
        bounds.append(_Bar(start=0.0, width=at(one.at_least), at=at(one.at_least)))
    if one.at_most is not None:
        bounds.append(_Bar(start=at(one.at_most), width=round(_WIDTH - at(one.at_most), 1), at=at(one.at_most)))
    interval = None
    if one.low is not None and one.high is not None:
        interval = _Bar(start=at(one.low), width=round(max(at(one.high) - at(one.low), 1), 1))
    return _Drawing(
        scale=f"{least:.4g} to {most:.4g}",
        bounds=tuple(bounds),
        interval=interval,
        candidate=None if one.value is None else at(one.value),
        champion=None if one.champion is None else at(one.champion),
    )
