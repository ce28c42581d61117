"""`proveout data`: the command that removes a batch from the data. `data report` is in data_report.py."""

import sys
from typing import Annotated

import typer

from proveout.cli._common import Json, answer, settings
from proveout.project import actor, open_ledger, open_store

data = typer.Typer(help="The data that models are trained on.", rich_markup_mode=None, no_args_is_help=True)


@data.callback()
def _data() -> None:
    """The data that models are trained on."""


@data.command()
def drop(
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="The name of the batch.")],
    *,
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    by: Annotated[str | None, typer.Option(help="Who does it. [the user who is logged in]")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask at the terminal.")] = False,
    as_json: Json = False,
) -> None:
    """Remove a batch from the newest snapshot, such as one with a wrong name.

    Makes a new snapshot without it, for the next training. Nothing is lost: the batch stays in the store, older
    snapshots keep it, and the ledger records who removed it and why. At a terminal it asks first.
    """
    from proveout.cli._terminal import colour, fact, page, plain
    from proveout.records.values import now
    from proveout.training import batch_removal

    project, who = settings(), by if by is not None else actor()
    with open_ledger(project) as ledger:
        seen = ledger.last_seq()
        found = batch_removal.plan(ledger, batch)
        names = ", ".join(plain(one.name) for one in found.snapshot.batches)
        facts = [
            fact(
                "batch", f"{plain(batch)}, {found.batch.rows:,} rows, stays in the store as {found.batch.digest[:12]}"
            ),
            fact("before", f"snapshot {found.before[:12]}, which stays as it is"),
            fact("now", f"snapshot {found.snapshot.digest[:12]}, {names}"),
        ]
        if sys.stdin.isatty() and not yes:
            typer.echo(colour("\n".join([f"drop   {plain(batch)}", *facts])), err=True)
            typer.confirm("Remove it?", abort=True, err=True)
        batch_removal.remove(ledger, open_store(project), found, by=who, reason=reason, at=now(), seen=seen)
    shown = [f"dropped   {plain(batch)}", *facts, fact("by", f"{plain(who)}: {plain(reason)}")]
    answer(found, page(shown, "python flows/train.py run   # trains on the new snapshot"), as_json=as_json)
