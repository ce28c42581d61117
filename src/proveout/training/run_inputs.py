"""The inputs of a training run: its data, its configuration, and the files that later steps read again.

Input: settings and a configuration. Output: `RunInputs`, a record that the flow passes from step to step; each step
compares it with the current files. Otherwise, after an edit, a checkout or a `resume`, one bundle could contain two
versions of the code.
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

# Settings that name code for the steps, and other settings that affect their results.
OBJECTS = ("features", "target", "batch_schema", "request_schema", "fallback", "actions", "cost_function")
VALUES = ("model", "notebook", "parameter_defaults", "event_key", "feature_files")
# Versions that affect results, because a `resume` may happen days later.
LIBRARIES = ("lightgbm", "numpy", "pandas", "proveout", "scikit-learn", "scipy", "skops", "xgboost", "xgboost-cpu")
LOCK = "requirements.lock"


@dataclass(frozen=True, kw_only=True)
class RunInputs:
    """The inputs of a run, without the checks: the verdict records those."""

    snapshot: Snapshot
    config: TrainConfig
    config_file: str | None  # relative to the root; None if the values are not from a file
    digests: Mapping[str, str]  # SHA-256 of each file by its path from the root, and of each setting and version


def record(
    settings: Settings, *, snapshot: Snapshot, config: TrainConfig, config_file: Path | None = None
) -> RunInputs:
    """The inputs of a run that begins now."""
    file = code_files.name(config_file, settings.root) if config_file is not None else None
    return RunInputs(snapshot=snapshot, config=config, config_file=file, digests=_digests(settings, file))


def check(settings: Settings, inputs: RunInputs) -> None:
    """Return if all inputs are unchanged. Raises: InputsChanged, naming what changed."""
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
    adopted = () if settings.adopted is None else (settings.adopted,)
    others = [root / name for name in (*settings.feature_files, *adopted, LOCK)]
    files = code_files.with_imported([file for file in code if file.is_file()], root)
    found = code_files.digests([*files, *(file for file in others if file.is_file())], root)
    if config_file is not None:
        found[config_file] = _config_digest(root / config_file)
    found |= {f"{name} in [tool.proveout]": digest_of(getattr(settings, name)) for name in (*OBJECTS, *VALUES)}
    return found | {f"the installed {library}": digest_of(_version(library)) for library in LIBRARIES}


def _config_digest(file: Path) -> str:
    """SHA-256 of a configuration without its bounds, because the gate reads and records those."""
    try:
        config = read_config(parse_config(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, ConfigError):
        return ""
    return digest_of(replace(config, evaluation={}))


def _flow_file() -> Path | None:
    """The file of the flow, which each step runs again."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(file).resolve() if file is not None and file.endswith(".py") else None


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
