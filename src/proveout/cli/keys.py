"""The commands that create, list and revoke API keys. A key is printed only when it is created."""

from typing import Annotated, cast

import typer

from proveout.cli._common import Json, answer, settings
from proveout.project import actor, open_ledger

keys = typer.Typer(help="Who may call the server.", rich_markup_mode=None, no_args_is_help=True)


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Who uses the key, such as shop-frontend.")],
    *,
    scope: Annotated[
        list[str] | None, typer.Option(help="predict, feedback, metrics or admin; may be repeated. [predict, feedback]")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Keys of one tenant share cached answers. [the key's name]")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Most requests per second. [no limit]")] = None,
    burst: Annotated[int | None, typer.Option(help="Most requests at once, with --rate. [twice the rate]")] = None,
    per_day: Annotated[int | None, typer.Option(help="Most requests per day, from midnight UTC. [no limit]")] = None,
    reason: Annotated[str, typer.Option(help="What for, for the record.")] = "a new client",
    as_json: Json = False,
) -> None:
    """Create a key and print it. It is shown only once; only its hash is stored."""
    from proveout.cli._keys_view import made
    from proveout.records.api_key import Scope
    from proveout.records.values import now
    from proveout.trust import api_keys as book
    from proveout.trust.secrets import KEY_PEPPER, secret

    project = settings()
    with open_ledger(project, create=True) as ledger:
        created = book.create(
            ledger,
            secret(project.keys_dir, KEY_PEPPER),
            name=name,
            tenant=name if tenant is None else tenant,
            scopes=cast(list[Scope], scope or ["predict", "feedback"]),  # keys.create refuses other values
            rate_per_s=rate,
            burst=burst if burst is not None or rate is None else max(1, round(2 * rate)),
            per_day=per_day,
            by=actor(),
            reason=reason,
            at=now(),
        )
    answer({"key": created.text, "record": created.key}, made(created), as_json=as_json)


@keys.command("list")
def list_keys(as_json: Json = False) -> None:
    """List all keys, including revoked ones. The keys themselves are not shown."""
    from proveout.cli._keys_view import listed
    from proveout.trust import api_keys as book

    with open_ledger(settings()) as ledger:
        found = book.known(ledger)
    answer(found, listed(found), as_json=as_json)


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its name, or the first digits of its id.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    as_json: Json = False,
) -> None:
    """Revoke a key. It stops working within two seconds, without a restart."""
    from proveout.cli._keys_view import revoked
    from proveout.records.values import now
    from proveout.trust import api_keys as book

    at = now()
    with open_ledger(settings()) as ledger:
        ended = book.revoke(ledger, key, by=actor(), reason=reason, at=at)
    answer(ended, revoked(ended, unchanged=ended.revoked_at != at), as_json=as_json)
