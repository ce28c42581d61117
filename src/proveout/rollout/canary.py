"""The canary's verdict: it waits, it is promoted or it is rolled back; and why. Valid whenever one looks.

Input: what the ledger counts of the canary and of the champion beside it. Output: a `CanaryVerdict`, and where
that is asked for, the release that follows from it. What is decided is decided by `judge`, from plain numbers.

A canary goes back when one of three measures (`canary_counts`) speaks against it at the level alpha / 3
(`sequential.evidence`): one that is no worse is ever rolled back with a chance of at most alpha. It is promoted when it
has answered enough, and each measure with data shows that it is worse by less than the margin: the upper bound of its
rate less the lower bound of the champion's (`sequential.bounds`, alpha / 2 each). All measures must show it, so the
chance to promote one that is worse by more, on any of them, is at most alpha as well.

What it assumes: that the hash assigns keys, and nothing else does. While the worker does not hold the canary, or its
breaker is open, the champion answers for it: its bad events are the champion's then, which slows a rollback and never
makes one. Where answers are cached, the canary's cache is cold at first. Each change of the share, and of the
champion, begins anew, with a chance of its own to be wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from proveout.ledger.ledger import Ledger
from proveout.records.release import Release
from proveout.records.values import Digest
from proveout.rollout import releases
from proveout.rollout.admission import Fingerprint
from proveout.rollout.canary_counts import MEASURES, Count, Counts, Measure, count
from proveout.rollout.sequential import Bounds, bounds, evidence
from proveout.settings import Settings
from proveout.trust import approvals
from proveout.trust.signing import Keyring

Decision = Literal["waits", "promotes", "rolls back"]

FEWEST_OUTCOMES = 30
"""Outcomes of a canary before its quality has a say in its promotion. Against it, each one counts."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One measure, weighed."""

    counts: Counts
    canary: Bounds
    champion: Bounds
    evidence: float  # how many times better "worse" explains the counts than chance
    worse: bool
    no_worse: bool


@dataclass(frozen=True, kw_only=True)
class CanaryVerdict:
    """What is to become of the canary, as far as one knows now."""

    decision: Decision
    reason: str
    canary: str  # model@digest
    bundle: Digest
    champion: str
    share: float
    since: str  # counted from then on
    answers: int  # the canary's
    slow_ms: float | None  # what counts as slow
    measures: tuple[Measured, ...]
    seen: int = 0  # number of the ledger's last entry when it was counted


# --- deciding -----------------------------------------------------------------------------------------------------


def judge(count: Count, *, rows: int, alpha: float, margin: float) -> CanaryVerdict:
    """What follows from the counts.

    Args:
        rows: answers of the canary before it may be promoted.
        alpha: chance that a canary as good as the champion is ever rolled back, however often one looks.
        margin: how much worse, as a share of answers, a canary may be and still be promoted.
    """
    measured = tuple(_weigh(c, share=count.canary.share, alpha=alpha, margin=margin) for c in count.counts)
    bad = _bad_words(count)
    decision, reason = _decide(measured, answers=count.answers, rows=rows, margin=margin, bad=bad)
    return CanaryVerdict(
        decision=decision,
        reason=reason,
        canary=count.canary.name,
        bundle=count.canary.bundle,
        champion=count.champion.name,
        share=count.canary.share,
        since=count.since,
        answers=count.answers,
        slow_ms=count.slow_ms,
        measures=measured,
        seen=count.seen,
    )


def _weigh(counts: Counts, *, share: float, alpha: float, margin: float) -> Measured:
    found = evidence(counts.canary_bad, counts.champion_bad, share=share)
    canary = bounds(counts.canary_bad, counts.canary_of, alpha=alpha / 2)
    champion = bounds(counts.champion_bad, counts.champion_of, alpha=alpha / 2)
    return Measured(
        counts=counts,
        canary=canary,
        champion=champion,
        evidence=found,
        worse=found >= len(MEASURES) / alpha,
        no_worse=canary.high - champion.low <= margin,
    )


def _decide(
    measured: Sequence[Measured], *, answers: int, rows: int, margin: float, bad: Mapping[Measure, str]
) -> tuple[Decision, str]:
    worse = [one for one in measured if one.worse]
    if worse:
        return "rolls back", "; ".join(_against(one, bad[one.counts.measure]) for one in worse)
    if answers < rows:
        return "waits", f"{answers:,} of {rows:,} answers"
    asked = [one for one in measured if one.counts.canary_of >= _fewest(one.counts.measure)]
    open_ones = [one for one in asked if not one.no_worse]
    if open_ones:
        what = "; ".join(
            f"{one.counts.measure}: may be worse by {one.canary.high - one.champion.low:.1%} of answers"
            for one in open_ones
        )
        return "waits", f"{what}; shown must be at most {margin:.1%}"
    names = ", ".join(one.counts.measure for one in asked)
    if not asked:
        return "waits", "nothing to compare yet"
    return "promotes", f"{answers:,} answers, worse by at most {margin:.1%} of answers in {names}"


def _fewest(measure: Measure) -> int:
    return FEWEST_OUTCOMES if measure == "quality" else 1


def _bad_words(count: Count) -> Mapping[Measure, str]:
    """What a bad event of each measure is, in words."""
    off = "wrong answers" if count.wrong_beyond is None else f"answers more than {count.wrong_beyond:.4g} off"
    return {
        "errors": "answers without a model",
        "latency": f"answers slower than {count.slow_ms:.0f} ms",
        "quality": off,
    }


def _against(one: Measured, what: str) -> str:
    counts = one.counts
    chance = "less than 1 in a billion" if one.evidence > 1e9 else f"1 in {one.evidence:,.0f}"
    mine, others = f"{counts.canary_bad:,} {what} of", f"{counts.champion_bad:,} of {counts.champion_of:,}"
    return f"{counts.measure}: {mine} {counts.canary_of:,}, the champion's {others}; chance {chance} if they were alike"


# --- looking ------------------------------------------------------------------------------------------------------


def look(ledger: Ledger, settings: Settings) -> CanaryVerdict | None:
    """The verdict on the canary that runs, from the ledger as it is now; None while none runs."""
    found = count(ledger, settings)
    if found is None:
        return None
    return judge(found, rows=settings.canary_min_answers, alpha=settings.canary_alpha, margin=settings.canary_margin)


def act(
    ledger: Ledger,
    keyring: Keyring,
    settings: Settings,
    verdict: CanaryVerdict,
    *,
    at: str,
    current_fingerprint: Callable[[], Fingerprint] | None = None,
) -> Release | None:
    """The release that follows from `verdict`, by "canary", with its reason; None where it waits, or only advises.

    Args:
        current_fingerprint: what a bundle would be judged by now. Nothing is promoted where nobody can tell.
    Raises: Conflict if somebody changed what runs since it was counted; NotApproved or OtherChampion if a person could
    not release the canary either; whatever `current_fingerprint` raises.
    """
    if settings.canary_mode != "auto" or verdict.decision == "waits":
        return None
    by, reason = "canary", verdict.reason
    if verdict.decision == "rolls back":
        return releases.end(ledger, settings.model, "canary", by=by, reason=reason, at=at, seen=verdict.seen)
    if current_fingerprint is None:
        return None
    return releases.promote(
        ledger,
        keyring,
        releases.known_bundle(ledger, verdict.bundle),
        by=by,
        reason=reason,
        at=at,
        seen=verdict.seen,
        quorum=approvals.quorum(settings),
        current_fingerprint=current_fingerprint(),
    )
