"""The pytest plugin. Installed with proveout, so it is imported by every pytest run on the machine.

That is why it imports nothing but pytest and does nothing unless the run stands in a proveout project: then the
session that gathers evidence and the fixtures of the gate are registered, and wait for a check to be collected.
Door to: pytest.
"""

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The gate's one option."""
    parser.getgroup("proveout").addoption(
        "--candidate",
        metavar="DIGEST",
        default=None,
        help="the bundle that the checks are to judge: its digest, 6 or more digits of it, or its folder "
        "(default: PROVEOUT_CANDIDATE, else the newest packed one)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """In a proveout project: get ready for checks."""
    if any(_is_project(start) for start in (config.invocation_params.dir, config.rootpath)):
        # Only now: these import settings, and with them pydantic.
        from proveout.gate import fixtures
        from proveout.gate.session import GateSession
        from proveout.gate.watching import Watch

        config.addinivalue_line("markers", "covers(*ids): which tests of the ML Test Score the check is evidence for")
        session = GateSession(config)
        config.pluginmanager.register(session, GateSession.NAME)
        config.pluginmanager.register(Watch(session), "proveout-watch")
        config.pluginmanager.register(fixtures, "proveout-fixtures")


def _is_project(start: Path) -> bool:
    # A look at the text, not a parse: every pytest run on the machine pays for it.
    for folder in (start, *start.parents):
        try:
            if "\n[tool.proveout]" in "\n" + (folder / "pyproject.toml").read_text(encoding="utf-8"):
                return True
        except (OSError, UnicodeDecodeError):
            continue
    return False
