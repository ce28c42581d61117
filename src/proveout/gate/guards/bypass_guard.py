"""What somebody in a hurry does to a gate run so that it comes out green, and that pytest itself takes for granted.

Comes in: pytest's configuration, plugins, fixtures and items. Goes out: a `CheckResult` for each thing that is not as
it should be. Whatever is looked at by name only is looked at in every process of a run. What was replaced or changed is
for `replaced` and `seals` to find.

What cannot be guarded from within: who edits proveout or pytest where they are installed, or lets another program
write the ledger, has the gate's own powers. What they cannot make is a signature by a key that is trusted elsewhere.
A check that asserts the wrong thing is a matter of review: that is why its source is part of what is approved.
"""

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from proveout import gate_settings
from proveout.evaluation.code_origin import is_foreign, short
from proveout.gate import pytest_config
from proveout.gate.guards import vacuous
from proveout.gate.preconditions import wrong
from proveout.records import CheckResult
from proveout.settings import Settings, said_in_file

FIXTURES = frozenset({
    "candidate", "champion", "criteria", "edge_answers", "edge_case", "edge_cases", "evidence", "gate_material",
    "generated", "holdout", "profiles", "project", "snapshot", "training",
})  # fmt: skip
HOOKS = frozenset({
    "pytest_collection", "pytest_collectreport", "pytest_fixture_setup", "pytest_make_collect_report",
    "pytest_pycollect_makeitem", "pytest_pycollect_makemodule", "pytest_pyfunc_call", "pytest_report_from_serializable",
    "pytest_report_teststatus", "pytest_report_to_serializable", "pytest_runtest_call", "pytest_runtest_logreport",
    "pytest_runtest_makereport", "pytest_runtest_protocol", "pytest_runtestloop", "pytest_testnodedown",
})  # fmt: skip
"""Hooks that can make another outcome of a check, or a check disappear without a trace."""
HARMLESS = frozenset({
    "cacheprovider", "cov", "debugging", "faulthandler", "junitxml", "logging", "pastebin", "pytest_cov", "randomly",
    "recwarn", "stepwise", "sugar", "terminal", "terminalprogress", "timeout", "warnings", "xdist",
})  # fmt: skip
"""Plugins that collect no checks: a run may go without them (`-p no:…`)."""


# --- how the run was started --------------------------------------------------------------------------------------


def options(config: pytest.Config, settings: Settings) -> Iterator[CheckResult]:
    """Options that say otherwise than the project's file what a check is."""
    folder = settings.root / settings.checks
    remedy = "leave it away, or write it into the file that everybody runs by"
    for override in config.getoption("override_ini") or ():
        if override.partition("=")[0].strip() in pytest_config.SETTINGS:
            yield wrong("options[-o]", f"-o {override} changes what is a check: {remedy}", outcome="error")
    ours, theirs = pytest_config.find(folder), config.inipath
    if theirs is not None and theirs != ours and pytest_config.said_in(theirs) != pytest_config.settings_of(folder):
        what = f"the run takes its settings from {short(theirs, settings.root)} (-c), the checks from"
        yield wrong("options[-c]", f"{what} {short(ours, settings.root)}: {remedy}", outcome="error")
    written = _without(shlex.split(" ".join(pytest_config.settings_of(folder).get("addopts", ()))))
    for plugin in _without(_plugin_arguments(config)):
        if plugin not in HARMLESS and (plugin not in written or plugin.startswith("proveout")):
            message = f"-p no:{plugin} may take checks out of the run unseen: {remedy}"
            yield wrong(f"options[-p no:{plugin}]", message, outcome="error")
    for name, plugin in (
        ("proveout-watch", "proveout.gate.check_hooks"),
        ("proveout-fixtures", "proveout.gate.fixtures"),
    ):
        there = config.pluginmanager.get_plugin(name)
        if plugin not in (getattr(there, "__name__", ""), type(there).__module__):
            message = f"the plugin {name} was taken out of the run: leave it in, it is part of the gate"
            yield wrong(f"options[{name}]", message, outcome="error")
    for name, meant in overridden_settings(settings):
        what = f"PROVEOUT_{name.upper()} in the environment takes the place of {name} in [tool.proveout]"
        message = f"{what}, which says {list(meant) if isinstance(meant, tuple) else meant!r}: {remedy}"
        yield wrong(f"options[PROVEOUT_{name.upper()}]", message, outcome="error")
    if sys.flags.optimize:
        yield wrong("options[-O]", "python -O leaves assertions out: run the gate without it", outcome="error")
    loaded = {_file_of(plugin) for plugin in config.pluginmanager.get_plugins()}
    for conftest in (settings.root / "conftest.py", folder / "conftest.py"):
        if conftest.is_file() and conftest.resolve() not in loaded:
            name = short(conftest, settings.root)
            what = f"{name} belongs to the checks and was not loaded (--noconftest, --confcutdir)"
            yield wrong(f"options[{name}]", f"{what}: {remedy}", outcome="error")


