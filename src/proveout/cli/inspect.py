"""Read-only commands. All but `verify` need only the ledger."""

from pathlib import Path
from typing import Annotated

import typer

from proveout.cli._common import BundleName, Json, answer, bundle_folder, settings
from proveout.errors import ConfigError, UsageError
from proveout.project import open_keyring, open_ledger


def status(as_json: Json = False) -> None:
    """Show what serves now, and how to roll back.

    Since when, who released it and why; how it compares with the previous champion; until when it is approved; what is
    logged; and what needs attention. Exit 1 if nothing serves.
    """
    from proveout.cli import _views
    from proveout.records.values import now
    from proveout.rollout import status as standing
    from proveout.settings import read_bounds
    from proveout.trust.approvals import quorum

    project = settings()
    asked = None
    try:
        asked = read_bounds(project)
    except ConfigError as error:  # status is needed most in an incident: a mistake in a file must not block it
        typer.echo(f"the current bounds are unknown: {error}", err=True)
    with open_ledger(project) as ledger:
        found = standing.now(ledger, project.model, at=now(), quorum=quorum(project), asked=asked)
    answer(found, _views.status(found), as_json=as_json)
    if found.served is None:
        raise typer.Exit(1)


def history(
    at: Annotated[
        str | None, typer.Option(help="Show what served at this time: ISO 8601, in UTC if it has no zone; or `now`.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List all releases, or show what served at a given time.

    With --at: since when, who released it, why, its data and the verdict that approved it. Exit 1 if nothing served
    then, or nothing was ever released.
    """
    from datetime import datetime

    from proveout.cli import _views
    from proveout.ledger.timestamps import utc
    from proveout.records.values import now
    from proveout.rollout import releases, status

    project, today = settings(), now()
    if at is None:
        with open_ledger(project) as ledger:
            made = tuple(reversed(releases.history(ledger, project.model)))
        answer(made, _views.history(made), as_json=as_json)
        if not made:
            raise typer.Exit(1)
        return
    asked = today if at == "now" else utc(at)
    if asked > today:
        raise UsageError(f"{asked} is in the future. What serves now: proveout status")
    with open_ledger(project) as ledger:
        found = status.then(ledger, project.model, moment=asked)
    zoned = at == "now" or datetime.fromisoformat(at).tzinfo is not None
    answer(found, _views.served(found, zoned=zoned), as_json=as_json)


def bundles(as_json: Json = False) -> None:
    """List all bundles, the newest first.

    With the state of each: champion, approved, expired, refused, or candidate if it has no verdict; and the number of
    missing human approvals, if they are required.
    """
    from proveout.cli import _views
    from proveout.records.values import now
    from proveout.rollout import status as standing
    from proveout.trust.approvals import quorum

    project = settings()
    with open_ledger(project) as ledger:
        found = standing.packed(ledger, project.model, at=now(), quorum=quorum(project))
    answer(found, _views.bundles(found), as_json=as_json)


def verdict(
    bundle: BundleName,
    html: Annotated[Path | None, typer.Option(help="Also write it to this file, as an HTML page with charts.")] = None,
    as_json: Json = False,
) -> None:
    """Show the newest verdict on a bundle.

    Every value with its bounds, the failed and unproven checks, the waivers and who is responsible for them, and who
    signed it. Exit 1 if it does not approve, or if the signature is invalid.
    """
    from proveout.cli import _views
    from proveout.errors import BadSignature
    from proveout.gate.reports import html_report
    from proveout.gate.verdict import check_signature
    from proveout.rollout import releases
    from proveout.rollout import status as standing

    project = settings()
    with open_ledger(project) as ledger:
        found = standing.verdict_of(ledger, releases.find(ledger, "verdict", bundle))
    try:
        check_signature(found, open_keyring(project))
        problem, signed = "", f"by key {found.key}, which is trusted here"
    except BadSignature as error:
        problem = f"{error.why}. Judge the bundle again: proveout gate {found.candidate[:12]}"
        signed = f"INVALID: {problem}"
    if html is not None:
        html.write_text(html_report.html(found), encoding="utf-8")
    answer(found, _views.verdict(found, signed=signed), as_json=as_json)
    if problem and as_json:
        typer.echo(f"The signature of this verdict is invalid: {problem}", err=True)
    if found.outcome != "approved" or problem:
        raise typer.Exit(1)


def verify(
    bundle: Annotated[str, typer.Argument(help="The digest of a bundle, its first 6 digits or more, or its folder.")],
    as_json: Json = False,
) -> None:
    """Verify that a bundle is unchanged and approved.

    If not, it names the changed file, the reason why the approval is invalid, or the number of missing human approvals.
    Exit 1 in that case.
    """
    from proveout.cli import _views
    from proveout.model.manifest import verify as verify_files
    from proveout.records.values import now
    from proveout.trust import authorization
    from proveout.trust.approvals import quorum

    project = settings()
    packed = verify_files(Path(bundle) if Path(bundle).is_dir() else bundle_folder(project, bundle))
    with open_ledger(project) as ledger:
        found = authorization.entered(ledger, packed.digest, quorum(project))
    permit = authorization.check(found, packed, keyring=open_keyring(project), quorum=quorum(project), at=now())
    record = {"bundle": packed, "approval": permit.approval, "consents": permit.consents}
    answer(record, _views.verified(packed, permit), as_json=as_json)
