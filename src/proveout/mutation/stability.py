"""The same candidate judged by ever other held-out rows: which checks change their mind.

Input: settings, the folder of a candidate, how often. Output: a `StabilityReport`. Each round runs the checks that
look at held-out rows on a random half of them. An estimate from half of the rows, drawn without putting back, varies
about that from all of them as much as that from all of them varies about the truth. Its interval is 1.41 times as wide,
and is taken back to what it is of all rows before a bound is asked of it. So no row is there twice, as in a bootstrap:
what looks for copies, leaks and event keys finds none that were not there, and clusters stay apart. Rows that the
checks group by `clusters=`, such as days, are drawn by whole clusters. A check that says otherwise of every half is one
that counts rows: it says nothing of which rows they are, and is not counted.

Sources: the delete-d jackknife with d half of the rows (Shao and Wu, Annals of Statistics 17 (1989)); half-samples
(McCarthy, Review of the International Statistical Institute 37 (1969)).
"""

import math
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from proveout.errors import ProveoutError
from proveout.evaluation import holdout_sample
from proveout.evaluation.context import EvaluationContext
from proveout.mutation.sandbox import Rehearsed, Sandbox
from proveout.records.values import Digest
from proveout.records.verdict import NOT_RUN, USUAL_ERROR_RATE, Verdict
from proveout.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROUNDS = 20
SURE = 0.05  # a check that flips in no more than its level is named in at most this share of reports
FEWEST_CLUSTERS = 10
GATE = "gate::"

Said = Literal["passed", "failed", "too few rows"]


class NothingToJudge(ProveoutError):
    """No round can be judged: no check looks at held-out rows, or a run came to no verdict."""

    exit_code = 3

    def __init__(self, candidate: str, why: str) -> None:
        super().__init__(candidate, why)
        self.candidate, self.why = candidate, why

    def __str__(self) -> str:
        return f"{self.candidate} cannot be judged by other held-out rows: {self.why}. See: proveout gate"


@dataclass(frozen=True, kw_only=True)
class CheckStability:
    """What one check said of the rounds."""

    check: str  # node id
    passed: bool  # on all rows
    rounds: int  # those that it could be asked in
    flips: int  # those of them in which it said otherwise
    too_few_rows: int  # rounds in which half of the rows were too few for it
    level: float  # how often it may flip: the error rate that it states
    stated: bool  # it states one; else the usual is taken

    @property
    def share(self) -> float:
        """Of the rounds, those in which it said otherwise."""
        return self.flips / self.rounds if self.rounds else 0.0

    @property
    def counts_rows(self) -> bool:
        """Whether it said otherwise of every half: then it asks how many rows there are, not which."""
        return self.rounds > 0 and self.flips == self.rounds

    @property
    def unstable(self) -> bool:
        """Whether it flips surely more often than its level.

        >>> many = CheckStability(check="t", passed=True, rounds=20, flips=4, too_few_rows=0, level=0.05, stated=True)
        >>> many.unstable, CheckStability(**{**vars(many), "flips": 3}).unstable
        (True, False)
        """
        return 0 < self.flips < self.rounds and _at_least(self.flips, self.rounds, self.level) < SURE


def _at_least(flips: int, rounds: int, level: float) -> float:
    """The chance of so many flips or more, of a check that flips with the chance `level`."""
    return sum(math.comb(rounds, k) * level**k * (1 - level) ** (rounds - k) for k in range(flips, rounds + 1))


@dataclass(frozen=True, kw_only=True)
class StabilityReport:
    """How stable the verdict on one candidate is."""

    model: str
    candidate: Digest
    rows: int  # held out, outcome known
    clusters: int | None  # that were drawn whole; None: single rows
    rounds: int
    changed: int  # rounds in which any check said otherwise, those that count rows aside
    checks: tuple[CheckStability, ...]  # those that look at held-out rows; that flips most, first
    seconds: float

    @property
    def unstable(self) -> tuple[CheckStability, ...]:
        return tuple(one for one in self.checks if one.unstable)

    @property
    def passed(self) -> bool:
        return not self.unstable


Say = Callable[[int, int, int], None]
"""Told of each round as it ends: how many have ended, of how many, and how many checks said otherwise in it."""


