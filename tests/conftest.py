"""Fixtures shared by the tests: a project trained once, by its real flows, in a state folder of its own."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
import real_postgres
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
FEW_CHECKS = "tests/few_checks"  # all of checks/ takes a minute, and is asked by the last lines of `make test`
collect_ignore = ["few_checks"]  # unless they are asked for by name
# Minutes each, in a test or a few: one that began last would keep one process busy and three waiting.
LONG = ("test_readme.py", "test_demo.py", "test_flows.py", "test_challenge.py")
# Four test processes share two cores: threads that spin while they wait for each other would take them from the rest.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


class Project:
    """The reference project with a state folder of its own, so that no test touches the developer's ledger."""

    def __init__(self, state: Path) -> None:
        self.root, self.state = ROOT, state
        self.environment = {
            **os.environ,
            "PROVEOUT_STATE": str(state),
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(ROOT),
        }

    def run(
        self, *command: str, cwd: Path = ROOT, timeout_s: float = 240, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `python <command>` in the project."""
        return subprocess.run(
            [sys.executable, *command],
            cwd=cwd,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def copy(self, state: Path) -> "Project":
        """The same project with a copy of its state, to spoil."""
        shutil.copytree(self.state, state)
        return Project(state)

    def settings(self):
        from proveout import judging_settings, settings

        return judging_settings.with_checks(settings.load(ROOT).model_copy(update={"state": self.state}), FEW_CHECKS)

    def ledger(self):
        from proveout.registry.ledger import Ledger

        return Ledger(self.settings().ledger)

    def store(self):
        from proveout.data.store import Store

        return Store(self.settings().store)

    def newest(self, kind: str):
        """The newest ledger entry of a kind."""
        ledger = self.ledger()
        try:
            return ledger.entries(kind=kind, limit=1, newest_first=True)[0]
        finally:
            ledger.close()


@pytest.fixture(scope="session")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The months of January to May, taken in by flows/ingest.py."""
    made = Project(_shared(tmp_path_factory) / "ingested")
    with _once(made.state) as missing:
        if missing:
            ran = made.run("flows/ingest.py", "run")
            assert ran.returncode == 0, ran.stdout + ran.stderr
    return made.copy(tmp_path_factory.mktemp("project") / "state")


@pytest.fixture(scope="session")
def trained_in_a_notebook(ingested: Project, tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """notebooks/run_flow.ipynb, executed: ingest again, train a candidate, put it before the gate."""
    made = Project(_shared(tmp_path_factory) / "trained")
    executed = made.state.with_suffix(".ipynb")
    with _once(made.state) as missing:
        if missing:
            shutil.copytree(ingested.state, made.state, dirs_exist_ok=True)
            document = nbformat.read(ROOT / "notebooks" / "run_flow.ipynb", 4)
            [train] = [cell for cell in document.cells if '"train.py"' in cell.source]
            train.source = train.source.replace(".run()", f".run(checks={FEW_CHECKS!r})")
            client = NotebookClient(document, timeout=240, resources={"metadata": {"path": str(ROOT / "notebooks")}})
            client.execute(env=made.environment)
            nbformat.write(document, executed)
    shutil.copytree(made.state, ingested.state, dirs_exist_ok=True)
    return nbformat.read(executed, 4)


@pytest.fixture(scope="session")
def trained(ingested: Project, trained_in_a_notebook: NotebookNode) -> Project:
    """The project with a candidate that the gate has approved."""
    return ingested


@pytest.fixture(scope="session")
def postgres() -> str:
    """Address of a PostgreSQL server."""
    return real_postgres.address()


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all processes of a test run have in common: they train one model, and each has a copy."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def _once(made: Path) -> Iterator[bool]:
    """True in the one process that is to make it; the others wait, and find it made."""
    done = made.with_suffix(".done")
    with made.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not done.exists()
        done.touch()
