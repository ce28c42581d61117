"""What the gate says of a candidate: evidence, results of checks, waivers, the verdict.

Input: nothing. Output: `Verdict` and its parts. Checks state `Evidence`; `gate/` judges it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from proveout.records.values import Digest, Scalar

CheckOutcome = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed", "deselected", "missing", "empty"]
Judgement = Literal["approved", "refused", "incomplete"]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One measured number a check states, with the bounds it was asked to keep."""

    check: str = ""  # pytest node id; filled in when a check states it
    name: str
    value: float | None  # None where it cannot be had; `unjudged` then says why
    at_least: float | None = None
    at_most: float | None = None
    slice: str | None = None
    rows: int | None = None
    champion: float | None = None  # the champion's value of the same number, where there is one
    low: float | None = None  # confidence interval of the value
    high: float | None = None
    level: float | None = None  # of the interval, 0 to 1: 0.95 is 95 %
    surely: bool = False  # the bounds are asked of the interval's worse end, not of the value
    decision: str = ""  # the answer in a word or two where it is more than a bound: better, not worse, undecided
    unjudged: str = ""  # why this number is no answer, such as too few rows: it then neither holds nor breaks
    covers: tuple[str, ...] = ()  # tests of the ML Test Score that it is evidence for, such as "model-6"

    @property
    def holds(self) -> bool:
        """Whether the number is an answer, and keeps its bounds. NaN keeps none."""
        return not self.unjudged and self._within

    @property
    def error_rate(self) -> float | None:
        """How often the interval lies beyond a bound by chance, where that is asked `surely`: half of it at each end.

        >>> round(Evidence(name="auc", value=0.8, at_least=0.7, level=0.9, surely=True).error_rate, 4)
        0.05
        """
        if not self.surely or self.level is None or not 0 < self.level < 1:
            return None
        both = self.at_least is not None and self.at_most is not None
        return 1 - self.level if both else (1 - self.level) / 2

    @property
    def breaks(self) -> bool:
        """Whether the number is an answer, and does not keep its bounds."""
        return not self.unjudged and not self._within

    @property
    def _within(self) -> bool:
        # Without an interval, nothing is sure.
        low, high = (self.low, self.high) if self.surely else (self.value, self.value)
        above = self.at_least is None or (low is not None and low >= self.at_least)
        below = self.at_most is None or (high is not None and high <= self.at_most)
        return above and below and self.value is not None and self.value == self.value


USUAL_ERROR_RATE = 0.05
"""The error rate that is taken where no check states one."""
NOTHING_TO_ASK = "nothing to ask"
"""The decision of evidence on rows that hold no such thing."""
NOT_RUN = frozenset({"deselected", "missing"})
"""Outcomes of checks that this run never started."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What became of one check in a gate run."""

    check: str  # pytest node id
    outcome: CheckOutcome
    required: bool
    message: str = ""
    covers: tuple[str, ...] = ()  # tests of the ML Test Score, from its marks and its evidence


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """Leave for one check to fail until a day, by a person who answers for it."""

    check: str  # pytest node id, or the beginning of some
    by: str
    reason: str
    until: str  # ISO 8601 date, the last day it holds


@dataclass(frozen=True, kw_only=True)
class MovedBound:
    """A bound of `[evaluation]` that is another one than in an earlier verdict."""

    name: str
    before: Scalar  # None where it was not asked
    now: Scalar  # None where it is asked no more
    looser: bool | None  # whether less is asked; None where its name does not tell


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A candidate that the same held-out rows judged before."""

    candidate: Digest
    outcomes: tuple[Judgement, ...]  # of its verdicts, the oldest first


@dataclass(frozen=True, kw_only=True)
class HoldoutUse:
    """How often the same held-out rows have judged candidates of a model: each time, one more may pass by luck."""

    content: Digest  # of the held-out batch
    others: tuple[Attempt, ...] = ()  # candidates that were judged on it before, the first one first
    again: tuple[Judgement, ...] = ()  # what was said of this candidate before
    error_rate: float  # chance that one candidate which should be refused passes by luck
    stated: bool  # whether a check states that rate; without one, it is taken to be 5 %
    error_rate_at_most: float  # that may be, of all candidates together

    @property
    def candidates(self) -> int:
        """How many were judged on these rows, this one included."""
        return len(self.others) + 1

    @property
    def together(self) -> float:
        """Chance that one of them passes by luck, at most (Bonferroni)."""
        return min(1.0, self.candidates * self.error_rate)

    @property
    def holds_for(self) -> int:
        """How many candidates may be judged before that chance is above the one stated."""
        # Rounded up by a billionth: 0.1 / (0.1 / 3) is a little below 3.
        return int(self.error_rate_at_most / self.error_rate + 1e-9)

    @property
    def exceeded(self) -> bool:
        return self.candidates > self.holds_for


@dataclass(frozen=True, kw_only=True)
class SourceVersion:
    """One version of the code that makes rows, and the batches it made."""

    batches: tuple[str, ...]
    files: Mapping[str, str]  # SHA-256 of each, by its name from the root; empty where nobody wrote it down


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gate said of one candidate. Never edited: a new run is a new verdict."""

    model: str
    candidate: Digest
    manifest: Digest
    data: Digest  # the snapshot the candidate was judged on
    source: tuple[SourceVersion, ...] = ()  # what made its rows
    source_changed: tuple[str, ...] = ()  # files of the source that were others in the verdict compared with
    checks: Digest  # over the source of checks/ and conftest.py
    configuration: Digest = Digest("")  # over the settings that judge
    checks_folder: str = ""  # of the checks, where it is not the project's own: named on the command line
    read: Mapping[str, str] = field(default_factory=dict)  # SHA-256 of each other file that the checks read
    bounds: Mapping[str, Scalar] = field(default_factory=dict)  # that were asked: [evaluation] of train.toml
    moved: tuple[MovedBound, ...] = ()  # bounds that are others than in an earlier verdict
    moved_since: str = ""  # that verdict: the champion's, or the first on the same held-out rows
    holdout_use: HoldoutUse | None = None
    outcome: Judgement
    passed: int
    failed: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()  # declared, but skipped, xfailed, empty, deselected or never collected
    waived: tuple[Waiver, ...] = ()  # those without which it would not have been approved
    results: tuple[CheckResult, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    cases: Mapping[str, Digest] = field(default_factory=dict)  # the edge cases it was judged by, each by its id
    champion: Digest | None = None
    judged_at: str
    gate_run: str = ""  # how whoever started the run named it, to know its verdict from that of another run
    key: str = ""  # id of the key that signed it
    signature: str = ""  # base64, over the canonical JSON of all fields but this one
