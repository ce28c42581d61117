"""The gate in a pytest run: what was seen, what was reported, and at the end the verdict.

Input: pytest's hooks, of a run in a proveout project. Output: a recorded verdict, a summary in the terminal, a job
summary, an exit status. It only gathers; `verdict.judge` judges. Whatever pytest knows of a check that is not a plain
pass (a skip, a deselection, a stop before it) is handed on as just that.

A run becomes a gate run when a check is asked for, collected or reported. Under pytest-xdist the workers run the
checks and the controller alone judges: what a worker saw comes back in its `workeroutput`.
"""

import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

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


OPENED: "pytest.StashKey[EvaluationContext]" = pytest.StashKey()
"""What was opened before this run began, for runs that judge by samples of the held-out rows (`warm_runs`)."""


class GateSession:
    """Gathers a run's checks from pytest's hooks and judges at its end."""

    NAME = "proveout-gate"

    def __init__(self, config: pytest.Config, reads: FileReads | None = None) -> None:
        self._config, self._reads = config, reads
        # Taken out: it names this run, not one that a check may start.
        self._run = os.environ.pop(gate_run.VARIABLE, "")
        self.gathered = ResultCollector()
        self._wanted = False  # whether this is a gate run
        self._others_failed = False  # tests that are no checks, in the same run
        self._context: EvaluationContext | None = None
        self._cases: tuple[Case, ...] | None = None
        self._verdict: Verdict | None = None
        self._trouble = ""
        self._notes: list[str] = []
        try:
            # The environment may name another root; without it, the project the run stands in.
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
        self._judged_by: dict[str, str] | None = None  # the files that judge, when the run began

    @staticmethod
    def of(config: pytest.Config) -> "GateSession":
        """The gate of this run."""
        session = config.pluginmanager.get_plugin(GateSession.NAME)
        assert isinstance(session, GateSession)
        return session

    def context(self) -> "EvaluationContext":
        """What the candidate is judged with. Raises: UsageError if there is none, or one that was tampered with."""
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

    def edge_cases(self) -> "tuple[Case, ...]":
        """The project's edge cases. Raises: ConfigError for a file that is faulty or not there."""
        from proveout import edge_cases as cases
        from proveout.task import task as tasks

        if self._cases is None:
            schema = settings_module.load_object(self.settings.request_schema, self.settings.root)
            self._cases = cases.load(
                self.settings.root / self.settings.edge_cases, schema, task=tasks.named(self.settings.task)
            )
        return self._cases

    def _named(self) -> str | None:
        # A controller of pytest-xdist tells its workers which one, so that all judge the same.
        told: Mapping[str, Any] = getattr(self._config, "workerinput", {})
        named: str | None = told.get(self.NAME) or self._config.getoption("--candidate")
        return named or os.environ.get("PROVEOUT_CANDIDATE") or None

    def check_id(self, nodeid: str) -> str | None:
        """The node id relative to the project's root, wherever pytest was started; None for what is no check."""
        path, separator, rest = nodeid.partition("::")
        # The folder's name in the end, not where a link leads: what is linked into the checks is a check.
        file = Path(os.path.normpath(self._config.rootpath.resolve() / path))
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
            self.gathered.opened.add(opened)
            if found.passed and not found.result and self._config.getoption("lf"):
                # Nothing in it failed the last time, so pytest passes the whole file over.
                self.gathered.seen.update(dict.fromkeys(uncollected.checks(collector, name=opened), ""))
            elif found.passed:
                # By their own names: a parametrized check is collected once for each case.
                names = {getattr(node, "originalname", None) or node.name for node in found.result or ()}
                self.gathered.found(*uncollected.hidden(collector, names, name=opened))
            for node in found.result or ():
                asked = {"edge_answers", "edge_case"} & set(getattr(node, "fixturenames", ()))
                self.gathered.cases_asked = self.gathered.cases_asked or bool(asked)
                name = self.check_id(node.nodeid)
                if name is not None and isinstance(node, pytest.Item):
                    self.gathered.seen.setdefault(name, "it was collected, and the run never came to it")
                elif name is not None:
                    self.gathered.closed.add(name)
        return found

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Write down what a check says it covers: its reports carry it."""
        ids = sorted({str(one) for mark in item.iter_markers("covers") for one in mark.args})
        if ids and self.check_id(item.nodeid) is not None:
            item.user_properties.append((COVERS, canonical(ids).decode()))

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Judged by a sample of the held-out rows, ask only what looks at them."""
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
        """Keep what could not be collected: its checks are not there to be missed."""
        name = self.check_id(report.nodeid)
        if name is not None and not report.passed:
            self._wanted = True
            self.gathered.life(name).saw("error" if report.failed else "skipped", gathered.message_of(report))

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Keep what -k, -m, --deselect and --lf took out."""
        for name in (self.check_id(item.nodeid) for item in items):
            if name is not None:
                self._wanted = True
                self.gathered.seen[name] = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a check reports: on the controller too, whichever process it ran in."""
        name = self.check_id(report.nodeid)
        if name is None:
            self._others_failed = self._others_failed or report.failed
            return
        self._wanted = True
        self.gathered.report(name, report)

    # --- the run -------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Before a check is read: remember what is written there, and let no older bytecode run in its place."""
        if not any(path.is_relative_to(self._folder) or self._folder.is_relative_to(path) for path in self._asked()):
            if self._reads is not None:
                self._reads.stop()
            if self._config.getoption("--checks"):
                raise pytest.UsageError(f"--checks {self.settings.checks}, and what is asked to run lies elsewhere")
            return  # a run of other tests pays for nothing
        if self._reads is not None:
            self._reads.leave_out(self.settings.state_dir)
        fingerprint.drop_old_bytecode(self.settings)
        if not self._is_worker:
            self._judged_by = fingerprint.content(self.settings)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Before the first check: there has to be a candidate, said once and not by every check."""
        if self._is_worker or session.config.option.collectonly:
            return
        if self._wanted or self._asked_for():
            self._wanted = True
            self.context()
            if self.sample is not None:
                self.sample.watch_clusters()

    def _asked_for(self) -> bool:
        return any(path.is_relative_to(self._folder) for path in self._asked())

    def _asked(self) -> list[Path]:
        here = self._config.invocation_params.dir.resolve()
        return [Path(os.path.normpath(here / argument.partition("::")[0])) for argument in self._config.args]

    # tryfirst: outermost of the wrappers. The JUnit file is written within, and is to have what the verdict says.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, object, object]:
        """Judge, record, and let no candidate that is not approved leave with exit status 0."""
        if self._reads is not None:
            self._reads.stop()
            self.gathered.saw_read(self._reads.found)
        if self._wanted and self._context is not None and self.sample is None:  # by a sample nothing is approved anyway
            self.gathered.found(*fixture_guard.broken(self._context))
        judging = self._wanted and not session.config.option.collectonly and exitstatus != pytest.ExitCode.USAGE_ERROR
        if self._is_worker:
            getattr(self._config, "workeroutput", {})[self.NAME] = self.gathered.packed()
        elif judging:
            self._come_to_a_verdict(exitstatus)
        result = yield
        if judging and not self._is_worker:
            session.exitstatus = self._exit_status(session.exitstatus)
        return result

    def _exit_status(self, before: int) -> int:
        """Not 0 without an approval; and 0 with one, where all that failed is under a waiver."""
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
        """Say what the run came to."""
        reporters.in_terminal(terminalreporter, self._verdict, trouble=self._trouble, notes=self._notes)

    # --- pytest-xdist --------------------------------------------------------------------------------------------

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A worker starts: tell it which candidate."""
        with suppress(pytest.UsageError):  # said by the controller itself, before the run
            node.workerinput[self.NAME] = str(self.context().folder) if self._asked_for() else None

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker ends: what it saw, the controller did not see."""
        packed = getattr(node, "workeroutput", {}).get(self.NAME)
        if packed:
            self.gathered.unpack(packed)
        else:
            message = "a worker of pytest-xdist ended without saying what it had seen: run the gate again"
            self.gathered.found(preconditions.wrong("workers", message, outcome="missing"))
        self._wanted = self._wanted or bool(self.gathered.seen)


def _settings(config: pytest.Config) -> Settings:
    try:
        return settings_module.load(config.invocation_params.dir)
    except ProveoutError:
        return settings_module.load(config.rootpath)
