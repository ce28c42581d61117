"""The challenge: the candidate is broken on purpose, and the project's own checks have to notice.

Comes in: settings, the folder of a candidate and the mutants to try. Goes out: a `ChallengeReport`. First the candidate
itself is judged in the same setting, packed again without a change: a gate that refuses everything catches everything.
Nothing is written to the project's ledger, store or keys.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from proveout.errors import Misused, ProveoutError
from proveout.gate.material import Material
from proveout.gate.mutants.catalogue import MUTANTS, REFITTED, UNCHANGED
from proveout.gate.mutants.ground import Ground
from proveout.gate.mutants.mutant import DoesNotApply, Mutant
from proveout.gate.mutants.rehearsal import Limit, Rehearsal, Rehearsed
from proveout.gate.mutants.trials import ChallengeReport, Fate, Trial
from proveout.records import CheckResult, Digest, Verdict
from proveout.settings import Settings, load_object
from proveout.training.variant import repack

SLACK_S = 60.0
SLOWER = 3.0  # a run of the gate may take so many times as long as the candidate's own, and SLACK_S more


class NotChallenged(ProveoutError):
    """The gate does not approve the candidate itself, so what it says of broken ones says nothing."""

    exit_code = 3

    def __init__(self, candidate: str, why: str) -> None:
        super().__init__(candidate, why)
        self.candidate, self.why = candidate, why

    def __str__(self) -> str:
        return (
            f"{self.candidate} can not be challenged: unchanged, the checks do not approve it either, and a gate that "
            f"refuses everything catches everything. {self.why}. Mend that first: proveout gate {self.candidate[-12:]}"
        )


Say = Callable[[Trial, int, int], None]
"""Told of each trial as it ends: the trial, how many have ended and of how many."""


def choose(names: Sequence[str]) -> tuple[Mutant, ...]:
    """The mutants of these names, or all of them. Raises: Misused for a name that none has."""
    known = {mutant.name: mutant for mutant in MUTANTS}
    strange = sorted({*names} - {*known})
    if strange:
        raise Misused(f"There is no mutant {', '.join(strange)}. There are: {', '.join(known)}.")
    return tuple(mutant for mutant in MUTANTS if not names or mutant.name in names)


def run(
    settings: Settings,
    folder: Path,
    *,
    mutants: Sequence[Mutant] = MUTANTS,
    tolerated: int = 0,
    workers: int | None = None,
    say: Say = lambda trial, done, of: None,
) -> ChallengeReport:
    """Put every mutant of the candidate in `folder` before the project's checks.

    Args:
        tolerated: how many may survive.
        workers: runs of the gate at a time; one for each processor without it.
        say: told of each trial when it has ended, in the order they end.
    Raises: NotChallenged if the gate does not approve the candidate itself; NotFound, BundleError, ConfigError.
    """
    begun, cores = time.monotonic(), os.cpu_count() or 1
    workers = workers or cores
    material = Material(settings, folder)
    ground = _ground(settings, material)
    champion = material.champion  # opened here: a shared store is mirrored before the runs look into the mirror
    with tempfile.TemporaryDirectory(prefix="proveout-challenge-") as temporary:
        place = Path(temporary)
        threads = max(1, cores // workers)
        with (
            Rehearsal(settings, place, threads=threads) as rehearsal,
            ThreadPoolExecutor(workers, thread_name_prefix="challenge") as pool,
        ):
            try:
                stage = _Stage(settings=settings, ground=ground, rehearsal=rehearsal, folder=place, threads=threads)
                whole, trials = _trials(stage, pool, mutants, say=say)
            except BaseException:
                # The pool waits for its threads, and they for their runs: end those first.
                pool.shutdown(wait=False, cancel_futures=True)
                rehearsal.close()
                raise
    return ChallengeReport(
        model=material.bundle.model,
        candidate=material.bundle.digest,
        champion=champion.bundle.digest if champion is not None else None,
        trials=trials,
        checks=len(whole.results),
        tolerated=tolerated,
        workers=workers,
        seconds=time.monotonic() - begun,
    )


def _ground(settings: Settings, material: Material) -> Ground:
    schema = load_object(settings.request_schema, settings.root)
    described = {name: getattr(column, "description", None) for name, column in schema.to_schema().columns.items()}
    return Ground(
        candidate=material.candidate,
        training=material.training,
        holdout=material.holdout,
        units={name: text for name, text in described.items() if text},
        deadline_s=settings.deadline_s,
    )


@dataclass(frozen=True, kw_only=True)
class _Packed:
    """A mutant, ready for the gate."""

    folder: Path
    digest: Digest
    what: str
    same_answers: bool  # to the held-out rows, to the last digit


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """Where mutants are packed and judged."""

    settings: Settings
    ground: Ground
    rehearsal: Rehearsal
    folder: Path
    threads: int

    def pack(self, mutant: Mutant) -> "_Packed":
        """The mutant's bundle. Raises: DoesNotApply; whatever packing or opening it raises."""
        import numpy as np
        from threadpoolctl import threadpool_limits

        building = self.folder / mutant.name / "bundle"
        building.mkdir(parents=True)
        training = (self.ground.training.raw, self.ground.training.labels)
        heldout = (self.ground.holdout.raw, self.ground.holdout.labels)
        # The processors are the gate's: threads that wait for each other on busy ones take ten times as long.
        with threadpool_limits(limits=self.threads):
            change = mutant.make(self.ground)
            made = repack(self.ground.candidate, building, change, training=training, heldout=heldout)
        return _Packed(
            # Named as in the store, so that no check can tell by the name.
            folder=building.rename(building.with_name(made.bundle.digest)),
            digest=made.bundle.digest,
            what=change.what,
            same_answers=bool(np.array_equal(made.scores, self.ground.scores)),
        )

    def judge(
        self,
        name: str,
        packed: _Packed,
        *,
        whole: bool = False,
        first: Sequence[str] = (),
        limit: Limit = lambda: None,
    ) -> Rehearsed:
        """One run of the gate; to its end, or to the first check that does not pass."""
        # With a waiver, the first check that fails is not the end: the gate may approve all the same.
        waivers = self.settings.root / self.settings.waivers
        first_only = not whole and not (waivers.is_file() and waivers.read_text(encoding="utf-8").strip())
        return self.rehearsal.judge(
            packed.folder, packed.digest, name=name, first=first, first_only=first_only, limit=limit
        )


