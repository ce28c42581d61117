"""A virtual environment in a project's folder, with packages and proveout itself beside them, by uv or pip.

Input: a folder and requirements. Output: the interpreter, and what was installed in the end. All requirements are
resolved together, so that proveout's own bounds win; what conflicts or cannot be had is loosened or left out, one after
the other, and each time there is a sentence. Which index is asked is the configuration of uv or pip.

Where the running interpreter lacks packages and nothing that it has is in the way, the environment lies on top of it:
it holds what is added alone, sees everything below, and changes nothing there.
"""

import importlib.util
import os
import re
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import Protocol

from packaging.requirements import Requirement

from proveout.errors import ProveoutError
from proveout.pilot.adopt.package_bounds import own_requirements
from proveout.pilot.audit.distributions import normalised
from proveout.records.json_form import from_json, to_json

_MOST_TRIES = 12
_LIMIT_S = 1200.0  # for all that is installed
_TELL_S = 5.0
_TEMPLATES = Path("share", "jupyter", "nbconvert")
_RECORD = "proveout-environment.json"
_COMES_WITH_PROVEOUT = {"pandas", "numpy", "scikit-learn", "scipy", "ipython"}
_UNREACHABLE = re.compile(
    r"dns error|name resolution|error sending request|Network is unreachable|NewConnectionError|ConnectTimeout|"
    r"connection (?:refused|timed out|reset)|client error \(Connect\)|Could not connect|ProxyError|tunnel error",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"Because (?P<uv>[\w.-]+) was not found in the (?:package registry|provided package locations)|"
    r"No matching distribution found for (?P<pip>[\w.-]+)|there (?:is|are) no versions? of (?P<version>[\w.-]+)",
    re.IGNORECASE,
)
_UNBUILT = re.compile(
    r"Failed to (?:build|download and build|prepare distributions)\s+`?(?P<uv>[A-Za-z][\w.-]*?)(?:==|`|\s|@)|"
    r"Failed building wheel for (?P<pip>[\w.-]+)|╰─> (?P<metadata>[A-Za-z][\w-]*)|"
    r"wheels for some pyproject\.toml based projects \((?P<wheels>[\w.-]+)",
)

# pip does not always name what it cannot build: it is what it collected last, for itself or for another.
_COLLECTED = re.compile(r"^\s*Collecting (?P<name>[\w.-]+)[^\n(]*(?:\(from (?P<wanted_by>[\w.-]+))?", re.MULTILINE)
_PIP_BUILD_FAILED = "subprocess-exited-with-error"


class EnvironmentFailed(ProveoutError):
    """An environment could not be made."""

    def __init__(self, folder: str, problem: str, remedy: str) -> None:
        super().__init__(folder, problem, remedy)
        self.folder, self.problem, self.remedy = folder, problem, remedy

    def __str__(self) -> str:
        return f"{self.folder}: {self.problem}. {self.remedy}."


class IndexUnreachable(EnvironmentFailed):
    """The package index does not answer."""


class Installer(Protocol):
    """What makes environments and installs into them."""

    def create(self, folder: Path) -> Path:
        """A new environment in `folder`, and its interpreter. Raises: EnvironmentFailed."""

    def create_on_top(self, folder: Path) -> Path:
        """One that sees the packages of the running interpreter. Raises: EnvironmentFailed."""

    def install(self, python: Path, arguments: Sequence[str]) -> str:
        """Install requirements, resolved together. Returns what went wrong, or "". Raises: EnvironmentFailed."""

    def add(self, python: Path, arguments: Sequence[str]) -> str:
        """Install them into an environment on top of this one, beside exactly what is below. As `install`."""

    def missing(self, python: Path, modules: Sequence[str]) -> tuple[str, ...]:
        """Those of the modules that the interpreter cannot find."""


@dataclass(frozen=True, kw_only=True)
class MadeEnvironment:
    """What is in it. `changes` are sentences on requirements that could not be had as they were."""

    python: str
    on_top: bool  # of the interpreter that made it
    requirements: tuple[str, ...]
    changes: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Record:
    """What an environment was made for, kept in its folder."""

    asked: tuple[str, ...]
    made: MadeEnvironment


