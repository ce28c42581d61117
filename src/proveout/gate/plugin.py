"""The pytest plugin. It is installed with proveout, so every pytest run on the machine imports it.

So it imports only pytest, and does nothing outside of a proveout project. Inside one, it registers the gate's session
and fixtures, which become active when a check is collected. Only importer of pytest.
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
        help="judge with all checks in this folder instead of the project's own; the verdict says so, and cannot "
        "override a refusal by the project's own",
    )
    group.addoption(
        "--candidate",
        metavar="DIGEST",
        default=None,
        help="the bundle to judge: its digest, 6 or more digits of it, or its folder "
        "(default: PROVEOUT_CANDIDATE, else the newest packed one)",
    )
    group.addoption(
        "--holdout-sample",
        metavar="FILE",
        default=None,
        help="run only checks that use held-out rows, on the rows named in this file; the verdict never approves. "
        "proveout mutate --aa uses it",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """In a proveout project: start recording file reads, before the first conftest.py is read."""
    root = next(filter(None, map(_project, (early_config.invocation_params.dir, early_config.rootpath))), None)
    if root is not None:
        from proveout.gate import file_reads

        early_config.stash[READS] = file_reads.FileReads(root)
        early_config.stash[READS].start()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop recording file reads."""
    reads = config.stash.get(READS, None)
    if reads is not None:
        reads.stop()


def pytest_configure(config: pytest.Config) -> None:
    """In a proveout project: register the gate's session and fixtures."""
    if any(_project(start) for start in (config.invocation_params.dir, config.rootpath)):
        # Imported late, because these import settings and pydantic.
        from proveout.gate import fixtures
        from proveout.gate.check_hooks import Watch
        from proveout.gate.session import GateSession

        config.addinivalue_line("markers", "covers(*ids): tests of the ML Test Score that the check is evidence for")
        session = GateSession(config, config.stash.get(READS, None))
        config.pluginmanager.register(session, GateSession.NAME)
        config.pluginmanager.register(Watch(session), "proveout-watch")
        config.pluginmanager.register(fixtures, "proveout-fixtures")


def _project(start: Path) -> Path | None:
    # Search the text instead of parsing it, because every pytest run on the machine pays for this.
    for folder in (start, *start.parents):
        try:
            if "\n[tool.proveout]" in "\n" + (folder / "pyproject.toml").read_text(encoding="utf-8"):
                return folder
        except (OSError, UnicodeDecodeError):
            continue
    return None
