"""Metaflow, set up for the project that a flow file lies in.

Input: the path of the flow file. Output: the project's settings, with the environment as Metaflow is to find it:
`prepare` comes first in every flow file, before Metaflow is imported.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from proveout import settings as settings_module
from proveout.project import user_name
from proveout.settings import Settings
from proveout.training import flow_errors

CONFIG_FILE = "PROVEOUT_CONFIG_FILE"
"""Variable that tells the steps of a run where its configuration stands: Metaflow hands them the values alone."""


def prepare(start: str | Path | None = None) -> Settings:
    """Set Metaflow up for the project that `start` (a flow file, or the working directory) lies in.

    Call it before `import metaflow`. Runs then keep their data in the project root from wherever they are started, and
    need no `USER` (cron, systemd and containers set none). A flow that fails with an error of ours ends with its
    sentence.
    """
    file = Path(start) if start is not None else None
    os.environ.setdefault("METAFLOW_USER", user_name())
    if file is not None and file.is_file():
        flow_errors.in_this_process(sys.argv)
    settings = settings_module.load(file.parent if file is not None and file.is_file() else file)
    os.environ.setdefault("METAFLOW_DATASTORE_SYSROOT_LOCAL", str(settings.root))
    # Cards go to the nearest `.metaflow` at or above the working directory: there has to be one in the root.
    (settings.root / ".metaflow").mkdir(exist_ok=True)
    if file is not None and file.is_file() and "--config-value" not in sys.argv:  # a step has it from its run
        os.environ[CONFIG_FILE] = str(_config_file(sys.argv, default=settings.root / settings.train_config))
    if file is not None and file.is_file():
        flow_errors.in_metaflow(sys.argv)
    return settings


def _config_file(arguments: Sequence[str], *, default: Path) -> Path:
    """The file that `--config config FILE` names."""
    words = zip(arguments, arguments[1:], arguments[2:], strict=False)
    given = [file for option, name, file in words if (option, name) == ("--config", "config")]
    return Path(given[-1] if given else default).resolve()
