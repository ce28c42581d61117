"""PA307 no-function-boundary."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis, CodeCell
from proveout.pilot.audit.rule import NOTEBOOK, Example, Hit, Rule

_MOST_LINES, _FEWEST_LINES = 30, 50


def find(analysis: Analysis) -> Iterator[Hit]:
    """A notebook of 50 lines and more without a function, and cells of more than 30 lines."""
    lines = sum(_count(cell) for cell in analysis.cells)
    if lines >= _FEWEST_LINES and not any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for cell in analysis.cells
        for node in cell.nodes
    ):
        yield Hit(cell=NOTEBOOK, line=1, evidence=f"{lines} lines of code and no function")
    for cell in analysis.cells:
        if (count := _count(cell)) > _MOST_LINES:
            yield Hit(cell=cell.index, line=1, evidence=f"{count} lines of code in one cell")


def _count(cell: CodeCell) -> int:
    return sum(1 for line in cell.code.lines if line.strip() and not line.lstrip().startswith("#"))


RULE = Rule(
    code="PA307",
    kind="no-function-boundary",
    severity="info",
    title="No functions",
    why="Nothing can be tested or used alone: serving needs the steps for one row, and they exist for the table only.",
    fix="Put the steps that make inputs from raw rows into functions.",
    adopt="does",
    adopt_note="Recovers the function from raw rows to the model's inputs.",
    find=find,
    positive=(
        Example(cells=("\n".join(f"x{n} = {n}" for n in range(31)),), found=((0, 1),)),
        Example(cells=tuple("a = 1\nb = 2" for _ in range(25)), found=((NOTEBOOK, 1),)),
    ),
    negative=(Example(cells=("def f():\n    pass", *("a = 1\nb = 2" for _ in range(25)))), Example(cells=("a = 1",))),
)
