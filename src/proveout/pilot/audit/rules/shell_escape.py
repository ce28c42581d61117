"""PA204 shell-escape."""

import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.rule import Example, Hit, Rule
from proveout.pilot.audit.rules.install_cell import INSTALL

_SHELL_CELLS = {"bash", "sh", "script", "cmd", "powershell", "system", "sx", "!"}
_CALLS = re.compile(
    r"^(?:os\.(?:system|popen|exec\w+|spawn\w+)|subprocess\.\w+|commands\.getoutput|sh\.\w+|get_ipython\(\)\.system)$"
)
_CD = re.compile(r"^\s*cd\b")


def find(analysis: Analysis) -> Iterator[Hit]:
    """Shell lines and calls of other programs, except installs and changes of the folder."""
    for cell in analysis.cells:
        for magic in cell.code.magics:
            if magic.magic_type == "cell_magic" and magic.name in _SHELL_CELLS:
                yield Hit(cell=cell.index, line=magic.line, evidence=f"%%{magic.name} runs a shell")
            elif magic.magic_type == "line_magic" and magic.name in ("sx", "system", "sh"):
                yield Hit(cell=cell.index, line=magic.line, evidence=f"%{magic.name} runs a shell")
            elif magic.magic_type == "line_magic" and magic.name in ("ls", "pwd", "mkdir", "rm", "cp", "mv", "cat"):
                yield Hit(cell=cell.index, line=magic.line, evidence=f"`{magic.text[:100]}` runs a shell")
            elif magic.magic_type == "shell":
                first = re.split(r"&&|;", magic.text)[0]
                if not INSTALL.match(first) and not _CD.match(magic.text):
                    yield Hit(cell=cell.index, line=magic.line, evidence=f"`{magic.text[:100]}` runs a shell")
    for call in analysis.calls:
        if _CALLS.match(call.name) and call.method not in ("PIPE", "CalledProcessError"):
            yield Hit(cell=call.cell, line=call.line, evidence=f"{call.name} runs another program")


RULE = Rule(
    code="PA204",
    kind="shell-escape",
    severity="low",
    title="Shell line",
    why="The program, its version and the folder it runs in belong to the author's machine; its failure stops nothing.",
    fix="Do it in Python, or before the run.",
    adopt="leaves",
    adopt_note="Leaves the line out of the slice; refuses where the model needs what it made.",
    find=find,
    positive=(
        Example(cells=("!ls data\nfiles = !cat x\nimport os\nos.system('rm x')",), found=((0, 1), (0, 2), (0, 4))),
        Example(cells=("%%bash\nls",), found=((0, 1),)),
        Example(cells=("ls",), found=((0, 1),)),
        Example(cells=("!unzip -q data.zip",), found=((0, 1),)),
    ),
    negative=(Example(cells=("!pip install x\n!cd data\n%matplotlib inline\nx = a != b",)),),
)
