"""The gate in a pytest run: what was seen, what was reported, and at the end the verdict.

Comes in: pytest's hooks, of a run in a proveout project. Goes out: a recorded verdict, a summary in the terminal, a job
summary, an exit status. It only gathers; `verdict.judge` judges. Whatever pytest knows of a check that is not a plain
pass (a skip, a deselection, a stop before it) is handed on as just that.

A run becomes a gate run when a check is asked for, collected or reported. Under pytest-xdist the workers run the
checks and the controller alone judges: what a worker saw while collecting comes back in its `workeroutput`.
"""

import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from proveout import settings as settings_module
from proveout.errors import ProveoutError
from proveout.gate import report as reports
from proveout.gate import verdict as verdicts
from proveout.gate.stating import BROKEN, EVIDENCE
from proveout.records import CheckOutcome, CheckResult, Evidence, Verdict, from_json, now
from proveout.settings import Settings

if TYPE_CHECKING:
    from proveout.gate.material import Material

COLLECTING = ("python_files", "python_classes", "python_functions")  # pytest settings that say what is a check
LONGEST_MESSAGE = 500
SEVERITY: tuple[CheckOutcome, ...] = ("passed", "skipped", "xfailed", "xpassed", "missing", "error", "failed")


@dataclass
class Life:
    """What became of one check so far. The worst that was reported of it stays."""

    outcome: CheckOutcome = "passed"
    message: str = ""
    phases: set[str] = field(default_factory=set)
    evidence: list[Evidence] = field(default_factory=list)

    def saw(self, outcome: CheckOutcome, message: str) -> None:
        """Take one report's outcome in."""
        if SEVERITY.index(outcome) > SEVERITY.index(self.outcome):
            self.outcome, self.message = outcome, message

    def ended(self) -> tuple[CheckOutcome, str]:
        """Outcome and message at the end of the run: a pass is one that was set up, called and torn down."""
        if self.outcome == "passed" and not {"setup", "call", "teardown"} <= self.phases:
            return "missing", "it was not run to its end"
        return self.outcome, self.message


