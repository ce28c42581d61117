"""Mutation testing: breaks the candidate on purpose and runs the project's own checks, which should notice.

Input: settings, the folder of a candidate, the mutants to try. Output: a `MutationReport`. A control comes first: the
unchanged candidate under another digest, because a gate that refuses everything catches everything. A check that fails
for the control but not for the candidate fails for every mutant, such as one that trains again and compares digests.
It is not counted. Nothing is written to the project's ledger, store or keys.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from proveout.errors import ProveoutError, UsageError
from proveout.evaluation.context import EvaluationContext
from proveout.fastpath import tolerance
from proveout.model import threads
from proveout.model.repack import repack
from proveout.mutation.catalog import MUTANTS, REFITTED, RENAMED, UNCHANGED, of_task
from proveout.mutation.context import DoesNotApply, MutationContext
from proveout.mutation.mutant import Mutant
from proveout.mutation.results import MutationReport, Trial, TrialOutcome
from proveout.mutation.sandbox import SLACK_S, SLOWER, Limit, Rehearsed, Sandbox
from proveout.records.answer import TaskName
from proveout.records.values import Digest
from proveout.records.verdict import NOT_RUN, CheckResult, Verdict
from proveout.schema import request_schema
from proveout.settings import Settings

_LISTED = frozenset({"isin", "equal_to"})  # pandera's names of checks that list every value


class CandidateNotApproved(ProveoutError):
    """The gate does not approve the unchanged candidate, so refusing its mutants means nothing."""

    exit_code = 3

    def __init__(self, candidate: str, why: str) -> None:
        super().__init__(candidate, why)
        self.candidate, self.why = candidate, why

    def __str__(self) -> str:
        return (
            f"{self.candidate} cannot be tested by mutation: the checks do not approve it unchanged, and a gate that "
            f"refuses everything catches everything. {self.why}. Fix that first: proveout gate {self.candidate[-12:]}"
        )


Say = Callable[[Trial, int, int], None]
"""Called after each trial with the trial, the number of trials that have ended, and the number of all."""


def choose(names: Sequence[str], *, task: TaskName) -> tuple[Mutant, ...]:
    """The mutants with these names, or all that can break a candidate of `task`. Raises: UsageError for other names."""
    fitting, known = of_task(task), {mutant.name for mutant in MUTANTS}
    strange = sorted({*names} - {mutant.name for mutant in fitting})
    if strange:
        there = f"There are: {', '.join(mutant.name for mutant in fitting)}."
        if known.issuperset(strange):
            raise UsageError(f"{', '.join(strange)} breaks no candidate of a {task} task. {there}")
        raise UsageError(f"There is no mutant {', '.join(strange)}. {there}")
    return tuple(mutant for mutant in fitting if not names or mutant.name in names)


def run(
    settings: Settings,
    folder: Path,
    *,
    mutants: Sequence[Mutant] | None = None,
    tolerated: int = 0,
    workers: int | None = None,
    say: Say = lambda trial, done, of: None,
) -> MutationReport:
    """Run the project's checks on every mutant of the candidate in `folder`.

    Args:
        mutants: default: all of the candidate's task.
        tolerated: how many may survive.
        workers: parallel gate runs; default: one per processor.
        say: called after each trial.
    Raises: CandidateNotApproved if the gate does not approve the unchanged candidate; NotFound, BundleError,
        ConfigError.
    """
    begun, cores = time.monotonic(), os.cpu_count() or 1
    workers = workers or cores
    context = EvaluationContext(settings, folder)
    ground = _ground(settings, context)
    champion = context.champion  # opened here, so that a shared store is mirrored before the runs read the mirror
    with tempfile.TemporaryDirectory(prefix="proveout-mutate-") as temporary:
        place = Path(temporary)
        threads = max(1, cores // workers)
        with (
            Sandbox(settings, place, threads=threads) as rehearsal,
            ThreadPoolExecutor(workers, thread_name_prefix="mutate") as pool,
        ):
            try:
                stage = _Stage(settings=settings, ground=ground, rehearsal=rehearsal, folder=place, threads=threads)
                chosen = of_task(ground.task.name) if mutants is None else mutants
                control, trials = _trials(stage, pool, chosen, say=say)
            except BaseException:
                # End the runs first: the pool waits for its threads, and those wait for the runs.
                pool.shutdown(wait=False, cancel_futures=True)
                rehearsal.close()
                raise
    return MutationReport(
        model=context.bundle.model,
        candidate=context.bundle.digest,
        champion=champion.bundle.digest if champion is not None else None,
        trials=trials,
        checks=len(control.verdict.results),
        fail_for_all=control.fail_for_all,
        tolerated=tolerated,
        workers=workers,
        seconds=time.monotonic() - begun,
    )


def _ground(settings: Settings, context: EvaluationContext) -> MutationContext:
    schema = request_schema.load(settings)
    return MutationContext(
        candidate=context.candidate,
        training=context.training,
        holdout=context.holdout,
        units={field.name: field.description for field in schema.fields if field.description},
        closed=frozenset(
            field.name
            for field in schema.fields
            if field.kind == "category" or any(constraint.name in _LISTED for constraint in field.constraints)
        ),
        deadline_s=settings.deadline_s,
    )


@dataclass(frozen=True, kw_only=True)
class _Packed:
    """A packed mutant."""

    folder: Path
    digest: Digest
    what: str
    same_answers: bool  # to the held-out rows, within rounding
    same_bundle: bool  # as the candidate: nothing changed


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """Packs and judges mutants."""

    settings: Settings
    ground: MutationContext
    rehearsal: Sandbox
    folder: Path
    threads: int

    def pack(self, mutant: Mutant) -> "_Packed":
        """Pack the mutant. Raises: DoesNotApply, or any error of packing or opening it."""

        building = self.folder / mutant.name / "bundle"
        building.mkdir(parents=True)
        training = (self.ground.training.raw, self.ground.training.labels)
        heldout = (self.ground.holdout.raw, self.ground.holdout.labels)
        # One thread: the processors are busy with gate runs, and waiting for threads would take ten times as long.
        with threads.limited(self.threads):
            change = mutant.make(self.ground)
            made = repack(self.ground.candidate, building, change, training=training, heldout=heldout)
        allowed = self.ground.candidate.tolerance.answers
        return _Packed(
            # Named as in the store, so that checks cannot recognize it by the name.
            folder=building.rename(building.with_name(made.bundle.digest)),
            digest=made.bundle.digest,
            what=change.what,
            same_bundle=(made.bundle.digest, made.bundle.task)
            == (self.ground.candidate.bundle.digest, self.ground.candidate.bundle.task),
            same_answers=not tolerance.apart(made.scores, self.ground.scores, allowed).any(),
        )

    def judge(
        self,
        name: str,
        packed: _Packed,
        *,
        failures: int | None = 1,
        first: Sequence[str] = (),
        limit: Limit = lambda: None,
    ) -> Rehearsed:
        """One gate run: to its end, or until `failures` checks have failed."""
        # With a waiver, the gate may approve although a check failed.
        waivers = self.settings.root / self.settings.waivers
        if waivers.is_file() and waivers.read_text(encoding="utf-8").strip():
            failures = None
        return self.rehearsal.judge(
            packed.folder, packed.digest, name=name, first=first, failures=failures, limit=limit
        )


@dataclass(frozen=True, kw_only=True)
class _Control:
    """The gate's result for the unchanged candidate."""

    verdict: Verdict
    seconds: float
    fail_for_all: tuple[str, ...] = ()  # checks that fail if only the digest changes


