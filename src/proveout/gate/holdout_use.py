"""Counts how often the same held-out rows have judged candidates: with enough attempts, one passes by luck.

Input: the ledger's verdicts. Output: a `HoldoutUse`, which the next verdict signs, and its text. Held-out rows are the
same if their content is the same, whatever the batch's name. Every verdict counts, complete or not.

A check with `surely=True` states its error rate: a candidate that is not good enough passes in at most that share of
runs. Of several candidates on the same rows, the chance that one passes by luck is at most the sum (Bonferroni).
"""

from collections.abc import Sequence

from proveout.ledger.ledger import Ledger, read
from proveout.records.values import Digest
from proveout.records.verdict import USUAL_ERROR_RATE, Attempt, Evidence, HoldoutUse, Judgement, Verdict

SHOWN = 3  # refused candidates to name


def earlier(ledger: Ledger, model: str, content: Digest) -> tuple[Verdict, ...]:
    """The verdicts on candidates of `model` that were judged on these held-out rows, the oldest first."""
    if not content:
        return ()
    # A verdict is a large record, so parse only those that contain this digest.
    said = (read(Verdict, entry) for entry in ledger.entries(kind="verdict") if content in entry.body)
    return tuple(
        one for one in said if one.model == model and one.holdout_use is not None and one.holdout_use.content == content
    )


def counted(
    before: Sequence[Verdict], candidate: Digest, content: Digest, evidence: Sequence[Evidence], *, at_most: float
) -> HoldoutUse:
    """The use of these held-out rows, including the next verdict.

    Args:
        evidence: of the next verdict; its checks state the error rate.
        at_most: the allowed probability that one of all candidates passes by luck.
    """
    outcomes: dict[Digest, tuple[Judgement, ...]] = {}
    for verdict in before:
        outcomes[verdict.candidate] = (*outcomes.get(verdict.candidate, ()), verdict.outcome)
    rates = [one.error_rate for one in evidence if one.error_rate is not None]
    return HoldoutUse(
        content=content,
        others=tuple(Attempt(candidate=one, outcomes=said) for one, said in outcomes.items() if one != candidate),
        again=outcomes.get(candidate, ()),
        error_rate=max(rates, default=USUAL_ERROR_RATE),
        stated=bool(rates),
        error_rate_at_most=at_most,
    )


def in_words(use: HoldoutUse) -> str:
    """How many candidates these rows have judged, and which were refused, in words."""
    many = f"{use.candidates} candidates were" if use.others else "1 candidate was"
    again = f", this one {len(use.again) + 1} times" if use.again else ""
    refused = [_refused(one) for one in use.others if "refused" in one.outcomes]
    more = f" and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
    named = f"; refused: {', '.join(refused[:SHOWN])}{more}" if refused else ""
    return f"{many} judged on these held-out rows{again}{named}"


def _refused(attempt: Attempt) -> str:
    later = " (approved later)" if attempt.outcomes[-1] == "approved" else ""
    return f"{attempt.candidate[:12]}{later}"


def warning(use: HoldoutUse) -> str:
    """A warning if the stated error rate no longer holds, with the remedy; else empty."""
    if not use.exceeded:
        return ""
    taken = "" if use.stated else " (taken: no check with an interval is asked surely)"
    return (
        f"one candidate passes by luck in up to {_percent(use.error_rate)}{taken}, one of {use.candidates} on the same "
        f"rows in up to {_percent(use.together)}. holdout_alpha allows {_percent(use.error_rate_at_most)}, which no "
        f"longer holds from {use.holds_for + 1} candidates on: hold out other rows, [split] in train.toml"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def facts(verdict: Verdict) -> list[tuple[str, str]]:
    """Lines about the held-out rows of a verdict, each with its title: `held out`, and `warning` if needed."""
    if verdict.holdout_use is None:
        return []
    told = warning(verdict.holdout_use)
    return [("held out", in_words(verdict.holdout_use)), *([("warning", told)] if told else [])]
