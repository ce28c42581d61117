"""Functions of the notebook whose call changes something outside them.

Input: an `Analysis` and the remote variables of its cells. Output: a `FunctionEffect` for each such function.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from proveout.pilot.audit import remote
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.outside_effects import RECORDS
from proveout.pilot.audit.remote import Remote
from proveout.pilot.audit.syntax import root_of, walk

GROWS = {"append", "extend", "insert", "appendleft"}


@dataclass(frozen=True, kw_only=True)
class FunctionEffect:
    """What a function of the notebook does to something outside it: to `variable`, if it is one."""

    said: str
    variable: str = ""
    parameter: int = -1  # the place of the argument that it changes


def of_functions(analysis: Analysis, known: Mapping[int, Remote]) -> dict[str, FunctionEffect]:
    """Functions whose call changes a variable of the notebook, or something outside."""
    found: dict[str, FunctionEffect] = {}
    for cell, node in analysis.nodes(ast.FunctionDef, ast.AsyncFunctionDef):
        inside = list(walk(node))
        shared = {one for inner in inside if isinstance(inner, ast.Global) for one in inner.names}
        local = {one.arg for one in inside if isinstance(one, ast.arg)}
        local |= {one.id for one in inside if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)} - shared
        for inner in inside:
            if effect := _on_argument(inner, [one.arg for one in node.args.args]) or _effect(
                inner, local, shared, analysis, known[cell.index]
            ):
                found.setdefault(node.name, effect)
    return found


def _on_argument(inner: ast.AST, parameters: list[str]) -> FunctionEffect | None:
    """`frame.drop(..., inplace=True)`, where `frame` is what the function was given."""
    if not (isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute)):
        return None
    held = inner.func.value.id if isinstance(inner.func.value, ast.Name) else ""
    in_place = any(
        one.arg == "inplace" and isinstance(one.value, ast.Constant) and one.value.value is True
        for one in inner.keywords
    )
    if held in parameters and in_place and inner.func.attr in ("drop", "set_index", "reset_index", "insert"):
        return FunctionEffect(said=f"changes its argument {held!r} in place", parameter=parameters.index(held))
    return None


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
    records = analysis.name_of(inner.func) in RECORDS
    return (
        FunctionEffect(said="changes something outside") if records or remote.changes(inner, known, analysis) else None
    )
