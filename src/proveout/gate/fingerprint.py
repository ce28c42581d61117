"""The files that a verdict depends on: everything that decides the result of a check, and could be edited unnoticed.

Input: settings. Output: each file, or part of one, by its name, with the SHA-256 of its content.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from proveout import code_files
from proveout.gate import pytest_config
from proveout.gate.preconditions import wrong
from proveout.records.verdict import CheckResult
from proveout.settings import Settings, is_object

OUTSIDE = ("batch_schema", "target", "request_schema", "fallback", "actions", "cost_function")
"""Settings that name a part of the project by which rows, or answers, are judged, wherever it lies."""


def content(settings: Settings) -> dict[str, str]:
    """Everything that judges, by its name from the root: files below the checks, each conftest.py that they see, edge
    cases and waivers, what these import from the project, and what the schemas, the target, the rules, the actions and
    the cost are made of."""
    found = code_files.digests(files(settings), settings.root)
    for named in (getattr(settings, name) for name in OUTSIDE):
        path, _, attribute = (named or "").partition(":")
        file = settings.root / path
        if named and is_object(named) and path not in found and file.is_file():
            found[named] = code_files.sha256(code_files.part(file, attribute))
            imported = code_files.part_imports(file, attribute, settings.root, places=_places(settings))
            found.update(code_files.digests(imported, settings.root))
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
    beside = (settings.root / name for name in (settings.edge_cases, settings.waivers))
    found += [file for file in beside if file.is_file() and file not in found]
    return code_files.with_imported(found, settings.root, places=_places(settings))


def edited(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[CheckResult]:
    """The files that changed while the gate ran: what is signed is then not what judged."""
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            message = f"{name} was edited while the gate ran, so it is unknown which version judged: run it again"
            yield wrong(f"edited[{name}]", message, outcome="error")


def digests_now(names: Iterable[str], settings: Settings) -> dict[str, str]:
    """The SHA-256 of those of these files that are there now, by their names from the root."""
    there = [settings.root / name for name in names if (settings.root / name).is_file()]
    return code_files.digests(there, settings.root)


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
    file = pytest_config.find(folder)
    tops = [settings.root, *([file.parent] if file is not None else [])]
    places = [place for place in folder.parents if any(place.is_relative_to(top) for top in tops)]
    return [place / "conftest.py" for place in places if (place / "conftest.py").is_file()]


def _is_hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)


def _places(settings: Settings) -> list[Path]:
    """Where checks import from, besides the root and their own folder."""
    folder = settings.root / settings.checks
    file = pytest_config.find(folder)
    own = pytest_config.settings_of(folder).get("pythonpath", ()) if file is not None else ()
    return [folder, *(file.parent / place for place in own if file is not None)]
