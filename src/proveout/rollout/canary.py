"""The canary's verdict: wait, promote or roll back, with the reason. It is valid however often one looks.

Input: the ledger's counts of the canary and the champion. Output: a `CanaryVerdict`, and on request the release that
follows from it. `judge` decides, from plain numbers.

A canary is rolled back if one of three measures (`canary_counts`) is evidence against it at the level alpha / 3
(`sequential.evidence`): a canary that is not worse is ever rolled back with a probability of at most alpha. It is
promoted if it has enough answers, and each measure with data shows that it is worse by less than the margin: the upper
bound of its rate less the lower bound of the champion's (`sequential.bounds`, alpha / 2 each). All measures must show
this, so the probability to promote a canary that is worse by more on any measure is also at most alpha.

It assumes that only the hash assigns keys. While the worker does not hold the canary, or its breaker is open, the
champion answers for it. Bad events then count for the champion, which can delay a rollback but never cause one. If
answers are cached, the canary's cache is empty at first. Each change of the share or of the champion starts a new test
with its own error probability.
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
"""Outcomes of a canary before its quality counts for its promotion. Against it, every outcome counts."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One measure with its evidence."""

    counts: Counts
    canary: Bounds
    champion: Bounds
    evidence: float  # likelihood ratio of "worse" against "no difference"
    worse: bool
    no_worse: bool


@dataclass(frozen=True, kw_only=True)
class CanaryVerdict:
    """The decision about the canary, from the current counts."""

    decision: Decision
    reason: str
    canary: str  # model@digest
    bundle: Digest
    champion: str
    share: float
    since: str  # start of counting
    answers: int  # of the canary
    slow_ms: float | None  # what counts as slow
    measures: tuple[Measured, ...]
    seen: int = 0  # number of the ledger's last entry at that time


# --- deciding -----------------------------------------------------------------------------------------------------


def judge(count: Count, *, rows: int, alpha: float, margin: float) -> CanaryVerdict:
    """The decision that follows from the counts.

    Args:
        rows: fewest answers of the canary before it may be promoted.
        alpha: probability that a canary as good as the champion is ever rolled back, however often one looks.
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
    """The bad events of each measure, in words."""
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
    """The verdict on the running canary, from the current ledger; None if no canary runs."""
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
    """Carry out `verdict`; the release by "canary" with its reason, or None if it waits or only advises.

    Args:
        current_fingerprint: computes the gate's current fingerprint. Without it, nothing is promoted.
    Raises: Conflict if releases changed since the counting; NotApproved or OtherChampion if the canary may not be
        released; any error of `current_fingerprint`.
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
