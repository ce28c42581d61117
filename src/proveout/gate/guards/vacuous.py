"""Detects vacuous checks: they passed, but stated no evidence and cannot fail.

Input: a check that passed without stating evidence. Output: whether its source, or the source of a project function
that it calls, has an assertion. The source is read, not run: an assertion on a path that is never taken counts, and one
in a library does not.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

from proveout.code_files import INSTALLED, PACKAGE

EMPTY = "it passed without asserting or stating anything: assert something, or state a number: evidence(…)"
SAYS_NO = frozenset({"raises", "warns", "deprecated_call", "fail"})  # from pytest; also unittest's self.fail
Names = Mapping[str, Any]
Functions = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def asserts(function: Any, *, root: Path, names: Names | None = None, owner: Any = None) -> bool:
    """Whether a function can fail: it, or a project function that it calls, asserts, raises or calls assert….

    Args:
        root: the project's folder; functions from elsewhere are not inspected.
        names: known values of its arguments, because fixtures may be functions too.
        owner: its `self`.
    Returns: also True if its source cannot be read.
    """
    return _can_fail(plain(function), root=root, names=names or {}, owner=owner, seen=set())


def _can_fail(function: Any, *, root: Path, names: Names, owner: Any, seen: set[Any]) -> bool:
    if not isinstance(function, FunctionType) or not _is_of(function, root):
        return True
    seen.add(function.__code__)
    tree = _tree(function)
    if tree is None:
        return True
    known = {**function.__globals__, **_closure(function), **names}
    if owner is not None:
        known["self"] = owner
    body = tree.body if isinstance(tree.body, list) else [tree.body]
    for node in (inner for statement in body for inner in _heard(statement)):
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Assert) and not always_true(node.test)):
            return True
        if isinstance(node, ast.Call):
            called = _last_name(node.func)
            if called.startswith("assert") or called in SAYS_NO:
                return True
            if _leads_on(node.func, known, root=root, seen=seen):
                return True
    return False


def _leads_on(called: ast.expr, known: Names, *, root: Path, seen: set[Any]) -> bool:
    """Whether a call reaches a project function that can fail."""
    found, owner = _value(called, known)
    if isinstance(found, type):
        made = vars(found).get("__init__"), vars(found).get("__post_init__")
        found = next((one for one in made if isinstance(one, FunctionType)), None)
    elif found is not None and not isinstance(found, FunctionType | MethodType | ModuleType):
        # A called object: look at its class's __call__.
        owner, found = found, inspect.getattr_static(type(found), "__call__", None)
    function = plain(found)
    if not isinstance(function, FunctionType) or function.__code__ in seen or not _is_of(function, root):
        return False
    return _can_fail(function, root=root, names={}, owner=owner, seen=seen)


def always_true(test: ast.expr) -> bool:
    """Whether an asserted expression is always true.

    >>> [always_true(ast.parse(text, mode="eval").body) for text in ("1", "'auc'", "(x > 1, 'why')", "x or True")]
    [True, True, True, True]
    >>> [always_true(ast.parse(text, mode="eval").body) for text in ("x > 1", "0", "()", "x and True")]
    [False, False, False, False]
    """
    match test:
        case ast.Lambda() | ast.GeneratorExp():
            said = True
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            # A tuple of condition and message is not empty, so it is true.
            said = any(not isinstance(part, ast.Starred) for part in parts)
        case ast.Dict(keys=keys):
            said = bool(keys)
        case ast.BoolOp(op=ast.Or(), values=values):
            said = any(always_true(part) for part in values)
        case ast.BoolOp(values=values):
            said = all(always_true(part) for part in values)
        case _:
            said = _constant(test)
    return said


def _constant(test: ast.expr) -> bool:
    """Whether an expression consists of constants only, and is true."""
    measured = (ast.Name, ast.Call, ast.Attribute, ast.Subscript, ast.Await, ast.Yield, ast.YieldFrom, ast.JoinedStr)
    if any(isinstance(node, measured) for node in ast.walk(test)):
        return False
    try:
        # Safe to evaluate: it has no names and no calls.
        return bool(eval(compile(ast.Expression(test), "assertion", "eval"), {"__builtins__": {}}))  # noqa: S307
    except Exception:  # such as 1 / 0: it can fail
        return False


# --- reading ------------------------------------------------------------------------------------------------------


def plain(function: Any) -> Any:
    """The function as written: unwrapped from its binding, its decorators and hypothesis."""
    for _ in range(20):  # nested decorators; also ends a cycle of __wrapped__
        inner = getattr(getattr(function, "hypothesis", None), "inner_test", None)
        if inner is not None:
            function = inner
        elif isinstance(function, MethodType | staticmethod | classmethod):
            function = function.__func__
        elif hasattr(function, "func") and hasattr(function, "keywords"):  # functools.partial
            function = function.func
        elif isinstance(getattr(function, "__wrapped__", None), FunctionType):
            function = function.__wrapped__
        else:
            break
    return function


def _is_of(function: FunctionType, root: Path) -> bool:
    file = Path(function.__code__.co_filename)
    # proveout's own functions do not count, even if proveout lies below the root.
    theirs = file.is_relative_to(PACKAGE) or INSTALLED & set(file.parts)
    return file.is_absolute() and file.is_relative_to(root) and not theirs


def _tree(function: FunctionType) -> Functions | None:
    try:
        source = textwrap.dedent(inspect.getsource(function))
        tree = ast.parse(source)
    except (OSError, TypeError, SyntaxError):
        return None  # a lambda within a line, or executed text
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return next((node for node in ast.walk(tree) if isinstance(node, kinds)), None)


def _heard(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all parts of it whose failure can get out; not an assertion that is caught and dropped."""
    yield node
    muted = _is_muted(node)
    for name, value in ast.iter_fields(node):
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.AST) and not (muted and name == "body"):
                yield from _heard(part)


