"""The end of a gate run: `verdict.judge` judges what was collected; the verdict is signed and recorded.

Input: the collected results and the evaluation context. Output: the recorded verdict, and notes for the person who
waits for it.
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
    """The verdict on what a run gathered, as it stands in the ledger, and notes on it.

    Args:
        patterns: of names of files that hold checks, as pytest has them.
        files_read: SHA-256 of each file that the checks read besides those of `fingerprint`, by its name from the root.
        there: the checks that are written in the project's folder of checks, asked or not.
        exitstatus: of pytest, before the verdict.
        gate_run: the name that the run's starter gave it.
    Raises: ProveoutError if it could not be recorded.
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
    """The ledger's entry of the verdict, with what the verdicts before it make of it."""
    keyring, before = open_keyring(context.settings), _champions_verdict(ledger, context)
    while True:
        seen = ledger.last_seq()
        compared = _compared(judged, context, before, holdout_use.earlier(ledger, judged.model, context.held_out))
        with suppress(Conflict):  # another gate recorded its verdict meanwhile: it counts, too
            return verdicts.record_verdict(ledger, keyring, compared, by=by, expires_at=expires_at, seen=seen)


def _compared(
    judged: Verdict, context: "EvaluationContext", champions: Verdict | None, earlier: Sequence[Verdict]
) -> Verdict:
    """The verdict, beside the champion's and those that the same held-out rows have given."""
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
    """Ask the gate's own questions. Returns the edge cases that the verdict is to remember."""
    settings = context.settings
    if context.sample is not None:  # nothing is approved, and nobody asks whether the gate itself would agree
        return {}
    try:
        there = (settings.root / settings.edge_cases).is_file()
        cases = edge_cases() if there else ()
        wrong = (*preconditions.ask(context, cases), *preconditions.unasked(cases, asked=gathered.cases_asked))
    except ProveoutError as error:
        said = str(error)[:LONGEST_MESSAGE]
        if not any(life.message == said for life in gathered.lives.values()):  # by a check that could not be collected
            gathered.found(preconditions.wrong("preconditions", str(error), outcome="error"))
        return {}
    gathered.found(*wrong)
    # A weaker suite is not remembered: the next run would find nothing missing.
    return {} if any(one.check.startswith(preconditions.EDGE_CASES) for one in wrong) else preconditions.suite(cases)


def _never_asked(there: Sequence[str], results: Sequence[CheckResult], required: Sequence[str]) -> list[CheckResult]:
    """The written checks that nobody requires and that the run never came to: the verdict does not pass over them."""

    def is_known(name: str) -> bool:
        # By a case of it, by itself, or by its file, where that could not be collected.
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
    """The verdict signs the bounds that the run began with: they have to be those that the checks read."""
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
    """The verdict by which the champion serves; None without a champion, or where this ledger does not have it."""
    release = releases.current(ledger, context.settings.model)
    if release is None or context.champion is None or release.bundle != context.champion.bundle.digest:
        return None  # another one was released while the gate ran, and nothing was compared with that
    with suppress(NotFound):
        return status.verdict_at(ledger, release)
    return None


def _source(context: "EvaluationContext") -> tuple[SourceVersion, ...]:
    """What made the rows; nothing where the snapshot is not in the store, which the checks have found out too."""
    try:
        return provenance.versions(context.snapshot)
    except ProveoutError:
        return ()


def _stopped(gathered: ResultCollector, context: "EvaluationContext", exitstatus: int) -> list[CheckResult]:
    """An interrupted run, or an error in pytest itself: what was seen may not be all there is."""
    if exitstatus in CLEAN or any(result.outcome != "passed" for result in gathered.results()):
        return []
    outcome: CheckOutcome = "missing" if exitstatus == pytest.ExitCode.INTERRUPTED else "error"
    message = f"pytest was stopped (exit status {int(exitstatus)})"
    return [CheckResult(check=context.settings.checks, outcome=outcome, required=True, message=message)]
