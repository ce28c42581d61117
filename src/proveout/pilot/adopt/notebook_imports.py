"""The packages that a notebook needs: by its imports, by those of its author's modules, by calls that need an engine.

Input: an `Analysis`. Output: a `NeededModule` for each module, with its distribution. Nothing is imported or asked.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from proveout.pilot.audit.analysis import Analysis, CodeCell
from proveout.pilot.audit.distributions import ENGINES, distribution_of, is_distribution, normalised, repository
from proveout.pilot.audit.literals import constants, text_of
from proveout.pilot.audit.syntax import walk

# Whoever imports these may need them for another package: `df.plot()`, `read_excel`.
_NEEDED_BY_OTHERS = {"matplotlib", "jinja2", *(module for _, _, module in ENGINES)}
_MOST_FILES = 100  # of the author's own that are read
_IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


@dataclass(frozen=True, kw_only=True)
class NeededModule:
    """A top-level module of a package. `distribution` is "" where nobody knows which package it comes from.

    `cell` and `line` are those of its first import, or of the first call that needs it. `used` says that some cell uses
    a name that an import of it gives; without it the notebook runs as well.
    """

    module: str
    distribution: str
    cell: int
    line: int
    used: bool = True


def needed_modules(analysis: Analysis) -> tuple[NeededModule, ...]:
    """What the notebook needs of packages, in the order of its lines. Imports that may fail are not needed."""
    found: dict[str, NeededModule] = {}
    names = {node.id for _, node in analysis.nodes(ast.Name)} | _words_in_magics(analysis)
    of_cells = list(_imports(analysis))
    for module, cell, line, given in (*of_cells, *_engines(analysis), *_of_own_modules(analysis, of_cells)):
        distribution = distribution_of(module, analysis.notebook.path.parent)
        top = module.partition(".")[0]
        if distribution is None:
            continue
        # Not by its name alone: a package that happens to be called like it may be anybody's.
        known = distribution if is_distribution(top) or top in ("google", "azure") else ""
        used = top in _NEEDED_BY_OTHERS or not given or not names.isdisjoint(given)
        before = found.get(top)
        if before is None:
            found[top] = NeededModule(module=top, distribution=normalised(known), cell=cell, line=line, used=used)
        elif used and not before.used:
            found[top] = replace(before, used=True)
    return tuple(found.values())


def _words_in_magics(analysis: Analysis) -> set[str]:
    """Words of lines that are no Python, which may name what an import gave: `%timeit np.sort(a)`."""
    magics = (magic for cell in analysis.cells for magic in cell.code.magics)
    return {word for magic in magics for word in re.findall(r"\w+", f"{magic.text} {magic.body}")}


_Import = tuple[str, int, int, frozenset[str]]  # module, cell, line, and the names it gives; none are all


def _imports(analysis: Analysis) -> Iterator[_Import]:
    for cell in analysis.cells:
        may_fail = _guarded(cell)
        nodes = [node for node in cell.nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        for node in sorted(nodes, key=lambda one: (one.lineno, one.col_offset)):
            if id(node) in may_fail:
                continue
            if isinstance(node, ast.Import):
                for alias in node.names:
                    given = frozenset({alias.asname or alias.name.partition(".")[0]})
                    yield alias.name, cell.index, node.lineno, given
            elif node.module and not node.level:
                names = frozenset(alias.asname or alias.name for alias in node.names) - {"*"}
                yield node.module, cell.index, node.lineno, names


def _of_own_modules(analysis: Analysis, imports: Sequence[_Import]) -> Iterator[_Import]:
    """What the author's own modules beside the notebook import, and those that they import, at the notebook's line."""
    waiting, seen = [(module, cell, line) for module, cell, line, _ in imports], set[Path]()
    places = repository(analysis.notebook.path.parent)
    while waiting:
        module, cell, line = waiting.pop(0)
        for file in _own_files(module.partition(".")[0], places):
            if file in seen or len(seen) == _MOST_FILES:
                continue
            seen.add(file)
            for inner in _imported_by(file):
                waiting.append((inner, cell, line))
                yield inner, cell, line, frozenset()


def _own_files(top: str, places: Sequence[Path]) -> list[Path]:
    for place in places:
        if (place / f"{top}.py").is_file():
            return [place / f"{top}.py"]
        if (place / top / "__init__.py").is_file():
            return sorted((place / top).rglob("*.py"))
    return []


def _imported_by(file: Path) -> Iterator[str]:
    """Modules that a file imports at its top level, as most do what they need."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8", errors="replace"))
    except (OSError, SyntaxError, ValueError):
        return
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _guarded(cell: CodeCell) -> set[int]:
    """Imports inside a `try` that catches their failure, by identity."""
    tries = [node for node in cell.nodes if isinstance(node, ast.Try) and any(map(_catches_imports, node.handlers))]
    return {id(inner) for one in tries for statement in one.body for inner in walk(statement)}


def _catches_imports(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = {one.id for one in walk(handler.type) if isinstance(one, ast.Name)}
    return bool(names & _IMPORT_ERRORS)


def _engines(analysis: Analysis) -> Iterator[_Import]:
    """Packages that a call needs and no import names: openpyxl for an .xlsx file."""
    known = constants(analysis)
    for call in analysis.calls:
        path = text_of(call.argument(0), known, analysis) or text_of(call.argument(-1, "io"), known, analysis) or ""
        for method, suffix, module in ENGINES:
            if call.method == method and path.lower().endswith(suffix):
                yield module, call.cell, call.line, frozenset()
