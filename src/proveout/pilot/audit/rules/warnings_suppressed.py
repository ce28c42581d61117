"""PA308 warnings-suppressed."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.rule import Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """Lines that switch warnings off."""
    places: dict[tuple[int, int], str] = {}
    for call in analysis.calls:
        if _silences(call):
            places.setdefault((call.cell, call.line), f"{call.name} switches warnings off")
    for cell, node in analysis.nodes(ast.Assign):
        for target in node.targets:
            text = ast.unparse(target)
            off = isinstance(node.value, ast.Constant) and node.value.value is None
            if "chained_assignment" in text and off:
                places.setdefault((cell.index, node.lineno), "pandas' warning of chained assignment is off")
            if "TF_CPP_MIN_LOG_LEVEL" in text or "PYTHONWARNINGS" in text:
                places.setdefault((cell.index, node.lineno), f"{text} switches warnings off")
            if text == "warnings.warn":
                places.setdefault((cell.index, node.lineno), "warnings.warn is replaced")
    for cell in analysis.cells:
        for magic in cell.code.magics:
            if magic.name in ("env", "set_env") and ("PYTHONWARNINGS" in magic.text or "TF_CPP" in magic.text):
                places.setdefault((cell.index, magic.line), f"%{magic.text} switches warnings off")
    for (index, line), evidence in sorted(places.items()):
        yield Hit(cell=index, line=line, evidence=evidence)


def _silences(call: Call) -> bool:
    if call.name in ("warnings.filterwarnings", "warnings.simplefilter", "filterwarnings", "simplefilter"):
        return _text(call.argument(0, "action")) == "ignore"
    if call.name in ("numpy.seterr", "numpy.errstate"):
        return any(_text(one.value) == "ignore" for one in call.node.keywords)
    if call.name in ("pandas.set_option", "pandas.options.mode.chained_assignment"):
        return "chained_assignment" in _text(call.argument(0))
    return call.name in (
        "logging.disable",
        "sklearn.utils._testing.ignore_warnings",
        "RDLogger.DisableLog",
    ) or (call.method == "set_verbosity" and "logging" in call.name)


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


RULE = Rule(
    code="PA308",
    kind="warnings-suppressed",
    severity="info",
    title="Warnings are switched off",
    why="What a library says before it changes, or of a fit that did not converge, is not seen.",
    fix="Silence the one warning that was understood, by category and module.",
    adopt="leaves",
    adopt_note="The notebook keeps the line; the project does not.",
    find=find,
    positive=(
        Example(
            cells=("import warnings\nwarnings.filterwarnings('ignore')\nimport numpy as np\nnp.seterr(all='ignore')",),
            found=((0, 2), (0, 4)),
        ),
        Example(cells=("import pandas as pd\npd.options.mode.chained_assignment = None",), found=((0, 2),)),
    ),
    negative=(Example(cells=("import warnings\nwarnings.filterwarnings('error')\nwarnings.warn('x')",)),),
)
