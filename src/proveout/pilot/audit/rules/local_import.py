"""PA111 local-import."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.distributions import is_module_of_author
from proveout.pilot.audit.rule import Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """Imports of files beside the notebook, and edits of sys.path."""
    folder = analysis.notebook.path.parent
    for cell, node in analysis.nodes(ast.Import, ast.ImportFrom):
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or ""] if not node.level else ["." * node.level + (node.module or "")]
        else:
            modules = [alias.name for alias in node.names]
        local = [module for module in modules if is_module_of_author(module, folder)]
        if local:
            yield Hit(
                cell=cell.index, line=node.lineno, evidence=f"{local[0]} is a module of the author, not of a package"
            )
    for call in analysis.calls:
        if call.name in ("sys.path.append", "sys.path.insert", "sys.path.extend", "site.addsitedir"):
            yield Hit(cell=call.cell, line=call.line, evidence=f"{call.name} adds a folder to look for modules in")
    for cell, node in analysis.nodes(ast.Assign):
        if any(analysis.name_of(target) == "sys.path" for target in node.targets):
            yield Hit(cell=cell.index, line=node.lineno, evidence="sys.path is set anew")
    for cell in analysis.cells:
        for magic in cell.code.magics:
            if magic.magic_type == "line_magic" and magic.name == "run":
                yield Hit(cell=cell.index, line=magic.line, evidence=f"`%{magic.text}` runs a file beside the notebook")


RULE = Rule(
    code="PA111",
    kind="local-import",
    severity="medium",
    title="Module beside the notebook",
    why="The notebook needs a file that is not part of it: moved or changed, the model is another one.",
    fix="Keep the module in the project and let the bundle record it, or make it a package.",
    adopt="does",
    adopt_note="Copies the module into the project where it lies beside the notebook.",
    find=find,
    positive=(
        Example(
            cells=("import sys\nsys.path.append('..')\nfrom my_helpers_of_mine import clean",), found=((0, 2), (0, 3))
        ),
        Example(cells=("import sys\nsys.path = [p for p in sys.path if 'parcels' not in p]",), found=((0, 2),)),
        Example(cells=("from .utils import x",), found=((0, 1),)),
    ),
    negative=(
        Example(
            cells=("import os, json\nimport numpy as np\nfrom sklearn.svm import SVC\nimport torch\nimport snapmlx",)
        ),
    ),
)
