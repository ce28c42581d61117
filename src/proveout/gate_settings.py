"""The settings that decide what a verdict is worth. They come from pyproject.toml, or from the command line; never from
the environment, which nobody reviews and no verdict shows.

Input: settings. Output: settings whose judging part is the file's, or another folder of checks, named by a person.
"""

import os
from pathlib import Path

from proveout.errors import ConfigError, UsageError
from proveout.settings import Settings, said_in_file

JUDGING = (
    "checks", "edge_cases", "required_checks", "waivers", "max_newer_batches", "max_rejected_share", "approval_days",
    "holdout_alpha", "required_approvals", "approvers_dir", "batch_schema", "request_schema", "target", "event_key",
    "train_config", "fallback", "actions", "cost_function", "task",
)  # fmt: skip


def overridden() -> tuple[str, ...]:
    """The judging settings that a variable of the environment sets, whatever to."""
    there = {name.upper() for name in os.environ}
    return tuple(name for name in JUDGING if f"PROVEOUT_{name}".upper() in there)


def refuse_overrides() -> None:
    """Return if no judging setting is in the environment. Raises: ConfigError, naming the variables."""
    if names := overridden():
        variables = ", ".join(f"PROVEOUT_{name.upper()}" for name in names)
        raise ConfigError(
            f"{variables} in the environment",
            "what judges a candidate stands in [tool.proveout], where it is reviewed",
            "Unset it. Another folder of checks is named on the command line: --checks DIR",
        )


def of_the_file(settings: Settings) -> Settings:
    """The same settings, those that judge as pyproject.toml has them."""
    said = said_in_file(settings.root)
    return settings.model_copy(update={name: getattr(said, name) for name in JUDGING})


def with_checks(settings: Settings, folder: str | None) -> Settings:
    """The settings with another folder of checks, all of it required; as they are for None and for the project's own.

    Args:
        folder: from the project's root, or from the working directory.
    Raises: UsageError if there is no such folder in the project.
    """
    if folder is None:
        return settings
    places = [place for place in (Path.cwd() / folder, settings.root / folder) if place.is_dir()]
    if not places or not (place := Path(os.path.normpath(places[0]))).is_relative_to(settings.root):
        raise UsageError(f"--checks {folder} names no folder in {settings.root}: give one with checks, such as checks.")
    name = place.relative_to(settings.root).as_posix()
    if name == settings.checks.rstrip("/"):
        return settings
    return settings.model_copy(update={"checks": name, "required_checks": (name,)})


def other_checks(settings: Settings) -> str:
    """The folder of checks, if it is not the one that pyproject.toml names; else an empty text."""
    return "" if settings.checks == said_in_file(settings.root).checks else settings.checks


def pytest_arguments(settings: Settings) -> tuple[str, ...]:
    """What pytest is told to run the checks: their folder, and that it is another one where it is."""
    other = other_checks(settings)
    return (settings.checks, "--checks", other) if other else (settings.checks,)
