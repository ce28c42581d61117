"""The statements of a cell, with every call and every read of an item passed through a tape.

`f(a)` becomes `__adopt_call__(site, f)(a)`, `x[k]` becomes `__adopt_item__(site, x, k)`, and before each top-level
statement stands `__adopt_statement__(n)`. A lambda gets a name as an attribute. No library is patched: isinstance,
signatures, pickling, clone and the workers of a grid search see the originals.

Input: the tree of a cell. Output: the tree that runs in its place. The same source gives the same sites.
"""

import ast
from collections.abc import Container
from typing import Any

CALL, ITEM, STATEMENT, LAMBDA = "__adopt_call__", "__adopt_item__", "__adopt_statement__", "__adopt_lambda__"
NAME = "__adopt_name__"  # attribute of a lambda: its place in the notebook as a name
LOST_IMPORT, LOST_SHOW = "__adopt_lost_import__", "__adopt_lost_show__"
# These read the frame of their caller, or need the call to stand where it was written.
AS_WRITTEN = frozenset(
    {"super", "locals", "globals", "vars", "dir", "eval", "exec", "get_ipython", "print", "input", "display"}
)


class Instrument(ast.NodeTransformer):
    """Numbers the calls of one cell and wraps them. It goes on after the numbers of `after`."""

    def __init__(self, cell: int, *, after: "Instrument | None" = None) -> None:
        self.cell = cell
        self._sites: int = after._sites if after is not None else 0
        self.shares: set[str] = set(after.shares) if after is not None else set()  # sites of counts in a division
        self._counts: set[int] = set()  # ids of their nodes
        self.lambdas: dict[str, str] = dict(after.lambdas) if after is not None else {}  # their names and sources

    def site(self) -> str:
        """The name of the next call or item: its cell and its number in it."""
        self._sites += 1
        return f"{self.cell}.{self._sites - 1}"

    def module(self, tree: ast.Module, first: int, *, shows: Container[int] = ()) -> ast.Module:
        """The tree to run.

        Args:
            first: the number of its first statement among those of the notebook.
            shows: places of statements in it that only show something.
        """
        body: list[ast.stmt] = []
        for place, statement in enumerate(tree.body):
            mark = ast.parse(f"{STATEMENT}({first + place})").body[0]
            made = (
                _each_import(statement) if isinstance(statement, ast.Import | ast.ImportFrom) else self.visit(statement)
            )
            if place in shows and place < len(tree.body) - 1:
                made = _or_lost(made, LOST_SHOW)
            body += [ast.copy_location(mark, statement), made]
        tree.body = body
        return ast.fix_missing_locations(tree)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        # Of how many rows there were, a share was learned: `counts / len(df)`, `total / float(df.shape[0])`.
        if isinstance(node.op, ast.Div):
            self._counts |= {id(_inside_number(side)) for side in (node.left, node.right)}
        self.generic_visit(node)
        return node

    def site_of(self, node: ast.expr) -> str:
        """The next site; it is noted where the node is a side of a division."""
        site = self.site()
        if id(node) in self._counts:
            self.shares.add(site)
        return site

    def visit_Call(self, node: ast.Call) -> ast.expr:
        # Numbered before its parts, so that the writer of features counts the same way.
        site = ast.Constant(self.site_of(node))
        if isinstance(node.func, ast.Name) and node.func.id in AS_WRITTEN:
            node.args = [self.visit(one) for one in node.args]
            for keyword in node.keywords:
                keyword.value = self.visit(keyword.value)
            return node
        self.generic_visit(node)
        wrapped = ast.Call(ast.Name(CALL, ast.Load()), [site, node.func], [])
        node.func = ast.copy_location(wrapped, node.func)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        name = f"lambda_{self.cell}_{len(self.lambdas)}"  # no site: places of calls count as before
        self.lambdas[name] = ast.unparse(node)
        self.generic_visit(node)
        return ast.copy_location(ast.Call(ast.Name(LAMBDA, ast.Load()), [ast.Constant(name), node], []), node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        site = ast.Constant(self.site_of(node))
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load) or any(isinstance(one, ast.Starred) for one in ast.walk(node.slice)):
            return node
        made = ast.Call(ast.Name(ITEM, ast.Load()), [site, node.value, _key(node.slice)], [])
        return ast.copy_location(made, node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        node.value = self.visit(node.value) if node.value else None  # an annotation is no code
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        # numba and tf.function read the byte code.
        if any("jit" in (text := ast.unparse(one)) or "function" in text for one in node.decorator_list):
            return node
        node.body = [self.visit(statement) for statement in node.body]  # decorators and defaults stay
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]  # the same fields


def _inside_number(node: ast.expr) -> ast.expr:
    """What `float(...)` or `int(...)` is given; else the node."""
    match node:
        case ast.Call(func=ast.Name(id="float" | "int"), args=[given]):
            return given
    return node


def _each_import(statement: ast.Import | ast.ImportFrom) -> ast.stmt:
    """Imports one by one, so that one that fails loses its own name and not the rest of its cell.

    What uses the name raises, then, and that statement is the one that the pilot lacks.
    """
    if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
        return statement
    tries: list[ast.stmt] = []
    for alias in statement.names:
        if isinstance(statement, ast.Import):
            one: ast.stmt = ast.Import([alias])
        else:
            one = ast.ImportFrom(statement.module, [alias], statement.level)
        tries.append(_or_lost(one, LOST_IMPORT))
    return ast.copy_location(ast.If(ast.Constant(True), tries, []), statement)


def _or_lost(statement: ast.stmt, told: str) -> ast.stmt:
    """The statement; what it raises is told, and the rest of its cell runs."""
    lost = ast.Expr(ast.Call(ast.Name(told, ast.Load()), [ast.Name("__adopt_error__", ast.Load())], []))
    caught = ast.ExceptHandler(ast.Name("Exception", ast.Load()), "__adopt_error__", [lost])
    return ast.copy_location(ast.Try([statement], [caught], [], []), statement)


def _key(part: ast.expr) -> ast.expr:
    """An index as an argument: slices have to be made by hand outside of brackets."""
    if isinstance(part, ast.Slice):
        ends = [end or ast.Constant(None) for end in (part.lower, part.upper, part.step)]
        return ast.Call(ast.Name("slice", ast.Load()), ends, [])
    if isinstance(part, ast.Tuple):
        return ast.Tuple([_key(one) for one in part.elts], ast.Load())
    return part
