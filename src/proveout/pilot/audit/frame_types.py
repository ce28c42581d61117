"""Whether a frame holds texts, as far as the notebook shows it: by how the frame was made, and by lists of its types.

Input: the variable of a frame and a call on it. Output: a claim for that place.
"""

import ast
import re

from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.syntax import walk


def may_hold_text(frame: str, call: Call, analysis: Analysis) -> bool:
    """Whether nothing says that a frame holds numbers only: neither how it was made, nor a list of its types."""
    made, _ = _made(frame, call, analysis)
    if re.search(r"num", frame, re.IGNORECASE) or _lists_text(frame, call, analysis) is False:
        return False
    if isinstance(made, ast.Subscript):
        return not isinstance(made.slice, ast.List | ast.Name)
    steps = {one.attr for one in walk(made) if isinstance(one, ast.Attribute)} if made is not None else set()
    return not steps & {"select_dtypes", "get_dummies", "fit_transform", "transform", "to_numpy", "values"}


def _made(frame: str, call: Call, analysis: Analysis) -> tuple[ast.expr | None, int]:
    """What a frame was made of last before a call, and in which cell."""
    found: tuple[ast.expr | None, int] = (None, -1)
    for cell in analysis.cells:
        for binding in cell.bindings:
            if binding.name == frame and (cell.index, binding.line) < (call.cell, call.line):
                found = (binding.value, cell.index)
    return found


def _lists_text(frame: str, call: Call, analysis: Analysis) -> bool | None:
    """Whether the last list of a frame's types before a call names texts; None where there is no list."""
    listed: bool | None = None
    for cell in analysis.cells:
        if cell.index < call.cell and re.search(rf"\b{re.escape(frame)}\.(?:info|dtypes)\b", cell.cell.source):
            shown = " ".join(cell.cell.outputs)
            if "int64" in shown or "float64" in shown:
                listed = bool(re.search(r"\b(?:object|category|string|str)\b", shown))
    return listed


def averages_text(call: Call, analysis: Analysis) -> bool:
    """`df.mean()` and `df.groupby("a").mean()` of a frame whose list of types names texts."""
    base = call.node.func.value if isinstance(call.node.func, ast.Attribute) else None
    grouped = isinstance(base, ast.Call) and isinstance(base.func, ast.Attribute) and base.func.attr == "groupby"
    inner = base.func.value if grouped and isinstance(base, ast.Call) and isinstance(base.func, ast.Attribute) else base
    if call.method not in ("mean", "median", "std", "var", "skew") or not isinstance(inner, ast.Name):
        return False
    if call.has("numeric_only") or call.has("axis") or call.node.args:
        return False
    changed = any(
        _made(inner.id, call, analysis)[1] > cell.index
        for cell in analysis.cells
        if re.search(rf"\b{re.escape(inner.id)}\.(?:info|dtypes)\b", cell.cell.source) and cell.index < call.cell
    )
    return not changed and _lists_text(inner.id, call, analysis) is True
