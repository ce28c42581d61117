"""The fingerprint of the gate as it is now. A release compares it with the one that the bundle was judged by.

Input: settings. Output: a `Fingerprint`.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from proveout.errors import ConfigError
from proveout.gate import fingerprint, pytest_config
from proveout.gate_settings import JUDGING, other_checks
from proveout.records.json_form import digest_of
from proveout.records.values import Digest
from proveout.rollout.admission import Fingerprint
from proveout.settings import Settings, read_bounds


@dataclass(frozen=True, kw_only=True)
class GateDigests:
    """The digests that identify a gate. If one differs, another gate judged."""

    checks: Digest  # over everything that decides the result of a check, see `fingerprint`
    configuration: Digest  # over the judging settings and pytest's own settings


def gate_digests(settings: Settings) -> GateDigests:
    """The digests of the gate as it is now, without the bounds. Computed from the files that `fingerprint` finds."""
    configuration = {
        "settings": {name: getattr(settings, name) for name in JUDGING},
        "pytest": pytest_config.settings_of(settings.root / settings.checks),
    }
    return GateDigests(checks=digest_of(fingerprint.content(settings)), configuration=digest_of(configuration))


def current_fingerprint(settings: Settings) -> Fingerprint:
    """The project's checks, configuration and bounds as they are now.

    Raises: ConfigError if the checks are not on this machine, because edits cannot be detected then.
    """
    checks = settings.root / settings.checks
    if not checks.exists():
        problem = f"{checks} is missing, so it is unknown whether the checks were edited since the gate approved"
        raise ConfigError("checks", problem, "Release and promote on a machine with the project")
    now = gate_digests(settings)
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
