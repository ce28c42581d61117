"""What a look of the monitor finds, and what a person is told of it.

Input: nothing. Output: `DriftReport` with its columns and `Performance`, and `Alert`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from proveout.records.values import Digest

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True, kw_only=True)
class ColumnDrift:
    """One column of the window against the reference rows: a two-sample test and its answer."""

    column: str
    test: Literal["ks", "chi2"]
    statistic: float
    p_value: float
    alarmed: bool  # p_value at or under the family's share of alpha (Bonferroni)
    reference_rows: int
    window_rows: int


@dataclass(frozen=True, kw_only=True)
class Performance:
    """How the answers did against the outcomes that have come in."""

    rows: int  # predictions with an outcome
    metrics: Mapping[str, float]  # those of the task that can be measured on them, by name
    errors: Mapping[str, float] = field(default_factory=dict)  # standard errors, of those that have one


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """A window of predictions compared with the rows the model was trained on."""

    model: str
    bundle: Digest
    window_from: str
    window_to: str
    window_rows: int
    drift_alpha: float  # chance of any alarm when nothing moved
    columns: tuple[ColumnDrift, ...]
    alarm: bool
    performance: Performance | None
    sources: Mapping[str, int]  # answers by source


@dataclass(frozen=True, kw_only=True)
class Alert:
    """Something for a person: what happened, and what to do."""

    severity: Severity
    what: str
    details: str
    next_step: str
    at: str