class GateSession:
    """Gathers a run's checks from pytest's hooks and judges at its end."""

    NAME = "proveout-gate"

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._lives: dict[str, Life] = {}  # checks and faulty collectors that were reported
        self._seen: dict[str, str] = {}  # checks that were collected, and why they might not have run
        self._opened: set[str] = set()  # collectors that were looked into
        self._closed: set[str] = set()  # classes that were found; those never opened hide checks
        self._wanted = False  # whether this is a gate run
        self._material: Material | None = None
        self._verdict: Verdict | None = None
        self._trouble = ""
        self._notes: list[str] = []
        try:
            # The environment may name another root; without it, the project the run stands in.
            self.settings: Settings = _settings(config)
        except ProveoutError as error:
            raise pytest.UsageError(str(error)) from error
        self._folder = (self.settings.root / self.settings.checks).resolve()

    @staticmethod
    def of(config: pytest.Config) -> "GateSession":
        """The gate of this run."""
        session = config.pluginmanager.get_plugin(GateSession.NAME)
        assert isinstance(session, GateSession)
        return session

    def material(self) -> "Material":
        """What the candidate is judged with. Raises: UsageError if there is none, or one that was tampered with."""
        from proveout.gate.material import Material, find_candidate

        if self._material is None:
            try:
                self._material = Material(self.settings, find_candidate(self.settings, self._named()))
            except ProveoutError as error:
                raise pytest.UsageError(str(error)) from error
        return self._material

    def _named(self) -> str | None:
        # A controller of pytest-xdist tells its workers which one, so that all judge the same.
        told: Mapping[str, Any] = getattr(self._config, "workerinput", {})
        named: str | None = told.get(self.NAME) or self._config.getoption("--candidate")
        return named or os.environ.get("PROVEOUT_CANDIDATE") or None

    def check_id(self, nodeid: str) -> str | None:
        """The node id relative to the project's root, wherever pytest was started; None for what is no check."""
        path, separator, rest = nodeid.partition("::")
        file = (self._config.rootpath / path).resolve()
        if not file.is_relative_to(self._folder):
            return None
        return file.relative_to(self.settings.root).as_posix() + separator + rest

    @property
    def _is_worker(self) -> bool:
        return hasattr(self._config, "workerinput")

    # --- what was seen -------------------------------------------------------------------------------------------

    # trylast: innermost of the wrappers. Pytest's own --lf is one too, and takes items out of what we are to see.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """See everything a file holds, before a node id on the command line picks one out of it."""
        found = yield
        opened = self.check_id(collector.nodeid)
        if opened is not None and isinstance(collector, pytest.File | pytest.Class):
            self._wanted = True
            self._opened.add(opened)
            for node in found.result or ():
                name = self.check_id(node.nodeid)
                if name is not None and isinstance(node, pytest.Item):
                    self._seen.setdefault(name, "it was collected, and the run never came to it")
                elif name is not None:
                    self._closed.add(name)
        return found

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what could not be collected: its checks are not there to be missed."""
        name = self.check_id(report.nodeid)
        if name is not None and not report.passed:
            self._wanted = True
            life = self._lives.setdefault(name, Life())
            life.saw("error" if report.failed else "skipped", _message(report))

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Keep what -k, -m, --deselect and --lf took out."""
        for name in (self.check_id(item.nodeid) for item in items):
            if name is not None:
                self._wanted = True
                self._seen[name] = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a check reports: on the controller too, whichever process it ran in."""
        name = self.check_id(report.nodeid)
        if name is None:
            return
        self._wanted = True
        life = self._lives.setdefault(name, Life())
        life.phases.add(str(report.when))
        life.saw(*_outcome(report))
        stated = [(key, str(value)) for key, value in report.user_properties]
        # Each report of a check repeats the properties of those before it.
        life.evidence = [from_json(Evidence, value) for key, value in stated if key == EVIDENCE]
        for key, value in stated:
            if key == BROKEN:
                life.saw("failed", value)

    # --- the run -------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Before the first check: there has to be a candidate, said once and not by every check."""
        if self._is_worker or session.config.option.collectonly:
            return
        if self._wanted or self._asked_for():
            self._wanted = True
            self.material()

    def _asked_for(self) -> bool:
        arguments = (self._config.invocation_params.dir / argument.partition("::")[0] for argument in self._config.args)
        return any(path.resolve().is_relative_to(self._folder) for path in arguments)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Judge, record, and let no refused candidate leave with exit status 0."""
        if self._is_worker:
            output = getattr(self._config, "workeroutput", {})
            output[self.NAME] = [self._seen, sorted(self._opened), sorted(self._closed)]
            return
        if not self._wanted or session.config.option.collectonly or exitstatus == pytest.ExitCode.USAGE_ERROR:
            return
        try:
            self._judge(exitstatus)
        except (ProveoutError, pytest.UsageError, OSError) as error:
            self._trouble = f"refused   the verdict could not be recorded, so nothing is approved: {error}"
        self._write_job_summary()
        approved = self._verdict is not None and self._verdict.outcome == "approved" and not self._trouble
        if not approved and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _judge(self, exitstatus: int) -> None:
        from proveout.gate.material import checks_digest
        from proveout.registry.ledger import Ledger
        from proveout.registry.signing import Keyring
        from proveout.training.flow import actor

        material, at = self.material(), now()
        collecting = {name: self._config.getini(name) for name in COLLECTING}
        champion = material.champion.bundle.digest if material.champion is not None else None
        judged = verdicts.judge(
            self._results(exitstatus),
            [evidence for life in self._lives.values() for evidence in life.evidence],
            required=self._required(),
            candidate=material.bundle,
            checks=checks_digest(self.settings, dict(material.criteria), collecting),
            champion=champion,
            at=at,
        )
        by = os.environ.get("GITHUB_ACTOR") or actor()
        expires_at = (datetime.fromisoformat(at) + timedelta(days=self.settings.approval_days)).isoformat()
        with Ledger(self.settings.ledger) as ledger:
            keyring = Keyring(self.settings.keys_dir)
            verdicts.record_verdict(ledger, keyring, judged, by=by, expires_at=expires_at)
        self._verdict = judged

    def _results(self, exitstatus: int) -> list[CheckResult]:
        results = []
        for name, life in self._lives.items():
            outcome, message = life.ended()
            results.append(CheckResult(check=name, outcome=outcome, required=False, message=message))
        for name, why in self._seen.items():
            if name not in self._lives:
                outcome = "missing" if why else "deselected"
                message = why or "it was deselected (-k, -m, --deselect or --lf)"
                results.append(CheckResult(check=name, outcome=outcome, required=False, message=message))
        for name in sorted(self._closed - self._opened):
            message = "the run did not look into it"
            results.append(CheckResult(check=name, outcome="missing", required=False, message=message))
        clean = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
        if not clean and all(result.outcome == "passed" for result in results):
            # An interrupted run, or an error in pytest itself: what was seen may not be all there is.
            message = f"pytest was stopped (exit status {int(exitstatus)})"
            results.append(CheckResult(check=self.settings.checks, outcome="error", required=True, message=message))
        return results

    def _required(self) -> list[str]:
        """The required checks, a folder spelled out as its files: one of them left out is not to go unnoticed."""
        patterns: list[str] = self._config.getini("python_files")
        required: list[str] = []
        for prefix in self.settings.required_checks:
            folder = self.settings.root / prefix
            files = sorted(file for file in folder.rglob("*.py") if any(fnmatch(file.name, p) for p in patterns))
            required += [file.relative_to(self.settings.root).as_posix() for file in files] or [prefix]
        return required

    def _write_job_summary(self) -> None:
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if not summary:
            return
        text = reports.markdown(self._verdict) if self._verdict is not None else f"### {self._trouble}\n"
        try:
            with Path(summary).open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            # The verdict stands in the ledger: a page that could not be written does not change it.
            self._notes.append(f"the job summary could not be written: {error}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The verdict: answer first, then evidence, then the next command."""
        if self._verdict is None and not self._trouble:
            return
        terminalreporter.section("proveout gate")
        if self._verdict is not None:
            for line, colour in reports.lines(self._verdict):
                terminalreporter.write_line(line, **{colour: True} if colour else {})
        if self._trouble:
            terminalreporter.write_line(self._trouble, red=True)
        for note in self._notes:
            terminalreporter.write_line(note, yellow=True)

    # --- pytest-xdist --------------------------------------------------------------------------------------------

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A worker starts: tell it which candidate."""
        with suppress(pytest.UsageError):  # said by the controller itself, before the run
            node.workerinput[self.NAME] = str(self.material().folder) if self._asked_for() else None

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker ends: what it saw while collecting, the controller did not see."""
        seen, opened, closed = getattr(node, "workeroutput", {}).get(self.NAME) or ({}, [], [])
        self._seen.update(seen)
        self._opened.update(opened)
        self._closed.update(closed)
        self._wanted = self._wanted or bool(seen)


def _settings(config: pytest.Config) -> Settings:
    try:
        return settings_module.load(config.invocation_params.dir)
    except ProveoutError:
        return settings_module.load(config.rootpath)


def _outcome(report: pytest.TestReport) -> tuple[CheckOutcome, str]:
    expected = getattr(report, "wasxfail", None)
    if expected is not None:
        return ("xpassed" if report.passed else "xfailed"), f"it is marked xfail: {expected or 'no reason given'}"
    if report.passed:
        return "passed", ""
    if report.skipped:
        return "skipped", _message(report)
    # "failed", and whatever else a plugin calls a call that did not pass, such as the "rerun" of a flaky check.
    return ("failed" if report.when == "call" else "error"), _message(report)


def _message(report: pytest.TestReport | pytest.CollectReport) -> str:
    what = report.longrepr
    crash = getattr(what, "reprcrash", None)
    if isinstance(what, tuple):
        text = str(what[2])
    elif crash is not None:
        text = str(crash.message).removeprefix("AssertionError: ")
    else:
        text = str(what or "")
    return text.strip()[:LONGEST_MESSAGE]
