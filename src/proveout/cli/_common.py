"""What the commands share: the options they have in common, what they open, and how they print."""

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
        help="Another folder of checks than the project's own. It overrides no refusal by these, and is shown wherever "
        "the verdict is.",
    ),
]


def judging_settings(checks: str | None = None) -> "Settings":
    """The settings of the project one is in, where they decide what is approved: nothing of it from the environment.

    Raises: ConfigError, naming the variable of the environment that sets one of them.
    """
    from proveout import gate_settings as judging

    judging.refuse_overrides()
    return judging.with_checks(settings(), checks)


def settings() -> "Settings":
    """The settings of the project one is in."""
    from proveout.settings import load

    return load()


def bundle_folder(project: "Settings", name: str) -> Path:
    """Where the bundle lies that `name` begins. Raises: NotFound, UsageError."""

    store = open_store(project)
    return store.folder("bundles", store.find("bundles", name.rpartition("@")[2].lower()))


def answer(record: object, page: str, *, as_json: bool = False) -> None:
    """Print a record for people, or for programs."""
    from proveout.cli._terminal import colour
    from proveout.records.json_form import to_json

    typer.echo(to_json(record) if as_json else colour(page))
