"""Which statements on the way to an outcome change other columns than its own: these need not stand in its module.

Input: rewritten statements, each with its cell, and the expression of the outcome behind them. Output: statements.
"""

import ast
from collections.abc import Collection, Sequence

from proveout.recovery.program_slice import backward

_DROPS = frozenset({"drop", "pop"})


def without_pairs(lines: list[tuple[str, int]], takes: str) -> list[tuple[str, int]]:
    """The statements without the sides of a split that nothing reads, and what only they need."""
    made: list[tuple[str, int]] = []
    read = _read(takes)
    for text, cell in reversed(lines):
        short = _shortened(text, read)
        read |= _read(short)
        made.append((short, cell))
    made.reverse()
    sources = [*(text for text, _ in made), f"__taken__ = {takes}"]
    return [made[place] for place in backward(sources, len(made))[:-1]]


def name_of(lines: Sequence[tuple[str, int]], takes: str) -> str:
    """The column that the outcome is in the notebook, as `delay` of `y = df['delay'].values`; "" for none, or several.

    >>> name_of([("y = df['delay'].values", 3)], "y")
    'delay'
    """
    tree: ast.AST = ast.parse(takes or "None", mode="eval").body
    for text, _ in reversed(lines) if isinstance(tree, ast.Name) else ():
        match ast.parse(text).body:
            case [ast.Assign(targets=[ast.Name(id=name)], value=value)] if name == takes:
                tree = value
                break
    columns = {name for one in ast.walk(tree) if isinstance(one, ast.Subscript) for name in _constants(one.slice)}
    return columns.pop() if len(columns) == 1 else ""


def _read(text: str) -> set[str]:
    return {one.id for one in ast.walk(ast.parse(text)) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}


def _shortened(text: str, read: Collection[str]) -> str:
    """`a, b = (x, y)` with those alone that are read later."""
    match ast.parse(text).body:
        case [ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values))] if len(targets) == len(
            values
        ):
            pairs = list(zip(targets, values, strict=True))
        case _:
            return text
    kept = [pair for pair in pairs if not isinstance(pair[0], ast.Name) or pair[0].id in read or _does(pair[1])]
    if not kept or len(kept) == len(pairs):
        return text
    left, right = (", ".join(ast.unparse(pair[side]) for pair in kept) for side in (0, 1))
    return f"{left} = {right}"


def _does(value: ast.expr) -> bool:
    """Whether it does something beside its value: what a split hands out are names, and copies of them."""
    return not isinstance(value, ast.Name) and not ast.unparse(value).startswith("again.copy(")


def is_of_others(text: str, rest: Sequence[str], *, own: Collection[str]) -> bool:
    """Whether a statement only sets or drops columns that are none of `own`, and that no other statement names."""
    columns = _set_by(text)
    if not columns or columns & {*own}:
        return False
    named = {word for one in rest if one for word in _words(ast.parse(one)) if not _set_by(one)}
    return not columns & named


def _set_by(text: str) -> set[str]:
    """The columns that a statement sets, or drops; empty if it does something else."""
    match ast.parse(text).body if text else []:
        case [ast.Assign(targets=[ast.Subscript(value=ast.Name(), slice=columns)])]:
            return _constants(columns)
        case [ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(), attr=name)) as call)] if name in _DROPS:
            return _dropped(call)
        case [ast.Assign(targets=[ast.Name()], value=ast.Call(func=ast.Attribute(attr=name)) as call)] if (
            name in _DROPS and isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)
        ):
            return _dropped(call)
    return set()


def _dropped(call: ast.Call) -> set[str]:
    given = [*call.args[:1], *(one.value for one in call.keywords if one.arg in ("columns", "labels"))]
    return {name for one in given for name in _constants(one)}


def _constants(node: ast.expr) -> set[str]:
    parts = node.elts if isinstance(node, ast.List) else [node]
    names = {one.value for one in parts if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return names if len(names) == len(parts) else set()


def _words(tree: ast.AST) -> set[str]:
    """Texts and attributes: what may name a column."""
    texts = {one.value for one in ast.walk(tree) if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return texts | {one.attr for one in ast.walk(tree) if isinstance(one, ast.Attribute)}
