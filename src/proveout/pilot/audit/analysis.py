"""A notebook as the rules see it: read once, shared by all of them.

Input: `NotebookText`. Output: `Analysis`: cells with their code, bindings and uses, all calls, and the flow of rows.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from proveout.pilot.audit import flow_reader, names
from proveout.pilot.audit.cell_code import CellCode, parse
from proveout.pilot.audit.data_flow import Flow
from proveout.pilot.audit.names import Binding, Use, dotted, imported
from proveout.pilot.audit.notebook_text import Cell, NotebookText
from proveout.pilot.audit.syntax import children, walk


@dataclass(frozen=True, kw_only=True)
class CodeCell:
    """A code cell. `index` counts all cells of the notebook."""

    cell: Cell
    code: CellCode
    bindings: tuple[Binding, ...]
    uses: tuple[Use, ...]
    nodes: tuple[ast.AST, ...]  # all of its tree, walked once

    @property
    def index(self) -> int:
        """Its place among all cells, from 0."""
        return self.cell.index

    @property
    def is_empty(self) -> bool:
        """Whether nothing in it runs."""
        return all(not line.strip() or line.lstrip().startswith("#") for line in self.code.lines)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call. `name` has its imports resolved: `pandas.read_csv`, `df.head`, `().dropna`."""

    cell: int
    line: int
    name: str
    node: ast.Call
    statement: ast.stmt  # the innermost one that it stands in
    function: str  # the function or class whose body it stands in, or ""

    @property
    def method(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]

    def argument(self, position: int, name: str = "") -> ast.expr | None:
        """The argument of that position, or of that name."""
        if 0 <= position < len(self.node.args):
            found = self.node.args[position]
            return None if isinstance(found, ast.Starred) else found
        return next((one.value for one in self.node.keywords if name and one.arg == name), None)

    def has(self, name: str) -> bool:
        """Whether a keyword of that name is given. `**options` may hold any."""
        return any(one.arg in (name, None) for one in self.node.keywords)


class Analysis:
    """One notebook, and what is known of the folder it lies in."""

    def __init__(self, notebook: NotebookText) -> None:
        self.notebook = notebook
        self.cells = tuple(
            _code_cell(cell) for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()
        )

    @cached_property
    def imports(self) -> Mapping[str, str]:
        """What each imported name means, whichever cell imports it."""
        found: dict[str, str] = {}
        for cell in self.cells:
            found |= imported(cell.code.tree)
        return found

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """All calls of all cells, in the order of their lines."""
        found = [call for cell in self.cells for call in _calls(cell, self.imports)]
        return tuple(sorted(found, key=lambda call: (call.cell, call.line, call.node.col_offset)))

    @cached_property
    def flow(self) -> Flow:
        """What becomes of rows and models."""
        return flow_reader.read([(cell.index, cell.code.tree) for cell in self.cells], self.imports)

    @cached_property
    def defined(self) -> Mapping[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
        """Functions and classes of the notebook, by name."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        return {node.name: node for cell in self.cells for node in cell.nodes if isinstance(node, kinds)}

    def cell(self, index: int) -> CodeCell | None:
        """The code cell at that place among all cells."""
        return next((cell for cell in self.cells if cell.index == index), None)

    def statements(self) -> Iterator[tuple[CodeCell, ast.stmt]]:
        """All statements, also those inside others, with their cells."""
        for cell in self.cells:
            for node in cell.nodes:
                if isinstance(node, ast.stmt):
                    yield cell, node

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[tuple[CodeCell, Any]]:
        """All nodes of the given types, with their cells, in no order."""
        for cell in self.cells:
            for node in cell.nodes:
                if isinstance(node, kinds):
                    yield cell, node

    def name_of(self, node: ast.expr) -> str:
        """The dotted name of an expression, imports resolved; "" if it has none."""
        return dotted(node, self.imports)


def _code_cell(cell: Cell) -> CodeCell:
    code = parse(cell.source)
    bindings, uses = names.read(code.tree)
    return CodeCell(cell=cell, code=code, bindings=bindings, uses=uses, nodes=tuple(walk(code.tree)))


def _calls(cell: CodeCell, known: Mapping[str, str]) -> Iterator[Call]:
    waiting: list[tuple[ast.AST, ast.stmt | None, str]] = [(cell.code.tree, None, "")]
    while waiting:
        node, statement, function = waiting.pop()
        if isinstance(node, ast.Call) and statement is not None:
            yield Call(
                cell=cell.index,
                line=node.lineno,
                name=dotted(node.func, known),
                node=node,
                statement=statement,
                function=function,
            )
        inside = statement
        if isinstance(node, ast.stmt):
            inside = node
        named = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else function
        waiting.extend((child, inside, named) for child in children(node))
