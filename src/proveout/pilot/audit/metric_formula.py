"""Metrics that are written out: means of differences between answers and outcomes.

Input: a call. Output: the part of it that compares answers with outcomes.
"""

import ast
import re

from proveout.pilot.audit.syntax import walk

AVERAGES = {"mean", "average", "nanmean", "median", "sum"}
_ANSWERED = re.compile(r"pred|y_?hat|forecast|fitted|\bpreds?\b", re.IGNORECASE)
_OUTCOMES = re.compile(r"^[yY](?:_|\b|[A-Z])|label|target|outcome|test|[yY]$")


def is_given_outcomes(node: ast.Call) -> bool:
    """Whether `score` of something unknown gets rows and their outcomes."""
    if any(one.arg in ("X", "y") for one in node.keywords):
        return True
    return len(node.args) >= 2 and _OUTCOMES.search(ast.unparse(node.args[1])) is not None


def errors(node: ast.Call) -> ast.expr | None:
    """The differences or matches that a mean is taken of: `np.mean((y - y_pred) ** 2)`, `(y_pred == y).mean()`."""
    inside = [*node.args, node.func.value] if isinstance(node.func, ast.Attribute) else node.args
    for one in inside:
        for part in walk(one):
            match part:
                case ast.BinOp(op=ast.Sub(), left=left, right=right):
                    sides = [left, right]
                case ast.Compare(ops=[ast.Eq() | ast.NotEq()], left=left, comparators=[right]):
                    sides = [left, right]
                case _:
                    continue
            if "sum" in _called(node) and not isinstance(part, ast.Compare):
                continue  # a sum of squares is a step on the way; counted matches are the metric
            named = [_ANSWERED.search(ast.unparse(side)) is not None for side in sides]
            if sum(named) == 1 and not any(isinstance(side, ast.Constant) for side in sides):
                return part
    return None


def _called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
