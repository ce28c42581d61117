"""PA108 env-var."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.rule import Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """Lines that read a variable of the environment."""
    places: dict[tuple[int, int], str] = {}
    for cell, node in analysis.nodes(ast.Subscript):
        if isinstance(node.ctx, ast.Load) and analysis.name_of(node.value) == "os.environ":
            places.setdefault((cell.index, node.lineno), f"reads {ast.unparse(node)}")
    for call in analysis.calls:
        if call.name in (
            "os.getenv",
            "os.environ.get",
            "os.environ.pop",
            "decouple.config",
            "dotenv.load_dotenv",
            "os.environ.copy",
            "environ.get",
        ):
            places.setdefault((call.cell, call.line), f"{call.name} reads the environment")
    for cell in analysis.cells:
        for magic in cell.code.magics:
            words = magic.text.split()
            if magic.magic_type == "line_magic" and magic.name == "env" and len(words) <= 2 and "=" not in magic.text:
                places.setdefault((cell.index, magic.line), "%env reads the environment")
    for (index, line), evidence in sorted(places.items()):
        yield Hit(cell=index, line=line, evidence=evidence)


RULE = Rule(
    code="PA108",
    kind="env-var",
    severity="low",
    title="Environment variable",
    why="The result depends on a variable that is set outside of the notebook, and that no run records.",
    fix="Make it a parameter of the run. Keep only secrets in the environment, and name them in the README.",
    adopt="asks",
    adopt_note="Lists the variable as one that the run needs.",
    find=find,
    positive=(
        Example(cells=("import os\nhome = os.environ['HOME']\nkey = os.getenv('KEY')",), found=((0, 2), (0, 3))),
        Example(cells=("%env PATH",), found=((0, 1),)),
    ),
    negative=(Example(cells=("import os\nos.environ['X'] = '1'\n",)), Example(cells=("%env X=1",))),
)
