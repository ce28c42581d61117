"""The files that a notebook will ask for, looked for before it runs.

Input: an `Analysis`. Output: a `DataFile` for each path, address and data set that is read. Nothing is opened. A path
that does not lead to a file is looked for by its base name below the project's root, as the recorder does at run time.
What needs an answer has a sentence to ask with, and a run takes the answers as `{asked: file}`.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from proveout.pilot.adopt.project_copy import SEABORN
from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.distributions import project_root
from proveout.pilot.audit.file_reads import file_reads
from proveout.pilot.audit.literals import constants, is_url, text_of
from proveout.recovery.file_lookup import base_name, nearest_first, same_name

State = Literal["present", "elsewhere", "url", "data set", "missing"]

# Neither rows nor a model: pictures that are shown, folders that are listed.
_NO_DATA = re.compile(r"^(?:IPython\.display\.\w+|glob\.i?glob|os\.(?:listdir|walk|scandir)|sqlite3\.connect)$")
_DATA_NAME = re.compile(r"\.(?:csv|tsv|xlsx?|parquet|feather|jsonl?|arff|data|pkl|pickle)(?:\.gz|\.zip|\.bz2)?$", re.I)
_FETCH = re.compile(r"^sklearn\.datasets\.fetch_\w+$")
_SHOWN_CHARS = 160
_MOST_SUGGESTIONS = 5


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One thing that is read. `asked` is as the code has it: a path, an address, or `seaborn:NAME`.

    `cell` counts all cells from 0, `line` those of the cell from 1, `code` is that line. `file` is what will be read:
    of a file that is present or elsewhere. `suggestions` are files of that name with another extension, or of an
    address's name: they are offered and never taken.
    """

    asked: str
    cell: int
    line: int
    code: str
    state: State
    file: Path | None = None
    suggestions: tuple[Path, ...] = ()

    @property
    def needs_answer(self) -> bool:
        """Whether somebody has to say where it is, or that it may be fetched."""
        return self.state not in ("present", "elsewhere")

    @property
    def sentence(self) -> str:
        """What to print: where the rows come from, or what is missing and what an answer would be."""
        where = f"cell {self.cell}, line {self.line}: {self.code}"
        match self.state:
            case "present":
                return f"{self.asked} is there ({where})."
            case "elsewhere":
                return f"{self.asked} is not there; {self.file}, which has its name, is read instead ({where})."
            case "url":
                said = f"{self.asked} is an address on a network ({where}). Name a file that holds its content"
            case "data set":
                said = f"{self.asked} is fetched from a network ({where}). Name a CSV file that holds its rows"
            case "missing":
                said = f"{self.asked} is missing ({where}). Name the file"
        offered = ", ".join(str(file) for file in self.suggestions)
        offer = f"; is it {offered}?" if offered else "."
        return said + offer + ("" if self.state == "missing" else " Without one it is fetched when the notebook runs.")


def find(analysis: Analysis) -> tuple[DataFile, ...]:
    """What the notebook reads, in the order of its lines, each path once."""
    folder = analysis.notebook.path.resolve().parent
    root, found = project_root(folder), dict[str, DataFile]()
    for asked, call in _asked(analysis):
        if asked not in found:
            found[asked] = _located(asked, call, analysis, folder=folder, root=root)
    return tuple(sorted(found.values(), key=lambda one: (one.cell, one.line)))


def outside(found: Iterable[DataFile], notebook: Path) -> dict[str, Path]:
    """Files that are there and lie above the project's root, by what is asked: a copy of the project lacks them.

    A notebook in a folder without a repository is its own project, and may well read ../data/rows.csv.
    """
    root = project_root(notebook.resolve().parent)
    there = {one.asked: one.file.resolve() for one in found if one.state == "present" and one.file is not None}
    return {asked: file for asked, file in there.items() if not file.is_relative_to(root)}


def _asked(analysis: Analysis) -> Iterator[tuple[str, Call]]:
    for read in file_reads(analysis):
        if "*" not in read.path and "\n" not in read.path and not _NO_DATA.match(read.call.name):
            yield read.path, read.call
    known = constants(analysis)
    for call in analysis.calls:
        first = text_of(call.argument(0, "name"), known, analysis)
        if call.name == "seaborn.load_dataset" and first:
            yield SEABORN + first, call
        elif _FETCH.match(call.name):
            yield call.name, call
        elif call.name in analysis.defined and first and _DATA_NAME.search(first) and "*" not in first:
            yield first, call  # a function of the notebook that reads what it is given


def _located(asked: str, call: Call, analysis: Analysis, *, folder: Path, root: Path) -> DataFile:
    state, file, suggestions = _state(asked, folder, root)
    cell = analysis.cell(call.cell)
    code = cell.code.text(call.line) if cell is not None else ""
    shown = code if len(code) <= _SHOWN_CHARS else code[:_SHOWN_CHARS] + "…"
    return DataFile(
        asked=asked, cell=call.cell, line=call.line, code=shown, state=state, file=file, suggestions=suggestions
    )


def _state(asked: str, folder: Path, root: Path) -> tuple[State, Path | None, tuple[Path, ...]]:
    if asked.startswith(SEABORN):
        name = f"{asked.removeprefix(SEABORN)}.csv"
        kept = Path(os.environ.get("SEABORN_DATA", "~/.cache/seaborn")).expanduser() / name
        return ("present", kept, ()) if kept.is_file() else ("data set", None, same_name(name, root, folder))
    if _FETCH.match(asked):
        return "data set", None, ()
    if is_url(asked):
        return "url", None, same_name(base_name(asked.partition("?")[0]), root, folder)
    written = folder / Path(asked.removeprefix("file://")).expanduser()
    try:
        if written.exists():
            return "present", written, ()
        found = same_name(asked, root, folder)
    except (OSError, ValueError):  # a text that no file can be called by
        found = ()
    return ("elsewhere", found[0], ()) if found else ("missing", None, _other_extensions(asked, root, folder))


def _other_extensions(asked: str, root: Path, folder: Path) -> tuple[Path, ...]:
    """Data files of the same name but for the extension, the nearest first."""
    stem = Path(base_name(asked)).stem.lower()
    files = (one for one in sorted(root.rglob("*")) if one.stem.lower() == stem and _DATA_NAME.search(one.name))
    return nearest_first(files, folder)[:_MOST_SUGGESTIONS]
