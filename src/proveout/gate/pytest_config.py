"""Pytest's settings for the checks from its configuration file, without overrides from the command line.

Input: the folder of the checks. Output: plain values.
"""

from pathlib import Path
from typing import Any

# The pytest settings that decide which functions are checks and how they run, and the files that may contain them, in
# pytest's search order.
SETTINGS = (
    "addopts", "collect_imported_tests", "norecursedirs", "python_classes", "python_files", "python_functions",
    "pythonpath", "strict", "strict_xfail", "usefixtures", "xfail_strict",
)  # fmt: skip
FILES = (
    "pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg",
)  # fmt: skip


def find(folder: Path) -> Path | None:
    """The file with pytest's settings for the checks in `folder`; None if there is none."""
    above = [place / name for place in (folder, *folder.parents) for name in FILES]
    there = [file for file in above if file.is_file()]
    # A pyproject.toml without pytest settings counts only if no other file is found.
    return next((file for file in there if _loaded(file) is not None), there[0] if there else None)


def settings_of(folder: Path) -> dict[str, Any]:
    """The values of `SETTINGS` in pytest's file for the checks in `folder`."""
    file = find(folder)
    return said_in(file) if file is not None else {}


def said_in(file: Path) -> dict[str, Any]:
    """The values of `SETTINGS` in one of pytest's files, multiple words as lists."""
    said = _loaded(file) or {}
    return {
        name: said[name].split() if isinstance(said[name], str) else said[name] for name in SETTINGS if name in said
    }


def _loaded(file: Path) -> dict[str, Any] | None:
    # Private pytest function: the only code that can read all seven kinds of files.
    from _pytest.config.findpaths import load_config_dict_from_file

    found = load_config_dict_from_file(file)
    return None if found is None else {name: getattr(value, "value", value) for name, value in found.items()}