def make(
    folder: Path,
    requirements: Sequence[str],
    modules: Sequence[str],
    *,
    installer: Installer,
    on_top: bool = False,
) -> MadeEnvironment:
    """An environment in `folder` with the requirements and this proveout; the one that is there, if it was made alike.

    Args:
        modules: those that the notebook imports; what is not there in the end is reported.
        on_top: of the running interpreter, with nothing but the requirements in it.
    Raises: EnvironmentFailed if proveout itself cannot be installed, the index cannot be reached, or what is on top
        does not go with what is below.
    """
    own, record = own_requirements(), folder / _RECORD
    asked = ("on top of", *_installed_here(), *requirements) if on_top else (*own, *requirements, *modules)
    before = _before(record)
    if before is not None and before.asked == asked:
        return before.made
    if folder.exists():
        if before is None:
            problem = "there is an environment that proveout did not make"
            raise EnvironmentFailed(str(folder), problem, "Move it away, or adopt into another folder")
        shutil.rmtree(folder)
    with _removed_on_failure(folder):
        if on_top:
            python = installer.create_on_top(folder)
            install, loosened = partial(installer.add, python), without_unavailable
        else:
            python = installer.create(folder)
            install, loosened = partial(_beside, installer, python, own), relaxed
        installed, changes = _installed(install, requirements, folder=folder, loosened=loosened)
    missing = installer.missing(python, modules)
    made = MadeEnvironment(python=str(python), on_top=on_top, requirements=installed, changes=changes, missing=missing)
    record.write_text(to_json(_Record(asked=asked, made=made)), encoding="utf-8")
    return made


@contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    """Half an environment would look like one that somebody made."""
    try:
        yield
    except EnvironmentFailed:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _before(record: Path) -> _Record | None:
    try:
        return from_json(_Record, record.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _beside(installer: Installer, python: Path, own: Sequence[str], wanted: Sequence[str]) -> str:
    return installer.install(python, (*own, *wanted))


def _installed(
    install: Callable[[Sequence[str]], str],
    requirements: Sequence[str],
    *,
    folder: Path,
    loosened: "Callable[[Sequence[str], str], Relaxed | None]",
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was installed in the end, and a sentence for each requirement that had to be changed."""
    wanted, changes, problem = list(requirements), list[str](), ""
    for _ in range(_MOST_TRIES):
        problem = install(wanted) if wanted else ""
        if not problem:
            return tuple(wanted), tuple(changes)
        if _UNREACHABLE.search(problem):
            reason = "the package index cannot be reached"
            raise IndexUnreachable(str(folder), reason, "Connect, or configure the index of uv or pip, and repeat")
        changed = loosened(wanted, problem)
        if changed is None:
            break
        wanted = list(changed.requirements)
        changes.append(changed.sentence)
    said = next((line.strip() for line in reversed(problem.splitlines()) if line.strip()), "no reason was given")
    raise EnvironmentFailed(
        str(folder),
        f"the packages could not be installed beside proveout: {said[:300]}",
        "Install them there yourself, or run proveout in an interpreter that has them",
    )


@dataclass(frozen=True, kw_only=True)
class Relaxed:
    """Requirements, one of which asks for less than before, and the sentence that says which."""

    requirements: tuple[str, ...]
    sentence: str


def relaxed(wanted: Sequence[str], problem: str) -> Relaxed | None:
    """The requirements without the one that an installer's message is about; None if it is about none of them.

    A version that is not to be had or conflicts becomes any version; a package that is not to be had is left out.
    """
    if (changed := without_unavailable(wanted, problem)) is not None:
        return changed
    names = {normalised(Requirement(one).name): one for one in wanted}
    text = re.sub(r"[-_.]+", "-", problem.lower())
    mentioned = [one for name, one in names.items() if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)]
    pinned = [one for one in mentioned if Requirement(one).specifier]
    others = [one for one in mentioned if normalised(Requirement(one).name) not in _COMES_WITH_PROVEOUT]
    chosen = next((one for one in pinned if one in others), next(iter(pinned), next(reversed(others), None)))
    return _less(wanted, chosen, "conflicts with the others") if chosen is not None else None


def without_unavailable(wanted: Sequence[str], problem: str) -> Relaxed | None:
    """`relaxed` where the message is about a package that is not to be had, or not in that version; else None."""
    names = {normalised(Requirement(one).name): one for one in wanted}
    for pattern, why in ((_UNKNOWN, "is not in the package index"), (_UNBUILT, "cannot be built here")):
        for found in pattern.finditer(problem):
            name = normalised(next(group for group in found.groups() if group))
            if name in names:
                return _less(wanted, names[name], why)
    if _PIP_BUILD_FAILED in problem and (collected := list(_COLLECTED.finditer(problem))):
        name = normalised(collected[-1]["wanted_by"] or collected[-1]["name"])
        if name in names:
            return _less(wanted, names[name], "cannot be built here")
    return None


def _less(wanted: Sequence[str], one: str, why: str) -> Relaxed:
    name = normalised(Requirement(one).name)
    if Requirement(one).specifier:
        instead = tuple(name if other == one else other for other in wanted)
        return Relaxed(requirements=instead, sentence=f"{one} {why}: {name} is taken in a version that fits")
    return Relaxed(
        requirements=tuple(other for other in wanted if other != one), sentence=f"{name} {why}: it is left out"
    )


class UvOrPip:
    """Installs by uv where it is there, else by pip. A line of progress each few seconds, and a cap on the time."""

    def __init__(self, tell: Callable[[str], None] = lambda line: None, *, limit_s: float = _LIMIT_S) -> None:
        self._tell, self._ends = tell, time.monotonic() + limit_s
        self._limit_s, self._began = limit_s, time.monotonic()
        beside = Path(sys.executable).with_name("uv")
        self._uv = str(beside) if beside.is_file() else shutil.which("uv")

    def create(self, folder: Path, *options: str) -> Path:
        """A new environment in `folder`, and its interpreter. Raises: EnvironmentFailed."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        by_uv = [self._uv, "venv", "--quiet", "--python", sys.executable] if self._uv and not options else None
        command = by_uv or [sys.executable, "-m", "venv", *options]
        if problem := self._run([*command, str(folder)], f"making {folder}", folder):
            raise EnvironmentFailed(
                str(folder), f"no environment could be made: {problem[-300:]}", "Install uv, or venv"
            )
        return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def create_on_top(self, folder: Path) -> Path:
        """One that sees the packages of the running interpreter. Raises: EnvironmentFailed."""
        python = self.create(folder, "--without-pip")
        own = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
        below = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *_user_packages()))
        lines = (f"import site; site.addsitedir({each!r})\n" for each in below)
        (own / "below.pth").write_text("".join(lines), encoding="utf-8")
        templates = Path(sys.prefix) / _TEMPLATES
        if templates.is_dir():  # nbconvert looks for them below the prefix
            shutil.copytree(templates, folder / _TEMPLATES, dirs_exist_ok=True)
        return python

    def add(self, python: Path, arguments: Sequence[str]) -> str:
        """Install them into an environment on top of this one, beside exactly what is below. As `install`."""
        if importlib.util.find_spec("pip") is None:
            return "pip is needed to install on top of an interpreter: uv does not look at what is below"
        with tempfile.TemporaryDirectory() as folder:
            bounds = Path(folder) / "below.txt"
            bounds.write_text("".join(f"{one}\n" for one in _installed_here()), encoding="utf-8")
            command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--constraint", str(bounds)]
            return self._run([*command, *arguments], f"installing {', '.join(arguments)}", python.parent.parent)

    def install(self, python: Path, arguments: Sequence[str]) -> str:
        """Install requirements, resolved together. Returns what went wrong, or "". Raises: EnvironmentFailed."""
        count = sum(not one.startswith("--") for one in arguments)
        line, folder = f"installing {count} packages and what they need", python.parent.parent
        by_pip = [sys.executable, "-m", "pip", "--python", str(python), "install", *arguments]
        if not self._uv:
            return self._run(by_pip, line, folder)
        by_uv = [self._uv, "pip", "install", "--quiet", "--python", str(python), *arguments]
        problem = self._run(by_uv, line, folder)
        if _UNREACHABLE.search(problem) and importlib.util.find_spec("pip") is not None:
            return self._run(by_pip, line, folder)  # many name their index in the configuration of pip alone
        return problem

    def missing(self, python: Path, modules: Sequence[str]) -> tuple[str, ...]:
        """Those of the modules that the interpreter cannot find."""
        code = "import importlib.util as u, sys; print(*(m for m in sys.argv[1:] if u.find_spec(m) is None))"
        done = subprocess.run(
            [str(python), "-c", code, *modules], capture_output=True, text=True, check=False, env=_environment()
        )
        return tuple(done.stdout.split())

    def _run(self, command: Sequence[str], line: str, folder: Path) -> str:
        told = time.monotonic()
        self._tell(f"{line} ({told - self._began:.0f} s)")
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                command, stdout=said, stderr=subprocess.STDOUT, env=_environment(), start_new_session=True
            )
            while True:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=1)
                    break
                if time.monotonic() > self._ends:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                    problem = f"installing took longer than {self._limit_s:.0f} s"
                    raise EnvironmentFailed(str(folder), problem, "Repeat it: what was fetched is kept")
                if time.monotonic() - told >= _TELL_S:
                    told = time.monotonic()
                    self._tell(f"{line} ({told - self._began:.0f} s)")
            said.seek(0)
            text = said.read().decode(errors="replace")
        return "" if process.returncode == 0 else text.strip() or f"exit code {process.returncode}"


def _installed_here() -> tuple[str, ...]:
    """What the running interpreter has, each as an exact version."""
    return tuple(sorted({f"{one.name}=={one.version}" for one in distributions() if one.name and one.version}))


def _user_packages() -> tuple[str, ...]:
    """Packages of this user that the interpreter sees; an environment would not."""
    return (site.getusersitepackages(),) if site.ENABLE_USER_SITE else ()


def _environment() -> Mapping[str, str]:
    """That of this process, without what would point an interpreter to other packages."""
    return {
        name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
    }
