"""The project's own files: settings, code, schema, configuration, source, notebook.

Input: the settings. Output: a finding of each; an error of another room is raised, and says what is wrong.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from proveout.doctor.finding import Finding, fault, note, well
from proveout.errors import ConfigError
from proveout.settings import Settings, is_object, load_object, read_bounds

# The settings that name an object of the user's code, `path:object`.
NAMED = (
    "source", "reference_source", "reference_schemas", "batch_schema", "request_schema", "features", "target",
    "fallback", "actions", "cost_function",
)  # fmt: skip


@contextmanager
def import_paths(settings: Settings) -> Iterator[None]:
    """The project's code finds the modules beside it, as it does in a flow file, the server's file or a check."""
    named = (getattr(settings, name) or "" for name in NAMED)
    folders = {str((settings.root / value.partition(":")[0]).parent) for value in named if is_object(value)}
    added = [str(settings.root), *sorted(folders - {str(settings.root)})]
    sys.path[:0] = added
    try:
        yield
    finally:
        for folder in added:
            sys.path.remove(folder)


def environment(overridden: Sequence[str]) -> Finding:
    """Whether a variable sets what judges a candidate, which the gate refuses.

    Args:
        overridden: the settings that a variable sets.
    """
    names = [f"PROVEOUT_{name.upper()}" for name in overridden]
    if names:
        said = f"{', '.join(names)}: what judges a candidate stands in pyproject.toml, where it is reviewed"
        return fault("environment", said, f"unset {' '.join(names)}")
    return well("environment", "no variable overrides what judges a candidate")


def files(settings: Settings) -> Finding:
    """Whether every file that the settings name is there."""
    missing = [f"{name} names {path}" for name, path in _named_files(settings) if not (settings.root / path).exists()]
    if missing:
        return fault("files", f"not there: {'; '.join(missing)}", "Correct the paths in [tool.proveout], or add them")
    return well("files", f"{len(list(_named_files(settings)))} files that [tool.proveout] names are there")


def _named_files(settings: Settings) -> Iterator[tuple[str, str]]:
    for name in NAMED:
        value = getattr(settings, name)
        if value is not None and is_object(value):
            yield name, value.partition(":")[0]
    for name in ("notebook", "train_config", "checks", "adopted"):
        if (value := getattr(settings, name)) is not None:
            yield name, value


def code(settings: Settings) -> Finding:
    """Whether every object of the user's code can be loaded. Raises: what its import raises; ConfigError."""
    objects = [value for name in NAMED if (value := getattr(settings, name)) is not None and is_object(value)]
    for value in objects:
        try:
            load_object(value, settings.root)
        except ConfigError:
            raise
        except Exception as error:
            return fault("code", f"{value}: {type(error).__name__}: {error}", f"python {value.partition(':')[0]}")
    return well("code", f"{len(objects)} objects of the project's own code can be loaded")


def schema(settings: Settings) -> Finding:
    """Whether requests can be checked by the request schema. Raises: ConfigError."""
    from proveout.schema import request_schema

    try:
        found = request_schema.load(settings)
    except ConfigError:
        raise
    except Exception as error:
        said = f"{settings.request_schema}: {type(error).__name__}: {error}"
        return fault("schema", said, "Name a pandera DataFrameModel: `request_schema` in [tool.proveout]")
    return well("schema", f"a request has {len(found.fields)} fields: {_some([field.name for field in found.fields])}")


def configuration(settings: Settings) -> Finding:
    """Whether train.toml is complete, and its bounds are values. Raises: ConfigError."""
    from proveout.training.config import parse_config, read_config

    config = read_config(parse_config((settings.root / settings.train_config).read_text(encoding="utf-8")))
    bounds = len(read_bounds(settings))
    return well("train.toml", f'split by "{config.split.kind}", {len(config.parameters)} parameters, {bounds} bounds')


def source(settings: Settings) -> Finding:
    """Whether the newest batch can be read, and passes the guard. Raises: ProveoutError with the reason."""
    from proveout.data import snapshots, sources

    names = sources.names(settings)
    newest = max(names)
    guarded, _ = snapshots.guarded_batch(settings, newest)
    rows, refused = len(guarded.accepted), len(guarded.refused)
    said = f"{len(names)} {'batch' if len(names) == 1 else 'batches'}; {newest} has {rows:,} rows"
    return well("source", f"{said}, of which the guard refuses {refused:,}" if refused else said)


def notebook(settings: Settings) -> Finding:
    """Whether the notebook has a `parameters` cell that takes the values of train.toml.

    Raises: ConfigError; ParametersRefused.
    """
    from proveout.training.config import FROM_THE_FLOW, parse_config, read_config
    from proveout.training.notebook import check_parameters

    text = (settings.root / settings.train_config).read_text(encoding="utf-8")
    own = {} if settings.adopted else dict.fromkeys(FROM_THE_FLOW, "features.parquet")
    names = check_parameters(
        settings.root / settings.notebook,
        {**read_config(parse_config(text)).parameters, **own},
        defaults_allowed=settings.parameter_defaults == "allowed",
    )
    return well("notebook", f"its cell tagged `parameters` sets {_some(list(names))}")


def imports(settings: Settings) -> Finding:
    """Whether the packages that the notebook imports are in this environment. Nothing is imported."""
    from proveout.pilot.adopt.notebook_imports import needed_modules
    from proveout.pilot.audit import notebook_text
    from proveout.pilot.audit.analysis import Analysis

    needed = needed_modules(Analysis(notebook_text.read(settings.root / settings.notebook)))
    missing = [one for one in needed if one.used and not _is_here(one.module)]
    if missing:
        said = "; ".join(f"cell {one.cell}, line {one.line} needs {one.module}" for one in missing)
        packages = " ".join(one.distribution or one.module for one in missing)
        return fault("imports", f"not installed: {said}", f"python -m pip install {packages}")
    unused = [one.module for one in needed if not _is_here(one.module)]
    if unused:
        return note("imports", f"not installed, and not used: {_some(unused)}", "Remove the imports of the notebook")
    return well("imports", f"the packages of the notebook are installed: {_some([one.module for one in needed])}")


def _is_here(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _some(names: list[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}" if names else "none"


def read_settings(start: Path) -> Settings:
    """The settings of the project that `start` lies in. Raises: ConfigError."""
    from proveout.settings import load

    return load(start)
