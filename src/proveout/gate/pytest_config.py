"""The settings in pytest's own file for the checks, whatever a command line overrides.

Input: the folder of the checks. Output: plain values.
"""

from pathlib import Path
from typing import Any

# The pytest settings that decide what is a check and what becomes of it, and the files that may hold them, as pytest
# looks for them.
SETTINGS = (
    "addopts", "collect_imported_tests", "norecursedirs", "python_classes", "python_files", "python_functions",
    "pythonpath", "strict", "strict_xfail", "usefixtures", "xfail_strict",
)  # fmt: skip
FILES = (
    "pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg",
)  # fmt: skip


def find(folder: Path) -> Path | None:
    """The file that pytest takes its settings from when it runs the checks in `folder`; None without one."""
    above = [place / name for place in (folder, *folder.parents) for name in FILES]
    there = [file for file in above if file.is_file()]
    # A pyproject.toml that says nothing of pytest counts only where nothing else is found.
    return next((file for file in there if _loaded(file) is not None), there[0] if there else None)


def settings_of(folder: Path) -> dict[str, Any]:
    """What pytest's file says of `SETTINGS` when it runs the checks in `folder`."""
    file = find(folder)
    return said_in(file) if file is not None else {}


def said_in(file: Path) -> dict[str, Any]:
    """What one of pytest's files says of `SETTINGS`, words as lists of words."""
    said = _loaded(file) or {}
    return {
        name: said[name].split() if isinstance(said[name], str) else said[name] for name in SETTINGS if name in said
    }


def _loaded(file: Path) -> dict[str, Any] | None:
    # Private to pytest, and the one place that knows how it reads its seven files.
    from _pytest.config.findpaths import load_config_dict_from_file

    found = load_config_dict_from_file(file)
    return None if found is None else {name: getattr(value, "value", value) for name, value in found.items()}
