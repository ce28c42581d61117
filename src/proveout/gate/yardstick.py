"""What a bundle would be judged by now, for a release to compare with what it was judged by.

Comes in: settings and the bundle's folder, verified. Goes out: a `Yardstick`.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

from proveout.gate import judged_by
from proveout.gate.material import evaluation_of, judging
from proveout.registry.releases import Yardstick
from proveout.settings import Settings


def yardstick(settings: Settings, folder: Path) -> Yardstick:
    """The checks and the configuration of the project, as they are at this moment."""
    evaluation = evaluation_of(folder) if (folder / "config.json").is_file() else {}
    now = judging(settings, evaluation)
    return Yardstick(
        checks=now.checks,
        configuration=now.configuration,
        files={
            Path(os.path.relpath(file, settings.root)).as_posix(): _written(file) for file in judged_by.files(settings)
        },
    )


def _written(file: Path) -> str:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="milliseconds")
