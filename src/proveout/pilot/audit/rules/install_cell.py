"""PA203 install-cell."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.rule import Example, Hit, Rule
from proveout.pilot.audit.syntax import walk

INSTALL = re.compile(
    r"^\s*(?:sudo\s+)?(?:(?:[\w./{}$-]*/)?(?:python[\d.]*|\{?sys\.executable\}?)\s+-m\s+)?(?:pip[\d.]*|conda|mamba|uv\s+pip|uv|apt|apt-get|yum|brew|npm|easy_install|poetry)\s+"
    r"(?:-\w+\s+)*(?:install|uninstall|upgrade|update|add|remove|-U)\b|^\s*(?:sudo\s+)?add-apt-repository\b"
)
_PINNED = re.compile(r"==|@[0-9a-f]{7,}|-r\s+\S+")


def find(analysis: Analysis) -> Iterator[Hit]:
    """Lines that install, remove or upgrade packages."""
    for cell in analysis.cells:
        for magic in cell.code.magics:
            if magic.magic_type == "help":
                continue
            body = magic.body.splitlines() if magic.name in ("bash", "sh", "script") else []
            for offset, line in enumerate([magic.text, *body]):
                parts = re.split(r"&&|;|\|", line.replace("%%", ""))
                if any(INSTALL.match(part) for part in parts):
                    pinned = "pinned" if _PINNED.search(line) else "no version is pinned"
                    yield Hit(cell=cell.index, line=magic.line + offset, evidence=f"`{line.strip()[:100]}`: {pinned}")
    for call in analysis.calls:
        if call.name in ("pip.main", "pip._internal.main") or (
            call.method in ("system", "run", "check_call", "call") and _installs(call.node)
        ):
            yield Hit(cell=call.cell, line=call.line, evidence="installs packages from code")


def _installs(node: ast.Call) -> bool:
    words = [one.value for one in walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    text = " ".join(words)
    return bool(INSTALL.match(text)) or {"pip", "install"} <= set(words)


RULE = Rule(
    code="PA203",
    kind="install-cell",
    severity="medium",
    title="Installs packages while it runs",
    why="What it installs changes from day to day, needs a network, and may change a library that was imported before.",
    fix="Move the packages with their versions into the project's requirements.",
    adopt="does",
    adopt_note="Leaves the line out and adds the package to the environment.",
    find=find,
    positive=(
        Example(
            cells=("!pip install -q xgboost\n%pip install lightgbm==4.0\n!sudo apt-get -y install x",),
            found=((0, 1), (0, 2), (0, 3)),
        ),
        Example(cells=("%%bash\npip install x",), found=((0, 2),)),
        Example(cells=("import sys\n!{sys.executable} -m pip install x",), found=((0, 2),)),
        Example(cells=("pip install shap",), found=((0, 1),)),
    ),
    negative=(Example(cells=("!pip list\n!pip freeze > r.txt\n# !pip install x",)),),
)
