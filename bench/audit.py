"""How much of what people labelled the audit finds: recall and precision for each kind.

    python bench/audit.py labels.json              notebooks named relative to the file of labels
    python bench/audit.py labels.json --misses     also each label that was missed, and each false alarm
    python bench/audit.py labels.json --ruff       ruff beside it, for the kinds that it has rules for

labels.json: {notebook: [{"kind", "cell_index", "line", "end_line", "optional"}]}. A finding matches a label when kind
and cell agree and its line is within one line of the label's; a finding about the notebook as a whole matches by its
kind alone. What is labelled optional counts neither as a miss nor as a false alarm.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proveout.errors import ProveoutError
from proveout.pilot.audit import audit
from proveout.pilot.audit.audit import Finding

BY_KIND_ALONE = {"exec-order", "test-set-reuse"}
# What ruff has rules for, and the kind that each stands for.
RUFF = {
    "F821": "undefined-name",
    "F403": "wildcard-import",
    "S105": "secret",
    "S106": "secret",
    "S107": "secret",
    "NPY001": "deprecated-api",
    "NPY201": "deprecated-api",
    "PD007": "deprecated-api",
}
NOTEBOOK = -1


@dataclass(kw_only=True)
class Count:
    """Of one kind: labels found and missed, findings without a label."""

    found: int = 0
    missed: int = 0
    false: int = 0

    @property
    def recall(self) -> float | None:
        """The share of labels that were found."""
        return self.found / (self.found + self.missed) if self.found + self.missed else None

    @property
    def precision(self) -> float | None:
        """The share of findings that have a label."""
        return self.found / (self.found + self.false) if self.found + self.false else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print. Returns 0, or 2 if there is nothing to measure on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--misses", action="store_true", help="each label missed and each false alarm")
    parser.add_argument("--ruff", action="store_true", help="ruff beside it, for the kinds that it has rules for")
    parser.add_argument("--kind", action="append", default=[], help="only this kind")
    asked = parser.parse_args(arguments)
    labels: Mapping[str, list[dict[str, Any]]] = json.loads(asked.labels.read_text(encoding="utf-8"))
    counts: dict[str, Count] = defaultdict(Count)
    peer: dict[str, Count] = defaultdict(Count)
    began, cells = time.perf_counter(), 0
    for name, wanted in sorted(labels.items()):
        try:
            report = audit.audit(asked.labels.parent / name)
        except ProveoutError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
        cells += report.cells
        for line in compare(report.findings, wanted, counts):
            if asked.misses and (not asked.kind or line.split()[1] in asked.kind):
                print(f"{line}  {name}")
    seconds = time.perf_counter() - began
    print(table(counts))
    if asked.ruff:
        for name, wanted in sorted(labels.items()):
            compare(of_ruff(asked.labels.parent / name), [one for one in wanted if one["kind"] in RUFF.values()], peer)
        print(f"\nruff\n{table(peer)}\n")
    print(
        f"{len(labels)} notebooks, {cells} cells, {seconds:.1f} s: {seconds / max(cells, 1) * 100:.2f} s for 100 cells"
    )
    return 0


def of_ruff(notebook: Path) -> list[Finding]:
    """What ruff finds in a notebook, as findings of the kinds that its rules stand for."""
    codes = ",".join(RUFF)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--isolated",
            "--select",
            codes,
            "--output-format",
            "json",
            str(notebook),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return [
        Finding(
            code=one["code"],
            kind=RUFF[one["code"]],
            severity="low",
            cell_index=one["cell"] - 1,
            line=one["location"]["row"],
            evidence=one["message"],
            source="",
            file_line=0,
            why="",
            fix="",
            adopt="leaves",
            adopt_note="",
        )
        for one in json.loads(done.stdout or "[]")
        if one["code"] in RUFF
    ]


def compare(findings: Sequence[Finding], labels: Sequence[Mapping[str, Any]], counts: dict[str, Count]) -> list[str]:
    """Count what was found and missed in one notebook; the lines say which."""
    open_findings, said = list(findings), []
    for label in sorted(labels, key=lambda one: bool(one.get("optional"))):
        hits = [finding for finding in open_findings if matches(finding, label)]
        for hit in hits:
            open_findings.remove(hit)
        if label.get("optional"):
            continue
        count = counts[label["kind"]]
        if hits:
            count.found += 1
        elif not any(matches(finding, label) for finding in findings):
            count.missed += 1
            said.append(f"missed {label['kind']} cell {label['cell_index']} line {label['line']}")
    for finding in open_findings:
        counts[finding.kind].false += 1
        said.append(f"false  {finding.kind} cell {finding.cell_index} line {finding.line}: {finding.evidence[:90]}")
    return said


def matches(finding: Finding, label: Mapping[str, Any]) -> bool:
    """Whether a finding is what a label means."""
    if finding.kind != label["kind"]:
        return False
    if label["cell_index"] == NOTEBOOK or label["kind"] in BY_KIND_ALONE:
        return label["kind"] in BY_KIND_ALONE or finding.cell_index == NOTEBOOK
    first, last = label["line"], label.get("end_line") or label["line"]
    return finding.cell_index == label["cell_index"] and first - 1 <= finding.line <= last + 1


def table(counts: Mapping[str, Count]) -> str:
    """One line a kind, and all together."""
    lines = [f"{'kind':24}{'labels':>8}{'recall':>9}{'precision':>11}{'false':>7}"]
    total = Count()
    for kind, count in sorted(counts.items()):
        total.found, total.missed, total.false = (
            total.found + count.found,
            total.missed + count.missed,
            total.false + count.false,
        )
        lines.append(_line(kind, count))
    return "\n".join([*lines, _line("all kinds", total)])


def _line(name: str, count: Count) -> str:
    shares = [f"{share:.2f}" if share is not None else "" for share in (count.recall, count.precision)]
    return f"{name:24}{count.found + count.missed:>8}{shares[0]:>9}{shares[1]:>11}{count.false:>7}"


if __name__ == "__main__":
    sys.exit(main())
