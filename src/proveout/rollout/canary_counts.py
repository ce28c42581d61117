"""Counts of bad events of a canary and of the champion, from the ledger.

Input: a ledger. Output: bad events and totals of three measures:
- errors: answers that no model gave (rules or nothing),
- latency: answers of the model slower than the champion's 99th percentile before the canary began,
- quality: answers that a known outcome proved wrong. A label or a class is wrong when it differs; a value when it is
  further off than half the champion's interval, for both alike.
"""

from dataclasses import dataclass
from typing import Literal

from proveout.ledger import release_traffic
from proveout.ledger.ledger import Ledger
from proveout.ledger.release_traffic import Traffic
from proveout.records.release import Release
from proveout.rollout import releases, roles
from proveout.settings import Settings

Measure = Literal["errors", "latency", "quality"]
MEASURES: tuple[Measure, ...] = ("errors", "latency", "quality")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Bad events and totals of one measure, for both."""

    measure: Measure
    canary_bad: int
    canary_of: int
    champion_bad: int
    champion_of: int


@dataclass(frozen=True, kw_only=True)
class Count:
    """The counts of a canary and of the champion."""

    canary: Release
    champion: Release
    since: str
    answers: int  # the canary's
    slow_ms: float
    counts: tuple[Counts, ...]
    seen: int
    wrong_beyond: float | None = None  # regression: from which error on a value is wrong; None for labels and classes


def count(ledger: Ledger, settings: Settings) -> Count | None:
    """The counts of the canary and the champion since both run; None if no canary runs."""
    seen = ledger.last_seq()
    made = releases.history(ledger, settings.model)
    canary, champion = roles.holder(made, role="canary"), roles.holder(made)
    if canary is None or champion is None:
        return None
    since = max(canary.since, champion.since)
    beyond = releases.task_of(ledger, champion.bundle).facts.half_width
    found = release_traffic.canary(
        ledger,
        canary,
        champion,
        since=since,
        slow_ms=settings.deadline_s * 500,  # half of the deadline
        wrong_beyond=beyond,
        enough_answers=settings.canary_min_answers,
    )
    mine, others = _of_measures(found.canary), _of_measures(found.champion)
    return Count(
        canary=canary,
        champion=champion,
        since=since,
        answers=found.canary.answers,
        slow_ms=found.slow_ms,
        counts=tuple(
            Counts(
                measure=measure,
                canary_bad=mine[measure][0],
                canary_of=mine[measure][1],
                champion_bad=others[measure][0],
                champion_of=others[measure][1],
            )
            for measure in MEASURES
        ),
        seen=seen,
        wrong_beyond=beyond,
    )


def _of_measures(traffic: Traffic) -> dict[Measure, tuple[int, int]]:
    """Bad events and totals of each measure."""
    return {
        "errors": (traffic.errors, traffic.errors_of),
        "latency": (traffic.slow, traffic.slow_of),
        "quality": (traffic.wrong, traffic.wrong_of),
    }
