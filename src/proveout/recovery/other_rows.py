"""What a refusal says of statements that look at other rows than the one asked: methods, and files beside the notebook.

Calls in a cell are recorded, and what they learn is. Inside of the author's own module nothing is seen: a scaler that
is fitted there is fitted again, to the one row that is asked.

Input: a replay. Output: the end of a sentence, with the way on; "" where nothing is to be said.
"""

import ast
import os
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from proveout.recovery.file_lookup import ROOT_VARIABLE
from proveout.recovery.replay import Replay
from proveout.recovery.tape import Tape

# Methods whose answer for a row depends on the rows above, below or around it.
_OF_NEIGHBOURS = frozenset(
    {"rolling", "expanding", "ewm", "shift", "diff", "pct_change", "rank", "cumsum", "cumprod", "cummax", "cummin",
     "cumcount", "ffill", "bfill", "interpolate"}
)  # fmt: skip


def in_slice(replay: Replay) -> str:
    """Of the first statement that computes with other rows, or may do so in a file beside the notebook."""
    for place in replay.places:
        statement = replay.tape.statements[place]
        named = {node.attr for node in ast.walk(ast.parse(statement.source)) if isinstance(node, ast.Attribute)}
        if found := sorted(named & _OF_NEIGHBOURS):
            return (
                f"; cell {statement.cell} computes with the rows beside each one ({', '.join(found)}). Such columns "
                "have to be in the file that the notebook reads, so that a request brings them"
            )
    return next((said for place in replay.places if (said := in_file(replay.tape, place))), "")


def in_file(tape: Tape, place: int) -> str:
    """Of a statement that calls a function of a file beside the notebook."""
    statement = tape.statements[place]
    for node in ast.walk(ast.parse(statement.source)):
        if isinstance(node, ast.Call) and (file := _file_of(_first_name(node.func), tape.names)):
            return (
                f"; cell {statement.cell} calls `{ast.unparse(node.func)}` of {file}, where what is learned from other "
                "rows is not seen. Put that code into a cell of the notebook: there it is recorded"
            )
    return ""


def _first_name(function: ast.expr) -> str:
    """`tools` of `tools.rows.prepared`."""
    while isinstance(function, ast.Attribute):
        function = function.value
    return function.id if isinstance(function, ast.Name) else ""


def _file_of(name: str, known: dict[str, Any]) -> str:
    """The file below the project's root that defines what the name stands for; "" for a library or the notebook."""
    value = known.get(name)
    module = value if isinstance(value, ModuleType) else sys.modules.get(getattr(value, "__module__", None) or "")
    path = Path(getattr(module, "__file__", None) or "/").resolve()
    root = Path(os.environ.get(ROOT_VARIABLE, ".")).resolve()
    library = {"site-packages", "dist-packages"} & set(path.parts) or path.is_relative_to(sysconfig.get_path("stdlib"))
    return path.name if path.suffix == ".py" and path.is_relative_to(root) and not library else ""
