"""A rule of the audit: what it looks for, why that hurts, and what to do.

Each module of `rules/` has one `RULE`, with code it finds and code it leaves alone: tests run both.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from proveout.pilot.audit.analysis import Analysis

Severity = Literal["high", "medium", "low", "info"]
# What `proveout adopt` does about it: mends it, asks a person, or leaves it.
Adopt = Literal["does", "asks", "leaves"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low", "info")
NOTEBOOK = -1  # the cell of a finding about the whole notebook


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A place that a rule found. `cell` counts all cells from 0, -1 is the notebook; `line` from 1 in the cell."""

    cell: int
    line: int
    evidence: str
    severity: Severity | None = None  # where it differs from the rule's


@dataclass(frozen=True, kw_only=True)
class Example:
    """Cells of code, and the places (cell, line) where a rule must find something: none of them for a negative one."""

    cells: tuple[str, ...]
    found: tuple[tuple[int, int], ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()  # kernel_name, language_version


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One kind of hidden dependency."""

    code: str  # stable: PA101
    kind: str  # stable: absolute-path
    severity: Severity
    title: str
    why: str  # why it will hurt in production
    fix: str
    adopt: Adopt
    adopt_note: str  # what adopt does, asks or leaves
    find: Callable[[Analysis], Iterable[Hit]]
    positive: tuple[Example, ...]
    negative: tuple[Example, ...]
