"""Reports as SARIF 2.1.0, which code hosts and editors show beside the lines.

Input: reports. Output: one JSON document. A line is that of the .ipynb file, so that a host can point to it; the cell
and its own line stand in the logical location.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from proveout import __version__
from proveout.pilot.audit.audit import Finding, Report, all_rules

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"high": "error", "medium": "warning", "low": "note", "info": "note"}


def sarif(reports: Sequence[Report], *, root: Path) -> str:
    """The reports as one SARIF document. Paths are relative to `root` where they lie below it."""
    results = [_result(finding, report, root) for report in reports for finding in report.findings]
    driver = {
        "name": "proveout audit",
        "version": __version__,
        "rules": [
            {
                "id": rule.code,
                "name": rule.kind,
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": rule.why},
                "help": {"text": rule.fix},
                "defaultConfiguration": {"level": _LEVELS[rule.severity]},
            }
            for rule in all_rules()
        ],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _result(finding: Finding, report: Report, root: Path) -> Mapping[str, Any]:
    file = Path(report.notebook)
    place = "notebook" if finding.cell_index < 0 else f"cell {finding.cell_index}, line {finding.line}"
    return {
        "ruleId": finding.code,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{place}: {finding.evidence}. {finding.fix}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(file, root)},
                    "region": {"startLine": max(1, finding.file_line)},
                },
                "logicalLocations": [{"fullyQualifiedName": place}],
            }
        ],
    }


def _uri(file: Path, root: Path) -> str:
    try:
        return file.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return file.resolve().as_uri()