def run(
    settings: Settings,
    folder: Path,
    *,
    rounds: int = ROUNDS,
    seed: int = 0,
    workers: int | None = None,
    say: Say = lambda done, of, flips: None,
) -> StabilityReport:
    """Judge the candidate in `folder` by all of its held-out rows, then by `rounds` halves of them.

    Raises: NothingToJudge; whatever opening the candidate raises.
    """
    begun, cores = time.monotonic(), os.cpu_count() or 1
    workers = workers or cores
    context = EvaluationContext(settings, folder)
    rows, digest = context.holdout.rows, context.bundle.digest
    _ = context.champion  # opened here: a shared store is mirrored before the runs look into the mirror
    with tempfile.TemporaryDirectory(prefix="proveout-stability-") as temporary:
        place = Path(temporary)
        with (
            Sandbox(settings, place, threads=max(1, cores // workers)) as sandbox,
            ThreadPoolExecutor(workers, thread_name_prefix="stability") as pool,
        ):

            def judged(name: str, places: "NDArray[np.intp]", scale: float) -> Verdict:
                file = place / f"rows-{name}" / "rows.json"
                file.parent.mkdir()
                holdout_sample.write(file, places, interval_scale=scale)
                options = ("--holdout-sample", str(file))
                ran = sandbox.judge(folder, digest, name=name, failures=None, limit=lambda: None, options=options)
                return _verdict(ran, context.bundle.name)

            try:
                whole = judged("all", _everything(rows), 1.0)
                named = holdout_sample.clusters(place / "rows-all" / "rows.json")
                clusters = _usable(named)
                drawn = halves(rows, rounds, clusters=clusters, seed=seed)
                waiting = {pool.submit(judged, str(at), places, scale): at for at, (places, scale) in enumerate(drawn)}
                verdicts: dict[int, Verdict] = {}
                for future in as_completed(waiting):
                    verdicts[waiting[future]] = future.result()
                    say(len(verdicts), rounds, len(_flipped(whole, verdicts[waiting[future]])))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                sandbox.close()
                raise
    found = compare(whole, [verdicts[at] for at in range(rounds)])
    if not found:
        raise NothingToJudge(context.bundle.name, "no check asks for the fixture holdout")
    counting = {one.check for one in found if one.counts_rows}
    return StabilityReport(
        model=context.bundle.model,
        candidate=digest,
        rows=rows,
        clusters=None if clusters is None else int(clusters.max()) + 1,
        rounds=rounds,
        changed=sum(bool({*_flipped(whole, verdict)} - counting) for verdict in verdicts.values()),
        checks=found,
        seconds=time.monotonic() - begun,
    )


def _verdict(ran: Rehearsed, name: str) -> Verdict:
    if ran.verdict is None:
        raise NothingToJudge(name, f"pytest ended with exit status {ran.code} and no verdict: {ran.said}")
    return ran.verdict


def _everything(rows: int) -> "NDArray[np.intp]":
    import numpy as np

    return np.arange(rows)


def _usable(clusters: "NDArray[np.intp] | None") -> "NDArray[np.intp] | None":
    """The clusters, if there are enough of them to draw halves."""
    return clusters if clusters is not None and int(clusters.max(initial=0)) + 1 >= FEWEST_CLUSTERS else None


def halves(
    rows: int, rounds: int, *, clusters: "NDArray[np.intp] | None", seed: int
) -> "list[tuple[NDArray[np.intp], float]]":
    """So many random halves of the rows, in their order; with each, by what its intervals are scaled to be of all rows.

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
        # Of an odd number, now one more and now one less.
        taken = random.permutation(there)[: (there + int(random.integers(2))) // 2]
        found.append((np.flatnonzero(np.isin(group, taken)), math.sqrt(len(taken) / there)))
    return found


def compare(whole: Verdict, rounds: Sequence[Verdict]) -> tuple[CheckStability, ...]:
    """How often each check said otherwise than on all rows; that which did so most, first."""
    before = _said(whole)
    found = []
    for check, said in before.items():
        then = [_said(verdict, like=whole).get(check, "too few rows") for verdict in rounds]
        rates = [one.error_rate for one in whole.evidence if one.check == check and one.error_rate is not None]
        asked = [one for one in then if one != "too few rows"]
        found.append(
            CheckStability(
                check=check,
                passed=said == "passed",
                rounds=len(asked),
                flips=sum(one != said for one in asked),
                too_few_rows=len(then) - len(asked),
                level=max(rates, default=USUAL_ERROR_RATE),
                stated=bool(rates),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.share, one.check)))


def _flipped(whole: Verdict, other: Verdict) -> list[str]:
    then = _said(other, like=whole)
    return [
        check for check, said in _said(whole).items() if then.get(check, "too few rows") not in (said, "too few rows")
    ]


def _said(verdict: Verdict, *, like: Verdict | None = None) -> dict[str, Said]:
    """What each check said.

    Args:
        like: where a check cannot answer for lack of rows, and could here, the rows are too few.
    """
    unjudged = _unjudged(verdict) - (_unjudged(like) if like is not None else set())
    found: dict[str, Said] = {}
    for result in verdict.results:
        if result.outcome in NOT_RUN or result.check.startswith(GATE):
            continue
        said: Said = "passed" if result.outcome == "passed" else "failed"
        lacking = like is not None and any(check == result.check for check, _, _ in unjudged)
        found[result.check] = "too few rows" if lacking and said == "failed" else said
    return found


def _unjudged(verdict: Verdict) -> set[tuple[str, str, str]]:
    return {(one.check, one.name, one.slice or "") for one in verdict.evidence if one.unjudged}