def overridden_settings(settings: Settings) -> Iterator[tuple[str, Any]]:
    """The settings that judge and that the environment sets, with what the project's file says."""
    said = said_in_file(settings.root)
    for name in gate_settings.overridden():
        yield name, getattr(said, name)


def _plugin_arguments(config: pytest.Config) -> list[str]:
    return [f"-p{name}" for name in config.getoption("plugins") or ()]


def _without(arguments: Sequence[str]) -> set[str]:
    """The plugins that a command line goes without: `-p no:NAME`, written in one word or two."""
    joined = " ".join(arguments).replace("-p ", "-p").split()
    return {word.removeprefix("-pno:").removeprefix("pytest_") for word in joined if word.startswith("-pno:")}


# --- who else had a say -------------------------------------------------------------------------------------------


def hooks(config: pytest.Config, settings: Settings) -> Iterator[CheckResult]:
    """Conftest files and plugins of the project that implement hooks by which a check's outcome can be changed."""
    found: dict[Path, set[str]] = {}
    for name in HOOKS:
        caller = getattr(config.hook, name, None)
        for implemented in caller.get_hookimpls() if caller is not None else ():
            # The file of the function: a plugin may be any object that has it.
            code = getattr(vacuous.plain(implemented.function), "__code__", None)
            file = Path(code.co_filename).resolve() if code is not None else _file_of(implemented.plugin)
            if file is not None and is_foreign(file, settings.root) and not _is_elsewhere(file, settings):
                found.setdefault(file, set()).add(name)
    for file, names in found.items():
        where = short(file, settings.root)
        message = (
            f"{where} implements {', '.join(sorted(names))}, which can change what becomes of a check: take it out, "
            f"or move it to a conftest.py that no check sees, such as tests/conftest.py"
        )
        yield wrong(f"hooks[{where}]", message)


def overridden(fixture: Any, settings: Settings) -> CheckResult | None:
    """Whether a fixture that is about to be set up has the name of one of the gate's and is another one."""
    name = fixture.argname
    if name not in FIXTURES or fixture.func.__module__ == "proveout.gate.fixtures":
        return None
    code = getattr(vacuous.plain(fixture.func), "__code__", None)
    file = Path(code.co_filename) if code is not None else None
    if name == "edge_case" and (file is None or "_pytest" in file.parts):
        return None  # pytest's own, for the cases that the gate gave it
    by = short(file, settings.root) if file is not None and "_pytest" not in file.parts else "a parametrize mark"
    message = f"{by} overrides the fixture {name}, so the checks judge something else: give yours another name"
    return wrong(f"fixtures[{name}]", message)


def exchanged(item: pytest.Item, settings: Settings) -> CheckResult | None:
    """Whether the function that is about to run is another than the one in the check's file."""
    if not isinstance(item, pytest.Function) or item.parent is None:
        return None
    declared = getattr(getattr(item.parent, "obj", None), item.originalname, None)
    runs, stands = vacuous.plain(item.obj), vacuous.plain(declared)
    if runs is stands or not isinstance(runs, FunctionType):
        return None
    file = Path(runs.__code__.co_filename)
    if not is_foreign(file, settings.root):
        return None
    message = f"{short(file, settings.root)} runs another function in its place: take that out"
    return wrong(f"exchanged[{item.nodeid}]", message)


def exchanged_arguments(given: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[CheckResult]:
    """The arguments of a check that have the name of a fixture of the gate and are another object.

    Args:
        given: the check's arguments.
        made: what the gate made for these names; a class, where each check is given one of its own.
    """
    for name in sorted(set(given) & set(made)):
        own = type(given[name]) is made[name] if isinstance(made[name], type) else given[name] is made[name]
        if not own:
            message = f"a check was given something else than the fixture {name}: give yours another name"
            yield wrong(f"fixtures[{name}]", message)


# --- whose file it is ---------------------------------------------------------------------------------------------


def _is_elsewhere(file: Path, settings: Settings) -> bool:
    """Whether it is a conftest.py that no check sees."""
    seen_by = file.parent
    checks = (settings.root / settings.checks).resolve()
    return file.name == "conftest.py" and not (checks.is_relative_to(seen_by) or seen_by.is_relative_to(checks))


def _file_of(plugin: object) -> Path | None:
    module = plugin if isinstance(plugin, ModuleType) else sys.modules.get(type(plugin).__module__)
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None