def _trials(
    stage: _Stage, pool: ThreadPoolExecutor, mutants: Sequence[Mutant], *, say: Say
) -> tuple[_Control, tuple[Trial, ...]]:
    """The gate's result for the unchanged candidate, and the trial of each mutant."""
    # Submitted first, so that tasks waiting for it cannot take the thread it needs.
    control = pool.submit(_control, stage, _packed_again(stage, RENAMED), _packed_again(stage, UNCHANGED))
    refitted = _unlike_itself(stage, pool, control) if any(mutant.refits for mutant in mutants) else ""
    ended: dict[str, Trial] = {}
    waiting: list[Future[Trial]] = []

    def report(done: Iterable[Future[Trial]]) -> None:
        for future in done:
            trial = future.result()
            ended[trial.mutant] = trial
            say(trial, len(ended), len(mutants))

    def judged(mutant: Mutant, first: Sequence[str] = ()) -> None:
        waiting.append(_tried(stage, pool, mutant, control, refitted=refitted, first=first))

    for mutant in mutants:
        if mutant.first:
            continue
        judged(mutant)
        if control.done():
            control.result()
            done = [future for future in waiting if future.done()]
            waiting = [future for future in waiting if future not in done]
            report(done)
    found = control.result()
    for mutant in mutants:
        if mutant.first:
            judged(mutant, [result.check for result in found.verdict.results if mutant.first in result.covers])
    report(as_completed(waiting))
    return found, tuple(ended[mutant.name] for mutant in mutants)