def _is_muted(node: ast.AST) -> bool:
    """Whether a failed assertion in the body of this statement is swallowed."""
    if isinstance(node, ast.Try):
        return any(
            (handler.type is None or _catches(handler.type)) and not _speaks(handler.body) for handler in node.handlers
        )
    if isinstance(node, ast.With):
        calls = (item.context_expr for item in node.items)
        return any(
            isinstance(call, ast.Call) and _last_name(call.func) == "suppress" and any(map(_catches, call.args))
            for call in calls
        )
    return False


def _catches(caught: ast.expr) -> bool:
    parts = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(_last_name(part) in {"AssertionError", "Exception", "BaseException"} for part in parts)


def _speaks(handler: Sequence[ast.stmt]) -> bool:
    """Whether the handler of a failure can fail itself."""
    nodes = [node for statement in handler for node in ast.walk(statement)]
    return any(isinstance(node, ast.Raise | ast.Assert) for node in nodes) or any(
        isinstance(node, ast.Call) and (_last_name(node.func) in SAYS_NO or _last_name(node.func).startswith("assert"))
        for node in nodes
    )


def _closure(function: FunctionType) -> dict[str, Any]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # an empty closure cell
            continue
    return found


def _last_name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def _value(expression: ast.expr, known: Names) -> tuple[Any, Any]:
    """The value of an expression of names and attributes, and the object it is an attribute of; None if unknown."""
    if isinstance(expression, ast.Name):
        return known.get(expression.id), None
    if isinstance(expression, ast.Attribute):
        base, _ = _value(expression.value, known)
        if base is None:
            return None, None
        # Static lookup, so that no property is computed.
        return inspect.getattr_static(base, expression.attr, None), base
    if isinstance(expression, ast.Call):
        made, _ = _value(expression.func, known)
        return (made, None) if isinstance(made, type) else (None, None)
    return None, None
