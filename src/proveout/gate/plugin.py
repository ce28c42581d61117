"""The pytest plugin. Installed with proveout, so it is imported by every pytest run on the machine.

That is why it imports nothing but pytest and does nothing unless the run stands in a proveout project: then the
session that gathers evidence and the fixtures of the gate are registered, and wait for a check to be collected.
Only importer of pytest.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from proveout.gate.file_reads import FileReads

READS: "pytest.StashKey[FileReads]" = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The gate's options."""
    group = parser.getgroup("proveout")
    group.addoption(
        "--checks",
        metavar="DIR",
        default=None,
        help="judge by all checks in this folder, and not by the project's own: the verdict says so, and covers no "
        "refusal by these",
    )
    group.addoption(
        "--candidate",
        metavar="DIGEST",
        default=None,
        help="the bundle that the checks are to judge: its digest, 6 or more digits of it, or its folder "
        "(default: PROVEOUT_CANDIDATE, else the newest packed one)",
    )
    group.addoption(
        "--holdout-sample",
        metavar="FILE",
        default=None,
        help="run only the checks that look at held-out rows, on those that this file names: the verdict never "
        "approves. For proveout mutate --aa, which writes it",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """In a proveout project: look at what is read from here on, a bound by the first conftest.py among it."""
    root = next(filter(None, map(_project, (early_config.invocation_params.dir, early_config.rootpath))), None)
    if root is not None:
        from proveout.gate import file_reads

        early_config.stash[READS] = file_reads.FileReads(root)
        early_config.stash[READS].start()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Look no more."""
    reads = config.stash.get(READS, None)
    if reads is not None:
        reads.stop()


def pytest_configure(config: pytest.Config) -> None:
    """In a proveout project: get ready for checks."""
    if any(_project(start) for start in (config.invocation_params.dir, config.rootpath)):
        # Only now: these import settings, and with them pydantic.
        from proveout.gate import fixtures
        from proveout.gate.check_hooks import Watch
        from proveout.gate.session import GateSession

        config.addinivalue_line("markers", "covers(*ids): which tests of the ML Test Score the check is evidence for")
        session = GateSession(config, config.stash.get(READS, None))
        config.pluginmanager.register(session, GateSession.NAME)
        config.pluginmanager.register(Watch(session), "proveout-watch")
        config.pluginmanager.register(fixtures, "proveout-fixtures")


def _project(start: Path) -> Path | None:
    # A look at the text, not a parse: every pytest run on the machine pays for it.
    for folder in (start, *start.parents):
        try:
            if "\n[tool.proveout]" in "\n" + (folder / "pyproject.toml").read_text(encoding="utf-8"):
                return folder
        except (OSError, UnicodeDecodeError):
            continue
    return None
