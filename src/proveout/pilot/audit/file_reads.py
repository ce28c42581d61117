"""Files that a notebook reads by a name that is written in it.

Input: an `Analysis`. Output: the calls that read, each with the path or address it is given.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.literals import constants, is_reader, is_writer, text_of

_NOT_A_FILE = {
    "json.load",
    "csv.reader",
    "pickle.load",
    "yaml.safe_load",
    "sqlite3.connect",
    "lightgbm.Dataset",
    "xgboost.DMatrix",
}
# These leave a file behind that the notebook may read again.
_SAVES = {"save", "dump", "save_model", "save_weights", "urlretrieve", "download", "download_file", "imwrite", "export"}


@dataclass(frozen=True, kw_only=True)
class FileRead:
    """A call that reads, and the path or address that it is given; `*` stands for what cannot be known."""

    call: Call
    path: str


def file_reads(analysis: Analysis) -> Iterator[FileRead]:
    """Reads of files that the notebook has not written itself, in the order of their lines."""
    known, written = constants(analysis), set[str]()
    for call in analysis.calls:
        if is_writer(call) or call.method in _SAVES:
            texts = (text_of(one, known, analysis) for one in call.node.args)
            written |= {_base(text) for text in (*texts, _path(call, known, analysis)) if text}
            continue
        if not is_reader(call) or call.name in _NOT_A_FILE:
            continue
        text = _path(call, known, analysis)
        if text is not None and text.strip() and _base(text) not in written:
            yield FileRead(call=call, path=text)


def _path(call: Call, known: Mapping[str, str], analysis: Analysis) -> str | None:
    for name in (
        "filepath_or_buffer",
        "path_or_buf",
        "path",
        "io",
        "fname",
        "file",
        "filename",
        "path_or_buffer",
        "directory",
    ):
        if (found := call.argument(-1, name)) is not None:
            return text_of(found, known, analysis)
    first = call.argument(0)
    if isinstance(first, ast.Call) and analysis.name_of(first.func) in ("open", "io.open"):
        return None  # the inner call is a reader of its own
    return text_of(first, known, analysis)


def _base(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].lower()
