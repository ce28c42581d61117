"""What somebody in a hurry does to a gate run so that it comes out green, and that pytest itself takes for granted.

Comes in: pytest's configuration, plugins, fixtures and items, and the modules of the gate. Goes out: a `CheckResult`
for each thing that is not as it should be. Whatever is looked at by name only is looked at in every process of a run.

What cannot be guarded from within: who edits proveout or pytest where they are installed, or lets another program
write the ledger, has the gate's own powers. What they cannot make is a signature by a key that is trusted elsewhere.
A check that asserts the wrong thing is a matter of review: that is why its source is part of what is approved.
"""

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from proveout.gate import proof, pytestfile
from proveout.gate.integrity import wrong
from proveout.records import CheckResult
from proveout.settings import Settings

FIXTURES = frozenset({
    "candidate", "champion", "criteria", "edge_answers", "edge_case", "edge_cases", "evidence", "gate_material",
    "generated", "holdout", "profiles", "project", "snapshot", "training",
})  # fmt: skip
HOOKS = frozenset({
    "pytest_collection", "pytest_collectreport", "pytest_fixture_setup", "pytest_make_collect_report",
    "pytest_pycollect_makeitem", "pytest_pycollect_makemodule", "pytest_pyfunc_call", "pytest_report_from_serializable",
    "pytest_report_teststatus", "pytest_report_to_serializable", "pytest_runtest_call", "pytest_runtest_logreport",
    "pytest_runtest_makereport", "pytest_runtest_protocol", "pytest_runtestloop",
})  # fmt: skip
"""Hooks that can make another outcome of a check, or a check disappear without a trace."""
HARMLESS = frozenset({
    "cacheprovider", "cov", "debugging", "faulthandler", "junitxml", "logging", "pastebin", "pytest_cov", "randomly",
    "recwarn", "stepwise", "sugar", "terminal", "terminalprogress", "timeout", "warnings", "xdist",
})  # fmt: skip
"""Plugins that collect no checks: a run may go without them (`-p no:…`)."""
PACKAGE = Path(proof.__file__).resolve().parents[1]


# --- how the run was started --------------------------------------------------------------------------------------


def options(config: pytest.Config, settings: Settings) -> Iterator[CheckResult]:
    """Options that say otherwise than the project's file what a check is."""
    folder = settings.root / settings.checks
    remedy = "leave it away, or write it into the file that everybody runs by"
    for override in config.getoption("override_ini") or ():
        if override.partition("=")[0].strip() in pytestfile.SETTINGS:
            yield wrong("options[-o]", f"-o {override} changes what is a check: {remedy}", outcome="error")
    ours, theirs = pytestfile.find(folder), config.inipath
    if theirs is not None and theirs != ours and pytestfile.said_in(theirs) != pytestfile.settings_of(folder):
        what = f"the run takes its settings from {_short(theirs, settings.root)} (-c), the checks from"
        yield wrong("options[-c]", f"{what} {_short(ours, settings.root)}: {remedy}", outcome="error")
    written = _without(shlex.split(" ".join(pytestfile.settings_of(folder).get("addopts", ()))))
    for plugin in _without(_plugin_arguments(config)):
        if plugin not in HARMLESS and plugin not in written:
            message = f"-p no:{plugin} may take checks out of the run unseen: {remedy}"
            yield wrong(f"options[-p no:{plugin}]", message, outcome="error")
    if sys.flags.optimize:
        yield wrong("options[-O]", "python -O leaves assertions out: run the gate without it", outcome="error")
    loaded = {_file_of(plugin) for plugin in config.pluginmanager.get_plugins()}
    for conftest in (settings.root / "conftest.py", folder / "conftest.py"):
        if conftest.is_file() and conftest.resolve() not in loaded:
            name = _short(conftest, settings.root)
            what = f"{name} belongs to the checks and was not loaded (--noconftest, --confcutdir)"
            yield wrong(f"options[{name}]", f"{what}: {remedy}", outcome="error")


def _plugin_arguments(config: pytest.Config) -> list[str]:
    return [f"-p{name}" for name in config.getoption("plugins") or ()]


def _without(arguments: Sequence[str]) -> set[str]:
    """The plugins that a command line goes without: `-p no:NAME`, written in one word or two."""
    joined = " ".join(arguments).replace("-p ", "-p").split()
    return {word.removeprefix("-pno:").removeprefix("pytest_") for word in joined if word.startswith("-pno:")}


# --- who else had a say -------------------------------------------------------------------------------------------


def hooks(config: pytest.Config, settings: Settings) -> Iterator[CheckResult]:
    """Conftest files and plugins of the project that implement hooks by which a check's outcome can be changed."""
    manager = config.pluginmanager
    for plugin in manager.get_plugins():
        file = _file_of(plugin)
        if file is None or not is_foreign(file, settings.root) or _is_elsewhere(file, settings):
            continue
        names = sorted({caller.name for caller in manager.get_hookcallers(plugin) or ()} & HOOKS)
        if names:
            where = _short(file, settings.root)
            message = (
                f"{where} implements {', '.join(names)}, which can change what becomes of a check: take it out, "
                f"or move it to a conftest.py that no check sees, such as tests/conftest.py"
            )
            yield wrong(f"hooks[{where}]", message)


