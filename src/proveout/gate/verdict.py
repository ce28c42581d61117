"""The verdict: what the checks found on a candidate, judged, signed and recorded.

Input: the result of each check, the stated evidence, the required checks, the valid waivers. Output: a `Verdict`, and
its entries in the ledger. Judging is pure. No evidence is not good evidence: a required check that was skipped, xfailed
or asserted nothing refuses like one that failed. If a required check was not run, for example because of -k, and
nothing else is wrong, the verdict is "incomplete" and approves nothing.
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
WAIVABLE = frozenset({"failed", "skipped", "xfailed", "xpassed"})  # outcomes of checks that ran without passing
GATE = "gate::"  # prefix of the names of the gate's own findings
NEVER_COLLECTED = "it is required, but no check of this name was in the run"


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
    """The verdict of a gate run on `candidate`. It approves if every required check passed and no check failed.

    Args:
        results: one per check; a check is required if its result says so or `required` names it.
        required: pytest node ids or prefixes: a folder, a file, `file::test`, `file::test[case]`.
        checks: digest of the source of the checks.
        configuration: digest of the judging settings.
        checks_folder: the folder of the checks, if not the project's own.
        read: SHA-256 of each other file that the checks read, by name.
        bounds: the bounds in use, by name.
        waivers: a check that failed, was skipped or xfailed does not refuse if it has a waiver that is valid at `at`.
            A check that did not run, and the gate's own findings, cannot be waived.
        cases: digests of the edge cases in use, by id; an incomplete verdict does not store them.
        source: versions of the code that made the rows of the snapshot.
        at: time of the verdict, ISO 8601 in UTC.
        gate_run: the name given to the run by its caller.
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
        # A check that swallows the AssertionError of its own evidence has still failed.
        return replace(result, outcome="failed", message=claim(broken))
    return result


def _leave(result: CheckResult, waivers: Sequence[Waiver], *, at: str) -> Waiver | None:
    if result.outcome not in WAIVABLE or result.check.startswith(GATE):
        return None
    return next((one for one in waivers if covers(one.check, result.check) and holds(one, at=at)), None)


def _with_ended(result: CheckResult, waivers: Sequence[Waiver], *, at: str) -> CheckResult:
    """The result. If it had a waiver that has ended, its message says so."""
    if result.outcome not in WAIVABLE or _leave(result, waivers, at=at) is not None:
        return result
    ended = [one for one in waivers if covers(one.check, result.check)]
    if not ended:
        return result
    last = max(ended, key=lambda one: one.until)
    return replace(result, message=f"{result.message} (the waiver by {last.by} ended on {last.until})".strip())


def holds(waiver: Waiver, *, at: str) -> bool:
    """Whether a waiver is valid at a time in UTC, including its last day.

    >>> holds(Waiver(check="c", by="ada", reason="", until="2026-01-31"), at="2026-01-31T23:00:00+00:00")
    True
    """
    return at[:10] <= waiver.until


def waived(verdict: Verdict) -> tuple[tuple[CheckResult, Waiver], ...]:
    """The checks that would have refused the candidate, each with its waiver."""
    against = {*verdict.failed, *verdict.unproven}
    found = (
        (result, _leave(result, verdict.waived, at=verdict.judged_at))
        for result in verdict.results
        if result.check not in against and (result.required or result.outcome in FAILED)
    )
    return tuple((result, waiver) for result, waiver in found if waiver is not None)


def not_required(verdict: Verdict) -> tuple[CheckResult, ...]:
    """The checks that `required_checks` does not name: leaving them out does not refuse the candidate."""
    return tuple(one for one in verdict.results if not one.required and not one.check.startswith(GATE))


def covers(prefix: str, check: str) -> bool:
    """Whether `prefix` names the node id `check` or a parent of it.

    >>> covers("checks/test_model.py", "checks/test_model.py::test_auc")
    True
    >>> covers("checks/test_model.py::test_auc", "checks/test_model.py::test_auc_by_origin")
    False
    """
    prefix = prefix.rstrip("/")
    return check == prefix or check.startswith((f"{prefix}::", f"{prefix}[", f"{prefix}/"))


