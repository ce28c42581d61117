"""What the files around a notebook ask for: locks, else requirements.

Input: the folder of a notebook. Output: `Declared`: requirements by name, and the file they are from. Files are looked
for beside the notebook and in its parents up to the project's root; a lock anywhere there goes before requirements.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from packaging.requirements import InvalidRequirement, Requirement

from proveout.pilot.audit.distributions import folders_up_to_root, normalised

_ALIASES = {"sklearn": "scikit-learn", "pil": "pillow", "cv2": "opencv-python", "bs4": "beautifulsoup4"}
_CONDA_ALIASES = {"pytorch": "torch", "py-xgboost": "xgboost", "matplotlib-base": "matplotlib"}
_MOST_BYTES = 5_000_000

Kind = Literal["lock", "requirements", "nothing"]
_Read = Callable[[Path], Iterator[str]]
_Reader = tuple[str, _Read]


@dataclass(frozen=True, kw_only=True)
class Declared:
    """Requirements by normalised name, `{"pandas": "pandas==2.2.3"}`. `file` is None where there are none."""

    kind: Kind
    file: Path | None
    requirements: Mapping[str, str]


def declared(folder: Path) -> Declared:
    """The requirements around `folder`. A file that cannot be read declares nothing."""
    places = [place.resolve() for place in folders_up_to_root(folder)]
    for kind in _READERS:
        for file, read in _candidates(places, _READERS[kind]):
            if found := _read(file, read):
                return Declared(kind=kind, file=file, requirements=found)
    return Declared(kind="nothing", file=None, requirements={})


def _candidates(places: Sequence[Path], readers: Sequence[_Reader]) -> Iterator[tuple[Path, _Read]]:
    for place in places:
        for pattern, read in readers:
            # `requirements.lock` before `requirements-oldest.lock`, whose name says what else it is for.
            files = sorted(place.glob(pattern), key=lambda file: (len(file.name), file.name))
            yield from ((file, read) for file in files)


def _read(file: Path, read: _Read) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        if not file.is_file() or file.stat().st_size > _MOST_BYTES:
            return {}
        for line in read(file):
            try:
                one = Requirement(line)
            except InvalidRequirement:
                continue
            if one.url is None and (one.marker is None or one.marker.evaluate()):
                name = normalised(one.name)
                name = _ALIASES.get(name, name)
                found.setdefault(name, f"{name}{one.specifier}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # a file of another shape
        return {}
    return found


def _text(file: Path) -> str:
    """Its text: `pip freeze > requirements.txt` of a Windows shell writes UTF-16."""
    data = file.read_bytes()
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return data.decode(encoding, errors="replace")


def _lines(file: Path) -> Iterator[str]:
    """A file of requirements, and those it includes by `-r`."""
    for written in _text(file).replace("\\\n", " ").splitlines():
        line = re.sub(r"(?:^|\s)#.*$", "", written).strip()
        if included := re.match(r"^(?:-r|--requirement)[\s=]+(\S+)$", line):
            other = file.parent / included[1]
            if other.is_file() and other.resolve() != file.resolve():
                yield from _lines(other)
        elif line and not line.startswith("-"):
            # Conda's export writes `pandas=1.5.3=py39_0`.
            yield _from_conda(re.sub(r"\s+--hash\S*.*$", "", line))


def _from_conda(line: str) -> str:
    found = re.match(r"^(?:[\w-]+::)?([\w.-]+)\s*=\s*([\w.*]+)(?:=\S*)?$", line.strip())
    if found is None:
        return line
    name, version = found[1].lower(), found[2]
    return f"{_CONDA_ALIASES.get(name, name)}=={version}"


def _toml_packages(file: Path) -> Iterator[str]:
    for package in tomllib.loads(_text(file)).get("package", []):
        if "version" in package:
            yield f"{package['name']}=={package['version']}"


def _pipfile_lock(file: Path) -> Iterator[str]:
    for name, package in json.loads(_text(file)).get("default", {}).items():
        yield f"{name}{package.get('version', '')}"


def _environment(file: Path) -> Iterator[str]:
    import yaml

    try:
        document = yaml.safe_load(_text(file))
    except yaml.YAMLError:
        return
    for one in (document or {}).get("dependencies", []) or []:
        if isinstance(one, str):
            yield _from_conda(one.partition("::")[2] or one)
        elif isinstance(one, dict):
            yield from (line for line in one.get("pip") or [] if isinstance(line, str))


def _pinned_environment(file: Path) -> Iterator[str]:
    """An environment.yml is a lock where each of its packages has one version."""
    lines = list(_environment(file))
    if lines and all("==" in line for line in lines):
        yield from lines


def _pyproject(file: Path) -> Iterator[str]:
    document = tomllib.loads(_text(file))
    yield from document.get("project", {}).get("dependencies", [])
    yield from _table(document.get("tool", {}).get("poetry", {}).get("dependencies", {}))


def _pipfile(file: Path) -> Iterator[str]:
    yield from _table(tomllib.loads(_text(file)).get("packages", {}))


def _table(packages: Mapping[str, Any]) -> Iterator[str]:
    """A table of names and versions, as Pipenv and Poetry have it: `^1.2` is up to the next major version."""
    for name, given in packages.items():
        version = given.get("version", "") if isinstance(given, dict) else str(given)
        if name == "python" or (isinstance(given, dict) and "version" not in given and "path" in given):
            continue
        if caret := re.match(r"^\^\s*(\d+)(\.[\w.]+)?$", version):
            version = f">={version.lstrip('^ ')},<{int(caret[1]) + 1}"
        elif re.match(r"^\d", version):
            version = f"=={version}"
        yield f"{name}{'' if version == '*' else version}"


# What each kind of file is called, those that are asked first at the top.
_READERS: Mapping[Kind, Sequence[_Reader]] = {
    "lock": (
        ("requirements*.lock", _lines),
        ("uv.lock", _toml_packages),
        ("poetry.lock", _toml_packages),
        ("Pipfile.lock", _pipfile_lock),
        ("environment*.y*ml", _pinned_environment),
    ),
    "requirements": (
        ("requirements.txt", _lines),
        ("requirements*.txt", _lines),
        ("*requirements.txt", _lines),
        ("pyproject.toml", _pyproject),
        ("environment*.y*ml", _environment),
        ("Pipfile", _pipfile),
    ),
}