def _trials(
    stage: _Stage, pool: ThreadPoolExecutor, mutants: Sequence[Mutant], *, say: Say
) -> tuple[Verdict, tuple[Trial, ...]]:
    """What the gate says of the candidate itself, and of each mutant."""
    control = pool.submit(stage.judge, UNCHANGED.name, _unchanged(stage), whole=True)
    refitted = _unlike_itself(stage, pool) if any(mutant.refits for mutant in mutants) else ""
    ended: dict[str, Trial] = {}
    waiting: list[Future[Trial]] = []

    def report(done: Iterable[Future[Trial]]) -> None:
        for future in done:
            trial = future.result()
            ended[trial.mutant] = trial
            say(trial, len(ended), len(mutants))

    def judged(mutant: Mutant, first: Sequence[str] = ()) -> None:
        waiting.append(_tried(stage, pool, mutant, refitted=refitted, first=first, limit=lambda: _limit(control)))

    for mutant in mutants:
        if mutant.first:
            continue
        judged(mutant)
        if control.done():
            _approved(stage, control.result())
            done = [future for future in waiting if future.done()]
            waiting = [future for future in waiting if future not in done]
            report(done)
    whole = _approved(stage, control.result())
    for mutant in mutants:
        if mutant.first:
            judged(mutant, [result.check for result in whole.results if mutant.first in result.covers])
    report(as_completed(waiting))
    return whole, tuple(ended[mutant.name] for mutant in mutants)


def _limit(control: Future[Rehearsed]) -> float | None:
    """How long a run may take; not known before the candidate's own has ended."""
    return SLOWER * control.result().seconds + SLACK_S if control.done() else None


