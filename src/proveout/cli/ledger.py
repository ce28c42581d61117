"""The commands for the ledger's hash chain and schema, and for alerts."""

from typing import Annotated

import typer

from proveout.cli._common import Json, answer, settings
from proveout.errors import ConfigError
from proveout.project import open_ledger

ledger = typer.Typer(
    help="The record of what was trained, judged and released.", rich_markup_mode=None, no_args_is_help=True
)
alerts = typer.Typer(rich_markup_mode=None, invoke_without_command=True)


@ledger.command()
def verify(
    head: Annotated[str | None, typer.Option(help="An earlier head, which must still be in the chain.")] = None,
) -> None:
    """Verify the hash chain of the ledger.

    Every entry must be unchanged and in its place. To detect removed entries at the end, give a head that you stored
    elsewhere. Exit 1 if an entry is wrong; the first one is named.
    """
    with open_ledger(settings()) as book:
        count, last = book.verify_chain(head), book.head()
    page = [
        f"intact   {count:,} {'entry' if count == 1 else 'entries'}",
        f"  head      {last}",
        f"next: proveout ledger verify --head {last}   # later: detects entries removed since",
    ]
    answer(last, "\n".join(page))


@ledger.command()
def head() -> None:
    """Print the hash of the last entry. Store it elsewhere, for `proveout ledger verify --head`."""
    with open_ledger(settings()) as book:
        typer.echo(book.head())


@ledger.command()
def upgrade() -> None:
    """Migrate the ledger to the schema of this version.

    Any command that opens the ledger does the same; this one reports it.
    """
    from proveout.ledger.tables import HEAD

    with open_ledger(settings(), create=True) as book:
        word = "upgraded" if book.migrated else "unchanged"
        answer(HEAD, f"{word}   {book.name}   schema {HEAD}\nnext: proveout ledger verify")


@alerts.callback()
def list_alerts(context: typer.Context, as_json: Json = False) -> None:
    """List what needs a person's attention, the newest first."""
    if context.invoked_subcommand is not None:
        return
    from proveout.cli import _views
    from proveout.ledger.ledger import read
    from proveout.records.drift_report import Alert
    from proveout.records.values import now

    project = settings()
    with open_ledger(project) as book:
        found = tuple(
            read(Alert, entry) for entry in book.entries(kind="alert", subject=project.model, newest_first=True)
        )
    answer(found, _views.alerts(found, at=now()), as_json=as_json)


@alerts.command()
def deliver() -> None:
    """Send the alerts that were not sent yet.

    Each alert is sent once to the addresses in PROVEOUT_ALERT_URLS.
    """
    from proveout.monitoring import alerts as outbox

    project = settings()
    if not project.alert_urls:
        remedy = "Set it as JSON, such as PROVEOUT_ALERT_URLS='[\"mailto://…\"]'"
        raise ConfigError("PROVEOUT_ALERT_URLS", "no address for alerts is set", remedy)
    with open_ledger(project) as book:
        sent = outbox.deliver(book, project.alert_urls, model=project.model)
    answer(sent, f"delivered   {sent} {'message' if sent == 1 else 'messages'}\nnext: proveout alerts")
