"""Checks that exist in a source file but that pytest did not collect.

Input: a collector of pytest and what it collected. Output: a `CheckResult` for each check in the source that was not
collected, because a condition, a second definition of the name, `__test__`, `del` or an `__init__` hides it.
"""

import ast
from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

import pytest

from proveout.gate import fingerprint
from proveout.gate.preconditions import wrong
from proveout.records.verdict import CheckResult

Functions = ast.FunctionDef | ast.AsyncFunctionDef


def hidden(collector: pytest.Collector, collected: Collection[str], *, name: str) -> Iterator[CheckResult]:
    """Results for checks in the source of `collector` that it did not collect.

    Args:
        collected: the names of collected checks, without parametrized cases.
        name: the collector's name, in the form of check names.
    """
    for one, times in _written(collector):
        owner, _, check = one.rpartition("::")
        if owner != "::".join(name.split("::")[1:]):
            continue
        if times > 1:
            why = "is defined more than once, so only the last one runs: give each its own name"
        elif check not in collected:
            why = (
                "was not collected: a condition, __test__, del, an __init__ of its class, or another object of its "
                "name hides it. Make it run, or remove it"
            )
        else:
            continue
        yield wrong(f"hidden[{name}::{check}]", f"{check} is in the source of {name}, but {why}")


def checks(collector: pytest.Collector, *, name: str) -> list[str]:
    """The checks in the source of `collector`, a file called `name`, each with its class."""
    return [f"{name}::{one}" for one, _ in _written(collector)]


def below(
    folder: Path, *, root: Path, files: Sequence[str], classes: Sequence[str], functions: Sequence[str]
) -> list[str]:
    """The names of all checks in the source of every file below `folder`, run or not.

    Args:
        root: check names are relative to it.
        files, classes, functions: pytest's patterns for names of checks.
    """
    return [
        f"{file.relative_to(root).as_posix()}::{one}"
        for file in fingerprint.below(folder)
        if file.suffix == ".py" and any(fnmatch(file.name, pattern) for pattern in files)
        for one, _ in _declared(file, classes=tuple(classes), functions=tuple(functions))
    ]


def _written(collector: pytest.Collector) -> tuple[tuple[str, int], ...]:
    functions, classes = (collector.config.getini(what) for what in ("python_functions", "python_classes"))
    return _declared(Path(collector.path), classes=tuple(classes), functions=tuple(functions))


@lru_cache(maxsize=512)
def _declared(file: Path, *, classes: tuple[str, ...], functions: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """Each check in the source of a file, `class::name`, and how often it is defined."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # pytest reports it
        return ()
    found = [one.name for one in _of(tree.body, Functions) if _is_check(one, functions)]
    for inner in _of(tree.body, ast.ClassDef):
        if _named(inner.name, classes):
            methods = [one for one in _of(inner.body, Functions) if _is_check(one, functions)]
            found += [f"{inner.name}::{method.name}" for method in methods]
    return tuple((one, found.count(one)) for one in dict.fromkeys(found))


def _of(body: Sequence[ast.stmt], kind: object) -> Iterator[ast.FunctionDef]:
    """The definitions of this kind in a block, including nested conditions, loops and `with` blocks."""
    for statement in body:
        if isinstance(statement, kind):  # type: ignore[arg-type]  # a union of classes
            yield statement  # type: ignore[misc]
        elif not isinstance(statement, ast.ClassDef | Functions):
            blocks = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
            blocks += [one.body for name in ("handlers", "cases") for one in getattr(statement, name, [])]
            for block in blocks:
                yield from _of(block, kind)


def _is_check(one: ast.FunctionDef, patterns: Sequence[str]) -> bool:
    made = {node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "") for node in _decorators(one)}
    return _named(one.name, patterns) and not made & {"fixture", "overload", "property", "staticmethod"}


def _decorators(one: ast.FunctionDef) -> Iterator[ast.AST]:
    return (made.func if isinstance(made, ast.Call) else made for made in one.decorator_list)


def _named(name: str, patterns: Sequence[str]) -> bool:
    return any(name.startswith(one) or ("*" in one and fnmatch(name, one)) for one in patterns)
