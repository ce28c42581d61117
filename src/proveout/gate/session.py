"""The gate in a pytest run: collects checks and reports, and produces the verdict at the end.

Input: pytest's hooks, in a run in a proveout project. Output: a recorded verdict, a summary in the terminal, a job
summary, an exit status. This module only collects; `verdict.judge` judges. Any result other than a plain pass (a skip,
a deselection, an early stop) is passed on as it is.

A run becomes a gate run when a check is requested, collected or reported. Under pytest-xdist, workers run the checks
and only the controller judges; a worker's data comes back in its `workeroutput`.
"""

import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from proveout import interpreter_exit
from proveout import settings as settings_module
from proveout.errors import ProveoutError
from proveout.evaluation import holdout_sample
from proveout.gate import collector as gathered
from proveout.gate import fingerprint, preconditions
from proveout.gate.collector import COVERS, ResultCollector
from proveout.gate.file_reads import FileReads
from proveout.gate.guards import fixture_guard, run_options, uncollected
from proveout.gate.reports import reporters
from proveout.gate_settings import of_the_file, with_checks
from proveout.records.json_form import canonical
from proveout.records.values import now
from proveout.records.verdict import Verdict
from proveout.settings import Settings
from proveout.training import gate_run

if TYPE_CHECKING:
    from proveout.edge_cases import Case
    from proveout.evaluation.context import EvaluationContext
    from proveout.evaluation.reproducibility import Retraining


OPENED: "pytest.StashKey[EvaluationContext]" = pytest.StashKey()
"""What was opened before this run began, for runs that judge by samples of the held-out rows (`warm_runs`)."""


