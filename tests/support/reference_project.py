"""The project of this repository, run in a state folder of its own, so that no test touches the developer's ledger."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FEW_CHECKS = "tests/few_checks"  # all of checks/ takes a minute: tests/line/test_reference_checks.py


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
