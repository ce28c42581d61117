"""What a bundle would be judged by now, for a release to compare with what it was judged by.

Comes in: settings. Goes out: a `Yardstick`.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

from proveout.gate import judged_by
from proveout.gate.material import judging
from proveout.registry.releases import Yardstick
from proveout.settings import Settings, read_bounds


def yardstick(settings: Settings) -> Yardstick:
    """The checks, the configuration and the bounds of the project, as they are at this moment."""
    now = judging(settings)
    return Yardstick(
        checks=now.checks,
        configuration=now.configuration,
        bounds=read_bounds(settings),
        files={
            Path(os.path.relpath(file, settings.root)).as_posix(): _written(file) for file in judged_by.files(settings)
        },
    )


def _written(file: Path) -> str:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="milliseconds")
