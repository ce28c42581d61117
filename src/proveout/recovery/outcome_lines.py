"""Which statements on the way to an outcome change other columns than its own: these need not stand in its module.

Input: rewritten statements, each with its cell, and the expression of the outcome behind them. Output: statements.
"""

import ast
from collections.abc import Collection, Mapping, Sequence

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
    return led_to(made, takes)


def led_to(lines: list[tuple[str, int]], takes: str) -> list[tuple[str, int]]:
    """The statements that the expression of the outcome needs."""
    sources = [*(text for text, _ in lines), f"__taken__ = {takes}"]
    return [lines[place] for place in backward(sources, len(lines))[:-1]]


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
    lists = {name: columns for one in rest for name, columns in _listed(one)}
    columns = _set_by(text, lists)
    if not columns or columns & {*own}:
        return False
    others = (one for one in rest if one and not _set_by(one, lists) and not _listed(one))
    named = {word for one in others for word in _words(ast.parse(one))}
    return not columns & named


def _listed(text: str) -> list[tuple[str, set[str]]]:
    """A list of texts and its name: `cat_cols = ['city', 'plan']`."""
    match ast.parse(text).body if text else []:
        case [ast.Assign(targets=[ast.Name(id=name)], value=ast.List() as value)] if columns := _constants(value):
            return [(name, columns)]
    return []


def _set_by(text: str, lists: Mapping[str, set[str]]) -> set[str]:
    """The columns that a statement sets, or drops; empty if it does something else.

    Args:
        lists: of columns, by their names.
    """
    match ast.parse(text).body if text else []:
        case [ast.For(target=ast.Name(id=each), iter=over, body=body)] if all(_sets_each(one, each) for one in body):
            return lists.get(over.id, set()) if isinstance(over, ast.Name) else _constants(over)
        case [ast.Assign(targets=[ast.Name()], value=ast.Call(args=[ast.Dict() as learned, *_]))] if (
            "again.dummies(" in text
        ):
            known = learned.values[0].keys if isinstance(learned.values[0], ast.Dict) else []
            return {one.value for one in known if isinstance(one, ast.Constant) and isinstance(one.value, str)}
        case [ast.Assign(targets=[ast.Subscript(value=ast.Name(), slice=columns)])]:
            return _constants(columns)
        case [ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(), attr=name)) as call)] if name in _DROPS:
            return _dropped(call)
        case [ast.Assign(targets=[ast.Name()], value=ast.Call(func=ast.Attribute(attr=name)) as call)] if (
            name in _DROPS and isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)
        ):
            return _dropped(call)
    return set()


def _sets_each(statement: ast.stmt, each: str) -> bool:
    """Whether a statement of a loop only sets a column that is called after the one at hand, or makes an encoder."""
    match statement:
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(), slice=column)]):
            return any(isinstance(one, ast.Name) and one.id == each for one in ast.walk(column))
        case ast.Assign(targets=[ast.Name()], value=ast.Call(args=[], keywords=[])):
            return True
    return False


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
