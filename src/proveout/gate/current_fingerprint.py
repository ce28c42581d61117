"""What a bundle would be judged by now, for a release to compare with what it was judged by.

Comes in: settings. Goes out: a `Fingerprint`.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

from proveout.errors import ConfigError
from proveout.evaluation.context import judging
from proveout.gate import fingerprint
from proveout.gate_settings import other_checks
from proveout.rollout.releases import Fingerprint
from proveout.settings import Settings, read_bounds


def current_fingerprint(settings: Settings) -> Fingerprint:
    """The checks, the configuration and the bounds of the project, as they are at this moment.

    Raises: ConfigError if the checks are not on this machine: then nobody can tell whether they were edited.
    """
    checks = settings.root / settings.checks
    if not checks.exists():
        problem = f"{checks} is not here, so whether the checks were edited since the gate approved cannot be told"
        raise ConfigError("checks", problem, "Release and promote where the project is")
    now = judging(settings)
    return Fingerprint(
        checks=now.checks,
        configuration=now.configuration,
        checks_folder=other_checks(settings),
        bounds=read_bounds(settings),
        root=settings.root,
        files={
            Path(os.path.relpath(file, settings.root)).as_posix(): _written(file)
            for file in fingerprint.files(settings)
        },
    )


def _written(file: Path) -> str:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="milliseconds")