class GateSession:
    """Collects a run's checks from pytest's hooks, and judges at its end."""

    NAME = "proveout-gate"

    def __init__(self, config: pytest.Config, reads: FileReads | None = None) -> None:
        self._config, self._reads = config, reads
        # Removed from the environment, because it names this run, not one that a check may start.
        self._run = os.environ.pop(gate_run.VARIABLE, "")
        self.gathered = ResultCollector()
        self._wanted = False  # whether this is a gate run
        self._others_failed = False  # failed tests outside of the checks, in the same run
        self._context: EvaluationContext | None = None
        self._cases: tuple[Case, ...] | None = None
        self._retraining: Retraining | None = None
        self._verdict: Verdict | None = None
        self._trouble = ""
        self._notes: list[str] = []
        try:
            # The root named in the environment, else the project of the working directory.
            self.settings: Settings = with_checks(of_the_file(_settings(config)), config.getoption("--checks"))
        except ProveoutError as error:
            raise pytest.UsageError(str(error)) from error
        named = config.getoption("--holdout-sample")
        try:
            self.sample = holdout_sample.read(Path(named)) if named else None
        except ProveoutError as error:
            raise pytest.UsageError(str(error)) from error
        self._folder = self.settings.root / self.settings.checks
        if config.getoption("--checks") and config.args_source is not pytest.Config.ArgsSource.ARGS:
            config.args = [str(self._folder)]
        self._judged_by: dict[str, str] | None = None  # the fingerprint files at the start of the run

    @staticmethod
    def of(config: pytest.Config) -> "GateSession":
        """The gate session of this run."""
        session = config.pluginmanager.get_plugin(GateSession.NAME)
        assert isinstance(session, GateSession)
        return session

    def context(self) -> "EvaluationContext":
        """The evaluation context. Raises: UsageError if there is no candidate, or it was tampered with."""
        from proveout.evaluation.context import EvaluationContext, find_candidate

        if self._context is None:
            try:
                folder, opened = find_candidate(self.settings, self._named()), self._config.stash.get(OPENED, None)
                # A run that can approve opens and verifies everything itself.
                if self.sample is not None and opened is not None and opened.folder == folder:
                    self._context = opened.by_sample(self.settings, self.sample)
                else:
                    self._context = EvaluationContext(self.settings, folder, sample=self.sample)
            except ProveoutError as error:
                raise pytest.UsageError(str(error)) from error
        return self._context

    def retraining(self) -> "Retraining":
        """The candidate's training once more, begun by the first call."""
        from proveout.evaluation.reproducibility import Retraining

        if self._retraining is None:
            self._retraining = Retraining(self.context().folder, self.settings)
        return self._retraining

    def edge_cases(self) -> "tuple[Case, ...]":
        """The project's edge cases. Raises: ConfigError if the file is faulty or missing."""
        from proveout import edge_cases as cases
        from proveout.task import task as tasks

        if self._cases is None:
            schema = settings_module.load_object(self.settings.request_schema, self.settings.root)
            self._cases = cases.load(
                self.settings.root / self.settings.edge_cases, schema, task=tasks.named(self.settings.task)
            )
        return self._cases

    def _named(self) -> str | None:
        # The controller of pytest-xdist names the candidate to its workers, so that all judge the same one.
        told: Mapping[str, Any] = getattr(self._config, "workerinput", {})
        named: str | None = told.get(self.NAME) or self._config.getoption("--candidate")
        return named or os.environ.get("PROVEOUT_CANDIDATE") or None

    def check_id(self, nodeid: str) -> str | None:
        """The node id relative to the project's root, wherever pytest was started; None if it is not a check."""
        path, separator, rest = nodeid.partition("::")
        # Compare paths without resolving links: a file linked into the checks folder is a check.
        file = Path(os.path.normpath(self._config.rootpath.resolve() / path))
        if not file.is_relative_to(self._folder):
            return None
        return file.relative_to(self.settings.root).as_posix() + separator + rest

    @property
    def _is_worker(self) -> bool:
        return hasattr(self._config, "workerinput")

    # --- what was seen -------------------------------------------------------------------------------------------

    # trylast: the innermost wrapper. Pytest's own --lf is also a wrapper, and removes items that must be seen here.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Record everything in a file, before a node id on the command line selects a part."""
        found = yield
        opened = self.check_id(collector.nodeid)
        if opened is not None and isinstance(collector, pytest.File | pytest.Class):
            self._wanted = True
            self.gathered.opened.add(opened)
            if found.passed and not found.result and self._config.getoption("lf"):
                # Nothing in it failed last time, so pytest (--lf) skips the whole file.
                self.gathered.seen.update(dict.fromkeys(uncollected.checks(collector, name=opened), ""))
            elif found.passed:
                # By original names, because a parametrized check is collected once per case.
                names = {getattr(node, "originalname", None) or node.name for node in found.result or ()}
                self.gathered.found(*uncollected.hidden(collector, names, name=opened))
            for node in found.result or ():
                asked = {"edge_answers", "edge_case"} & set(getattr(node, "fixturenames", ()))
                self.gathered.cases_asked = self.gathered.cases_asked or bool(asked)
                name = self.check_id(node.nodeid)
                if name is not None and isinstance(node, pytest.Item):
                    self.gathered.seen.setdefault(name, "it was collected, but the run ended before it")
                elif name is not None:
                    self.gathered.closed.add(name)
        return found

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Store what a check covers in its reports."""
        ids = sorted({str(one) for mark in item.iter_markers("covers") for one in mark.args})
        if ids and self.check_id(item.nodeid) is not None:
            item.user_properties.append((COVERS, canonical(ids).decode()))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """With a sample of the held-out rows, select only checks that use them."""
        if self.sample is None:
            return
        asked = self.sample.checks
        looking = [
            item
            for item in items
            if "holdout" in getattr(item, "fixturenames", ()) and (asked is None or self.check_id(item.nodeid) in asked)
        ]
        config.hook.pytest_deselected(items=[item for item in items if item not in looking])
        items[:] = looking

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record what could not be collected, because its checks cannot be seen as missing."""
        name = self.check_id(report.nodeid)
        if name is not None and not report.passed:
            self._wanted = True
            self.gathered.life(name).saw("error" if report.failed else "skipped", gathered.message_of(report))

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Record what -k, -m, --deselect and --lf removed."""
        for name in (self.check_id(item.nodeid) for item in items):
            if name is not None:
                self._wanted = True
                self.gathered.seen[name] = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record a check's report; also on the controller, whichever process ran the check."""
        name = self.check_id(report.nodeid)
        if name is None:
            self._others_failed = self._others_failed or report.failed
            return
        self._wanted = True
        self.gathered.report(name, report)

    # --- the run -------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Before checks are read: record the fingerprint files, and delete old bytecode that could run instead."""
        if not any(path.is_relative_to(self._folder) or self._folder.is_relative_to(path) for path in self._asked()):
            if self._reads is not None:
                self._reads.stop()
            if self._config.getoption("--checks"):
                raise pytest.UsageError(f"--checks {self.settings.checks}, but the tests to run are elsewhere")
            return  # not a gate run
        if self._reads is not None:
            self._reads.leave_out(self.settings.state_dir)
        fingerprint.drop_old_bytecode(self.settings)
        if not self._is_worker:
            self._judged_by = fingerprint.content(self.settings)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Before the first check: fail once if there is no candidate, instead of in every check; begin what is long."""
        if self._is_worker or session.config.option.collectonly:
            return
        if self._wanted or self._asked_for():
            self._wanted = True
            self.context()
            if self.sample is not None:
                self.sample.watch_clusters()
            # Beside the checks before the one that asks for it. A run that stops at a failure may never come to that.
            wanted = any("retraining" in getattr(item, "fixturenames", ()) for item in session.items)
            if wanted and not session.config.getoption("maxfail"):
                self.retraining()

    def _asked_for(self) -> bool:
        return any(path.is_relative_to(self._folder) for path in self._asked())

    def _asked(self) -> list[Path]:
        here = self._config.invocation_params.dir.resolve()
        return [Path(os.path.normpath(here / argument.partition("::")[0])) for argument in self._config.args]

    # tryfirst: the outermost wrapper. The JUnit file is written inside it, and should contain the verdict.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, object, object]:
        """Judge and record. Without an approval, the exit status is not 0."""
        if self._retraining is not None:
            self._retraining.close()
        if self._reads is not None:
            self._reads.stop()
            self.gathered.saw_read(self._reads.found)
        if self._wanted and self._context is not None and self.sample is None:  # by a sample nothing is approved anyway
            self.gathered.found(*fixture_guard.broken(self._context))
        judging = self._wanted and not session.config.option.collectonly and exitstatus != pytest.ExitCode.USAGE_ERROR
        if self._wanted:
            interpreter_exit.without_collection()
        if self._is_worker:
            getattr(self._config, "workeroutput", {})[self.NAME] = self.gathered.packed()
        elif judging:
            self._come_to_a_verdict(exitstatus)
        result = yield
        if judging and not self._is_worker:
            session.exitstatus = self._exit_status(session.exitstatus)
        return result

    def _exit_status(self, before: int) -> int:
        """The exit status: not 0 without an approval; 0 with one, if all failures are waived."""
        approved = self._verdict is not None and self._verdict.outcome == "approved" and not self._trouble
        if approved and before == pytest.ExitCode.TESTS_FAILED and not self._others_failed:
            return pytest.ExitCode.OK
        if not approved and before in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return pytest.ExitCode.TESTS_FAILED
        return before

    def _come_to_a_verdict(self, exitstatus: int) -> None:
        from proveout.gate import finalize as judging

        self.gathered.found(*run_options.problems(self._config, self.settings))
        if self.sample is not None:
            self.sample.write_seen()
            message = "judged by a sample of the held-out rows: run the gate without --holdout-sample"
            self.gathered.found(preconditions.wrong("options[--holdout-sample]", message, outcome="error"))
        now_there = fingerprint.content(self.settings)
        self.gathered.found(*fingerprint.edited(self._judged_by or {}, now_there))
        read = {name: digest for name, digest in self.gathered.read.items() if name not in now_there}
        self.gathered.found(*fingerprint.edited(read, fingerprint.digests_now(read, self.settings)))
        try:
            self._verdict, self._notes = judging.judge(
                self.gathered,
                self.context(),
                edge_cases=self.edge_cases,
                patterns=self._config.getini("python_files"),
                there=uncollected.below(
                    self._folder,
                    root=self.settings.root,
                    files=self._config.getini("python_files"),
                    classes=self._config.getini("python_classes"),
                    functions=self._config.getini("python_functions"),
                ),
                files_read=read,
                exitstatus=exitstatus,
                at=now(),
                gate_run=self._run,
            )
        except (ProveoutError, pytest.UsageError, OSError) as error:
            self._trouble = f"refused   the verdict could not be recorded, so nothing is approved: {error}"
        self._notes += reporters.in_job_summary(self._verdict, self._trouble)
        reporters.in_junit(self._config, self._verdict)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the verdict."""
        reporters.in_terminal(terminalreporter, self._verdict, trouble=self._trouble, notes=self._notes)

    # --- pytest-xdist --------------------------------------------------------------------------------------------

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a starting worker which candidate to judge."""
        with suppress(pytest.UsageError):  # the controller reports it itself, before the run
            node.workerinput[self.NAME] = str(self.context().folder) if self._asked_for() else None

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add a worker's data when it ends."""
        packed = getattr(node, "workeroutput", {}).get(self.NAME)
        if packed:
            self.gathered.unpack(packed)
        else:
            message = "a worker of pytest-xdist ended without its results: run the gate again"
            self.gathered.found(preconditions.wrong("workers", message, outcome="missing"))
        self._wanted = self._wanted or bool(self.gathered.seen)


def _settings(config: pytest.Config) -> Settings:
    try:
        return settings_module.load(config.invocation_params.dir)
    except ProveoutError:
        return settings_module.load(config.rootpath)
