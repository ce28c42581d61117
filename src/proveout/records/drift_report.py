"""Records of the monitor: drift, performance, alerts.

Output: `DriftReport` with its columns and `Performance`, and `Alert`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from proveout.records.values import Digest

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, kw_only=True)
class ColumnDrift:
    """A two-sample test of one column: window against reference rows."""

    column: str
    test: Literal["ks", "chi2"]
    statistic: float
    p_value: float
    alarmed: bool  # p_value is at most the test's share of alpha (Bonferroni)
    reference_rows: int
    window_rows: int


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
    columns: tuple[ColumnDrift, ...]
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
