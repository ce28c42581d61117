"""A notebook that calls libraries by names they gave up, with the names of today, where a cell failed for such a name.

A cell says what is gone: an argument, a value, an attribute, a module. Where a library has one successor for it that
does exactly the same (`renames`), the notebook gets that everywhere; where one keyword is gone, all keywords are looked
up. A name that no cell imports gets its import, where it can mean one thing only. Nothing else changes, and a notebook
that runs is never touched.

Input: the document and what its cells said when they raised. Output: a document. The pilot's file stays as it is.
"""

import ast
import copy
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from proveout.pilot.adopt import lost_imports, renames
from proveout.pilot.adopt.call_renewal import Gone, Names, Renewal, Statements
from proveout.pilot.audit import cell_code
from proveout.pilot.audit.cell_code import CellCode

_KEYWORD = re.compile(r"got an unexpected keyword argument '")
_VALUE = re.compile(r"The '(\w+)' parameter of (\w+) must be .*?Got '([^']*)' instead", re.DOTALL)
_ATTRIBUTE = re.compile(r"'(\w+)' object has no attribute '(\w+)'")
_NUMPY = re.compile(r"module 'numpy' has no attribute '|`np\.\w+` was ")
_MODULE = re.compile(r"No module named '([\w.]+)'")
_IMPORT = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")
_PLACES = re.compile(r"\(\) takes .*positional arguments? but ")
_AXIS = re.compile(r"Cannot specify both 'axis' and 'index'/'columns'")
_TUPLE = re.compile(r"Cannot subset columns with a tuple")
_TEXTS = re.compile(
    r"could not convert string to float|Could not convert .* to numeric|Cannot convert .* to numeric|"
    r"agg function failed|Cannot perform reduction|does not support (?:operation|reduction)|"
    r"unsupported operand type|can only concatenate str",
    re.IGNORECASE | re.DOTALL,
)
_UNDEFINED = re.compile(r"NameError: name '(\w+)' is not defined")
_NO_NUMBER = re.compile(r"could not convert string to float|invalid literal for int\(\)")
_EXPERIMENTAL = re.compile(r"from sklearn\.experimental import enable_\w+")
_FLAG = re.compile(
    r"could not convert string to float: .*'(?:True|False)'|invalid literal for int\(\).*'(?:True|False)'|"
    r"numpy boolean (?:subtract|negative)|Pandas data cast to numpy dtype of object"  # the last one of statsmodels
)


def renewed(document: Any, raised: Iterable[tuple[int, str]]) -> Any | None:
    """The notebook with the names of today; None if none of its errors is of a name that has an exact successor.

    Args:
        document: in nbformat's current form. It is not changed.
        raised: the place of a cell that raised, over all cells from 0, and what it said. A cell may say several things.
    """
    said = list(raised)
    gone, of_texts = _gone([one for _, one in said]), {place for place, one in said if _TEXTS.search(one)}
    codes = {
        place: cell_code.parse(cell.source) for place, cell in enumerate(document.cells) if cell.cell_type == "code"
    }
    names = Names.of([code.tree for code in codes.values()])
    made = copy.deepcopy(document)
    for place, code in codes.items():
        if code.is_python and not code.faults:
            made.cells[place].source = _renewed(
                code, document.cells[place].source, gone, names, texts=place in of_texts
            )
    for place, line in _lost(said, [code.tree for code in codes.values()]):
        made.cells[place].source = _with_import(made.cells[place].source, line)
    same = all(one.source == other.source for one, other in zip(document.cells, made.cells, strict=True))
    return None if same else made


def _gone(said: Sequence[str]) -> Gone:
    attributes = [found for one in said for found in _ATTRIBUTE.findall(one)]
    return Gone(
        keywords=any(map(_KEYWORD.search, said)),
        values=frozenset(found for one in said for found in _VALUE.findall(one)),
        attributes=frozenset(name for _, name in attributes) & renames.ATTRIBUTES.keys(),
        frames_append=("DataFrame", "append") in attributes,
        numpy=_gone_of_numpy() if any(map(_NUMPY.search, said)) else frozenset(),
        modules=frozenset(found for one in said for found in _MODULE.findall(one)),
        imported=frozenset((module, name) for one in said for name, module in _IMPORT.findall(one)),
        places=any(map(_PLACES.search, said)),
        axis_beside_labels=any(map(_AXIS.search, said)),
        tuples=any(map(_TUPLE.search, said)),
        patterns=any(map(_NO_NUMBER.search, said)),
        flags=any(map(_FLAG.search, said)),
    )


def _gone_of_numpy() -> frozenset[str]:
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that will go
        return frozenset(name for name in renames.NUMPY if not hasattr(np, name))


def _lost(said: Sequence[tuple[int, str]], trees: Sequence[ast.Module]) -> Iterator[tuple[int, str]]:
    """Imports that no cell has, each with the first cell that misses it."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    imports = [alias for node in nodes if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    bound |= {(alias.asname or alias.name).partition(".")[0] for alias in imports}
    for place, one in said:
        if switch := _EXPERIMENTAL.search(one):  # as `from sklearn.model_selection import *` says since it is one
            yield place, switch[0]
        found = _UNDEFINED.match(one)
        if found is None or found[1] in bound:
            continue
        bound.add(found[1])
        if (line := lost_imports.import_of(found[1])) is not None:
            yield place, line


def _with_import(source: str, line: str) -> str:
    """A cell with an import at its top, below a magic that takes the whole cell."""
    first, separator, rest = source.partition("\n")
    line = first[: len(first) - len(first.lstrip())] + line
    return f"{first}{separator}{line}\n{rest}" if first.lstrip().startswith("%%") else f"{line}\n{source}"


# --- one cell ---------------------------------------------------------------------------------------------------------


def _renewed(code: CellCode, source: str, gone: Gone, names: Names, *, texts: bool) -> str:
    renewal = Renewal(gone, names, texts=texts)
    tree = renewal.visit(copy.deepcopy(code.tree))
    edits = [node for node in ast.walk(tree) if id(node) in renewal.changed]
    inner = {id(node) for one in edits for node in ast.walk(one) if node is not one}
    lines, read = source.split("\n"), code.python.split("\n")
    starts = [0, *accumulate(len(line.encode()) + 1 for line in lines)]
    text = source.encode()
    for node in sorted(edits, key=lambda one: renewal.changed[id(one)], reverse=True):
        (first, begin), (last, end) = renewal.changed[id(node)]
        # A line with a magic in it was read otherwise than it stands: its columns are others.
        if id(node) not in inner and lines[first - 1 : last] == read[first - 1 : last]:
            text = text[: starts[first - 1] + begin] + _text(node).encode() + text[starts[last - 1] + end :]
    return text.decode()


def _text(node: ast.AST) -> str:
    if isinstance(node, Statements):
        return "; ".join(map(ast.unparse, node.body))
    written = ast.unparse(node)
    return f"({written})" if isinstance(node, ast.BinOp | ast.UnaryOp) else written
