"""The same candidate judged by ever other held-out rows: which checks change their mind.

Input: settings, the folder of a candidate, how often. Output: a `StabilityReport`. All held-out rows judge first. Each
round then runs the checks that have read any of these on a random half of them. An estimate from half of the rows,
drawn without putting back, varies about that from all of them as much as that from all of them varies about the truth.
Its interval is 1.41 times as wide, and is taken back to what it is of all rows before a bound is asked of it. So no row
is there twice, as in a bootstrap: what looks for copies, leaks and event keys finds none that were not there, and
clusters stay apart. Rows that the checks group by `clusters=`, such as days, are drawn by whole clusters.

Not counted is a check that says otherwise of every half: it counts rows, and says nothing of which rows they are. Nor
is a round that comes to no verdict, or in which a check cannot be asked since a fixture raises: the report names it.

Sources: the delete-d jackknife with d half of the rows (Shao and Wu, Annals of Statistics 17 (1989)); half-samples
(McCarthy, Review of the International Statistical Institute 37 (1969)).
"""

import math
import os
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from proveout.errors import ProveoutError
from proveout.evaluation import holdout_sample, metrics
from proveout.evaluation.context import EvaluationContext
from proveout.mutation.sandbox import SLACK_S, SLOWER, Rehearsed, Sandbox
from proveout.mutation.warm_gate import WarmGate
from proveout.records.values import Digest
from proveout.records.verdict import NOT_RUN, USUAL_ERROR_RATE, Verdict
from proveout.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROUNDS = 20
SURE = 0.05  # a check that flips no more often than its level is named in at most this share of reports
FEWEST_CLUSTERS = 10
SLOW_S = 1.0  # of the processor: a check that takes more is slow
GATE = "gate::"

Said = Literal["passed", "failed", "too few rows", "broke"]
_NO_ANSWER: frozenset[Said] = frozenset({"too few rows", "broke"})


class NothingToJudge(ProveoutError):
    """No round can be judged: no check uses held-out rows, or a run had no verdict."""

    exit_code = 3

    def __init__(self, candidate: str, why: str) -> None:
        super().__init__(candidate, why)
        self.candidate, self.why = candidate, why

    def __str__(self) -> str:
        return f"{self.candidate} cannot be judged on other held-out rows: {self.why}. See: proveout gate"


