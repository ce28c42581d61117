"""What to do first: the findings of a report by severity, and by kind within it.

Input: a report. Output: groups in the order in which a person should read them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from proveout.pilot.audit.audit import Finding, Report, all_rules
from proveout.pilot.audit.rule import SEVERITIES, Severity

HEADINGS: Mapping[Severity, str] = {
    "high": "First: what gives wrong answers, stops the run or gives secrets away",
    "medium": "Then: what makes runs differ or breaks on another machine",
    "low": "Later",
    "info": "Good to know",
}


@dataclass(frozen=True, kw_only=True)
class KindGroup:
    """All findings of one kind with one severity."""

    code: str
    kind: str
    title: str
    why: str
    fix: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class SeverityGroup:
    """All findings of one severity, the kinds with the fewest places first: they are mended soonest."""

    severity: Severity
    heading: str
    kinds: tuple[KindGroup, ...]

    @property
    def count(self) -> int:
        """Findings in all kinds."""
        return sum(len(kind.findings) for kind in self.kinds)


def groups(report: Report) -> tuple[SeverityGroup, ...]:
    """The groups of a report, without empty ones."""
    found = (_of_severity(report, severity) for severity in SEVERITIES)
    return tuple(group for group in found if group.kinds)


def _of_severity(report: Report, severity: Severity) -> SeverityGroup:
    kinds = []
    for rule in all_rules():
        findings = tuple(one for one in report.findings if one.kind == rule.kind and one.severity == severity)
        if findings:
            kinds.append(
                KindGroup(
                    code=rule.code, kind=rule.kind, title=rule.title, why=rule.why, fix=rule.fix, findings=findings
                )
            )
    kinds.sort(key=lambda kind: (len(kind.findings), kind.code))
    return SeverityGroup(severity=severity, heading=HEADINGS[severity], kinds=tuple(kinds))
