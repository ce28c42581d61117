"""The version of a run's code: the commit of the checkout, and the installed packages.

Input: the project. Output: the commit's id, from git; a requirements.lock.
"""

import subprocess
from pathlib import Path

from proveout.settings import Settings


def requirements_lock(settings: Settings, into: Path) -> Path:
    """The project's requirements.lock; if it has none, a list of the packages installed here with their versions."""
    from importlib.metadata import distributions

    lock = settings.root / "requirements.lock"
    if lock.is_file():
        return lock
    frozen = into / "requirements.lock"
    pinned = {f"{one.name}=={one.version}" for one in distributions() if one.name}
    frozen.write_text("".join(f"{line}\n" for line in sorted(pinned)), encoding="utf-8")
    return frozen


def git_commit(root: Path) -> str:
    """The commit of the checkout in `root`, with "+changes" if it is dirty; "unknown" without git."""
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return f"{commit}+changes" if _git(root, "status", "--porcelain") else commit
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(root: Path, *arguments: str) -> str:
    ran = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)  # noqa: S607  # the user's git
    return ran.stdout.strip()
