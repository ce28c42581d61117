"""PA106 platform-specific."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.literals import literals
from proveout.pilot.audit.rule import Example, Hit, Rule

_MODULES = re.compile(
    r"^(?:google\.colab|kaggle_secrets|kaggle_datasets|project_lib|dbutils|databricks(?!\.sdk)|pyspark\.dbutils|cdsw|dsx_core_utils|"
    r"sagemaker_pyspark|sagemaker_studio|ibm_watson_studio_lib|pixiedust|notebookutils|mssparkutils|wslib|botocore_colab|dsx_ml)(?:\.|$)"
)
_CALLS = re.compile(
    r"(?:^|\.)(?:get_execution_role)$|^(?:dbutils|displayHTML|sqlContext|mssparkutils|notebookutils)(?:\.|$)|"
    r"^access_project_or_space$|^get_ipython\(\)\.kernel\.do_shutdown$"
)


def find(analysis: Analysis) -> Iterator[Hit]:
    """Imports, calls and paths that exist on one notebook platform only, one for each line."""
    places: dict[tuple[int, int], str] = {}
    for cell, line, evidence in (*_imports(analysis), *_calls(analysis), *_paths(analysis)):
        places.setdefault((cell, line), evidence)
    for (index, line), evidence in sorted(places.items()):
        yield Hit(cell=index, line=line, evidence=evidence)


_Found = Iterator[tuple[int, int, str]]


def _imports(analysis: Analysis) -> _Found:
    for cell, node in analysis.nodes(ast.Import, ast.ImportFrom):
        modules = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [f"{node.module or ''}.{alias.name}" for alias in node.names]
        )
        for module in modules:
            if _MODULES.match(module) or module.endswith(".get_execution_role"):
                yield cell.index, node.lineno, f"{module} exists on one platform only"


def _calls(analysis: Analysis) -> _Found:
    own_project = any(binding.name == "project" for cell in analysis.cells for binding in cell.bindings)
    for call in analysis.calls:
        if _CALLS.search(call.name) or _MODULES.match(call.name):
            yield call.cell, call.line, f"{call.name} exists on one platform only"
        elif call.name in ("project.get_file", "project.save_data", "project.get_project_assets") and not own_project:
            yield call.cell, call.line, "project is an object that Watson Studio gives"


def _paths(analysis: Analysis) -> _Found:
    for literal in literals(analysis):
        if literal.text.startswith(("../input", "/kaggle/input")):
            yield literal.cell, literal.line, f"{literal.text[:60]!r} is where Kaggle puts data"
    for cell in analysis.cells:
        for magic in cell.code.magics:
            if "../input" in magic.text:
                yield cell.index, magic.line, "../input is where Kaggle puts data"
            if magic.magic_type == "line_magic" and magic.name in ("tensorflow_version", "sh", "run_notebook"):
                yield cell.index, magic.line, f"%{magic.name} exists on one platform only"


RULE = Rule(
    code="PA106",
    kind="platform-specific",
    severity="high",
    title="Works on one notebook platform only",
    why="The import or path does not exist outside of the platform, so the notebook stops there.",
    fix="Take it out, or read what it gave (a folder, a secret, a role) from the project's settings.",
    adopt="leaves",
    adopt_note="Leaves the cell out where the model does not need it; else it is asked for.",
    find=find,
    positive=(
        Example(cells=("text = project.get_file('a.csv')",), found=((0, 1),)),
        Example(cells=("from google.colab import drive\ndrive.mount('/content/drive')",), found=((0, 1), (0, 2))),
        Example(
            cells=("from sagemaker import get_execution_role\nrole = get_execution_role()",), found=((0, 1), (0, 2))
        ),
        Example(cells=("import pandas as pd\ndf = pd.read_csv('../input/train.csv')",), found=((0, 2),)),
        Example(cells=("files = dbutils.fs.ls('/mnt')",), found=((0, 1),)),
    ),
    negative=(Example(cells=("import sagemaker\nx = 'input/train.csv'",)),),
)
