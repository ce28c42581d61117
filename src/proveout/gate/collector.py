"""Collects the checks of a gate run and the result of each.

Input: reports and names, in any order and from any process. Output: a `CheckResult` for each check. `verdict` decides
what they mean for the candidate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

import orjson
import pytest

from proveout.gate.evidence import BROKEN, EVIDENCE
from proveout.gate.fingerprint import below, edited
from proveout.gate.verdict import covers
from proveout.records.json_form import from_json, to_json
from proveout.records.verdict import CheckOutcome, CheckResult, Evidence
from proveout.settings import Settings

COVERS = "proveout.covers"  # user property of a report: ids of the ML Test Score that the check is marked with, as JSON
UNPROVEN = "proveout.empty"  # user property of a report: the check passed without proving anything
LONGEST_MESSAGE = 500
SEVERITY: tuple[CheckOutcome, ...] = (
    "passed", "empty", "skipped", "xfailed", "xpassed", "missing", "error", "failed",
)  # fmt: skip


@dataclass
class CheckState:
    """The state of one check so far: the worst outcome reported."""

    outcome: CheckOutcome = "passed"
    message: str = ""
    phases: set[str] = field(default_factory=set)
    evidence: list[Evidence] = field(default_factory=list)
    covers: tuple[str, ...] = ()

    def saw(self, outcome: CheckOutcome, message: str) -> None:
        """Record the outcome of one report."""
        if SEVERITY.index(outcome) > SEVERITY.index(self.outcome):
            self.outcome, self.message = outcome, message

    def ended(self) -> tuple[CheckOutcome, str]:
        """Outcome and message at the end of the run. A pass needs setup, call and teardown."""
        if self.outcome in ("passed", "empty") and not {"setup", "call", "teardown"} <= self.phases:
            return "missing", "it did not finish"
        return self.outcome, self.message

    def result(self, check: str) -> CheckResult:
        """The check's result. It covers the ids in its marks and in its evidence."""
        outcome, message = self.ended()
        ids = {*self.covers, *(one for stated in self.evidence for one in stated.covers)}
        return CheckResult(check=check, outcome=outcome, required=False, message=message, covers=tuple(sorted(ids)))


