"""PA306 wildcard-import."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.rule import Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """`from x import *`, one for each line."""
    for cell, node in analysis.nodes(ast.ImportFrom):
        if any(alias.name == "*" for alias in node.names):
            yield Hit(cell=cell.index, line=node.lineno, evidence=f"all names of {node.module or '.'} are imported")


RULE = Rule(
    code="PA306",
    kind="wildcard-import",
    severity="info",
    title="Imports all names of a module",
    why="Which names the notebook has depends on the version of the module, and one may hide another.",
    fix="Import the names that are used.",
    adopt="does",
    adopt_note="Writes the imports of the features by name.",
    find=find,
    positive=(Example(cells=("from math import *\nfrom tkinter import *",), found=((0, 1), (0, 2))),),
    negative=(Example(cells=("from math import pi\nimport math",)),),
)
