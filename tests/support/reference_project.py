"""The project of this repository, run in a state folder of its own, so that no test touches the developer's ledger."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
SAME_IN_EVERY_PROJECT = ("test_generated.py", "test_served.py")  # of checks/
FEW_CHECKS = "tests/few_checks"  # all of checks/ takes a minute: tests/line/test_reference_checks.py


def terminal(**environment: str) -> dict[str, str]:
    """The environment of somebody at a terminal: this run's Python, and none of its settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PROVEOUT_", "METAFLOW_", "GITHUB_"))}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **environment}


def typed(
    command: str, folder: Path, *, timeout_s: float = 600, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `command` in a shell, as somebody would type it in `folder`."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder, env=terminal(**environment), capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip


def trained_in_a_notebook(root: Path, *, checks: str, **environment: str) -> "NotebookNode":
    """The executed notebooks/run_flow.ipynb of a project: ingest, train and judge, by Metaflow's Runner in a kernel."""
    import nbformat
    from nbclient import NotebookClient

    document = nbformat.read(root / "notebooks" / "run_flow.ipynb", 4)
    [train] = [cell for cell in document.cells if '"train.py"' in cell.source]
    train.source = train.source.replace(".run()", f".run(checks={checks!r})")
    client = NotebookClient(document, timeout=600, resources={"metadata": {"path": str(root / "notebooks")}})
    client.execute(env=terminal(**environment))
    return document


class LaidOut:
    """The reference project as `proveout init` lays it out in a folder, and what each command there printed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "my-flights"
        self._said = folder / "printed.json"

    @property
    def printed(self) -> dict[str, str]:
        return json.loads(self._said.read_text()) if self._said.exists() else {}

    def type(self, command: str, *options: str) -> None:
        """Run `command` in the project, or beside it if there is none yet, with options that its page does not have."""
        here = self.root if self.root.exists() else self.folder
        ran = typed(" ".join((command, *options)), here)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        self._said.write_text(json.dumps({**self.printed, command: ran.stdout}))

    def copy(self, folder: Path) -> "LaidOut":
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        return LaidOut(folder)


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
        self, *command: str, cwd: Path = ROOT, timeout_s: float = 600, **environment: str
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
        from proveout import gate_settings, settings

        return gate_settings.with_checks(settings.load(ROOT).model_copy(update={"state": self.state}), FEW_CHECKS)

    def ledger(self):
        from proveout.ledger.ledger import Ledger

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

    def release(self) -> None:
        """Make the newest candidate champion. `proveout release` would refuse: other files decided on it elsewhere."""
        from proveout.ledger.ledger import read
        from proveout.records.bundle import Bundle
        from proveout.records.values import now
        from proveout.rollout import releases
        from proveout.trust.signing import Keyring

        bundle = read(Bundle, self.newest("bundle"))
        with self.ledger() as ledger:
            releases.release(ledger, Keyring(self.settings().keys_dir), bundle, by="ada", reason="the first", at=now())
