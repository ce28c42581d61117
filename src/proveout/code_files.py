"""The files of the project that a piece of its code consists of, and their digests.

Input: files, or an object named `path:object`, and the project's root. Output: each file of the project that these
import, directly or indirectly, and the SHA-256 of each by its path from the root. It reads the source and runs nothing.
"""

import ast
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

INSTALLED = frozenset({"site-packages", "dist-packages"})
PACKAGE = Path(__file__).resolve().parent


def of_object(named: str, root: Path, *, places: Sequence[Path] = ()) -> dict[str, str]:
    """The SHA-256 of each file that the object `path:object` consists of, its own first, by its path from the root.

    Args:
        places: folders where modules are looked for, besides the root and the folder of whoever imports one.
    Raises: OSError if its file cannot be read.
    """
    return digests(with_imported([root / named.partition(":")[0]], root, places=places), root)


def digests(files: Iterable[Path], root: Path) -> dict[str, str]:
    """The SHA-256 of each file by its path from the root. Raises: OSError for one that cannot be read."""
    return {name(file, root): sha256(file.read_bytes()) for file in files}


def name(file: Path, root: Path) -> str:
    """The path of a file from the root."""
    return Path(os.path.relpath(file, root)).as_posix()


def sha256(content: bytes) -> str:
    """The SHA-256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


# --- what is imported ---------------------------------------------------------------------------------------------


def with_imported(files: Sequence[Path], root: Path, *, places: Sequence[Path] = ()) -> list[Path]:
    """The files, and every module of the project that they import, directly or indirectly; notebooks too.

    Args:
        places: folders where modules are looked for, besides the root and the folder of whoever imports one.
    """
    known, left = dict.fromkeys(files), [file for file in files if file.suffix in {".py", ".ipynb"}]
    while left:
        file = left.pop()
        for module in _imported(file, [*places, root], root):
            if module not in known:
                known[module] = None
                left.append(module)
    return list(known)


def _imported(file: Path, places: Sequence[Path], root: Path) -> set[Path]:
    return {
        module
        for source in _sources(file)
        for node in ast.walk(_tree(source))
        for module in _modules(node, file, places, root)
    }


def _sources(file: Path) -> list[bytes]:
    """The code in a file: all of it, or each cell of a notebook. Empty for an unreadable file."""
    try:
        if file.suffix != ".ipynb":
            return [file.read_bytes()]
        cells = [cell["source"] for cell in json.loads(file.read_bytes())["cells"] if cell["cell_type"] == "code"]
        lines = ["".join(source).splitlines() for source in cells]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    # A magic is not Python, and imports nothing of the project.
    return ["\n".join(line for line in cell if not line.lstrip().startswith(("%", "!"))).encode() for cell in lines]


def _tree(source: bytes) -> ast.AST:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])


def _modules(node: ast.AST, file: Path, places: Sequence[Path], root: Path) -> Iterator[Path]:
    """The files of the project that an import statement loads."""
    places = [file.parent, *places]
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        if node.level:
            places = [file.parents[node.level - 1]]
        start = f"{node.module}." if node.module else ""
        names = [*([node.module] if node.module else []), *(start + alias.name for alias in node.names)]
    elif isinstance(node, ast.Call) and _is_import(node):
        names = [first.value for first in node.args[:1] if isinstance(first, ast.Constant) and type(first.value) is str]
    for dotted in names:
        parts = dotted.split(".")
        for place in places:
            for depth in range(1, len(parts) + 1):
                stem = place.joinpath(*parts[:depth])
                yield from (one for one in (stem.with_suffix(".py"), stem / "__init__.py") if is_own(one, root))


def _is_import(call: ast.Call) -> bool:
    function = call.func
    called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return called in {"import_module", "__import__"}


def is_own(file: Path, root: Path) -> bool:
    """Whether a file exists and is the project's own: below the root, and neither proveout's nor installed."""
    own = file.is_relative_to(root) and not file.is_relative_to(PACKAGE)
    return own and not INSTALLED & set(file.parts) and file.is_file()


# --- a part of a file ---------------------------------------------------------------------------------------------


def part(file: Path, name: str) -> bytes:
    """The code of the object `name` in `file`: its definition, and the definitions of the names it uses, recursively.

    Features and label are often in one file: a change of the features must not count as a change of the label.
    """
    source = file.read_bytes()
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return source
    wanted, left, taken = {name}, [name], set()
    while left:
        asked = left.pop()
        for place, statement in enumerate(tree.body):
            if place not in taken and asked in _defined(statement):
                taken.add(place)
                new = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)} - wanted
                wanted |= new
                left += new
    return "\n".join(ast.unparse(tree.body[place]) for place in sorted(taken)).encode()


def part_imports(file: Path, name: str, root: Path, *, places: Sequence[Path] = ()) -> list[Path]:
    """The modules of the project that `part` imports, directly or indirectly."""
    try:
        tree = ast.parse(part(file, name))
    except (SyntaxError, ValueError):
        return []
    found = {module for node in ast.walk(tree) for module in _modules(node, file, [*places, root], root)}
    return with_imported(sorted(found - {file}), root, places=places)


def _defined(statement: ast.stmt) -> set[Any]:
    """The names that a statement defines; for an `if` or a `try`, all names in it."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    found = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in ast.walk(statement):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            # `late.threshold = 5` changes what `late` is.
            found |= {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    return found
