"""Records of the monitor: drift, performance, alerts.

Output: `DriftReport` with its tests and `Performance`, and `Alert`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from proveout.records.values import Digest

Severity = Literal["critical", "warning", "info"]


Part = Literal["inputs", "answers", "jointly"]
TestName = Literal["ks", "chi2", "psi", "nulls", "new_levels", "cardinality", "mmd", "domain_classifier"]


@dataclass(frozen=True, kw_only=True)
class DriftTest:
    """A two-sample test: window against reference rows."""

    part: Part
    column: str  # empty for a test of all inputs together
    test: TestName
    statistic: float
    p_value: float  # of the stability index: approximate, and not in the family
    level: float  # the test alarms at a p-value of at most this, its share of drift_alpha; 0: it never does
    effect: float  # how far apart the sides are: a share, Cramér's V, an index, a ratio, or AUC less 0.5
    reference_rows: int
    window_rows: int
    verdict: str  # in words
    chance: float | None = None  # the stability index that chance alone exceeds with probability drift_alpha
    alarmed: bool = False
    listed: bool = False  # by Benjamini and Hochberg: of those listed, about drift_alpha are there by chance
    answers_change: float | None = None  # how far the answers differ from those with the column set back


@dataclass(frozen=True, kw_only=True)
class StreamDay:
    """A day of a stream beside the days before it."""

    date: str
    rows: int
    p_value: float  # the share of days as far from the days before them as this one, over its part of the budget
    alarmed: bool
    paged: bool  # the first of consecutive days with an alarm
    column: str  # the furthest one, in units of its usual deviation
    measure: Literal["values", "gaps"]  # what is far of it; gaps: its nulls and unknown levels
    distance: float  # of that column, from the 28 days before: 0 alike, 1 nothing in common
    usual: float  # the median of the earlier days


@dataclass(frozen=True, kw_only=True)
class Stream:
    """The newest whole day of a stream, judged by the stream's own history."""

    budget_days: float  # one false page in so many days is allowed
    known_days: int  # days of the history that have enough rows
    needed_days: int
    newest: StreamDay | None  # None without enough history


@dataclass(frozen=True, kw_only=True)
class Season:
    """Whether a column that differs from the training rows is as in the same season of an earlier year."""

    column: str
    verdict: Literal["seasonal", "not seasonal", "unknown"]
    words: str


@dataclass(frozen=True, kw_only=True)
class Performance:
    """The performance of answers with known outcomes."""

    rows: int  # predictions with an outcome
    metrics: Mapping[str, float]  # by name: metrics of the task that can be computed on them
    errors: Mapping[str, float] = field(default_factory=dict)  # standard errors of those that have one


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """A window of predictions compared with the training rows."""

    model: str
    bundle: Digest
    window_from: str
    window_to: str
    window_rows: int
    drift_alpha: float  # probability of any alarm without drift
    tests: tuple[DriftTest, ...]
    alarm: bool
    performance: Performance | None
    sources: Mapping[str, int]  # answers by source
    stream: Stream | None = None  # None: the window was judged as a batch
    seasons: tuple[Season, ...] = ()  # of the input columns that moved, if judged as a stream


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """The alarms that a setting would have raised on days of the past."""

    model: str
    mode: Literal["batch", "stream"]
    source: Literal["log", "data"]
    known_days: int
    needed_days: int  # days that a verdict needs before it; none for a batch
    judged: int
    alarmed: int
    pages: int
    expected: float  # pages by chance alone that the setting allows on the judged days
    days: tuple[StreamDay, ...]


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A message for a person: what happened, and what to do."""

    severity: Severity
    what: str
    details: str
    next_step: str
    at: str
