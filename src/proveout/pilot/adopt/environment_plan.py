"""What a notebook asks for, and whether the running interpreter has it.

Input: an `Analysis`. Output: `EnvironmentPlan`. A lock around the notebook decides, else its requirements, else its
imports and the date of its last change. Nothing is installed.
"""

import importlib.util
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import Requirement
from packaging.version import Version

from proveout.pilot.adopt import era, package_bounds, requirement_files
from proveout.pilot.adopt.install_lines import install_lines
from proveout.pilot.adopt.notebook_imports import NeededModule, needed_modules
from proveout.pilot.adopt.requirement_files import Declared
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.distributions import normalised

_CORE = ("pandas", "numpy", "scikit-learn")  # whose releases decide what a notebook does
_ALSO_CALLED = {"xgboost": ("xgboost-cpu",), "opencv-python": ("opencv-python-headless", "opencv-contrib-python")}
_SHOWN = 3
_RAISED = "a cell that its model needs raised"


@dataclass(frozen=True, kw_only=True)
class EnvironmentPlan:
    """What a notebook asks for. `reason` is why the running interpreter does not do, "" where it does."""

    requirements: tuple[str, ...]
    why: tuple[str, ...]
    modules: tuple[str, ...]
    missing: tuple[str, ...]  # modules that the running interpreter lacks
    unknown: tuple[NeededModule, ...]  # of these nobody knows the package
    idle: tuple[NeededModule, ...]  # these are missing, and no cell uses them
    additions: tuple[str, ...]  # what the running interpreter lacks, where nothing that it has is in the way
    of_its_time: bool  # asked for are releases from before pandas 3, which the running interpreter does not have
    reason: str


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """What an interpreter has: whether it finds a module, and the version of a distribution, or ""."""

    has: Callable[[str], bool]
    version: Callable[[str], str]


def running() -> Interpreter:
    """The interpreter that runs this."""
    return Interpreter(has=lambda module: importlib.util.find_spec(module) is not None, version=_version)


def plan(
    analysis: Analysis,
    *,
    cell_raised: bool = False,
    interpreter: Interpreter | None = None,
    bounds: Mapping[str, str] | None = None,
) -> EnvironmentPlan:
    """What the notebook asks for, compared with the running interpreter. Nothing is installed.

    Args:
        cell_raised: it was run with today's releases, and a cell that its model needs raised.
        bounds: the versions that proveout works with, those of its own metadata if not given.
    """
    interpreter = interpreter or running()
    bounds = package_bounds.own_bounds() if bounds is None else bounds
    declared = requirement_files.declared(analysis.notebook.path.resolve().parent)
    asked = _asked(analysis, declared)
    needed = tuple(_with_distribution(one, asked) for one in needed_modules(analysis))
    idle = tuple(one for one in needed if not one.used and not interpreter.has(one.module))
    known = [one for one in needed if one.distribution and one not in idle]
    unknown = tuple(one for one in needed if one.used and not one.distribution and not interpreter.has(one.module))
    missing = tuple(one.module for one in known if not interpreter.has(one.module))
    names = dict.fromkeys([*(one.distribution for one in known), *(name for name in _CORE if name in asked)])
    wanted = {name: asked.get(name, _Asked(name, "imports")) for name in names}
    dated = _era(analysis, wanted)
    possible = dated if _admits_era(bounds) else None
    outdated = _outdated(analysis, possible, interpreter, cell_raised=cell_raised)
    if outdated:
        wanted |= _of_era(wanted)
    fitted = {
        name: package_bounds.bounded(package_bounds.for_this_machine(one.requirement), bounds, source=one.source)
        for name, one in wanted.items()
    }
    requirements = tuple(one.requirement for one in fitted.values())
    contradicted = tuple(one for one in requirements if not _suits(one, interpreter))
    lacking = dict.fromkeys(one.distribution for one in known if one.module in missing)
    additions = tuple(fitted[name].requirement for name in lacking)
    adds_only = not outdated and set(contradicted) <= set(additions)
    reason = _reason(missing, outdated, contradicted)
    why = (
        _origin(declared, wanted, dated),
        *(f"{one.changed}." for one in fitted.values() if one.changed),
        *map(_unknown, unknown),
        *(f"Cell {one.cell} imports {one.module} and no cell uses it: it is left out." for one in idle),
    )
    if not reason:
        why = (
            *why,
            f"The running interpreter (Python {platform.python_version()}) has all of it: it is used as it is.",
        )
    return EnvironmentPlan(
        requirements=(*requirements, *package_bounds.companions(requirements)),
        why=why,
        modules=tuple(one.module for one in known),
        missing=missing,
        unknown=unknown,
        idle=idle,
        additions=additions if adds_only else (),
        of_its_time=bool(outdated),
        reason=reason,
    )


