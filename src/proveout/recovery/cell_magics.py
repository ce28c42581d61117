"""Statements that a magic runs in place, written out: `%%time` above a cell, `%time` before a line, `%%capture`.

IPython hands such code to the magic as text, after the cell itself: what it calls and assigns would be numbered and
placed behind the statements that follow it.

Input: the tree of a cell, magics turned into calls. Output: the tree with the statements that the magics would run.
"""

import ast
from collections.abc import Callable


def written_out(tree: ast.Module, transform: Callable[[str], str]) -> ast.Module:
    """The tree without magics that only measure or hide. `transform` turns magics in a text into calls."""
    tree.body = [made for statement in tree.body for made in _statements(statement, transform)]
    return tree


def _statements(statement: ast.stmt, transform: Callable[[str], str]) -> list[ast.stmt]:
    if not isinstance(statement, ast.Expr | ast.Assign) or (code := _code(statement.value)) is None:
        return [statement]
    try:
        body = ast.parse(transform(code)).body
    except SyntaxError:  # the magic says what is wrong with it
        return [statement]
    if isinstance(statement, ast.Expr):
        return [made for one in body for made in _statements(one, transform)]
    match body:
        case [ast.Expr(value=value)]:
            statement.value = value
    return [statement]


def _code(call: ast.expr) -> str | None:
    """What a magic runs in place; None where it is no such magic, or has options that mean more."""
    match call:
        case ast.Call(
            func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=method),
            args=[ast.Constant(value=str(name)), ast.Constant(value=str(line)), *rest],
        ):
            pass
        case _:
            return None
    match method, name, rest:
        case "run_line_magic", "time", []:
            return line if line.strip() and not line.startswith("-") else None
        case "run_cell_magic", "time", [ast.Constant(value=str(body))]:
            return body if not line.strip() else None
        case "run_cell_magic", "capture", [ast.Constant(value=str(body))]:
            keeps = any(not word.startswith("-") for word in line.split())  # `%%capture shown`: a name for later
            return body if not keeps else None
    return None
