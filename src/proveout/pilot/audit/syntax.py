"""Walks over syntax trees, fast: forty rules walk the same trees again and again.

Input: a node. Output: its children, or all nodes below it, in the order of `ast.walk`. A node's children are listed
once and kept on it, so a tree must not be changed after it was walked.
"""

import ast
from collections.abc import Iterator

_KEPT = "_audit_children"


def children(node: ast.AST) -> tuple[ast.AST, ...]:
    """The nodes directly below a node."""
    kept: tuple[ast.AST, ...] | None = node.__dict__.get(_KEPT)
    if kept is None:
        kept = tuple(ast.iter_child_nodes(node))
        node.__dict__[_KEPT] = kept
    return kept


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, level by level.

    >>> [type(one).__name__ for one in walk(ast.parse("f(x)", mode="eval").body)]
    ['Call', 'Name', 'Name', 'Load', 'Load']
    """
    found = [node]
    for one in found:
        found.extend(children(one))
        yield one


def root_of(node: ast.expr) -> str:
    """The variable at the start of a chain of calls, attributes and subscripts, or "".

    >>> root_of(ast.parse("db['rows'].find().limit(3)", mode="eval").body)
    'db'
    """
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Await):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
