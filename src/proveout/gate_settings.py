"""The settings that decide a verdict. They come from pyproject.toml or the command line, never from the environment,
which is not reviewed and not shown in a verdict.

Input: settings. Output: settings with the judging values of the file, or with another folder of checks.
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
    """The judging settings that a variable of the environment sets, to any value."""
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
    """The same settings, with the judging ones from pyproject.toml."""
    said = said_in_file(settings.root)
    return settings.model_copy(update={name: getattr(said, name) for name in JUDGING})


def with_checks(settings: Settings, folder: str | None) -> Settings:
    """The settings with another folder of checks, all of it required; unchanged for None or the project's own folder.

    Args:
        folder: a path relative to the project's root, or to the working directory.
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
    """The folder of checks, if it is not the one in pyproject.toml; else an empty text."""
    return "" if settings.checks == said_in_file(settings.root).checks else settings.checks


def pytest_arguments(settings: Settings) -> tuple[str, ...]:
    """Arguments for pytest to run the checks: their folder, and an option if it is not the project's own."""
    other = other_checks(settings)
    return (settings.checks, "--checks", other) if other else (settings.checks,)
