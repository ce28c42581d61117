"""What is asked of a candidate's gain on the champion, and the answer: a decision, and what the rows can tell at all.

Input: a gain with its interval, a margin. Output: `Evidence`. Nothing here measures.
"""

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

from proveout.errors import UsageError
from proveout.evaluation.stats import array_checks
from proveout.records.verdict import Evidence

FIRST = "first: no champion to compare with"
COVERS = ("infra-4",)
STRICTLY = 1e-12  # "better" is more than 0, past the rounding of floats
FOUND_IN = 0.8  # the share of runs in which the stated gain is found
# From here on a model worse by the margin passes in about 5 % of runs, where clusters are as skewed as days of flights
# are: with 60 of them 4 to 6 % did (by AUC, of models with fewer columns, 7 %), with 30 up to 8 %.
ENOUGH_CLUSTERS = 60


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What one model has on another: positive is better. From `low` to `high` it is by a confidence interval."""

    value: float
    low: float
    high: float
    error: float  # the standard error of the value
    clusters: int | None = None  # that the interval is from; None for rows that are independent


NO_GAIN = Gain(value=0.0, low=0.0, high=0.0, error=0.0)  # both say the same of every row


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question: is `name` of the candidate surely not worse by `margin`, or surely `better`?"""

    name: str
    rows: int
    margin: float
    better: bool
    level: float  # of the one-sided statement
    spread: float = 0.0  # the standard deviation of the metric over trainings that differ in their seed alone

    def __post_init__(self) -> None:
        array_checks.within("level", self.level, 0.5, 1.0)
        if not 0 <= self.margin < float("inf"):
            raise UsageError(f"margin is {self.margin:g}, asked: 0 or more, how much worse is too much, such as 0.01.")
        if not 0 <= self.spread < float("inf"):
            raise UsageError(f"spread is {self.spread:g}, asked: 0 or more, how far seeds differ in {self.name}.")

    @property
    def shown(self) -> float:
        """The level of an interval with two ends, of which each is surpassed in 1 - `level` of runs."""
        return 2 * self.level - 1

    @property
    def at_least(self) -> float:
        """What the lower end of the gain has to reach."""
        return STRICTLY if self.better else -self.margin

    def answer(self, gain: Gain, *, champion: float) -> Evidence:
        """The gain, held against what is asked."""
        return replace(
            self._blank(champion),
            value=gain.value,
            low=gain.low,
            high=gain.high,
            level=self.shown,
            decision="; ".join((self._decided(gain), self._told(gain), *self._warned(gain))),
        )

    def unjudged(self, why: str, *, value: float | None = None, champion: float | None = None) -> Evidence:
        """No answer, and why."""
        return replace(self._blank(champion), value=value, unjudged=why)

    def first(self, own: Evidence) -> Evidence:
        """Without a champion: the candidate's own value, of which nothing is asked."""
        return replace(own, decision=FIRST)

    def _blank(self, champion: float | None) -> Evidence:
        return Evidence(
            name=f"{self.name}, gain on the champion",
            value=None,
            rows=self.rows,
            champion=champion,
            at_least=self.at_least,
            surely=True,
            covers=COVERS,
        )

    def _decided(self, gain: Gain) -> str:
        if gain.low >= STRICTLY:
            return "better"
        if gain.low >= -self.margin:
            return "not worse"
        return "worse" if gain.high <= -STRICTLY else "undecided"

    def _told(self, gain: Gain) -> str:
        """What these rows can tell of a model that differs from the champion as this one does, in so many rows."""
        down = gain.value - gain.low
        if self.better:
            return f"a gain of {down + NormalDist().inv_cdf(FOUND_IN) * gain.error:.2g} is found in 80 % of runs"
        other = "a model of another seed" if self.spread else "an equal model"
        return f"{other} is refused in {_percent(refused(gain, self.margin, spread=self.spread))} of runs"

    def _warned(self, gain: Gain) -> tuple[str, ...]:
        """So few clusters may hold none of the bad days that carry a loss, and then no interval knows of them."""
        if gain.clusters is None or gain.clusters >= ENOUGH_CLUSTERS:
            return ()
        wrong = _percent(1 - self.level)
        return (f"{gain.clusters} clusters are few: more than {wrong} may pass that should not",)


def refused(gain: Gain, margin: float, *, spread: float = 0.0) -> float:
    """The share of runs in which a model like the champion is refused at `margin`, with intervals like this one.

    Like the champion is one that is equal to it, or, with `spread`, the same training with another seed: the two truly
    differ then, by twice the variance of one.

    >>> gain = Gain(value=0.0, low=-0.0082, high=0.0082, error=0.005)
    >>> round(refused(gain, margin=0.01), 2), round(refused(gain, margin=0.01, spread=0.004), 2)
    (0.36, 0.41)
    """
    down = gain.value - gain.low
    deviation = math.hypot(gain.error, math.sqrt(2) * spread)
    if deviation == 0:
        return float(down > margin)
    return NormalDist().cdf((down - margin) / deviation)


def _percent(share: float) -> str:
    if share < 0.005:
        return "under 1 %"
    return "over 99 %" if share > 0.995 else f"{share:.0%}".replace("%", " %")