@dataclass
class ResultCollector:
    """Everything that a run collected. Processes of pytest-xdist exchange it as plain values."""

    lives: dict[str, CheckState] = field(default_factory=dict)  # reported checks and collection errors
    seen: dict[str, str] = field(default_factory=dict)  # collected checks, and why each may not have run
    opened: set[str] = field(default_factory=set)  # collectors that were opened
    closed: set[str] = field(default_factory=set)  # classes found; if never opened, their checks are missing
    wrong: dict[str, CheckResult] = field(default_factory=dict)  # problems found by the gate itself, by name
    cases_asked: bool = False  # whether a check uses edge cases
    read: dict[str, str] = field(default_factory=dict)  # SHA-256 of each file that checks read, by name

    def life(self, check: str) -> CheckState:
        """The state of a check."""
        return self.lives.setdefault(check, CheckState())

    def found(self, *wrong: CheckResult | None) -> None:
        """Add problems found by the gate. The first one of each name stays."""
        for one in wrong:
            if one is not None:
                self.wrong.setdefault(one.check, one)

    def saw_read(self, files: Mapping[str, str]) -> None:
        """Add files that checks read. If two processes read different contents, the file was edited meanwhile."""
        before = {name: self.read[name] for name in files if name in self.read}
        self.found(*edited(before, {name: files[name] for name in before}))
        self.read = {**files, **self.read}

    def report(self, check: str, report: pytest.TestReport) -> None:
        """Add a report of a check."""
        life = self.life(check)
        life.phases.add(str(report.when))
        life.saw(*outcome_of(report))
        stated = [(key, str(value)) for key, value in report.user_properties]
        # Each report of a check repeats the properties of its earlier reports.
        life.evidence = [from_json(Evidence, value) for key, value in stated if key == EVIDENCE]
        for key, value in stated:
            if key == BROKEN:
                life.saw("failed", value)
            elif key == UNPROVEN:
                life.saw("empty", value)
            elif key == COVERS:
                life.covers = tuple(orjson.loads(value))

    @property
    def evidence(self) -> list[Evidence]:
        """All stated evidence, in the order of the checks."""
        return [one for life in self.lives.values() for one in life.evidence]

    def results(self) -> list[CheckResult]:
        """The result of every collected check, and of checks that should have been collected."""
        results = [life.result(name) for name, life in self.lives.items()]
        for name, why in self.seen.items():
            if name not in self.lives:
                outcome: CheckOutcome = "missing" if why else "deselected"
                message = why or "it was deselected (-k, -m, --deselect or --lf)"
                results.append(CheckResult(check=name, outcome=outcome, required=False, message=message))
        for name in sorted(self.closed - self.opened):
            message = "the run did not open it"
            results.append(CheckResult(check=name, outcome="missing", required=False, message=message))
        return [*results, *self.wrong.values()]

    def absent(self, required: Sequence[str], settings: Settings) -> list[CheckResult]:
        """Results for required names that do not exist: no such file, or no such check in it."""
        there = {result.check for result in self.results()}
        found = []
        for prefix in required:
            path = prefix.partition("::")[0].rstrip("/")
            hidden = any(covers(closed, prefix) for closed in self.closed - self.opened)
            if any(covers(prefix, name) for name in there) or hidden:
                continue
            if not (settings.root / path).exists():
                message = f"it is required, but there is no {path}"
            elif path in self.opened and path not in self.lives:
                message = "it is required, but no check of this name is in the file"
            elif (settings.root / path).is_dir():
                message = "it is required, but there are no checks in the folder"
            else:
                continue
            found.append(CheckResult(check=prefix, outcome="empty", required=True, message=message))
        return found

    # --- pytest-xdist --------------------------------------------------------------------------------------------

    def packed(self) -> list[Any]:
        """What this process collected, as plain values for another process."""
        wrong = [to_json(one) for one in self.wrong.values()]
        return [self.seen, sorted(self.opened), sorted(self.closed), wrong, self.cases_asked, self.read]

    def unpack(self, packed: Sequence[Any]) -> None:
        """Add what another process collected."""
        seen, opened, closed, wrong, cases_asked, read = packed
        self.saw_read(read)
        self.cases_asked = self.cases_asked or cases_asked
        self.seen.update(seen)
        self.opened.update(opened)
        self.closed.update(closed)
        self.found(*(from_json(CheckResult, text) for text in wrong))


def required_names(settings: Settings, patterns: Sequence[str]) -> list[str]:
    """The required checks. A folder is expanded to its files, so that a missing file is noticed.

    Args:
        patterns: pytest's patterns for names of files with checks.
    """
    required: list[str] = []
    for prefix in settings.required_checks:
        files = [file for file in below(settings.root / prefix) if any(fnmatch(file.name, p) for p in patterns)]
        files = sorted(file for file in files if file.suffix == ".py")
        required += [file.relative_to(settings.root).as_posix() for file in files] or [prefix]
    return required


def outcome_of(report: pytest.TestReport) -> tuple[CheckOutcome, str]:
    """The outcome in one report, and its reason."""
    expected: Any = getattr(report, "wasxfail", None)
    if expected is not None:
        return ("xpassed" if report.passed else "xfailed"), f"it is marked xfail: {expected or 'no reason given'}"
    if report.passed:
        return "passed", ""
    if report.skipped:
        return "skipped", message_of(report)
    # "failed", or a plugin's own word for a call that did not pass, such as "rerun" for a flaky check.
    return ("failed" if report.when == "call" else "error"), message_of(report)


def message_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The essential line of a report."""
    what = report.longrepr
    crash = getattr(what, "reprcrash", None)
    if isinstance(what, tuple):
        text = str(what[2])
    elif crash is not None:
        text = str(crash.message).removeprefix("AssertionError: ")
    else:
        text = str(what or "")
    return text.strip()[:LONGEST_MESSAGE]
