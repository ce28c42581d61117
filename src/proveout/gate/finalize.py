"""The end of a gate run: `verdict.judge` judges what was collected; the verdict is signed and recorded.

Input: the collected results and the evaluation context. Output: the recorded verdict, and notes to print.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from proveout.errors import Conflict, NotFound, ProveoutError
from proveout.evaluation import provenance
from proveout.gate import holdout_use, preconditions, waivers
from proveout.gate import verdict as verdicts
from proveout.gate.collector import LONGEST_MESSAGE, ResultCollector, required_names
from proveout.gate.current_fingerprint import gate_digests
from proveout.gate_settings import other_checks
from proveout.ledger.ledger import Ledger, read
from proveout.project import actor, open_keyring, open_ledger
from proveout.records.ledger_entry import Entry
from proveout.records.values import Digest
from proveout.records.verdict import CheckOutcome, CheckResult, SourceVersion, Verdict, Waiver
from proveout.rollout import moved_bounds, releases, status
from proveout.settings import read_bounds

if TYPE_CHECKING:
    from proveout.edge_cases import Case
    from proveout.evaluation.context import EvaluationContext

CHAMPION, FIRST = "the champion's verdict", "the first verdict on these rows"
CLEAN = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)


def judge(
    gathered: ResultCollector,
    context: "EvaluationContext",
    *,
    edge_cases: "Callable[[], tuple[Case, ...]]",
    patterns: Sequence[str],
    there: Sequence[str],
    files_read: Mapping[str, str],
    exitstatus: int,
    at: str,
    gate_run: str = "",
) -> tuple[Verdict, list[str]]:
    """Judge what a run collected, record the verdict in the ledger, and return it with notes.

    Args:
        patterns: pytest's patterns for names of files with checks.
        files_read: SHA-256 of each file that the checks read besides those of `fingerprint`, by its path from the root.
        there: all checks in the source of the project's checks folder, run or not.
        exitstatus: pytest's exit status before the verdict.
        gate_run: the name given to the run by its caller.
    Raises: ProveoutError if the verdict could not be recorded.
    """
    settings = context.settings
    required = required_names(settings, patterns)
    cases = _ask(gathered, context, edge_cases)
    leave = _waivers(gathered, context, at=at)
    _refuse_edited_bounds(gathered, context)
    results = [*gathered.results(), *gathered.absent(required, settings), *_stopped(gathered, context, exitstatus)]
    results += _never_asked(there, results, required)
    digests = gate_digests(settings)
    judged = verdicts.judge(
        results,
        gathered.evidence,
        required=required,
        candidate=context.bundle,
        checks=digests.checks,
        configuration=digests.configuration,
        checks_folder=other_checks(settings),
        read=files_read,
        bounds=context.bounds,
        waivers=leave,
        cases=cases,
        champion=context.champion.bundle.digest if context.champion is not None else None,
        source=_source(context),
        at=at,
        gate_run=gate_run,
    )
    by = os.environ.get("GITHUB_ACTOR") or actor()
    expires_at = (datetime.fromisoformat(at) + timedelta(days=settings.approval_days)).isoformat()
    with open_ledger(settings, create=True) as ledger:
        entry = _recorded(ledger, context, judged, by=by, expires_at=expires_at)
    return read(Verdict, entry), list(waivers.unused(leave, judged))


def _recorded(ledger: Ledger, context: "EvaluationContext", judged: Verdict, *, by: str, expires_at: str) -> Entry:
    """Record the verdict, compared with earlier verdicts; the ledger's entry."""
    keyring, before = open_keyring(context.settings), _champions_verdict(ledger, context)
    while True:
        seen = ledger.last_seq()
        compared = _compared(judged, context, before, holdout_use.earlier(ledger, judged.model, context.held_out))
        with suppress(Conflict):  # another gate recorded a verdict meanwhile: count it too, and retry
            return verdicts.record_verdict(ledger, keyring, compared, by=by, expires_at=expires_at, seen=seen)


def _compared(
    judged: Verdict, context: "EvaluationContext", champions: Verdict | None, earlier: Sequence[Verdict]
) -> Verdict:
    """The verdict, with its comparison to the champion's verdict and to earlier ones on the same held-out rows."""
    since = CHAMPION if champions is not None else FIRST if earlier else ""
    other = champions if champions is not None else earlier[0] if earlier else None
    return replace(
        judged,
        moved=moved_bounds.moved(other.bounds, judged.bounds) if other is not None else (),
        source_changed=provenance.changed(other.source, judged.source) if other is not None else (),
        moved_since=since,
        holdout_use=holdout_use.counted(
            earlier,
            judged.candidate,
            context.held_out,
            judged.evidence,
            at_most=context.settings.holdout_alpha,
        ),
    )


