"""Evidence as table rows: the same cells in the terminal, in HTML and in markdown.

Input: `Evidence`. Output: rows of text. Column widths and colours are up to each report.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from proveout.gate.verdict import asked, interval, word
from proveout.records.verdict import Evidence

FOLDED_FROM = 4  # from here on, similar statements of one check share a row, and so do checks that did not run

Tone = Literal["approved", "failed", "open", "soft"]


@dataclass(frozen=True, kw_only=True)
class EvidenceRow:
    """One row. A cell may be empty."""

    name: str  # with its slice
    rows: str = ""  # number of rows
    value: str = ""
    interval: str = ""
    champion: str = ""
    asked: str = ""
    answer: str = ""  # ok, noted or failed, with the decision; or why it was not judged
    tone: Tone = "soft"


def row(evidence: Evidence) -> EvidenceRow:
    """The cells of one piece of evidence."""
    bounded = bool(asked(evidence))
    return EvidenceRow(
        name=f"{evidence.name}, {evidence.slice}" if evidence.slice else evidence.name,
        rows="" if evidence.rows is None else f"{evidence.rows:,}",
        value=_number(evidence.value),
        interval=interval(evidence),
        champion=_number(evidence.champion),
        asked=asked(evidence),
        answer=word(evidence),
        tone="open" if evidence.unjudged else "failed" if evidence.breaks else "approved" if bounded else "soft",
    )


def folded(evidence: Sequence[Evidence]) -> list[EvidenceRow]:
    """A row for each piece of evidence, failed ones first. Many that hold in one check function share a row."""
    held = Counter(_function(one) for one in evidence if one.holds)
    untold = Counter(_function(one) for one in evidence if one.unjudged)
    many_hold = {function for function, count in held.items() if count >= FOLDED_FROM}
    many_untold = {function for function, count in untold.items() if count >= FOLDED_FROM}
    return [
        *(row(one) for one in evidence if one.breaks),
        *(row(one) for one in evidence if one.unjudged and _function(one) not in many_untold),
        *(
            EvidenceRow(name=_short(function), value=f"{untold[function]} not judged", tone="open")
            for function in sorted(many_untold)
        ),
        *(row(one) for one in evidence if one.holds and _function(one) not in many_hold),
        *(
            EvidenceRow(name=_short(function), value=f"{held[function]} hold", answer="ok", tone="approved")
            for function in sorted(many_hold)
        ),
    ]


def _function(evidence: Evidence) -> str:
    return evidence.check.partition("[")[0]


def _short(function: str) -> str:
    return function.rpartition("::")[2]


def _number(value: float | None) -> str:
    """Four significant digits for a share, no decimals for a count; empty for None.

    >>> _number(0.77412), _number(12.3), _number(1234567.0)
    ('0.7741', '12.3', '1,234,567')
    """
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
