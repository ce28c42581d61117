"""One run of the gate, `pytest checks/`, in a separate process, and the verdict that this run wrote.

Input: the settings and arguments for pytest. Output: the verdict. pytest's exit code does not matter, because a check
can end the process with any code, before or after the verdict.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proveout.gate_settings import pytest_arguments
from proveout.project import open_ledger
from proveout.records.verdict import Verdict
from proveout.settings import Settings

if TYPE_CHECKING:
    from proveout.ledger.ledger import Ledger

VARIABLE = "PROVEOUT_GATE_RUN"
"""Environment variable with the name of the run, which its verdict records."""


@dataclass(frozen=True, kw_only=True)
class GateRun:
    """The result of one run."""

    verdict: Verdict | None  # None: it ended without one
    exit_code: int  # of the pytest process; below 0: the signal that ended it

    @property
    def end(self) -> str:
        """How the process ended, in words.

        >>> GateRun(verdict=None, exit_code=-9).end
        'ended by signal 9'
        """
        return f"ended by signal {-self.exit_code}" if self.exit_code < 0 else f"ended with exit code {self.exit_code}"


@dataclass(frozen=True, kw_only=True)
class ForkedRun:
    """One run that a process with everything imported is to fork, see `gate/warm_runs.py`."""

    arguments: tuple[str, ...]  # of pytest
    environment: Mapping[str, str]  # besides that of the process
    output: str  # the file for what it prints
    modules: str  # the file for the names of the modules that it had imported in the end


def judge(settings: Settings, arguments: Sequence[str] = ()) -> GateRun:
    """Run pytest on the project's checks. Its output is passed through.

    Args:
        arguments: for pytest, such as `--candidate DIGEST`; without one, it judges the newest candidate.
    """
    # Imported late: the plugin imports this module in every pytest run of the project.

    name = secrets.token_hex(16)
    # Closed before pytest runs, because a run takes minutes.
    with open_ledger(settings) as ledger:
        before = ledger.last_seq()
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *pytest_arguments(settings), *arguments],
        cwd=settings.root,
        # OpenMP threads that spin while waiting take cores from the threads they wait for, on a busy machine.
        env={"OMP_WAIT_POLICY": "passive", **os.environ, VARIABLE: name},
        check=False,
    )
    with open_ledger(settings) as ledger:
        return GateRun(verdict=verdict_of(ledger, name, since=before), exit_code=ran.returncode)


def verdict_of(ledger: "Ledger", name: str, *, since: int) -> Verdict | None:
    """The verdict that the run with this name wrote after entry number `since`; None if it wrote none."""
    from proveout.ledger.ledger import read

    written = (read(Verdict, entry) for entry in ledger.entries(kind="verdict", after=since, newest_first=True))
    return next((verdict for verdict in written if verdict.gate_run == name), None)
