"""What a training run began with: its data, its configuration, and the files that a later step reads again.

Input: settings and a configuration. Output: `RunInputs`, a record that the flow carries from step to step; each
step compares it with what lies there now. Without that, an edit, a checkout or a `resume` gives one bundle two versions
of the code.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from proveout import code_files
from proveout.errors import ConfigError, InputsChanged
from proveout.records.json_form import digest_of
from proveout.records.snapshot import Snapshot
from proveout.records.train_config import TrainConfig
from proveout.settings import Settings, is_object
from proveout.training.config import parse_config, read_config

# Settings that name code which the steps load, and the other ones that decide what they make.
OBJECTS = ("features", "target", "batch_schema", "request_schema", "fallback", "actions", "cost_function")
VALUES = ("model", "notebook", "parameter_defaults", "event_key", "feature_files")
# What the steps compute with: a `resume` may come days later.
LIBRARIES = ("lightgbm", "numpy", "pandas", "proveout", "scikit-learn", "scipy", "skops", "xgboost", "xgboost-cpu")
LOCK = "requirements.lock"


@dataclass(frozen=True, kw_only=True)
class RunInputs:
    """What a run began with. The checks are not in it: the verdict says by which ones it judged."""

    snapshot: Snapshot
    config: TrainConfig
    config_file: str | None  # from the root; None if the values came from no file
    digests: Mapping[str, str]  # SHA-256 of each file, by its name from the root; and of each setting and version


def record(
    settings: Settings, *, snapshot: Snapshot, config: TrainConfig, config_file: Path | None = None
) -> RunInputs:
    """What a run that begins now begins with."""
    file = code_files.name(config_file, settings.root) if config_file is not None else None
    return RunInputs(snapshot=snapshot, config=config, config_file=file, digests=_digests(settings, file))


def check(settings: Settings, inputs: RunInputs) -> None:
    """Return if everything is still what the run began with. Raises: InputsChanged, naming what is not."""
    now = _digests(settings, inputs.config_file)
    changed = tuple(name for name in {**inputs.digests, **now} if inputs.digests.get(name) != now.get(name))
    if changed:
        raise InputsChanged(changed)


def _digests(settings: Settings, config_file: str | None) -> dict[str, str]:
    root = settings.root
    named = [getattr(settings, name) for name in OBJECTS]
    code = [root / one.partition(":")[0] for one in named if one is not None and is_object(one)]
    code += [file for file in (_flow_file(),) if file is not None and code_files.is_own(file, root)]
    code.append(root / settings.notebook)
    others = [root / name for name in (*settings.feature_files, LOCK)]
    files = code_files.with_imported([file for file in code if file.is_file()], root)
    found = code_files.digests([*files, *(file for file in others if file.is_file())], root)
    if config_file is not None:
        found[config_file] = _config_digest(root / config_file)
    found |= {f"{name} in [tool.proveout]": digest_of(getattr(settings, name)) for name in (*OBJECTS, *VALUES)}
    return found | {f"the installed {library}": digest_of(_version(library)) for library in LIBRARIES}


def _config_digest(file: Path) -> str:
    """SHA-256 of what a configuration says of a run. Bounds are no part of it: the gate reads them, and says which."""
    try:
        config = read_config(parse_config(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, ConfigError):
        return ""
    return digest_of(replace(config, evaluation={}))


def _flow_file() -> Path | None:
    """The file of the flow: each step runs it again."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(file).resolve() if file is not None and file.endswith(".py") else None


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
