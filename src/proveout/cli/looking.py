"""The commands that look: they change nothing. All but `verify` need the ledger only."""

from pathlib import Path
from typing import Annotated

import typer

from proveout.cli.parts import BundleName, Json, answer, bundle_folder, open_ledger, settings
from proveout.errors import Misused


def status(as_json: Json = False) -> None:
    """What serves now, and how to go back.

    Since when, by whom and why; how it compares with the one before; until when it is approved; what is logged and
    what wants attention. Exit 1 while nothing serves.
    """
    from proveout.cli import show
    from proveout.records import now
    from proveout.registry import standing

    project = settings()
    with open_ledger(project) as ledger:
        found = standing.now(ledger, project.model, at=now())
    answer(found, show.status(found), as_json=as_json)
    if found.served is None:
        raise typer.Exit(1)


def when(
    moment: Annotated[str, typer.Argument(help="ISO 8601 date or time, or `now`. Without a zone it is UTC.")],
    as_json: Json = False,
) -> None:
    """What served at a moment.

    By whom, why, on what data and approved by which verdict. Exit 1 if nothing served then.
    """
    from datetime import datetime

    from proveout.cli import show
    from proveout.records import now
    from proveout.registry import standing
    from proveout.registry.moments import utc

    at = now()
    asked = at if moment == "now" else utc(moment)
    if asked > at:
        raise Misused(f"{asked} has not come yet, so nobody knows what will serve. What serves now: proveout status")
    project = settings()
    with open_ledger(project) as ledger:
        found = standing.then(ledger, project.model, moment=asked)
    zoned = moment == "now" or datetime.fromisoformat(moment).tzinfo is not None
    answer(found, show.served(found, zoned=zoned), as_json=as_json)


def bundles(as_json: Json = False) -> None:
    """Every bundle that was packed, the newest first.

    With what became of it: champion, approved, expired, refused, or candidate while it has no verdict.
    """
    from proveout.cli import show
    from proveout.records import now
    from proveout.registry import standing

    project = settings()
    with open_ledger(project) as ledger:
        found = standing.packed(ledger, project.model, at=now())
    answer(found, show.bundles(found), as_json=as_json)


def verdict(bundle: BundleName, as_json: Json = False) -> None:
    """What the gate last said of a bundle.

    Every number beside what was asked of it, and the checks that failed or went unproven. Exit 1 if it was refused.
    """
    from proveout.cli import show
    from proveout.registry import releases, standing

    with open_ledger(settings()) as ledger:
        found = standing.verdict_of(ledger, releases.find(ledger, "verdict", bundle))
    answer(found, show.verdict(found), as_json=as_json)
    if found.outcome != "approved":
        raise typer.Exit(1)


def verify(
    bundle: Annotated[str, typer.Argument(help="The digest of a bundle, its first 6 digits or more, or its folder.")],
    as_json: Json = False,
) -> None:
    """Whether a bundle is what was packed and approved.

    Names the file that was tampered with, or the reason why the approval does not hold, and exits with 1.
    """
    from proveout.cli import show
    from proveout.records import now
    from proveout.registry import releases
    from proveout.registry.signing import Keyring, check_approval
    from proveout.training.bundle import verify as verify_files

    project = settings()
    packed = verify_files(Path(bundle) if Path(bundle).is_dir() else bundle_folder(project, bundle))
    with open_ledger(project) as ledger:
        approval = releases.approval_of(ledger, packed.digest)
    check_approval(approval, bundle=packed, keyring=Keyring(project.keys_dir), at=now())
    answer({"bundle": packed, "approval": approval}, show.verified(packed, approval), as_json=as_json)