@dataclass(frozen=True, kw_only=True)
class CheckStability:
    """The results of one check over all rounds."""

    check: str  # node id
    passed: bool  # on all rows
    rounds: int  # rounds in which it could measure
    flips: int  # of these, rounds with another result than on all rows
    too_few_rows: int  # rounds in which half of the rows were too few
    broke_in: tuple[int, ...] = ()  # the rounds, from 1 on, in which it could not be asked; 0: on all rows
    level: float  # how often it may flip: its stated error rate
    stated: bool  # whether it states one; else the usual one is used

    @property
    def share(self) -> float:
        """The share of rounds with another result than on all rows."""
        return self.flips / self.rounds if self.rounds else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Of the share, with 95 % (Wilson)."""
        return metrics.wilson(self.share, self.rounds, level=0.95) if self.rounds else (0.0, 1.0)

    @property
    def counts_rows(self) -> bool:
        """Whether every half had another result: then it depends on how many rows there are, not on which."""
        return self.rounds > 0 and self.flips == self.rounds

    @property
    def unstable(self) -> bool:
        """Whether it flips significantly more often than its level.

        >>> many = CheckStability(check="t", passed=True, rounds=20, flips=4, too_few_rows=0, level=0.05, stated=True)
        >>> many.unstable, CheckStability(**{**vars(many), "flips": 3}).unstable
        (True, False)
        """
        return 0 < self.flips < self.rounds and _at_least(self.flips, self.rounds, self.level) < SURE


def _at_least(flips: int, rounds: int, level: float) -> float:
    """The probability of at least `flips` flips in `rounds`, if each has the probability `level`."""
    return sum(math.comb(rounds, k) * level**k * (1 - level) ** (rounds - k) for k in range(flips, rounds + 1))


@dataclass(frozen=True, kw_only=True)
class Crash:
    """A round that came to no verdict."""

    round: int  # from 1 on
    why: str


@dataclass(frozen=True, kw_only=True)
class StabilityReport:
    """How stable the verdict on one candidate is."""

    model: str
    candidate: Digest
    rows: int  # held-out rows with a known outcome
    clusters: int | None  # drawn as a whole; None: single rows were drawn
    rounds: int  # that came to a verdict
    changed: int  # of them, those in which any check said otherwise, those that count rows aside
    checks: tuple[CheckStability, ...]  # those that read held-out rows; that flips most, first
    unread: tuple[str, ...] = ()  # checks that asked for the held-out rows and read none of them
    crashes: tuple[Crash, ...] = ()
    seconds: float

    @property
    def unstable(self) -> tuple[CheckStability, ...]:
        return tuple(one for one in self.checks if one.unstable)

    @property
    def complete(self) -> bool:
        """Whether every check was asked in every round."""
        return not self.crashes and not any(one.broke_in for one in self.checks)

    @property
    def passed(self) -> bool:
        return self.complete and not self.unstable


Say = Callable[[int, int, int | None], None]
"""Told of each round as it ends: how many have ended, of how many, and how many checks said otherwise in it; None for a
round without a verdict."""


def run(
    settings: Settings,
    folder: Path,
    *,
    rounds: int = ROUNDS,
    slow_rounds: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    say: Say = lambda done, of, flips: None,
) -> StabilityReport:
    """Judge the candidate in `folder` by all of its held-out rows, then by `rounds` halves of them.

    Args:
        slow_rounds: the first so many also ask checks that take more than `SLOW_S`; without it, all do.
    Raises: NothingToJudge; whatever opening the candidate raises.
    """
    begun, cores = time.monotonic(), os.cpu_count() or 1
    workers = workers or cores
    context = EvaluationContext(settings, folder)
    rows, bundle = context.holdout.rows, context.bundle
    _ = context.champion  # opened here, so that a shared store is mirrored before the runs read the mirror
    with tempfile.TemporaryDirectory(prefix="proveout-stability-") as temporary:
        place = Path(temporary)
        with (
            Sandbox(settings, place, threads=max(1, cores // workers)) as sandbox,
            ThreadPoolExecutor(workers, thread_name_prefix="stability") as pool,
        ):
            stage = _Stage(place=place, gate=WarmGate(sandbox, folder, bundle.digest))
            try:
                everything = stage.judge("all", _everything(rows), 1.0, checks=None, limit=None)
                whole = _verdict(everything, bundle.name)
                seen = holdout_sample.seen(stage.file("all"))
                unread = _unread(whole, seen.readers)
                asked = [check for check in _said(whole) if check not in unread]
                if not asked:
                    raise NothingToJudge(bundle.name, "no check reads rows of the fixture holdout")
                clusters = _usable(seen.clusters)
                drawn = halves(rows, rounds, clusters=clusters, seed=seed)
                quick = [check for check in asked if seen.cpu_s.get(check, 0.0) <= SLOW_S]
                slow = rounds if slow_rounds is None else slow_rounds
                limit = SLOWER * everything.seconds + SLACK_S
                waiting = {
                    pool.submit(
                        stage.judge, str(at), places, scale, checks=asked if at <= slow else quick, limit=limit
                    ): at
                    for at, (places, scale) in enumerate(drawn, start=1)
                }
                ended: dict[int, Rehearsed] = {}
                for future in as_completed(waiting):
                    ran = ended[waiting[future]] = future.result()
                    say(len(ended), rounds, None if ran.verdict is None else len(_flipped(whole, ran.verdict)))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                sandbox.close()
                raise
    crashes = tuple(Crash(round=at, why=_why(ran)) for at, ran in sorted(ended.items()) if ran.verdict is None)
    verdicts = {at: ran.verdict for at, ran in sorted(ended.items()) if ran.verdict is not None}
    if not verdicts:
        raise NothingToJudge(bundle.name, f"no round came to a verdict; the first: {crashes[0].why}")
    found = compare(whole, verdicts, checks=asked)
    counting = {one.check for one in found if one.counts_rows}
    return StabilityReport(
        model=bundle.model,
        candidate=bundle.digest,
        rows=rows,
        clusters=None if clusters is None else int(clusters.max()) + 1,
        rounds=len(verdicts),
        changed=sum(bool({*_flipped(whole, verdict)} - counting) for verdict in verdicts.values()),
        checks=found,
        unread=unread,
        crashes=crashes,
        seconds=time.monotonic() - begun,
    )


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """Where the candidate is judged by samples of its held-out rows."""

    place: Path
    gate: WarmGate

    def file(self, name: str) -> Path:
        return self.place / f"rows-{name}" / "rows.json"

    def judge(
        self,
        name: str,
        places: "NDArray[np.intp]",
        scale: float,
        *,
        checks: Sequence[str] | None,
        limit: float | None,
    ) -> Rehearsed:
        self.file(name).parent.mkdir()
        holdout_sample.write(self.file(name), places, interval_scale=scale, checks=checks)
        return self.gate.judge(name, limit=lambda: limit, options=("--holdout-sample", str(self.file(name))))


def _verdict(ran: Rehearsed, name: str) -> Verdict:
    if ran.verdict is None:
        raise NothingToJudge(name, _why(ran))
    return ran.verdict


def _why(ran: Rehearsed) -> str:
    if ran.stopped:
        return f"it was ended after {ran.seconds:.0f} s"
    return f"pytest ended with exit status {ran.code} and no verdict: {ran.said}"


def _unread(whole: Verdict, readers: Collection[str]) -> tuple[str, ...]:
    """The checks that came to an answer without a look at the held-out rows: other rows make no difference to them."""
    return tuple(check for check, said in _said(whole).items() if check not in readers and said != "broke")


def _everything(rows: int) -> "NDArray[np.intp]":
    import numpy as np

    return np.arange(rows)


def _usable(clusters: "NDArray[np.intp] | None") -> "NDArray[np.intp] | None":
    """The clusters, if there are enough to draw halves of them."""
    return clusters if clusters is not None and int(clusters.max(initial=0)) + 1 >= FEWEST_CLUSTERS else None


def halves(
    rows: int, rounds: int, *, clusters: "NDArray[np.intp] | None", seed: int
) -> "list[tuple[NDArray[np.intp], float]]":
    """`rounds` random halves: sorted row positions, and the factor that scales an interval to that for all rows.

    >>> [(places, scale)] = halves(100, 1, clusters=None, seed=0)
    >>> len(places), round(scale, 3)
    (50, 0.707)
    """
    import numpy as np

    random = np.random.default_rng(seed)
    group = _everything(rows) if clusters is None else clusters
    there = int(group.max(initial=-1)) + 1
    found = []
    for _ in range(rounds):
        # Of an odd number, a half has randomly one more or one less.
        taken = random.permutation(there)[: (there + int(random.integers(2))) // 2]
        found.append((np.flatnonzero(np.isin(group, taken)), math.sqrt(len(taken) / there)))
    return found


def compare(
    whole: Verdict, rounds: Mapping[int, Verdict], *, checks: Collection[str] | None = None
) -> tuple[CheckStability, ...]:
    """How often each check said otherwise than on all rows; that which did so most, first.

    Args:
        rounds: the verdict of each round, by its number.
        checks: those to compare; None: all that gave an answer on all rows.
    """
    before = _said(whole)
    found = []
    for check, said in before.items():
        if checks is not None and check not in checks:
            continue
        then = {
            at: _said(verdict, like=whole).get(check, "broke")
            for at, verdict in rounds.items()
            if not any(one.check == check and one.outcome == "deselected" for one in verdict.results)
        }
        rates = [one.error_rate for one in whole.evidence if one.check == check and one.error_rate is not None]
        broke = (0,) if said == "broke" else tuple(at for at, one in then.items() if one == "broke")
        asked = [one for one in then.values() if one not in _NO_ANSWER and said != "broke"]
        found.append(
            CheckStability(
                check=check,
                passed=said == "passed",
                rounds=len(asked),
                flips=sum(one != said for one in asked),
                too_few_rows=sum(one == "too few rows" for one in then.values()),
                broke_in=broke,
                level=max(rates, default=USUAL_ERROR_RATE),
                stated=bool(rates),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.share, one.check)))


def _flipped(whole: Verdict, other: Verdict) -> list[str]:
    then = _said(other, like=whole)
    answered = {check: said for check, said in _said(whole).items() if said != "broke"}
    return [check for check, said in answered.items() if then.get(check, said) not in {said, *_NO_ANSWER}]


def _said(verdict: Verdict, *, like: Verdict | None = None) -> dict[str, Said]:
    """What each check said; "broke" where it could not be asked, since a fixture of it raised or was ended.

    Args:
        like: where a check cannot answer for lack of rows, and could here, the rows are too few.
    """
    unjudged = _unjudged(verdict) - (_unjudged(like) if like is not None else set())
    found: dict[str, Said] = {}
    for result in verdict.results:
        if result.outcome in NOT_RUN or result.check.startswith(GATE):
            continue
        said: Said = "passed" if result.outcome == "passed" else "broke" if result.outcome == "error" else "failed"
        lacking = like is not None and any(check == result.check for check, _, _ in unjudged)
        found[result.check] = "too few rows" if lacking and said == "failed" else said
    return found


def _unjudged(verdict: Verdict) -> set[tuple[str, str, str]]:
    return {(one.check, one.name, one.slice or "") for one in verdict.evidence if one.unjudged}
