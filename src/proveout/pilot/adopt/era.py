"""When a notebook was written, as far as that can be known, and the releases of that time.

Input: an `Analysis`. Output: `Era`. Before 2026 notebooks were written for pandas 2 and older: the oldest releases that
proveout itself works with are the nearest to what such a notebook knows.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.rules import deprecated_api

_FIRST_YEAR = 2026  # pandas 3 came out in its January
_FIRST_PYTHON = (3, 11)  # pandas 3 needs it: a kernel before that had pandas 2 or older
# The line of releases before: with scikit-learn 1.5 go the others. IPython 9 breaks the plots of matplotlib before it.
BEFORE: Mapping[str, str] = {
    "pandas": ">=2.2,<2.3",
    "numpy": ">=1.26,<2",
    "scikit-learn": ">=1.5,<1.6",
    "seaborn": "<0.13",
    "matplotlib": "<3.10",
    "ipython": "<9",
}
_GONE_SINCE = re.compile(r"(?:pandas 3\.|scikit-learn 1\.[6-9]\b|numpy 2\.|NumPy 2\.)")
_KERNEL_TIME = re.compile(r'"(?:iopub\.\w+\.?\w*|shell\.execute_reply|end_time|start_time)"\s*:\s*"(\d{4}-\d\d-\d\d)')
_GIT_S = 20
# What no other release of a library mends: a file, an address, the machine, a name that an earlier cell did not make.
_NOT_OF_RELEASES = re.compile(
    r"(?:FileNotFound|NotADirectory|IsADirectory|FileExists|Permission|Name|UnboundLocal|Memory|EOF|EmptyData|"
    r"UnicodeDecode|Syntax|Indentation|Tab|Connection\w*|Timeout|URL|HTTP|gaierror|SSL\w*|ProxyError|InvalidURL|"
    r"StdinNotImplemented|BadZipFile|Usage|ZeroDivision)(?:Error)?\b|KeyboardInterrupt|SystemExit"
)
_MODULE = re.compile(r"No module named '(\w+)|from '(\w+)")
_MODULES_BEFORE = frozenset({"pandas", "numpy", "sklearn", "scipy", "seaborn", "matplotlib", "IPython"})


@dataclass(frozen=True, kw_only=True)
class Era:
    """`before` says whether the notebook is older than pandas 3, None where nobody knows; `why` how that is known."""

    before: bool | None
    why: str


def era_of(analysis: Analysis) -> Era:
    """The time of a notebook: of its Python, of its last run, of its file in git, else of the file itself.

    A file that is old says so. A fresh one says nothing: to copy it or to download it makes it fresh.
    """
    file, version = analysis.notebook.path, analysis.notebook.language_version
    if version and (python := _numbers(version)) and python < _FIRST_PYTHON:
        return Era(before=True, why=f"it last ran with Python {version}, which has no pandas 3")
    for changed, source in ((_run(file), "by the times in its cells"), (_committed(file), "in git")):
        if changed:
            return Era(before=_is_before(changed), why=f"it was last changed on {changed} ({source})")
    changed = datetime.fromtimestamp(file.stat().st_mtime, tz=UTC).date().isoformat()
    if _is_before(changed):
        return Era(before=True, why=f"its file was last changed on {changed}")
    return Era(
        before=None, why="it has no times of its cells, it is not in git, and a file's own date is that of a copy"
    )


def _is_before(day: str) -> bool:
    return int(day[:4]) < _FIRST_YEAR


def gone_since(analysis: Analysis) -> tuple[str, ...]:
    """What the notebook uses that was removed or changed after the releases of `BEFORE`, with its cells and lines."""
    return tuple(
        f"cell {hit.cell}, line {hit.line}: {hit.evidence}"
        for hit in deprecated_api.find(analysis)
        if _GONE_SINCE.search(hit.evidence)
    )


def may_be_of_releases(problem: str) -> bool:
    """Whether a cell that said this may run with other releases of its libraries.

    Args:
        problem: the name of an error and its words; or words alone, as of a cell that took too long.

    >>> may_be_of_releases("KeyError: 0"), may_be_of_releases("FileNotFoundError: 'rows.csv'")
    (True, False)
    """
    name, separator, _ = problem.partition(":")
    if not separator or not name.isidentifier():
        return False  # it took too long, or ended the kernel
    if name in ("ModuleNotFoundError", "ImportError"):
        module = _MODULE.search(problem)
        return module is not None and (module[1] or module[2]) in _MODULES_BEFORE
    return not _NOT_OF_RELEASES.match(name)


def _committed(file: Path) -> str:
    """The day of the last commit that changed the file; "" where there is no repository, or the file is not in it."""
    command = ["git", "log", "-1", "--format=%as", "--", file.name]
    try:
        done = subprocess.run(command, cwd=file.parent, capture_output=True, text=True, timeout=_GIT_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _run(file: Path) -> str:
    """The last day on which a cell ran, where the editor writes that into the notebook."""
    if file.suffix != ".ipynb":
        return ""
    return max(_KERNEL_TIME.findall(file.read_text(encoding="utf-8", errors="replace")), default="")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
