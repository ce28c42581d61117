"""What would judge a bundle now. A release compares it with what did judge the bundle.

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
    """What a verdict rests on besides bundle and data. Where one of the two differs, it was another gate."""

    checks: Digest  # over whatever decides what a check says: see `fingerprint`
    configuration: Digest  # over the settings that judge and pytest's own settings


def gate_digests(settings: Settings) -> GateDigests:
    """What would judge a candidate now, besides the bounds: computed from files, whether pytest runs or not.

    The files are those that `fingerprint` finds.
    """
    configuration = {
        "settings": {name: getattr(settings, name) for name in JUDGING},
        "pytest": pytest_config.settings_of(settings.root / settings.checks),
    }
    return GateDigests(checks=digest_of(fingerprint.content(settings)), configuration=digest_of(configuration))


def current_fingerprint(settings: Settings) -> Fingerprint:
    """The checks, the configuration and the bounds of the project, as they are at this moment.

    Raises: ConfigError if the checks are not on this machine: then nobody can tell whether they were edited.
    """
    checks = settings.root / settings.checks
    if not checks.exists():
        problem = f"{checks} is not here, so whether the checks were edited since the gate approved cannot be told"
        raise ConfigError("checks", problem, "Release and promote where the project is")
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
