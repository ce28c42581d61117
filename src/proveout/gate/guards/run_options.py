"""Detects options that make a gate run differ from the files in the repository.

Input: pytest's configuration and the project's settings. Output: a `CheckResult` for each option or variable that
removes or weakens checks, such as a shell alias or a leftover in a CI job.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from proveout import gate_settings
from proveout.evaluation.code_origin import short
from proveout.gate import pytest_config
from proveout.gate.preconditions import wrong
from proveout.records.verdict import CheckResult
from proveout.settings import Settings, said_in_file

REMEDY = "leave it out, or put it into the configuration file"


def problems(config: pytest.Config, settings: Settings) -> Iterator[CheckResult]:
    """Results for options and variables that override the project's files."""
    yield from _pytest_settings(config, settings)
    for name, meant in overridden_settings(settings):
        what = f"PROVEOUT_{name.upper()} in the environment overrides {name} in [tool.proveout]"
        message = f"{what}, which says {list(meant) if isinstance(meant, tuple) else meant!r}: {REMEDY}"
        yield wrong(f"options[PROVEOUT_{name.upper()}]", message, outcome="error")
    if sys.flags.optimize:
        yield wrong("options[-O]", "python -O leaves assertions out: run the gate without it", outcome="error")
    loaded = {_file_of(plugin) for plugin in config.pluginmanager.get_plugins()}
    for conftest in (settings.root / "conftest.py", settings.root / settings.checks / "conftest.py"):
        if conftest.is_file() and conftest.resolve() not in loaded:
            name = short(conftest, settings.root)
            what = f"{name} belongs to the checks and was not loaded (--noconftest, --confcutdir)"
            yield wrong(f"options[{name}]", f"{what}: {REMEDY}", outcome="error")


def overridden_settings(settings: Settings) -> Iterator[tuple[str, Any]]:
    """The gate's settings that the environment overrides, with their values in the project's file."""
    said = said_in_file(settings.root)
    for name in gate_settings.overridden():
        yield name, getattr(said, name)


def _pytest_settings(config: pytest.Config, settings: Settings) -> Iterator[CheckResult]:
    folder = settings.root / settings.checks
    for override in config.getoption("override_ini") or ():
        if override.partition("=")[0].strip() in pytest_config.SETTINGS:
            yield wrong("options[-o]", f"-o {override} changes which functions are checks: {REMEDY}", outcome="error")
    ours, theirs = pytest_config.find(folder), config.inipath
    if theirs is not None and theirs != ours and pytest_config.said_in(theirs) != pytest_config.settings_of(folder):
        what = f"the run takes its settings from {short(theirs, settings.root)} (-c), the checks from"
        yield wrong("options[-c]", f"{what} {short(ours, settings.root)}: {REMEDY}", outcome="error")


def _file_of(plugin: object) -> Path | None:
    module = plugin if isinstance(plugin, ModuleType) else sys.modules.get(type(plugin).__module__)
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None