def _limit(control: Future[_Control]) -> float | None:
    """The time limit of a run in seconds; None until the candidate's own run has ended."""
    return SLOWER * control.result().seconds + SLACK_S if control.done() else None


def _packed_again(stage: _Stage, control: Mutant) -> _Packed:
    try:
        return stage.pack(control)
    except Exception as error:
        # The project's own steps and features may raise anything.
        problem = f"Packed again, it raises {type(error).__name__}: {error}"
        raise CandidateNotApproved(stage.ground.candidate.bundle.name, problem) from error


def _control(stage: _Stage, renamed: _Packed, unchanged: _Packed) -> _Control:
    """Judge the unchanged candidate. Raises: CandidateNotApproved if the gate does not approve it.

    It is judged under another digest first. If no check fails for that, one run is enough.
    """
    other = stage.judge(RENAMED.name, renamed, failures=None)
    if other.verdict is not None and other.verdict.outcome == "approved":
        return _Control(verdict=other.verdict, seconds=other.seconds)
    itself = stage.judge(UNCHANGED.name, unchanged, failures=None)
    return _of_itself(itself, other, name=stage.ground.candidate.bundle.name)


def _of_itself(itself: Rehearsed, other: Rehearsed, *, name: str) -> _Control:
    """The control's result if the candidate is approved, but its answers under another digest (`other`) are refused."""
    for run in (itself, other):
        if run.verdict is None or (run is itself and run.verdict.outcome != "approved"):
            raise CandidateNotApproved(name, _refusal(run))
    assert itself.verdict is not None and other.verdict is not None
    against = (*other.verdict.failed, *other.verdict.unproven)
    return _Control(verdict=itself.verdict, seconds=itself.seconds, fail_for_all=against)


def _unlike_itself(stage: _Stage, pool: ThreadPoolExecutor, control: Future[_Control]) -> str:
    """Why refitted mutants do not count; empty if an unchanged refit gives the candidate's answers or is approved."""
    try:
        packed = stage.pack(REFITTED)
    except Exception as error:
        return f"it raises {type(error).__name__}: {error}"
    if packed.same_answers:
        return ""
    run = pool.submit(stage.judge, REFITTED.name, packed, failures=None).result()
    return _refusal(run, control.result().fail_for_all)


def _refusal(run: Rehearsed, not_counted: Sequence[str] = ()) -> str:
    """Why the run did not approve; empty if it did, or if only uncounted checks failed."""
    if run.verdict is None:
        return f"pytest ended with exit status {run.code} and no verdict: {run.said}"
    if run.verdict.outcome == "approved":
        return ""
    first = _first_objection(run.verdict, not_counted)
    if first is None:
        return "" if not_counted else f"The verdict is {run.verdict.outcome}"
    return f"{first.check} {first.outcome}: {first.message}"