@dataclass(frozen=True)
class _Asked:
    requirement: str
    source: str

    @property
    def is_pinned(self) -> bool:
        return bool(Requirement(self.requirement).specifier)


def _asked(analysis: Analysis, declared: Declared) -> dict[str, _Asked]:
    """Requirements by name: those of the file, then those of lines that install."""
    source = declared.file.name if declared.file is not None else ""
    found = {name: _Asked(one, source) for name, one in declared.requirements.items()}
    for line in install_lines(analysis):
        for one in line.requirements:
            found.setdefault(normalised(Requirement(one).name), _Asked(one, f"cell {line.cell} installs it"))
    return found


def _with_distribution(one: NeededModule, asked: Mapping[str, _Asked]) -> NeededModule:
    """With the package of the module's own name, where the notebook's files or cells ask for that."""
    name = normalised(one.module)
    return replace(one, distribution=name) if not one.distribution and name in asked else one


def _era(analysis: Analysis, wanted: Mapping[str, _Asked]) -> era.Era | None:
    """The time of a notebook, where nothing else says which releases it wants."""
    if any(name in wanted and wanted[name].is_pinned for name in _CORE):
        return None
    return era.era_of(analysis)


def _outdated(
    analysis: Analysis, dated: era.Era | None, interpreter: Interpreter, *, cell_raised: bool
) -> tuple[str, ...]:
    """Why a notebook gets the releases from before pandas 3: what it uses that is gone here, or a cell that raised.

    Where a cell raised, no date speaks against them: notebooks of today are written by habits of yesterday.
    """
    if dated is None or all(_suits(f"{name}{era.BEFORE[name]}", interpreter) for name in _CORE):
        return ()
    gone = era.gone_since(analysis) if dated.before or cell_raised else ()
    return gone or ((_RAISED,) if cell_raised else ())


def _admits_era(bounds: Mapping[str, str]) -> bool:
    """Whether proveout works with the releases before pandas 3."""
    before = (f"{name}{era.BEFORE[name]}" for name in _CORE)
    return not any(package_bounds.bounded(one, bounds, source="").changed for one in before)


def _of_era(wanted: Mapping[str, _Asked]) -> dict[str, _Asked]:
    """The releases of that time, for what the notebook imports and what decides most."""
    names = (name for name in era.BEFORE if name in wanted or name in (*_CORE, "ipython"))
    return {
        name: _Asked(f"{name}{era.BEFORE[name]}", "of its time")
        for name in names
        if name not in wanted or not wanted[name].is_pinned
    }


def _suits(requirement: str, interpreter: Interpreter) -> bool:
    """Whether the installed version is the one asked for, or another of the same minor release."""
    one = Requirement(requirement)
    name = normalised(one.name)
    found = next((had for each in (name, *_ALSO_CALLED.get(name, ())) if (had := interpreter.version(each))), "")
    if not len(one.specifier):
        return True
    if not found or one.specifier.contains(found, prereleases=True):
        return bool(found)
    pins = [Version(each.version) for each in one.specifier if each.operator == "==" and "*" not in each.version]
    return any(pin.release[:2] == Version(found).release[:2] for pin in pins)


def _reason(missing: tuple[str, ...], outdated: tuple[str, ...], contradicted: tuple[str, ...]) -> str:
    said = [f"The running interpreter lacks {', '.join(missing)}"] if missing else []
    if outdated == (_RAISED,):
        said += [f"With today's releases {_RAISED}: those from before pandas 3 may know what it uses"]
    elif outdated:
        said += [f"The notebook uses what is gone or means something else today ({'; '.join(outdated[:_SHOWN])})"]
    elif contradicted and not missing:
        said += [f"The running interpreter does not have {', '.join(contradicted)}"]
    return f"{'. '.join(said)}: the project gets an environment of its own." if said else ""


def _origin(declared: Declared, wanted: Mapping[str, _Asked], dated: era.Era | None) -> str:
    if declared.file is not None:
        used = sum(name in declared.requirements for name in wanted)
        said = f"{declared.file} names {used} of the {len(wanted)} packages that it needs."
    else:
        pinned = [one.requirement for one in wanted.values() if one.is_pinned and one.source.startswith("cell")]
        installed = f"; its cells install {', '.join(pinned)}" if pinned else ""
        said = f"There is no lock and no list of requirements{installed}."
    if dated is None:
        return said
    if dated.before is None:
        return f"{said} Whether the notebook is from before pandas 3 is not known: {dated.why}."
    time = "before pandas 3" if dated.before else "since pandas 3, as today's releases are"
    return f"{said} The notebook is from {time}: {dated.why}."


def _unknown(one: NeededModule) -> str:
    return (
        f"Cell {one.cell} imports {one.module}, and nobody knows of which package it is: it is left out. If the cell "
        "fails, name the package in a requirements.txt beside the notebook."
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
