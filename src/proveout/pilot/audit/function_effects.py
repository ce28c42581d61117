"""Functions of the notebook whose call changes something outside them.

Input: an `Analysis` and the remote variables of its cells. Output: a `FunctionEffect` for each such function.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from proveout.pilot.audit import remote
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.remote import Remote
from proveout.pilot.audit.syntax import root_of, walk

GROWS = {"append", "extend", "insert", "appendleft"}


@dataclass(frozen=True, kw_only=True)
class FunctionEffect:
    """What a function of the notebook does to something outside it: to `variable`, if it is one."""

    said: str
    variable: str = ""


def of_functions(analysis: Analysis, known: Mapping[int, Remote]) -> dict[str, FunctionEffect]:
    """Functions whose call changes a variable of the notebook, or something outside."""
    found: dict[str, FunctionEffect] = {}
    for cell, node in analysis.nodes(ast.FunctionDef, ast.AsyncFunctionDef):
        inside = list(walk(node))
        shared = {one for inner in inside if isinstance(inner, ast.Global) for one in inner.names}
        local = {one.arg for one in inside if isinstance(one, ast.arg)}
        local |= {one.id for one in inside if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)} - shared
        for inner in inside:
            if effect := _effect(inner, local, shared, analysis, known[cell.index]):
                found.setdefault(node.name, effect)
    return found


def _effect(
    inner: ast.AST, local: set[str], shared: set[str], analysis: Analysis, known: Remote
) -> FunctionEffect | None:
    if isinstance(inner, ast.AugAssign) and isinstance(inner.target, ast.Name) and inner.target.id in shared:
        return FunctionEffect(said=f"adds to {inner.target.id!r}", variable=inner.target.id)
    if not (isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute)):
        return None
    base = root_of(inner.func.value)
    if inner.func.attr in GROWS and base and base not in local and base not in analysis.imports:
        return FunctionEffect(said=f"grows {base!r}", variable=base)
    if inner.func.attr == "step" and "optim" in base.lower():
        return FunctionEffect(said="goes on training")
    return FunctionEffect(said="changes something outside") if remote.changes(inner, known, analysis) else None
