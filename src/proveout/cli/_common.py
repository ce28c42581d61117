"""Shared by the commands: common options, opening the project, and printing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proveout.project import open_store

if TYPE_CHECKING:
    from proveout.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print the record as JSON.")]
BundleName = Annotated[
    str, typer.Argument(metavar="BUNDLE", help="The digest of a bundle, its first 6 digits or more, or MODEL@DIGITS.")
]


Checks = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Use this folder of checks instead of the project's own. It cannot override a refusal by those, and is "
        "shown with the verdict.",
    ),
]


def judging_settings(checks: str | None = None) -> "Settings":
    """The current project's settings, for commands that decide about approval: never overridden by the environment.

    Raises: ConfigError, which names the environment variable that overrides one of them.
    """
    from proveout import gate_settings as judging

    judging.refuse_overrides()
    return judging.with_checks(settings(), checks)


def settings() -> "Settings":
    """The current project's settings."""
    from proveout.settings import load

    return load()


def bundle_folder(project: "Settings", name: str) -> Path:
    """The folder of the bundle whose name starts with `name`. Raises: NotFound, UsageError."""

    store = open_store(project)
    return store.folder("bundles", store.find("bundles", name.rpartition("@")[2].lower()))


def answer(record: object, page: str, *, as_json: bool = False) -> None:
    """Print `page` for people, or the record as JSON for programs."""
    from proveout.cli._terminal import colour
    from proveout.records.json_form import to_json

    typer.echo(to_json(record) if as_json else colour(page))
