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
"""Settings that name project code used to judge rows or answers, wherever it is."""


def content(settings: Settings) -> dict[str, str]:
    """Everything that decides the result of a check, by its path from the root.

    That is: files below the checks folder, each conftest.py that applies to them, edge cases and waivers, what these
    import from the project, and the code of the schemas, the target, the rules, the actions and the cost function.
    """
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
    """The whole files among them, without files of editors and caches."""
    folder = settings.root / settings.checks
    there = list(below(folder))
    sources = {file: file.read_bytes() for file in there if file.suffix == ".py"}
    # Hidden files count if a check mentions them: a bound may be in `.bounds.json`.
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
    """Results for files that changed while the gate ran, because the verdict would sign another version."""
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            message = f"{name} was edited while the gate ran, so it is unknown which version judged: run it again"
            yield wrong(f"edited[{name}]", message, outcome="error")


def digests_now(names: Iterable[str], settings: Settings) -> dict[str, str]:
    """The SHA-256 of each of these files that exists now, by its path from the root."""
    there = [settings.root / name for name in names if (settings.root / name).is_file()]
    return code_files.digests(there, settings.root)


def drop_old_bytecode(settings: Settings) -> None:
    """Delete compiled checks that are not newer than their source.

    Python and pytest accept bytecode if the source's size and modification second match, which an edit can preserve.
    The file system's change time cannot be set, so it decides here.
    """
    folder = settings.root / settings.checks
    for source in [*below(folder), *conftests(settings)]:
        if source.suffix == ".py":
            changed = source.stat().st_ctime_ns
            for compiled in (source.parent / "__pycache__").glob(f"{source.stem}.*.pyc"):
                with suppress(OSError):  # another process deleted it, or the folder is not writable
                    if compiled.stat().st_mtime_ns <= changed:
                        compiled.unlink()


def below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, following links like pytest, each folder once."""
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
    """Each conftest.py above the checks that pytest loads for them, from its root or the project's root down."""
    folder = settings.root / settings.checks
    file = pytest_config.find(folder)
    tops = [settings.root, *([file.parent] if file is not None else [])]
    places = [place for place in folder.parents if any(place.is_relative_to(top) for top in tops)]
    return [place / "conftest.py" for place in places if (place / "conftest.py").is_file()]


def _is_hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)


def _places(settings: Settings) -> list[Path]:
    """Folders that checks can import from, besides the root and their own folder."""
    folder = settings.root / settings.checks
    file = pytest_config.find(folder)
    own = pytest_config.settings_of(folder).get("pythonpath", ()) if file is not None else ()
    return [folder, *(file.parent / place for place in own if file is not None)]
