"""PA101 absolute-path."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.literals import is_absolute, literals
from proveout.pilot.audit.rule import Example, Hit, Rule

_PLATFORM = re.compile(
    r"^/(?:content|kaggle|home/cdsw|project_data|dbfs|databricks|home/jovyan|home/ec2-user|opt/ml)\b"
)
_IN_SHELL = re.compile(r"(?<![\w./:\\}-])(~?/(?:[\w.+-]+/)*[\w.+*-]+|[A-Za-z]:\\[^\s'\"]+|~/[^\s'\"]*)")
_COMMANDS = ("/bin/", "/usr/bin/", "/dev/")


def find(analysis: Analysis) -> Iterator[Hit]:
    """Texts and words of shell lines that are absolute paths, one for each line."""
    seen: set[tuple[int, int]] = set()
    ends = {
        (cell.index, node.right.lineno, node.right.value)
        for cell, node in analysis.nodes(ast.BinOp)
        if isinstance(node.op, ast.Add) and isinstance(node.right, ast.Constant)
    }
    for literal in literals(analysis):
        place = literal.cell, literal.line
        if (*place, literal.text) in ends:
            continue  # `folder + "/data/x.csv"` starts elsewhere
        if is_absolute(literal.text) and place not in seen:
            seen.add(place)
            yield Hit(cell=literal.cell, line=literal.line, evidence=_said(literal.text))
    for cell in analysis.cells:
        for magic in cell.code.magics:
            if magic.magic_type == "help":
                continue
            for offset, line in enumerate([magic.text, *magic.body.splitlines()]):
                for found in _IN_SHELL.findall(line):
                    place = cell.index, magic.line + offset
                    if is_absolute(found) and not found.startswith(_COMMANDS) and place not in seen:
                        seen.add(place)
                        yield Hit(cell=cell.index, line=place[1], evidence=_said(found))


def _said(path: str) -> str:
    kind = "one platform's folder" if _PLATFORM.match(path) else "a path of one machine"
    return f"{path!r} is {kind}"


RULE = Rule(
    code="PA101",
    kind="absolute-path",
    severity="high",
    title="Absolute path",
    why="The path exists on the author's machine. Anywhere else the cell fails, or reads another file of that name.",
    fix="Keep the file below the project folder and use a relative path, or make the path a parameter of the run.",
    adopt="does",
    adopt_note="Looks for the base name below the project folder and makes the path a parameter.",
    find=find,
    positive=(
        Example(cells=("import pandas as pd\ndf = pd.read_csv('/home/ann/data/train.csv')",), found=((0, 2),)),
        Example(cells=("df.to_csv(r'C:\\Users\\ann\\out.csv')",), found=((0, 1),)),
        Example(cells=("!cp model.pkl /content/drive/MyDrive/",), found=((0, 1),)),
        Example(cells=("root = '~/flights'\nfile = f'/mnt/data/{year}.csv'",), found=((0, 1), (0, 2))),
    ),
    negative=(
        Example(cells=("df = pd.read_csv('data/train.csv')",)),
        Example(cells=("file = folder + '/data/x.csv'\n!ls {folder}/data",)),
        Example(cells=("url = 'https://example.org/home/data.csv'",)),
        Example(cells=("route = '/predict'\nunit = 'miles/hour'\nratio = a / b",)),
        Example(cells=("'''Reads /home/ann/x.csv'''\nx = 1",)),
    ),
)
