"""What somebody has put in the place of what judges: functions, classes and constants of proveout, metrics of the
libraries that checks measure with, the model inside an opened bundle.

Comes in: loaded modules and opened bundles. Goes out: a `CheckResult` for each thing that is another one. What a module
should hold is read from its source, so it does not matter who was there first.
"""

import ast
import inspect
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from proveout.code_files import PACKAGE
from proveout.evaluation.code_origin import is_foreign, short
from proveout.gate.guards import vacuous
from proveout.gate.preconditions import wrong
from proveout.records import CheckResult
from proveout.settings import Settings

WATCHED = "proveout."
MEASURES = ("math", "numpy", "scipy.stats", "sklearn.metrics", "statistics")
"""What checks measure with. A check that asserts the wrong thing is seen in review; one that is lied to is not."""
# As it was imported, and as it lies there: an installation may be reached by a link.
ANSWERS = ("decision_function", "predict", "predict_proba", "transform")
_OURS = tuple(str(place) + os.sep for place in (Path(vacuous.__file__).parents[1], PACKAGE))


@dataclass(frozen=True, kw_only=True)
class Written:
    """What the source of a module says it holds."""

    functions: frozenset[str]  # and methods, `Class.method`: those without a decorator
    constants: tuple[tuple[str, Any], ...]  # in capitals, and plain values


def patched(settings: Settings, opened: Sequence[Any] = ()) -> Iterator[CheckResult]:
    """Everything that is not what it was: in proveout's modules and classes, in `MEASURES`, in `opened` bundles."""
    for name, module in sorted(sys.modules.items()):
        if name.startswith(WATCHED):
            yield from _module(name, module, settings)
    for name in MEASURES:
        for place, value in vars(sys.modules[name]).items() if name in sys.modules else ():
            by = _foreign_source(value, settings)
            if by:
                yield _taken(f"{name}.{place}", by, "checks are to measure with the library's own")
    for one in opened:
        yield from _bundle(one, settings)


def _taken(place: str, by: str, why: str = "what judges is not for checks") -> CheckResult:
    return wrong(f"patched[{place}]", f"{by} takes the place of {place}: take that out; {why}")


# --- modules ------------------------------------------------------------------------------------------------------


def _module(name: str, module: Any, settings: Settings) -> Iterator[CheckResult]:
    file = getattr(module, "__file__", None)
    if not isinstance(module, ModuleType) or (file and not file.startswith(_OURS)):
        yield _taken(name, short(Path(file), settings.root) if file else "an object")
        return
    written = _written(file) if file else Written(functions=frozenset(), constants=())
    for place, value in _places(module):
        by = _replaced_by(value, settings)
        if not by and place in written.functions and not isinstance(value, FunctionType):
            by = repr(value)[:60]
        if by:
            yield _taken(f"{name}.{place}", by)
    held = vars(module)
    for constant, value in written.constants:
        now = held.get(constant)
        if type(now) is not type(value) or now != value:
            yield _taken(f"{name}.{constant}", repr(now)[:60])


def _places(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in list(vars(module).items()):
        if isinstance(value, type) and value.__module__ == module.__name__:
            for inner, member in list(vars(value).items()):
                yield f"{name}.{inner}", member
        elif not isinstance(value, ModuleType):
            yield name, value


@lru_cache(maxsize=512)
def _written(file: str) -> Written:
    try:
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError):
        return Written(functions=frozenset(), constants=())
    functions: set[str] = set()
    for node in tree.body:
        functions |= _functions(node, "")
        if isinstance(node, ast.ClassDef):
            functions |= {name for inner in node.body for name in _functions(inner, f"{node.name}.")}
    constants = tuple(found for node in tree.body for found in _constants(node))
    return Written(functions=frozenset(functions), constants=constants)


def _functions(node: ast.stmt, owner: str) -> set[str]:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.decorator_list:
        return set()
    # Two of a class that Python itself wraps.
    return set() if node.name in {"__init_subclass__", "__class_getitem__"} else {owner + node.name}


def _constants(node: ast.stmt) -> Iterator[tuple[str, Any]]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    if value is None or len(targets) != 1 or not isinstance(targets[0], ast.Name) or not targets[0].id.isupper():
        return
    frozen = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "frozenset"
    if isinstance(value, ast.Call) and frozen and len(value.args) == 1:
        value = value.args[0]
    try:
        found = ast.literal_eval(value)
    except (ValueError, TypeError):
        return
    yield targets[0].id, frozenset(found) if frozen else found


def _replaced_by(value: Any, settings: Settings) -> str:
    if isinstance(value, property):
        value = value.fget
    elif isinstance(value, cached_property):
        value = value.func
    # Asked of everything there is, after every check: what is as it was is known by its file's name.
    if isinstance(value, FunctionType) and value.__code__.co_filename.startswith(_OURS):
        return ""
    return _foreign_source(value, settings)


def _foreign_source(value: Any, settings: Settings) -> str:
    """Whose a function or a class is, if it is somebody's own or a mock; empty for all else."""
    if isinstance(value, type):
        file = getattr(sys.modules.get(value.__module__), "__file__", None)
        return _foreign(file, settings.root) if file else ""
    value = vacuous.plain(value)
    if type(value).__module__.startswith("unittest.mock"):
        return "a mock"
    return _foreign(value.__code__.co_filename, settings.root) if isinstance(value, FunctionType) else ""


@lru_cache(maxsize=4096)
def _foreign(filename: str, root: Path) -> str:
    return short(Path(filename), root) if is_foreign(Path(filename), root) else ""


# --- bundles ------------------------------------------------------------------------------------------------------


def _bundle(one: Any, settings: Settings) -> Iterator[CheckResult]:
    kind = type(one)
    if not kind.__module__.startswith(WATCHED):
        yield _taken("the opened bundle", f"{kind.__module__}.{kind.__name__}", "ask the bundle that was packed")
        return
    for attribute in sorted(set(vars(one)) & set(dir(kind))):
        if callable(getattr(kind, attribute, None)):
            message = f"{attribute} of the opened bundle was replaced: ask the bundle that was packed"
            yield wrong(f"patched[{kind.__name__}.{attribute}]", message)
    for step in _steps(getattr(one, "_model", None)):
        for name, member in _members(type(step)):
            by = _foreign_source(member, settings)
            if by:
                place = f"{type(step).__name__}.{name}"
                yield _taken(place, by, "ask the model that was packed")


def _steps(model: Any) -> list[Any]:
    """The model and the steps that it is made of."""
    inside = [step for _, step in getattr(model, "steps", ())]
    return [model, *inside]


@lru_cache(maxsize=64)
def _names(kind: type) -> tuple[tuple[type, str], ...]:
    # A class of the project's own may have what methods it likes: it was packed with them.
    theirs = [one for one in inspect.getmro(kind) if one.__module__.partition(".")[0] in {"sklearn", "numpy"}]
    return tuple((one, name) for one in theirs for name in ANSWERS)


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    for one, name in _names(kind):
        if name in vars(one):
            yield name, vars(one)[name]