def _ask(
    gathered: ResultCollector, context: "EvaluationContext", edge_cases: "Callable[[], tuple[Case, ...]]"
) -> dict[str, Digest]:
    """Run the gate's own checks of its inputs. Returns the edge cases to store in the verdict."""
    settings = context.settings
    if context.sample is not None:  # nothing is approved, and nobody asks whether the gate itself would agree
        return {}
    try:
        there = (settings.root / settings.edge_cases).is_file()
        cases = edge_cases() if there else ()
        wrong = (*preconditions.ask(context, cases), *preconditions.unasked(cases, asked=gathered.cases_asked))
    except ProveoutError as error:
        said = str(error)[:LONGEST_MESSAGE]
        if not any(life.message == said for life in gathered.lives.values()):  # not reported already
            gathered.found(preconditions.wrong("preconditions", str(error), outcome="error"))
        return {}
    gathered.found(*wrong)
    # A weakened suite is not stored, or the next run would not notice the missing case.
    return {} if any(one.check.startswith(preconditions.EDGE_CASES) for one in wrong) else preconditions.suite(cases)


def _never_asked(there: Sequence[str], results: Sequence[CheckResult], required: Sequence[str]) -> list[CheckResult]:
    """Results for checks in the source that are not required and were not run, so that the verdict lists them."""

    def is_known(name: str) -> bool:
        # Seen as a parametrized case, by its own name, or by its file if that could not be collected.
        return any(verdicts.covers(name, one.check) or verdicts.covers(one.check, name) for one in results)

    return [
        CheckResult(check=name, outcome="missing", required=False, message="it is not required, and was not in the run")
        for name in there
        if not any(verdicts.covers(prefix, name) for prefix in required) and not is_known(name)
    ]


def _waivers(gathered: ResultCollector, context: "EvaluationContext", *, at: str) -> tuple[Waiver, ...]:
    settings = context.settings
    try:
        return waivers.load(settings.root / settings.waivers, today=at[:10])
    except ProveoutError as error:
        gathered.found(preconditions.wrong("waivers", str(error), outcome="error"))
        return ()


def _refuse_edited_bounds(gathered: ResultCollector, context: "EvaluationContext") -> None:
    """Refuse if bounds were edited during the run: the verdict signs the bounds from its start."""
    file = context.settings.train_config
    try:
        moved = moved_bounds.moved(context.bounds, read_bounds(context.settings))
    except ProveoutError as error:
        gathered.found(preconditions.wrong(f"edited[{file}]", str(error), outcome="error"))
        return
    if moved:
        message = f"a bound in {file} was edited while the gate ran ({moved_bounds.listed(moved)}): run it again"
        gathered.found(preconditions.wrong(f"edited[{file}]", message, outcome="error"))


def _champions_verdict(ledger: Ledger, context: "EvaluationContext") -> Verdict | None:
    """The verdict that approved the champion; None without a champion, or if this ledger does not have it."""
    release = releases.current(ledger, context.settings.model)
    if release is None or context.champion is None or release.bundle != context.champion.bundle.digest:
        return None  # another champion was released during the run, and nothing was compared with it
    with suppress(NotFound):
        return status.verdict_at(ledger, release)
    return None


def _source(context: "EvaluationContext") -> tuple[SourceVersion, ...]:
    """The versions of the code that made the rows; empty if the snapshot is not in the store."""
    try:
        return provenance.versions(context.snapshot)
    except ProveoutError:
        return ()


def _stopped(gathered: ResultCollector, context: "EvaluationContext", exitstatus: int) -> list[CheckResult]:
    """A result for an interrupted run or an error in pytest itself: checks may be missing."""
    if exitstatus in CLEAN or any(result.outcome != "passed" for result in gathered.results()):
        return []
    outcome: CheckOutcome = "missing" if exitstatus == pytest.ExitCode.INTERRUPTED else "error"
    message = f"pytest was stopped (exit status {int(exitstatus)})"
    return [CheckResult(check=context.settings.checks, outcome=outcome, required=True, message=message)]
