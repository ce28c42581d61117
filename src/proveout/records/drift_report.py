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


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A message for a person: what happened, and what to do."""

    severity: Severity
    what: str
    details: str
    next_step: str
    at: str