def claim(evidence: Evidence) -> str:
    """The measurement and its bounds, in a sentence.

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
    """A note if the code that made the rows changed; else empty.

    >>> digests = dict.fromkeys(("candidate", "manifest", "data", "checks"), Digest(""))
    >>> source_note(
    ...     Verdict(model="m", **digests, outcome="approved", passed=1, judged_at="", source_changed=("source.py",),
    ...         moved_since="the champion's verdict"))
    "source.py changed since the champion's verdict: the rows may differ"
    """
    notes = []
    if verdict.source_changed:
        named = ", ".join(verdict.source_changed)
        notes.append(f"{named} changed since {verdict.moved_since}: the rows may differ")
    if len(verdict.source) > 1:
        spans = " and ".join(" to ".join(dict.fromkeys((one.batches[0], one.batches[-1]))) for one in verdict.source)
        notes.append(f"{spans} were made by different versions of the source: ingest them again")
    return "; ".join(notes)


def interval(evidence: Evidence) -> str:
    """The confidence interval of a piece of evidence in words; empty without one.

    >>> interval(Evidence(name="auc", value=0.77, low=0.7621, high=0.7785, level=0.95))
    '[0.7621, 0.7785]'
    """
    ends = ("" if end is None else f"{end:.4g}" for end in (evidence.low, evidence.high))
    return "" if evidence.low is None and evidence.high is None else "[{}, {}]".format(*ends)


def word(evidence: Evidence) -> str:
    """The result of a piece of evidence: ok, noted or failed, with its decision; or why it was not judged.

    >>> word(Evidence(name="auc", value=0.68, at_least=0.7, decision="worse"))
    'failed: worse'
    """
    if evidence.unjudged:
        return f"not judged: {evidence.unjudged}"
    kept = ("ok" if asked(evidence) else "noted") if evidence.holds else "failed"
    return f"{kept}: {evidence.decision}" if evidence.decision else kept


def asked(evidence: Evidence) -> str:
    """The bounds of a piece of evidence in words; empty if there are none.

    >>> asked(Evidence(check="c", name="auc", value=0.68, at_least=0.7))
    '>= 0.7'
    """
    bounds = ((">=", evidence.at_least), ("<=", evidence.at_most))
    written = " and ".join(f"{sign} {bound:.6g}" for sign, bound in bounds if bound is not None)
    return f"surely {written}" if written and evidence.surely else written


def sign(verdict: Verdict, keyring: "Keyring") -> Verdict:
    """The verdict, signed with the project's key, whatever its outcome. Raises: ConfigError without a private key."""
    unsigned = replace(verdict, key=keyring.key_id(), signature="")
    _, signature = keyring.sign(_payload(unsigned))
    return replace(unsigned, signature=signature)


def check_signature(verdict: Verdict, keyring: "Keyring") -> None:
    """Return if a trusted key signed exactly this verdict. Raises: BadSignature if not."""
    if not verdict.signature:
        raise BadSignature(verdict.key, "the verdict was never signed")
    keyring.verify(_payload(verdict), verdict.key, verdict.signature)


def _payload(verdict: Verdict) -> bytes:
    return canonical({name: value for name, value in vars(verdict).items() if name != "signature"})


def record_verdict(
    ledger: "Ledger", keyring: "Keyring", verdict: Verdict, *, by: str, expires_at: str, seen: int | None = None
) -> Entry:
    """Append the signed verdict to the ledger, then the approval if it approves. Returns the verdict's entry.

    After a crash between the two, the approved verdict has no approval: the bundle cannot be released until the gate
    runs again.

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
    """The counts of a verdict: `13 of 14 checks passed, 1 failed, 0 unproven`, and waived or not required checks."""
    under, beside = len(waived(verdict)), len(not_required(verdict))
    return (
        f"{verdict.passed} of {len(verdict.results)} checks passed, "
        f"{len(verdict.failed)} failed, {len(verdict.unproven)} unproven"
        + (f", {under} waived" if under else "")
        + (f", {beside} not required" if beside else "")
    )
