"""Sets up Metaflow for the project of a flow file.

Input: the path of the flow file. Output: the project's settings, and environment variables for Metaflow. Every flow
file calls `prepare` first, before it imports Metaflow.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from proveout import interpreter_exit
from proveout import settings as settings_module
from proveout.project import user_name
from proveout.settings import Settings
from proveout.training import flow_errors

CONFIG_FILE = "PROVEOUT_CONFIG_FILE"
"""Environment variable with the path of a run's configuration, because Metaflow passes only its values to steps."""


def prepare(start: str | Path | None = None) -> Settings:
    """Set up Metaflow for the project that contains `start` (a flow file, or the working directory).

    Call it before `import metaflow`. Runs then store their data in the project root, wherever they are started, and do
    not need the variable `USER` (cron, systemd and containers do not set it). A flow that fails with a ProveoutError
    ends with its sentence.
    """
    file = Path(start) if start is not None else None
    os.environ.setdefault("METAFLOW_USER", user_name())
    if file is not None and file.is_file():
        interpreter_exit.without_collection()
        flow_errors.in_this_process(sys.argv)
    settings = settings_module.load(file.parent if file is not None and file.is_file() else file)
    os.environ.setdefault("METAFLOW_DATASTORE_SYSROOT_LOCAL", str(settings.root))
    # Metaflow stores cards in the nearest `.metaflow` at or above the working directory, so create one in the root.
    (settings.root / ".metaflow").mkdir(exist_ok=True)
    if file is not None and file.is_file() and "--config-value" not in sys.argv:  # a step gets it from its run
        os.environ[CONFIG_FILE] = str(_config_file(sys.argv, default=settings.root / settings.train_config))
    if file is not None and file.is_file():
        flow_errors.in_metaflow(sys.argv)
    return settings


def _config_file(arguments: Sequence[str], *, default: Path) -> Path:
    """The file that `--config config FILE` names."""
    words = zip(arguments, arguments[1:], arguments[2:], strict=False)
    given = [file for option, name, file in words if (option, name) == ("--config", "config")]
    return Path(given[-1] if given else default).resolve()