def _first_objection(verdict: Verdict, not_counted: Sequence[str] = ()) -> CheckResult | None:
    """The first counted check that refused: a failed one, or else an unproven one."""
    failed = [result for result in verdict.results if result.check in verdict.failed]
    unproven = [result for result in verdict.results if result.check in verdict.unproven]
    if failed:  # the run stopped there, so checks that did not run say nothing
        unproven = [result for result in unproven if result.outcome not in NOT_RUN]
    return next((result for result in (*failed, *unproven) if result.check not in not_counted), None)


def _tried(
    stage: _Stage,
    pool: ThreadPoolExecutor,
    mutant: Mutant,
    control: Future[_Control],
    *,
    refitted: str,
    first: Sequence[str],
) -> Future[Trial]:
    """The future trial of a mutant. It is already done if there is nothing to judge."""
    ended: Future[Trial] = Future()
    task = stage.ground.task.name
    if mutant.refits and refitted:
        why = f"an unchanged refit differs from the candidate: {refitted}"
        ended.set_result(_trial(mutant, task, "does not apply", message=why))
        return ended
    try:
        packed = stage.pack(mutant)
    except DoesNotApply as error:
        ended.set_result(_trial(mutant, task, "does not apply", message=error.why))
    except Exception as error:
        # The project's own steps and features may raise anything on broken inputs.
        ended.set_result(_trial(mutant, task, "not opened", message=f"{type(error).__name__}: {error}"))
    else:
        if not (packed.same_answers if mutant.shows == "in its answers" else packed.same_bundle):
            return pool.submit(_judged, stage, mutant, packed, control, first=first)
        why = "changed nothing: it answers every held-out row as the candidate does"
        ended.set_result(_trial(mutant, task, "same answers", what=packed.what, message=why))
    return ended


def _judged(
    stage: _Stage, mutant: Mutant, packed: _Packed, control: Future[_Control], *, first: Sequence[str]
) -> Trial:
    # Known once the control has ended; until then, the first failed check may be one of them. If some checks run
    # first, the run ends after them, because all others would take too long.
    known = control.result().fail_for_all if control.done() and not first else ()
    run = _run(stage, mutant, packed, control, first=first, besides=known)
    not_counted = known
    if run.verdict is not None and run.verdict.outcome != "approved":
        not_counted = control.result().fail_for_all
        if len(known) < len(not_counted) and _first_objection(run.verdict, not_counted) is None:
            run = _run(stage, mutant, packed, control, first=first, besides=not_counted, name=f"{mutant.name}-again")

    def ended(fate: TrialOutcome, message: str = "") -> Trial:
        failed = run.verdict.failed if run.verdict is not None else ()
        return replace(
            _trial(mutant, stage.ground.task.name, fate, what=packed.what, message=message, seconds=run.seconds),
            not_counted=tuple(check for check in failed if check in not_counted),
        )

    if run.stopped:
        return ended("out of time", f"it was ended after {run.seconds:.0f} s: an unfinished run approves nothing")
    if run.verdict is None:
        return ended("no verdict", _refusal(run))
    if run.verdict.outcome == "approved":
        return ended("survived")
    against = _first_objection(run.verdict, not_counted)
    if against is None:
        return ended("survived") if not_counted else ended("no verdict", _refusal(run))
    return replace(ended("caught", against.message), check=against.check, by_error=against.outcome == "error")


def _run(
    stage: _Stage,
    mutant: Mutant,
    packed: _Packed,
    control: Future[_Control],
    *,
    first: Sequence[str],
    besides: Sequence[str],
    name: str = "",
) -> Rehearsed:
    """A gate run until one check fails, not counting those that fail for every mutant."""
    return stage.judge(
        name or mutant.name, packed, failures=1 + len(besides), first=first, limit=lambda: _limit(control)
    )


def _trial(
    mutant: Mutant, task: TaskName, fate: TrialOutcome, *, what: str = "", message: str = "", seconds: float = 0.0
) -> Trial:
    question = mutant.asked[task]
    return Trial(
        mutant=mutant.name,
        fate=fate,
        slip=mutant.slip,
        what=what,
        message=message,
        question=question.words,
        remedy=question.remedy,
        seconds=round(seconds, 1),
    )