def overridden(fixture: Any, settings: Settings) -> CheckResult | None:
    """Whether a fixture that is about to be set up has the name of one of the gate's and is another one."""
    name = fixture.argname
    if name not in FIXTURES or fixture.func.__module__ == "proveout.gate.fixtures":
        return None
    code = getattr(proof.plain(fixture.func), "__code__", None)
    file = Path(code.co_filename) if code is not None else None
    if name == "edge_case" and (file is None or "_pytest" in file.parts):
        return None  # pytest's own, for the cases that the gate gave it
    by = _short(file, settings.root) if file is not None and "_pytest" not in file.parts else "a parametrize mark"
    message = f"{by} overrides the fixture {name}, so the checks judge something else: give yours another name"
    return wrong(f"fixtures[{name}]", message)


def exchanged(item: pytest.Item, settings: Settings) -> CheckResult | None:
    """Whether the function that is about to run is another than the one in the check's file."""
    if not isinstance(item, pytest.Function) or item.parent is None:
        return None
    declared = getattr(getattr(item.parent, "obj", None), item.originalname, None)
    runs, stands = proof.plain(item.obj), proof.plain(declared)
    if runs is stands or not isinstance(runs, FunctionType):
        return None
    file = Path(runs.__code__.co_filename)
    if not is_foreign(file, settings.root):
        return None
    message = f"{_short(file, settings.root)} runs another function in its place: take that out"
    return wrong(f"exchanged[{item.nodeid}]", message)


# --- what was replaced --------------------------------------------------------------------------------------------


def patched(settings: Settings, opened: Sequence[Any] = ()) -> Iterator[CheckResult]:
    """Functions of the gate that somebody replaced by their own, in its modules, its classes or on `opened` bundles."""
    for name, module in sorted(sys.modules.items()):
        if name.startswith(WATCHED) and isinstance(module, ModuleType):
            for place, value in _functions(module):
                by = _replaced_by(value, settings)
                if by:
                    message = f"{by} takes the place of {name}.{place}: take that out; what judges is not for checks"
                    yield wrong(f"patched[{name}.{place}]", message)
    for one in opened:
        for attribute in sorted(set(vars(one)) & set(dir(type(one)))):
            if callable(getattr(type(one), attribute, None)):
                message = f"{attribute} of the opened bundle was replaced: ask the bundle that was packed"
                yield wrong(f"patched[{type(one).__name__}.{attribute}]", message)


WATCHED = ("proveout.gate.", "proveout.records", "proveout.training.bundle", "proveout.data.", "proveout.registry.")


def _functions(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in list(vars(module).items()):
        if isinstance(value, type) and value.__module__ == module.__name__:
            for inner, member in list(vars(value).items()):
                yield f"{name}.{inner}", member
        elif not isinstance(value, ModuleType):
            yield name, value


def _replaced_by(value: Any, settings: Settings) -> str:
    if isinstance(value, property):
        value = value.fget
    elif isinstance(value, cached_property):
        value = value.func
    # Asked of everything there is, after every check: what is as it was is known by its file's name.
    if isinstance(value, FunctionType) and value.__code__.co_filename.startswith(_OURS):
        return ""
    value = proof.plain(value)
    if type(value).__module__.startswith("unittest.mock"):
        return "a mock"
    return _foreign(value.__code__.co_filename, settings.root) if isinstance(value, FunctionType) else ""


@lru_cache(maxsize=4096)
def _foreign(filename: str, root: Path) -> str:
    return _short(Path(filename), root) if is_foreign(Path(filename), root) else ""


_OURS = str(PACKAGE) + os.sep


# --- whose file it is ---------------------------------------------------------------------------------------------


def is_foreign(file: Path, root: Path) -> bool:
    """Whether a file is somebody's own: neither proveout's, nor installed, nor Python's."""
    if not file.is_absolute() or proof.INSTALLED & set(file.parts) or file.is_relative_to(PACKAGE):
        return False
    return file.is_relative_to(root) or not file.is_relative_to(Path(os.__file__).parent)


def _is_elsewhere(file: Path, settings: Settings) -> bool:
    """Whether it is a conftest.py that no check sees."""
    seen_by = file.parent
    checks = (settings.root / settings.checks).resolve()
    return file.name == "conftest.py" and not (checks.is_relative_to(seen_by) or seen_by.is_relative_to(checks))


def _file_of(plugin: object) -> Path | None:
    module = plugin if isinstance(plugin, ModuleType) else sys.modules.get(type(plugin).__module__)
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None


def _short(file: Path | None, root: Path) -> str:
    if file is None:
        return "no file"
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)
