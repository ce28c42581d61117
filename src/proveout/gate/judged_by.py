"""The files that a verdict rests on: whatever decides what a check says, and can be edited without a trace elsewhere.

Comes in: settings. Goes out: each file, or part of one, by its name, with the SHA-256 of its content.
"""

import ast
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from proveout.gate import pytestfile
from proveout.gate.integrity import wrong
from proveout.gate.proof import INSTALLED, PACKAGE
from proveout.records import CheckResult
from proveout.settings import Settings

OUTSIDE = ("batch_schema", "label", "request_schema")
"""Settings that name a part of the project by which rows are judged, wherever it lies."""


def content(settings: Settings) -> dict[str, str]:
    """Everything that judges, by its name from the root: files below the checks, each conftest.py that they see, what
    these import from the project, and what the schemas and the label are made of."""
    found = {_name(file, settings.root): _sha256(file.read_bytes()) for file in files(settings)}
    for named in (getattr(settings, name) for name in OUTSIDE):
        path, _, attribute = named.partition(":")
        if path not in found and (settings.root / path).is_file():
            found[named] = _sha256(_part(settings.root / path, attribute))
    return found


def files(settings: Settings) -> list[Path]:
    """The whole files among them, without what editors and caches leave there."""
    folder = settings.root / settings.checks
    there = list(below(folder))
    sources = {file: file.read_bytes() for file in there if file.suffix == ".py"}
    # What is hidden counts if a check speaks of it: a bound may stand in `.bounds.json`.
    found = [
        file
        for file in there
        if not _is_hidden(file.relative_to(folder))
        or any(file.name.encode() in source for other, source in sources.items() if other != file)
    ]
    found += conftests(settings)
    return _with_imported(found, settings)


def edited(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[CheckResult]:
    """The files that changed while the gate ran: what is signed is then not what judged."""
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            message = f"{name} was edited while the gate ran, so nobody knows which of the two judged: run it again"
            yield wrong(f"edited[{name}]", message, outcome="error")


def drop_old_bytecode(settings: Settings) -> None:
    """Take away compiled checks that are not newer than their source.

    Python and pytest take bytecode for that of its source if size and second of writing are the same; when a file was
    last changed, the system alone says.
    """
    folder = settings.root / settings.checks
    for source in [*below(folder), *conftests(settings)]:
        if source.suffix == ".py":
            changed = source.stat().st_ctime_ns
            for compiled in (source.parent / "__pycache__").glob(f"{source.stem}.*.pyc"):
                with suppress(OSError):  # another process was faster, or the folder is not ours
                    if compiled.stat().st_mtime_ns <= changed:
                        compiled.unlink()


def below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, as pytest goes there: through links too, each place once."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from (Path(place) / name for name in sorted(names) if (Path(place) / name).is_file())


def conftests(settings: Settings) -> list[Path]:
    """Each conftest.py above the checks that pytest loads for them: from its own root, or the project's, on down."""
    folder = settings.root / settings.checks
    file = pytestfile.find(folder)
    tops = [settings.root, *([file.parent] if file is not None else [])]
    places = [place for place in folder.parents if any(place.is_relative_to(top) for top in tops)]
    return [place / "conftest.py" for place in places if (place / "conftest.py").is_file()]


def _is_hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)


def _name(file: Path, root: Path) -> str:
    return Path(os.path.relpath(file, root)).as_posix()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- what is imported ---------------------------------------------------------------------------------------------


def _with_imported(found: Sequence[Path], settings: Settings) -> list[Path]:
    """The files, and every module of the project that they import, that these import, and so on."""
    known, left = dict.fromkeys(found), [file for file in found if file.suffix == ".py"]
    places = [settings.root / settings.checks, settings.root, *_python_path(settings)]
    while left:
        file = left.pop()
        for module in _imported(file, places, settings):
            if module not in known:
                known[module] = None
                left.append(module)
    return list(known)


def _imported(file: Path, places: Sequence[Path], settings: Settings) -> set[Path]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # its own check will say so
        return set()
    return {module for node in ast.walk(tree) for module in _modules(node, file, places, settings)}


def _modules(node: ast.AST, file: Path, places: Sequence[Path], settings: Settings) -> Iterator[Path]:
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
    for name in names:
        parts = name.split(".")
        for place in places:
            for depth in range(1, len(parts) + 1):
                stem = place.joinpath(*parts[:depth])
                yield from (one for one in (stem.with_suffix(".py"), stem / "__init__.py") if _is_own(one, settings))


def _python_path(settings: Settings) -> list[Path]:
    folder = settings.root / settings.checks
    file = pytestfile.find(folder)
    return [file.parent / place for place in pytestfile.settings_of(folder).get("pythonpath", ())] if file else []


def _is_own(file: Path, settings: Settings) -> bool:
    own = file.is_relative_to(settings.root) and not file.is_relative_to(PACKAGE)
    return own and not INSTALLED & set(file.parts) and file.is_file()


# --- a part of a file ---------------------------------------------------------------------------------------------


def _part(file: Path, name: str) -> bytes:
    """What the object `name` in `file` is made of: its definition, and those of all names in it, and so on.

    Features and label often stand in one file: who works on the next features has not changed who was late.
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


def _defined(statement: ast.stmt) -> set[Any]:
    """The names that a statement gives a meaning; all that it touches, where it is an `if` or a `try`."""
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
