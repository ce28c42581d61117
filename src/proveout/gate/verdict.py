"""The verdict: what the checks found on a candidate, judged, signed and recorded.

Input: the result of each check, the numbers they stated, the required checks, the valid waivers. Output: a `Verdict`,
and its entries in the ledger. Judging is pure. No evidence is not good evidence: a required check that was skipped,
xfailed or asserted nothing refuses as surely as one that failed. A check that was not run, such as one left out by -k,
is an open question: if nothing else is wrong the verdict is "incomplete", and approves nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from proveout.errors import BadSignature
from proveout.records.bundle import Bundle
from proveout.records.json_form import canonical
from proveout.records.ledger_entry import Entry
from proveout.records.values import Digest, Scalar
from proveout.records.verdict import NOT_RUN, CheckResult, Evidence, Judgement, SourceVersion, Verdict, Waiver

if TYPE_CHECKING:
    from proveout.ledger.ledger import Ledger
    from proveout.trust.signing import Keyring

FAILED = frozenset({"failed", "error"})
WAIVABLE = frozenset({"failed", "skipped", "xfailed", "xpassed"})  # they were asked, and gave no good answer
GATE = "gate::"  # begins the names of what the gate itself finds wrong with a run
NEVER_COLLECTED = "it is required and no check of this name was in the run"


def judge(
    results: Sequence[CheckResult],
    evidence: Sequence[Evidence],
    *,
    required: Sequence[str],
    candidate: Bundle,
    checks: Digest,
    configuration: Digest,
    checks_folder: str = "",
    read: Mapping[str, str] | None = None,
    bounds: Mapping[str, Scalar] | None = None,
    waivers: Sequence[Waiver] = (),
    cases: Mapping[str, Digest] | None = None,
    champion: Digest | None,
    source: Sequence[SourceVersion] = (),
    at: str,
    gate_run: str = "",
) -> Verdict:
    """What a gate run says of `candidate`. Approved needs every required check passed and no check failed.

    Args:
        results: one per check that was seen; one is required if it says so, or if `required` names it.
        required: pytest node ids or beginnings of them: a folder, a file, `file::test`, `file::test[case]`.
        checks: digest of the source of the checks.
        configuration: digest of the settings that judge.
        checks_folder: where the checks lie, if these are not the project's own.
        read: SHA-256 of each other file that the checks read, by its name.
        bounds: that the checks asked for, each by its name.
        waivers: a check that failed, was skipped or xfailed under one that holds at `at` does not refuse. What was not
            run, and what the gate itself found wrong, cannot be waived.
        cases: the edge cases that were asked, each by its id; an incomplete verdict does not keep them.
        source: what made the rows of the snapshot.
        at: the moment, ISO 8601 in UTC.
        gate_run: the name that the run's starter gave it.
    """
    broken = {one.check: one for one in reversed(evidence) if one.breaks}
    judged = [_judged(result, required, broken.get(result.check)) for result in results]
    judged += [
        CheckResult(check=prefix, outcome="missing", required=True, message=NEVER_COLLECTED)
        for prefix in required
        if not any(covers(prefix, result.check) for result in results)
    ]
    against = [r for r in judged if r.outcome in FAILED or (r.required and r.outcome != "passed")]
    leave = {result.check: waiver for result in against if (waiver := _leave(result, waivers, at=at)) is not None}
    judged = [_with_ended(result, waivers, at=at) for result in judged]
    against = [result for result in against if result.check not in leave]
    passed = sum(result.outcome == "passed" for result in judged)
    answer = _answer(against, passed=passed)
    return Verdict(
        model=candidate.model,
        candidate=candidate.digest,
        manifest=candidate.manifest,
        data=candidate.snapshot,
        source=tuple(source),
        checks=checks,
        configuration=configuration,
        checks_folder=checks_folder,
        read=dict(read or {}),
        bounds=dict(bounds or {}),
        outcome=answer,
        passed=passed,
        failed=tuple(result.check for result in against if result.outcome in FAILED),
        unproven=tuple(result.check for result in against if result.outcome not in FAILED),
        waived=tuple(waiver for waiver in waivers if waiver in leave.values()),
        results=tuple(judged),
        evidence=tuple(evidence),
        cases=dict(cases or {}) if answer != "incomplete" else {},
        champion=champion,
        judged_at=at,
        gate_run=gate_run,
    )


def _answer(against: Sequence[CheckResult], *, passed: int) -> Judgement:
    if any(result.outcome not in NOT_RUN for result in against):
        return "refused"
    if against:
        return "incomplete"
    return "approved" if passed else "refused"


def _judged(result: CheckResult, required: Sequence[str], broken: Evidence | None) -> CheckResult:
    result = replace(result, required=result.required or any(covers(prefix, result.check) for prefix in required))
    if broken is not None and result.outcome not in FAILED:
        # A check that swallows the AssertionError of its own evidence has failed all the same.
        return replace(result, outcome="failed", message=claim(broken))
    return result


def _leave(result: CheckResult, waivers: Sequence[Waiver], *, at: str) -> Waiver | None:
    if result.outcome not in WAIVABLE or result.check.startswith(GATE):
        return None
    return next((one for one in waivers if covers(one.check, result.check) and holds(one, at=at)), None)


def _with_ended(result: CheckResult, waivers: Sequence[Waiver], *, at: str) -> CheckResult:
    """The result; if it was under a waiver and that has ended, its message says so."""
    if result.outcome not in WAIVABLE or _leave(result, waivers, at=at) is not None:
        return result
    ended = [one for one in waivers if covers(one.check, result.check)]
    if not ended:
        return result
    last = max(ended, key=lambda one: one.until)
    return replace(result, message=f"{result.message} (the waiver by {last.by} ended on {last.until})".strip())


def holds(waiver: Waiver, *, at: str) -> bool:
    """Whether a waiver still holds at a moment in UTC: its last day is part of it.

    >>> holds(Waiver(check="c", by="ada", reason="", until="2026-01-31"), at="2026-01-31T23:00:00+00:00")
    True
    """
    return at[:10] <= waiver.until


def waived(verdict: Verdict) -> tuple[tuple[CheckResult, Waiver], ...]:
    """The checks that would have stood against the candidate, each with the waiver that it was under."""
    against = {*verdict.failed, *verdict.unproven}
    found = (
        (result, _leave(result, verdict.waived, at=verdict.judged_at))
        for result in verdict.results
        if result.check not in against and (result.required or result.outcome in FAILED)
    )
    return tuple((result, waiver) for result, waiver in found if waiver is not None)


def not_required(verdict: Verdict) -> tuple[CheckResult, ...]:
    """The checks that could not have refused the candidate by being left out: `required_checks` does not name them."""
    return tuple(one for one in verdict.results if not one.required and not one.check.startswith(GATE))


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


def source_note(verdict: Verdict) -> str:
    """What a person has to know of where the rows came from; empty where the source is what it was.

    >>> digests = dict.fromkeys(("candidate", "manifest", "data", "checks"), Digest(""))
    >>> source_note(
    ...     Verdict(model="m", **digests, outcome="approved", passed=1, judged_at="", source_changed=("source.py",),
    ...         moved_since="the champion's verdict"))
    "source.py changed since the champion's verdict: the rows may be others"
    """
    notes = []
    if verdict.source_changed:
        named = ", ".join(verdict.source_changed)
        notes.append(f"{named} changed since {verdict.moved_since}: the rows may be others")
    if len(verdict.source) > 1:
        spans = " and ".join(" to ".join(dict.fromkeys((one.batches[0], one.batches[-1]))) for one in verdict.source)
        notes.append(f"{spans} were made by different versions of the source: take them in again")
    return "; ".join(notes)


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


def sign(verdict: Verdict, keyring: "Keyring") -> Verdict:
    """The verdict, signed with the project's key, approved or not. Raises: ConfigError without a private key."""
    unsigned = replace(verdict, key=keyring.key_id(), signature="")
    _, signature = keyring.sign(_payload(unsigned))
    return replace(unsigned, signature=signature)


