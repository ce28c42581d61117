"""Records of the gate: evidence, check results, waivers, the verdict.

Output: `Verdict` and its parts. Checks state `Evidence`; `gate/` judges it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from proveout.records.values import Digest, Scalar

CheckOutcome = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed", "deselected", "missing", "empty"]
Judgement = Literal["approved", "refused", "incomplete"]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One measurement stated by a check, with its bounds."""

    check: str = ""  # pytest node id; filled in when a check states it
    name: str
    value: float | None  # None if it cannot be measured; `unjudged` then says why
    at_least: float | None = None
    at_most: float | None = None
    slice: str | None = None
    rows: int | None = None
    champion: float | None = None  # the champion's value of the same measurement, if any
    low: float | None = None  # confidence interval of the value
    high: float | None = None
    level: float | None = None  # of the interval, 0 to 1: 0.95 is 95 %
    surely: bool = False  # the bounds apply to the interval's worse end, not to the value
    decision: str = ""  # a result other than a bound, in a word or two: better, not worse, undecided
    unjudged: str = ""  # why it is not judged, such as too few rows: it then neither holds nor breaks
    covers: tuple[str, ...] = ()  # tests of the ML Test Score that it is evidence for, such as "model-6"

    @property
    def holds(self) -> bool:
        """Whether it is judged and meets its bounds. NaN never does."""
        return not self.unjudged and self._within

    @property
    def error_rate(self) -> float | None:
        """With `surely`, how often the interval is beyond a bound by chance: half of its error is at each end.

        >>> round(Evidence(name="auc", value=0.8, at_least=0.7, level=0.9, surely=True).error_rate, 4)
        0.05
        """
        if not self.surely or self.level is None or not 0 < self.level < 1:
            return None
        both = self.at_least is not None and self.at_most is not None
        return 1 - self.level if both else (1 - self.level) / 2

    @property
    def breaks(self) -> bool:
        """Whether it is judged and does not meet its bounds."""
        return not self.unjudged and not self._within

    @property
    def _within(self) -> bool:
        # Without an interval, `surely` cannot hold.
        low, high = (self.low, self.high) if self.surely else (self.value, self.value)
        above = self.at_least is None or (low is not None and low >= self.at_least)
        below = self.at_most is None or (high is not None and high <= self.at_most)
        return above and below and self.value is not None and self.value == self.value


USUAL_ERROR_RATE = 0.05
"""The error rate that is assumed if no check states one."""
NOTHING_TO_ASK = "nothing to ask"
"""The decision of evidence that does not apply to these rows."""
NOT_RUN = frozenset({"deselected", "missing"})
"""Outcomes of checks that this run did not start."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The result of one check in a gate run."""

    check: str  # pytest node id
    outcome: CheckOutcome
    required: bool
    message: str = ""
    covers: tuple[str, ...] = ()  # tests of the ML Test Score, from its marks and its evidence


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """Permission for one check to fail until a date, by a responsible person."""

    check: str  # pytest node id or prefix
    by: str
    reason: str
    until: str  # ISO 8601 date, the last day of its validity


@dataclass(frozen=True, kw_only=True)
class MovedBound:
    """A bound of `[evaluation]` that changed since an earlier verdict."""

    name: str
    before: Scalar  # None if it did not exist
    now: Scalar  # None if it was removed
    looser: bool | None  # whether it is looser now; None if its name does not show it


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An earlier candidate that was judged on the same held-out rows."""

    candidate: Digest
    outcomes: tuple[Judgement, ...]  # of its verdicts, the oldest first


@dataclass(frozen=True, kw_only=True)
class HoldoutUse:
    """How often the same held-out rows have judged candidates of a model; each time, one may pass by luck."""

    content: Digest  # digest of the held-out rows
    others: tuple[Attempt, ...] = ()  # candidates that were judged on it before, the oldest first
    again: tuple[Judgement, ...] = ()  # earlier verdicts on this candidate
    error_rate: float  # probability that a candidate that should be refused passes by luck
    stated: bool  # whether a check states that rate; if not, 5 % is assumed
    error_rate_at_most: float  # allowed for all candidates together

    @property
    def candidates(self) -> int:
        """How many candidates were judged on these rows, including this one."""
        return len(self.others) + 1

    @property
    def together(self) -> float:
        """Upper bound of the probability that one of them passes by luck (Bonferroni)."""
        return min(1.0, self.candidates * self.error_rate)

    @property
    def holds_for(self) -> int:
        """How many candidates may be judged until that bound exceeds the allowed probability."""
        # Plus a billionth, because 0.1 / (0.1 / 3) is slightly below 3.
        return int(self.error_rate_at_most / self.error_rate + 1e-9)

    @property
    def exceeded(self) -> bool:
        return self.candidates > self.holds_for


@dataclass(frozen=True, kw_only=True)
class SourceVersion:
    """One version of the code that makes rows, and the batches it made."""

    batches: tuple[str, ...]
    files: Mapping[str, str]  # SHA-256 of each, by path from the root; empty if not recorded


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The gate's verdict on one candidate. Never edited: a new run makes a new verdict."""

    model: str
    candidate: Digest
    manifest: Digest
    data: Digest  # the snapshot the candidate was judged on
    source: tuple[SourceVersion, ...] = ()  # versions of the code that made its rows
    source_changed: tuple[str, ...] = ()  # source files that changed since the verdict compared with
    checks: Digest  # over the source of checks/ and conftest.py
    configuration: Digest = Digest("")  # over the judging settings
    checks_folder: str = ""  # the folder of the checks, if not the project's own
    read: Mapping[str, str] = field(default_factory=dict)  # SHA-256 of each other file that the checks read
    bounds: Mapping[str, Scalar] = field(default_factory=dict)  # [evaluation] of train.toml
    moved: tuple[MovedBound, ...] = ()  # bounds that changed since an earlier verdict
    moved_since: str = ""  # which verdict: the champion's, or the first on the same held-out rows
    holdout_use: HoldoutUse | None = None
    outcome: Judgement
    passed: int
    failed: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()  # declared, but skipped, xfailed, empty, deselected or never collected
    waived: tuple[Waiver, ...] = ()  # waivers that the approval needed
    results: tuple[CheckResult, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    cases: Mapping[str, Digest] = field(default_factory=dict)  # its edge cases, by id
    champion: Digest | None = None
    judged_at: str
    gate_run: str = ""  # name given to the run by its caller, to identify its verdict
    key: str = ""  # id of the key that signed it
    signature: str = ""  # base64, over the canonical JSON of all fields but this one
