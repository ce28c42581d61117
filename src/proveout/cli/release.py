"""The commands that change what serves: release, promote, rollback; and the one that compares running releases."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, cast

import typer

from proveout.cli._common import BundleName, Checks, Json, answer, bundle_folder, judging_settings, settings
from proveout.errors import Conflict, NotFound
from proveout.project import actor, open_keyring, open_ledger

if TYPE_CHECKING:
    from proveout.records.release import Release

WhateverServes = Annotated[
    bool,
    typer.Option("--allow-champion-change", help="Release even if the champion has changed since the gate ran."),
]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
By = Annotated[str | None, typer.Option(help="Who does it. [the user who is logged in]")]


def release(
    bundle: BundleName,
    *,
    reason: Reason,
    role: Annotated[
        str,
        typer.Option(
            "--as", metavar="ROLE", help="champion, canary (answers a share) or shadow (its answers are only logged)."
        ),
    ] = "champion",
    share: Annotated[
        float | None, typer.Option(help="Share of the traffic. [0.1 for a canary, 1 for a shadow]")
    ] = None,
    whatever_serves: WhateverServes = False,
    checks: Checks = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Release a bundle, so that it serves from now on.

    Requires an intact bundle, valid gate and human approvals, and unchanged checks. The server promotes or rolls back a
    canary once its answers are conclusive, unless canary_mode is `advise`. To undo: proveout rollback. Exit 4 if the
    releases changed meanwhile, or if the champion changed after the gate compared with it.
    """
    from proveout.cli import _views
    from proveout.gate.current_fingerprint import current_fingerprint
    from proveout.model.manifest import verify as verify_files
    from proveout.records.release import Role
    from proveout.records.values import now
    from proveout.rollout import releases, status
    from proveout.trust.approvals import quorum

    project, at = judging_settings(checks), now()
    packed = verify_files(bundle_folder(project, bundle))
    with open_ledger(project) as ledger:
        made = releases.release(
            ledger,
            open_keyring(project),
            packed,
            role=cast(Role, role),  # the release refuses other values, with the reason
            share=share if share is not None else 0.1 if role == "canary" else 1.0,
            by=actor() if by is None else by,
            reason=reason,
            at=at,
            quorum=quorum(project),
            current_fingerprint=current_fingerprint(project),
            whatever_serves=whatever_serves,
        )
        judged = status.verdict_at(ledger, made)
    answer(
        {**vars(made), "moved": judged.moved, "holdout_use": judged.holdout_use},
        _views.released(made, judged=judged, unchanged=made.since != at),
        as_json=as_json,
    )


def promote(
    reason: Reason,
    bundle: Annotated[str | None, typer.Argument(metavar="[BUNDLE]", help="A running bundle. [the canary]")] = None,
    *,
    whatever_serves: WhateverServes = False,
    checks: Checks = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Make the running canary, or a shadow, the champion.

    Requires everything that a release as champion requires. Exit 4 if the releases changed meanwhile, or if the
    champion changed after the gate compared with it.
    """
    from proveout.cli import _views
    from proveout.gate.current_fingerprint import current_fingerprint
    from proveout.model.manifest import verify as verify_files
    from proveout.records.values import now
    from proveout.rollout import releases, roles, status
    from proveout.trust.approvals import quorum

    project = judging_settings(checks)
    with open_ledger(project) as ledger:
        seen = ledger.last_seq()
        made = releases.history(ledger, project.model)
        if bundle is None:
            running = next((found for found in roles.running(made) if found is not None), None)
            if running is None and made and made[-1].role == "champion" and made[-1].bundle in _beside(made[:-1]):
                raise Conflict("The promotion", f"{made[-1].by} made {made[-1].name} champion: {made[-1].reason}")
            if running is None:
                remedy = 'Release one: proveout release BUNDLE --as canary --share 0.1 --reason "…"'
                raise NotFound("canary or shadow", f"of {project.model} that runs", remedy)
            bundle = running.bundle
        promoted = releases.promote(
            ledger,
            open_keyring(project),
            verify_files(bundle_folder(project, bundle)),
            by=actor() if by is None else by,
            reason=reason,
            at=now(),
            seen=seen,
            quorum=quorum(project),
            current_fingerprint=current_fingerprint(project),
            whatever_serves=whatever_serves,
        )
        judged = status.verdict_at(ledger, promoted)
    answer(
        {**vars(promoted), "moved": judged.moved, "holdout_use": judged.holdout_use},
        _views.released(promoted, judged=judged, promoted=True),
        as_json=as_json,
    )


def rollback(
    reason: Reason,
    role: Annotated[
        str | None,
        typer.Option("--as", metavar="ROLE", help="champion, canary or shadow. [the newest change]"),
    ] = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Go back to the previous release.

    Stops a running canary. Without one, the previous champion serves again, if its approval is still valid. Exit 4 if
    the releases changed meanwhile, or if somebody has just rolled back.
    """
    from proveout.cli import _views
    from proveout.model.manifest import verify as verify_files
    from proveout.records.release import Role
    from proveout.records.values import now
    from proveout.rollout import releases, roles
    from proveout.trust.approvals import quorum

    project = settings()
    with open_ledger(project) as ledger:
        seen = ledger.last_seq()
        taken_back = role or roles.to_take_back(releases.history(ledger, project.model))
        back = releases.before(ledger, project.model) if taken_back == "champion" else None
        made = releases.rollback(
            ledger,
            open_keyring(project),
            project.model,
            role=cast(Role | None, role),  # the rollback refuses other values
            bundle=verify_files(bundle_folder(project, back.bundle)) if back else None,
            by=actor() if by is None else by,
            reason=reason,
            at=now(),
            seen=seen,
            quorum=quorum(project),
        )
    answer(made, _views.released(made), as_json=as_json)


def compare(as_json: Json = False) -> None:
    """Compare the running canary and shadow with the champion.

    The shadow, on the same requests: how often they agree, how far their answers differ, and where most. The canary, on
    its share: errors, latency, wrong answers, and the decision. Exit 1 if it should be rolled back.
    """
    from proveout.cli._compare_view import compared
    from proveout.records.values import now
    from proveout.rollout import rollout_report

    project = settings()
    with open_ledger(project) as ledger:
        found = rollout_report.compare(ledger, project, at=now())
    answer(found, compared(found), as_json=as_json)
    if found.canary is not None and found.canary.verdict.decision == "rolls back":
        raise typer.Exit(1)


def _beside(made: Sequence["Release"]) -> set[str]:
    from proveout.rollout import roles

    return {found.bundle for found in roles.running(made) if found is not None}
