"""PA206 chdir."""

import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.rule import Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """Changes of the working folder."""
    for call in analysis.calls:
        if call.name in ("os.chdir", "os.fchdir", "chdir"):
            yield Hit(cell=call.cell, line=call.line, evidence="os.chdir changes the working folder")
    for cell in analysis.cells:
        for magic in cell.code.magics:
            shell = magic.magic_type == "shell" and re.match(r"\s*cd\b", magic.text)
            if shell or (magic.magic_type == "line_magic" and magic.name in ("cd", "pushd", "popd")):
                yield Hit(cell=cell.index, line=magic.line, evidence=f"`{magic.text[:80]}` changes the working folder")


RULE = Rule(
    code="PA206",
    kind="chdir",
    severity="medium",
    title="Changes the working folder",
    why="Every relative path after it means another file, and running the cell twice goes to another folder still.",
    fix="Write paths that start at the project folder.",
    adopt="leaves",
    adopt_note="Runs the notebook in a copy of its folder and resolves the paths behind the change.",
    find=find,
    positive=(
        Example(cells=("import os\nos.chdir('..')\n%cd data\n!cd x",), found=((0, 2), (0, 3), (0, 4))),
        Example(cells=("cd ..",), found=((0, 1),)),
    ),
    negative=(Example(cells=("import os\nos.getcwd()\ncd = 3",)),),
)
