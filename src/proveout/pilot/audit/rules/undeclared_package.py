"""PA202 undeclared-package."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.distributions import ENGINES, declared, distribution_of, normalised
from proveout.pilot.audit.literals import constants, text_of
from proveout.pilot.audit.rule import Example, Hit, Rule

# Distributions that provide the same import, or that pull another one in by being itself.
_ALSO = {
    "opencv-python": ("opencv-python-headless", "opencv-contrib-python", "opencv"),
    "psycopg2-binary": ("psycopg2",),
    "tensorflow": ("tensorflow-cpu", "tensorflow-gpu", "tensorflow-macos"),
    "faiss-cpu": ("faiss-gpu", "faiss"),
    "torch": ("pytorch",),
    "azureml-core": ("azureml-sdk",),
    "tables": ("pytables",),
    "pillow": ("pil",),
    "ipython": ("jupyter", "notebook", "ipykernel", "jupyterlab"),
}


def find(analysis: Analysis) -> Iterator[Hit]:
    """The first import of each distribution that the repository does not declare."""
    folder = analysis.notebook.path.parent
    known = declared(folder)
    seen: set[str] = set()
    for cell in analysis.cells:
        nodes = [node for node in cell.nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        for node in sorted(nodes, key=lambda one: (one.lineno, one.col_offset)):
            for module in _modules(node):
                name = distribution_of(module, folder)
                if name and normalised(name) not in seen:
                    seen.add(normalised(name))
                    if not _is_declared(name, known.names):
                        yield Hit(cell=cell.index, line=node.lineno, evidence=f"{name} is {_where(known.files)}")
    texts = constants(analysis)
    for call in analysis.calls:
        for method, suffix, needed in ENGINES:
            if call.method != method or needed in seen:
                continue
            path = text_of(call.argument(0), texts, analysis) or text_of(call.argument(-1, "io"), texts, analysis) or ""
            if suffix and not path.lower().endswith(suffix):
                continue
            seen.add(needed)
            if not _is_declared(needed, known.names):
                yield Hit(
                    cell=call.cell, line=call.line, evidence=f"{method} needs {needed}, which is {_where(known.files)}"
                )


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.level or not node.module:
        return []
    return [f"{node.module}.{alias.name}" for alias in node.names] if "." not in node.module else [node.module]


def _is_declared(name: str, names: frozenset[str]) -> bool:
    return normalised(name) in names or any(normalised(other) in names for other in _ALSO.get(name, ()))


def _where(files: tuple[object, ...]) -> str:
    return "not in the repository's requirements" if files else "declared nowhere: there is no file of requirements"


RULE = Rule(
    code="PA202",
    kind="undeclared-package",
    severity="medium",
    title="Package that no file declares",
    why="Another machine has another version or none, and the version decides what the model answers.",
    fix="Declare the package with its version in the project's requirements, and lock it.",
    adopt="does",
    adopt_note="Chooses versions by the lock, the requirements or the notebook's date, and writes a lock.",
    find=find,
    positive=(
        Example(cells=("import numpy as np\nimport sklearn", "from sklearn.svm import SVC"), found=((0, 1), (0, 2))),
        Example(cells=("import pandas as pd\ndf = pd.read_excel('a.xls')",), found=((0, 1), (0, 2))),
    ),
    negative=(Example(cells=("import os\nfrom google.colab import drive\nfrom my_only import x",)),),
)
