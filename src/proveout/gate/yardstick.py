"""What a bundle would be judged by now, for a release to compare with what it was judged by.

Comes in: settings and the bundle's folder, verified. Goes out: a `Yardstick`.
"""

from datetime import UTC, datetime
from pathlib import Path

from proveout.gate.material import evaluation_of, judging
from proveout.registry.releases import Yardstick
from proveout.settings import Settings


def yardstick(settings: Settings, folder: Path) -> Yardstick:
    """The checks and the configuration of the project, as they are at this moment."""
    evaluation = evaluation_of(folder) if (folder / "config.json").is_file() else {}
    now = judging(settings, evaluation)
    files = [file for file in (settings.root / settings.checks).rglob("*") if file.is_file()]
    conftest = settings.root / "conftest.py"
    return Yardstick(
        checks=now.checks,
        configuration=now.configuration,
        files={
            file.relative_to(settings.root).as_posix(): _written(file)
            for file in [*files, *([conftest] if conftest.is_file() else [])]
            if "__pycache__" not in file.parts
        },
    )


def _written(file: Path) -> str:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="milliseconds")
