"""When a notebook was last changed, and the releases of that time.

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


@dataclass(frozen=True, kw_only=True)
class Era:
    """`before` says that the notebook is older than pandas 3, `why` how that is known."""

    before: bool
    why: str


def era_of(analysis: Analysis) -> Era:
    """The time of a notebook: of its file in git, else of its last run, else of the file itself."""
    file, version = analysis.notebook.path, analysis.notebook.language_version
    for changed, source in ((_committed(file), "in git"), (_run(file), "by the times in its cells")):
        if changed:
            return Era(before=int(changed[:4]) < _FIRST_YEAR, why=f"it was last changed on {changed} ({source})")
    if version and (python := _numbers(version)) and python < _FIRST_PYTHON:
        return Era(before=True, why=f"it last ran with Python {version}, which has no pandas 3")
    changed = datetime.fromtimestamp(file.stat().st_mtime, tz=UTC).date().isoformat()
    return Era(before=int(changed[:4]) < _FIRST_YEAR, why=f"its file was last changed on {changed}")


def gone_since(analysis: Analysis) -> tuple[str, ...]:
    """What the notebook uses that was removed or changed after the releases of `BEFORE`, with its cells and lines."""
    return tuple(
        f"cell {hit.cell}, line {hit.line}: {hit.evidence}"
        for hit in deprecated_api.find(analysis)
        if _GONE_SINCE.search(hit.evidence)
    )


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
