"""The audit of a notebook: every rule asked once. Nothing of the notebook is executed.

Input: paths. Output: a `Report` for each notebook, or the sentence why there is none.
"""

import importlib
import pkgutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from proveout.errors import UsageError
from proveout.pilot.audit import notebook_text, rules
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.notebook_text import NotebookText
from proveout.pilot.audit.rule import SEVERITIES, Adopt, Hit, Rule, Severity

_POINTS: Mapping[Severity, int] = {"high": 10, "medium": 4, "low": 1, "info": 0}
_HIDDEN = {"node_modules", "site-packages", "__pycache__"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One hidden dependency. `cell_index` counts all cells from 0, -1 is the notebook; `line` is 1-based."""

    code: str
    kind: str
    severity: Severity
    cell_index: int
    line: int
    evidence: str
    source: str  # the line itself
    file_line: int  # where it stands in the file, from 1
    why: str
    fix: str
    adopt: Adopt
    adopt_note: str


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A cell that Python cannot read whole: the rest of the notebook is audited all the same."""

    cell_index: int
    line: int
    problem: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the audit found in one notebook. `score`: 100 is without findings, 0 the worst."""

    notebook: str
    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    score: int
    cells: int
    unread: tuple[Unread, ...]


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, by its code."""
    found = (
        importlib.import_module(f"{rules.__name__}.{module.name}") for module in pkgutil.iter_modules(rules.__path__)
    )
    return tuple(sorted((module.RULE for module in found), key=lambda rule: rule.code))


def audit(file: Path) -> Report:
    """The report of the notebook in `file`. Raises: UsageError if there is none, or it is of another language."""
    return audit_text(notebook_text.read(file))


def audit_text(notebook: NotebookText) -> Report:
    """The report of a notebook that was read."""
    if not notebook.language.startswith(("python", "ipython")):
        raise UsageError(f"{notebook.path} is written in {notebook.language}. The audit reads notebooks in Python.")
    analysis = Analysis(notebook)
    findings = sorted(
        (_finding(rule, hit, analysis) for rule in all_rules() for hit in rule.find(analysis)),
        key=lambda finding: (finding.cell_index, finding.line, finding.code),
    )
    return Report(
        notebook=str(notebook.path),
        findings=tuple(findings),
        counts=dict(sorted(Counter(finding.kind for finding in findings).items())),
        score=_score(findings),
        cells=len(notebook.cells),
        unread=tuple(
            Unread(cell_index=cell.index, line=fault.line, problem=fault.problem)
            for cell in analysis.cells
            for fault in cell.code.faults
        ),
    )


def of_cell(report: Report, cell: int) -> Report:
    """What a report says of one cell. What concerns the notebook as a whole is left out."""
    findings = tuple(one for one in report.findings if one.cell_index == cell)
    return replace(
        report,
        findings=findings,
        counts=dict(sorted(Counter(finding.kind for finding in findings).items())),
        score=_score(findings),
        cells=1,
        unread=tuple(one for one in report.unread if one.cell_index == cell),
    )


def _finding(rule: Rule, hit: Hit, analysis: Analysis) -> Finding:
    cell = analysis.cell(hit.cell)
    return Finding(
        code=rule.code,
        kind=rule.kind,
        severity=hit.severity or rule.severity,
        cell_index=hit.cell,
        line=hit.line,
        evidence=hit.evidence,
        source=cell.code.text(hit.line) if cell else "",
        file_line=cell.cell.line_in_file(hit.line) if cell else 1,
        why=rule.why,
        fix=rule.fix,
        adopt=rule.adopt,
        adopt_note=rule.adopt_note,
    )


def _score(findings: Sequence[Finding]) -> int:
    """From 100 down: each kind counts once by its worst finding, and a tenth of that for each further one."""
    lost = 0.0
    for kind in {finding.kind for finding in findings}:
        points = sorted((_POINTS[one.severity] for one in findings if one.kind == kind), reverse=True)
        lost += points[0] + sum(points[1:11]) / 10
    return max(0, round(100 - lost))


def worst(report: Report) -> Severity | None:
    """The highest severity in a report, or None."""
    found = {finding.severity for finding in report.findings}
    return next((severity for severity in SEVERITIES if severity in found), None)


def notebooks_in(path: Path) -> tuple[Path, ...]:
    """The notebooks below a folder, or the file itself. Raises: UsageError where there is none."""
    if not path.is_dir():
        return (path,)
    found = tuple(
        file
        for file in sorted(path.rglob("*"))
        if file.suffix in notebook_text.SUFFIXES
        and file.is_file()
        and not _is_hidden(file.relative_to(path))
        and notebook_text.is_notebook(file)
    )
    if not found:
        raise UsageError(f"{path}: no notebook is in this folder (.ipynb, marimo, or scripts with # %% cells).")
    return found


def _is_hidden(file: Path) -> bool:
    return any(part.startswith(".") or part in _HIDDEN for part in file.parts)
