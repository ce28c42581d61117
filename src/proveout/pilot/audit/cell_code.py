"""A code cell as Python sees it: its tree, with the lines it had in the notebook.

Input: the source of a cell. Output: `CellCode`. A cell that is no valid Python keeps the statements that are.
"""

import ast
import warnings
from dataclasses import dataclass
from itertools import pairwise

from proveout.pilot.audit.magics import Magic, mask
from proveout.pilot.audit.syntax import children

_MOST_REPAIRS = 12
_DEEPEST = 150  # levels; Python's own limit lies at about a thousand frames, several for each level


@dataclass(frozen=True, kw_only=True)
class SyntaxFault:
    """What Python said of a cell. `line` is 1-based in the cell."""

    line: int
    problem: str


@dataclass(frozen=True, kw_only=True)
class CellCode:
    """A cell's statements, magics and faults. `lines` are those of the source, magics included."""

    tree: ast.Module
    lines: tuple[str, ...]
    magics: tuple[Magic, ...]
    faults: tuple[SyntaxFault, ...]
    is_python: bool
    python: str

    def text(self, line: int) -> str:
        """The source of line `line` (1-based), without surrounding space."""
        return self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""


def parse(source: str) -> CellCode:
    """The code of a cell. Lines that Python refuses are left out one by one, and each is a fault."""
    plain = mask(source)
    text, faults = plain.python, []
    tree: ast.Module | None = None
    for _ in range(_MOST_REPAIRS):
        try:
            tree = _parsed(text)
            break
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = min(max(getattr(error, "lineno", None) or 1, 1), text.count("\n") + 1)
            faults.append(SyntaxFault(line=line, problem=str(getattr(error, "msg", error))))
            text = _without(text, line)
    if tree is None:
        tree, text = _what_parses(text)
    tree, deep = _without_deep(tree)
    if plain.indent:
        text = _indented(tree, text, source.splitlines(), plain.indent)
    faults += [SyntaxFault(line=line, problem="nested too deep to be read") for line in deep]
    return CellCode(
        tree=tree,
        lines=tuple(source.splitlines()),
        magics=plain.magics,
        faults=tuple(faults),
        is_python=plain.is_python,
        python=text,
    )


def _indented(tree: ast.Module, text: str, lines: list[str], indent: str) -> str:
    """`text` and the columns of `tree` as the cell is written: who edits it counts there."""
    taken = [len(indent) * line.startswith(indent) for line in lines]
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.stmt | ast.excepthandler | ast.arg | ast.keyword | ast.alias):
            node.col_offset += taken[node.lineno - 1]
            if node.end_lineno is not None and node.end_col_offset is not None:
                node.end_col_offset += taken[node.end_lineno - 1]
    read = zip(text.split("\n"), taken, strict=False)
    return "\n".join(indent + line if was and line else line for line, was in read)


def _without_deep(tree: ast.Module) -> tuple[ast.Module, list[int]]:
    """The tree without statements that nest deeper than any reader of trees goes, and their lines."""
    deep = [statement for statement in tree.body if _depth(statement) > _DEEPEST]
    kept = [statement for statement in tree.body if statement not in deep] if deep else tree.body
    return ast.Module(body=kept, type_ignores=[]), [statement.lineno for statement in deep]


def _depth(node: ast.AST) -> int:
    """How many levels a tree has. Counting stops where it is too deep in any case."""
    level, depth = [node], 0
    while level and depth <= _DEEPEST:
        level = [child for one in level for child in children(one)]
        depth += 1
    return depth


def _parsed(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in somebody's strings
        tree = compile(text, "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    return tree


def _without(text: str, line: int) -> str:
    """`text` with one line made a statement that does nothing. Python 2's print keeps what it prints."""
    lines = text.split("\n")
    refused = lines[line - 1]
    indent = refused[: len(refused) - len(refused.lstrip())]
    words = refused.strip()
    if words.startswith("print ") and not words.startswith("print ("):
        printed = f"{indent}print({words.removeprefix('print ').rstrip(',;')})"
        try:
            _parsed(printed.strip())
        except (SyntaxError, ValueError):
            printed = f"{indent}pass"
        lines[line - 1] = printed
    elif words.endswith(":") and words.split()[0] in ("else:", "except:", "finally:"):
        lines[line - 1] = ""
    else:
        lines[line - 1] = "" if words in ("pass", "") else f"{indent}pass"
    return "\n".join(lines)


def _what_parses(text: str) -> tuple[ast.Module, str]:
    """The blocks at the left margin that are valid Python alone, each where it stood."""
    lines = text.split("\n")
    starts = [place for place, line in enumerate(lines) if line and not line[0].isspace() and not line.startswith("#")]
    kept = [""] * len(lines)
    for start, end in pairwise([*starts, len(lines)]):
        block = "\n".join(lines[start:end])
        try:
            _parsed(block)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        kept[start:end] = lines[start:end]
    whole = "\n".join(kept)
    try:
        return _parsed(whole), whole
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[]), ""
