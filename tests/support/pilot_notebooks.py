"""The pilots of tests/pilots/ as files: a percent script becomes a notebook without outputs, its data lies beside it.

A line `# %name` or `# !command` in a script is a magic or a shell line of the notebook. What stands above the first
`# %%` is for the reader of the script alone.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "pilots"
_CELL = re.compile(r"^# %%(?: \[(?P<kind>markdown)\])?$", re.MULTILINE)
_COMMENT = re.compile(r"^# ?", re.MULTILINE)
_MAGIC = re.compile(r"^# ((?:%{1,2}[a-z]|!).*)$", re.MULTILINE)


def cells(name: str) -> list[tuple[str, str]]:
    """Kind and source of each cell of a pilot, in order."""
    _, *parts = _CELL.split((SCRIPTS / f"{name}.py").read_text(encoding="utf-8"))
    found = []
    for kind, source in zip(parts[::2], parts[1::2], strict=True):
        text = source.strip("\n")
        found.append((kind or "code", _COMMENT.sub("", text) if kind else _MAGIC.sub(r"\1", text)))
    return found


def lay_out(name: str, folder: Path, *, data: Callable[[Path], None] | None) -> Path:
    """The notebook of a pilot in `folder`, which is made, with its data beside it."""
    folder.mkdir(parents=True)
    if data is not None:
        data(folder)
    made = []
    for place, (kind, source) in enumerate(cells(name)):
        ran = {"outputs": [], "execution_count": None} if kind == "code" else {}
        made.append({"cell_type": kind, "id": f"c{place}", "metadata": {}, "source": source, **ran})
    file = folder / f"{name}.ipynb"
    file.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}), encoding="utf-8")
    return file