def check_signature(verdict: Verdict, keyring: "Keyring") -> None:
    """Return if somebody who is trusted here signed this verdict as it stands. Raises: BadSignature if not."""
    if not verdict.signature:
        raise BadSignature(verdict.key, "the verdict was never signed")
    keyring.verify(_payload(verdict), verdict.key, verdict.signature)


def _payload(verdict: Verdict) -> bytes:
    return canonical({name: value for name, value in vars(verdict).items() if name != "signature"})


def record_verdict(
    ledger: "Ledger", keyring: "Keyring", verdict: Verdict, *, by: str, expires_at: str, seen: int | None = None
) -> Entry:
    """Append the verdict, signed, to the ledger, and the approval after it when it is one. Returns the verdict's entry.

    A crash between the two leaves an approved verdict without an approval: the bundle cannot be released, and the
    gate can be run again.

    Args:
        seen: number of the ledger's last entry when earlier verdicts were counted.
    Raises: LedgerError; ConfigError without a private key; Conflict if another verdict was recorded after `seen`.
    """
    from proveout.trust.signing import approve

    signed = sign(verdict, keyring)
    entry = ledger.append(
        "verdict",
        signed.candidate,
        signed,
        actor=by,
        reason=in_short(signed),
        at=signed.judged_at,
        unless_newer=() if seen is None else ("verdict",),
        seen=seen or 0,
    )
    if signed.outcome == "approved":
        approval = approve(signed, entry, keyring=keyring, approved_at=signed.judged_at, expires_at=expires_at)
        ledger.append(
            "approval", signed.candidate, approval, actor=by, reason="the gate approved it", at=signed.judged_at
        )
    return entry


def in_short(verdict: Verdict) -> str:
    """The count of a verdict: `13 of 14 checks passed, 1 failed, 0 unproven`; and how many are waived, or are not
    required, if any are."""
    under, beside = len(waived(verdict)), len(not_required(verdict))
    return (
        f"{verdict.passed} of {len(verdict.results)} checks passed, "
        f"{len(verdict.failed)} failed, {len(verdict.unproven)} unproven"
        + (f", {under} waived" if under else "")
        + (f", {beside} not required" if beside else "")
    )
