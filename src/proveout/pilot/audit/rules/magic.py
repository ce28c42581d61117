"""PA205 magic."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.rule import Example, Hit, Rule

_ELSEWHERE = {
    "pip",
    "conda",
    "mamba",
    "cd",
    "bash",
    "sh",
    "script",
    "sx",
    "system",
    "ls",
    "pwd",
    "mkdir",
    "rm",
    "cp",
    "mv",
    "cat",
    "!",
    "pushd",
    "popd",
}


def find(analysis: Analysis) -> Iterator[Hit]:
    """Line and cell magics, except installs, shells and changes of the folder."""
    for cell in analysis.cells:
        for magic in cell.code.magics:
            if magic.magic_type in ("line_magic", "cell_magic") and magic.name not in _ELSEWHERE and magic.name:
                mark = "%%" if magic.magic_type == "cell_magic" else "%"
                yield Hit(cell=cell.index, line=magic.line, evidence=f"{mark}{magic.text[:100]}")
    for call in analysis.calls:
        if call.method in ("run_line_magic", "magic", "run_cell_magic") and "get_ipython" in _receiver(call):
            yield Hit(cell=call.cell, line=call.line, evidence=f"{call.method} calls a magic")


def _receiver(call: Call) -> str:
    return ast.unparse(call.node.func)


RULE = Rule(
    code="PA205",
    kind="magic",
    severity="info",
    title="Magic of IPython",
    why="It is no Python: outside of a notebook the line is a syntax error.",
    fix="Leave it out of what runs in production.",
    adopt="leaves",
    adopt_note="Leaves it out of the features; the notebook keeps it.",
    find=find,
    positive=(
        Example(cells=("%matplotlib inline\n%load_ext autoreload",), found=((0, 1), (0, 2))),
        Example(cells=("%%time\nx = 1",), found=((0, 1),)),
    ),
    negative=(Example(cells=("!ls\n%cd data\n%pip install x\ny = x % z",)),),
)