def _unchanged(stage: _Stage) -> _Packed:
    try:
        return stage.pack(UNCHANGED)
    except Exception as error:
        # The project's own steps and features, on all rows at once.
        problem = f"Packed again, it raises {type(error).__name__}: {error}"
        raise NotChallenged(stage.ground.candidate.bundle.name, problem) from error


def _approved(stage: _Stage, control: Rehearsed) -> Verdict:
    """The verdict on the candidate itself. Raises: NotChallenged if it is not an approval."""
    if control.verdict is None or control.verdict.outcome != "approved":
        raise NotChallenged(stage.ground.candidate.bundle.name, _refusal(control))
    return control.verdict


def _unlike_itself(stage: _Stage, pool: ThreadPoolExecutor) -> str:
    """Why what is fitted again says nothing; empty if, without a change, it answers as the candidate or is approved."""
    try:
        packed = stage.pack(REFITTED)
    except Exception as error:
        return f"it raises {type(error).__name__}: {error}"
    if packed.same_answers:
        return ""
    return _refusal(pool.submit(stage.judge, REFITTED.name, packed, whole=True).result())


def _refusal(run: Rehearsed) -> str:
    """Why the run ended without an approval; empty if it has one."""
    if run.verdict is None:
        return f"pytest ended with exit status {run.code} and no verdict: {run.said}"
    if run.verdict.outcome == "approved":
        return ""
    first = _first_objection(run.verdict)
    return f"{first.check} {first.outcome}: {first.message}" if first else f"The verdict is {run.verdict.outcome}"


def _first_objection(verdict: Verdict) -> CheckResult | None:
    for against in (verdict.failed, verdict.unproven):
        for result in verdict.results:
            if result.check in against:
                return result
    return None


def _tried(
    stage: _Stage, pool: ThreadPoolExecutor, mutant: Mutant, *, refitted: str, first: Sequence[str], limit: Limit
) -> Future[Trial]:
    """The trial of a mutant, to come; it has ended already where there is nothing to put before the gate."""
    ended: Future[Trial] = Future()
    if mutant.refits and refitted:
        why = f"fitted again without a change, the candidate is not itself: {refitted}"
        ended.set_result(_trial(mutant, "does not apply", message=why))
        return ended
    try:
        packed = stage.pack(mutant)
    except DoesNotApply as error:
        ended.set_result(_trial(mutant, "does not apply", message=error.why))
    except Exception as error:
        # The project's own steps and features, fed what nobody fed them before.
        ended.set_result(_trial(mutant, "not opened", message=f"{type(error).__name__}: {error}"))
    else:
        if mutant.shows != "in its answers" or not packed.same_answers:
            return pool.submit(_judged, stage, mutant, packed, first=first, limit=limit)
        why = "it answers every held-out row as the candidate does, so it is no other model"
        ended.set_result(_trial(mutant, "same answers", what=packed.what, message=why))
    return ended


def _judged(stage: _Stage, mutant: Mutant, packed: _Packed, *, first: Sequence[str], limit: Limit) -> Trial:
    run = stage.judge(mutant.name, packed, first=first, limit=limit)

    def ended(fate: Fate, message: str = "") -> Trial:
        return _trial(mutant, fate, what=packed.what, message=message, seconds=run.seconds)

    if run.stopped:
        return ended("out of time", f"it was ended after {run.seconds:.0f} s: what is not over approves nothing")
    if run.verdict is None:
        return ended("no verdict", _refusal(run))
    if run.verdict.outcome == "approved":
        return ended("survived")
    against = _first_objection(run.verdict)
    if against is None:
        return ended("no verdict", _refusal(run))
    return replace(ended("caught", against.message), check=against.check, by_error=against.outcome == "error")


def _trial(mutant: Mutant, fate: Fate, *, what: str = "", message: str = "", seconds: float = 0.0) -> Trial:
    return Trial(
        mutant=mutant.name,
        fate=fate,
        slip=mutant.slip,
        what=what,
        message=message,
        question=mutant.question,
        remedy=mutant.remedy,
        seconds=round(seconds, 1),
    )
