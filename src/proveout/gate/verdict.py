"""The verdict: what the checks said of a candidate, judged, written down and, if it is approved, signed.

Comes in: what became of each check, the numbers they stated, the checks that were required. Goes out: a `Verdict`,
and two entries of the ledger. Judging is pure. No evidence is not good evidence: a required check that was skipped,
xfailed, deselected, stopped before or never collected refuses the candidate as surely as one that failed.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from proveout.records import Bundle, CheckResult, Digest, Entry, Evidence, Verdict

if TYPE_CHECKING:
    from proveout.registry.ledger import Ledger
    from proveout.registry.signing import Keyring

FAILED = frozenset({"failed", "error"})
NEVER_COLLECTED = "it is required and no check of this name was in the run"


def judge(
    results: Sequence[CheckResult],
    evidence: Sequence[Evidence],
    *,
    required: Sequence[str],
    candidate: Bundle,
    checks: Digest,
    champion: Digest | None,
    at: str,
) -> Verdict:
    """What a gate run says of `candidate`. Approved needs every required check passed and no check failed.

    Args:
        results: one per check that was seen; whether it is required is decided here, from `required`.
        required: pytest node ids or beginnings of them: a folder, a file, `file::test`, `file::test[case]`.
        checks: digest of everything the checks are made of.
        at: the moment, ISO 8601 in UTC.
    """
    broken = {one.check: one for one in reversed(evidence) if one.breaks}
    judged = [_judged(result, required, broken.get(result.check)) for result in results]
    judged += [
        CheckResult(check=prefix, outcome="missing", required=True, message=NEVER_COLLECTED)
        for prefix in required
        if not any(covers(prefix, result.check) for result in results)
    ]
    failed = tuple(result.check for result in judged if result.outcome in FAILED)
    unproven = tuple(r.check for r in judged if r.required and r.outcome != "passed" and r.outcome not in FAILED)
    passed = sum(result.outcome == "passed" for result in judged)
    return Verdict(
        model=candidate.model,
        candidate=candidate.digest,
        manifest=candidate.manifest,
        data=candidate.snapshot,
        checks=checks,
        outcome="approved" if passed and not failed and not unproven else "refused",
        passed=passed,
        failed=failed,
        unproven=unproven,
        results=tuple(judged),
        evidence=tuple(evidence),
        champion=champion,
        judged_at=at,
    )


def _judged(result: CheckResult, required: Sequence[str], broken: Evidence | None) -> CheckResult:
    result = replace(result, required=any(covers(prefix, result.check) for prefix in required))
    if broken is not None and result.outcome not in FAILED:
        # A check that swallows the AssertionError of its own evidence has failed all the same.
        return replace(result, outcome="failed", message=claim(broken))
    return result


def covers(prefix: str, check: str) -> bool:
    """Whether the node id `check` is the one `prefix` names, or lies below it.

    >>> covers("checks/test_model.py", "checks/test_model.py::test_auc")
    True
    >>> covers("checks/test_model.py::test_auc", "checks/test_model.py::test_auc_by_origin")
    False
    """
    prefix = prefix.rstrip("/")
    return check == prefix or check.startswith((f"{prefix}::", f"{prefix}[", f"{prefix}/"))


def claim(evidence: Evidence) -> str:
    """What was measured and what was asked, in a sentence.

    >>> claim(Evidence(check="c", name="auc", value=0.68, at_least=0.7, slice="origin=EWR", rows=8203))
    'auc is 0.68 on origin=EWR (8,203 rows), asked: >= 0.7'
    """
    where = f" on {evidence.slice}" if evidence.slice else ""
    rows = f" ({evidence.rows:,} rows)" if evidence.rows is not None else ""
    between = interval(evidence)
    sure = f", {evidence.level or 0:.0%} interval {between}" if between else ""
    champion = f"; the champion has {evidence.champion:.4g}" if evidence.champion is not None else ""
    value = "not known" if evidence.value is None else f"{evidence.value:.6g}"
    answer = f"; {evidence.decision}" if evidence.decision else ""
    why = f"; not judged: {evidence.unjudged}" if evidence.unjudged else ""
    return (
        f"{evidence.name} is {value}{where}{rows}{sure}, asked: {asked(evidence) or 'nothing'}{champion}{answer}{why}"
    )


def interval(evidence: Evidence) -> str:
    """The confidence interval of a piece of evidence as people write it; empty without one.

    >>> interval(Evidence(name="auc", value=0.77, low=0.7621, high=0.7785, level=0.95))
    '[0.7621, 0.7785]'
    """
    ends = ("" if end is None else f"{end:.4g}" for end in (evidence.low, evidence.high))
    return "" if evidence.low is None and evidence.high is None else "[{}, {}]".format(*ends)


def word(evidence: Evidence) -> str:
    """What became of a piece of evidence: ok, noted or failed, with its decision; or why it was not judged.

    >>> word(Evidence(name="auc", value=0.68, at_least=0.7, decision="worse"))
    'failed: worse'
    """
    if evidence.unjudged:
        return f"not judged: {evidence.unjudged}"
    kept = ("ok" if asked(evidence) else "noted") if evidence.holds else "failed"
    return f"{kept}: {evidence.decision}" if evidence.decision else kept


def asked(evidence: Evidence) -> str:
    """The bounds of a piece of evidence as people write them; empty if there are none.

    >>> asked(Evidence(check="c", name="auc", value=0.68, at_least=0.7))
    '>= 0.7'
    """
    bounds = ((">=", evidence.at_least), ("<=", evidence.at_most))
    written = " and ".join(f"{sign} {bound:.6g}" for sign, bound in bounds if bound is not None)
    return f"surely {written}" if written and evidence.surely else written


def record_verdict(ledger: "Ledger", keyring: "Keyring", verdict: Verdict, *, by: str, expires_at: str) -> Entry:
    """Append the verdict to the ledger, and the signed approval after it when it is one. Returns the verdict's entry.

    A crash between the two leaves an approved verdict without an approval: the bundle can not be released, and the
    gate can be run again. Raises: LedgerError.
    """
    from proveout.registry.signing import approve

    entry = ledger.append(
        "verdict", verdict.candidate, verdict, actor=by, reason=in_short(verdict), at=verdict.judged_at
    )
    if verdict.outcome == "approved":
        approval = approve(verdict, entry, keyring=keyring, approved_at=verdict.judged_at, expires_at=expires_at)
        ledger.append(
            "approval", verdict.candidate, approval, actor=by, reason="the gate approved it", at=verdict.judged_at
        )
    return entry


def in_short(verdict: Verdict) -> str:
    """The count of a verdict: `13 of 14 checks passed, 1 failed, 0 unproven`."""
    return (
        f"{verdict.passed} of {len(verdict.results)} checks passed, "
        f"{len(verdict.failed)} failed, {len(verdict.unproven)} unproven"
    )
