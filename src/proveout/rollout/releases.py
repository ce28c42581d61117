"""Releases: which bundle answers in which role, since when, by whom and why; and what was there before.

Input: a bundle whose files were verified, and the ledger. Output: a release, once the gate's approval, and the
consents of the persons who are asked for, cover the bundle: in any role, for a server opens a bundle once, and a shadow
that it holds is one entry away from answering. Who held a role at a moment is a pure function of the releases
(`roles`), so yesterday's answer is tomorrow's. A change is decided on what the ledger said before: of two at once, one
is made and the other told so.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import get_args

from proveout.errors import Conflict, NotFound, UsageError
from proveout.ledger.ledger import Ledger, read
from proveout.ledger.timestamps import utc
from proveout.records.answer import TaskFacts
from proveout.records.bundle import Bundle
from proveout.records.release import Approval, Release, Role
from proveout.records.values import Digest
from proveout.rollout import roles
from proveout.rollout.admission import Fingerprint, admit, valid_approval
from proveout.task import task as tasks
from proveout.task.task import Task
from proveout.trust.approvals import NOBODY, ApprovalPolicy
from proveout.trust.signing import Keyring

SAME_WISH_S = 5.0
"""Two rollbacks within this many seconds are for the same fault: the second one must not go back further."""


def release(
    ledger: Ledger,
    keyring: Keyring,
    bundle: Bundle,
    *,
    role: Role = "champion",
    share: float = 1.0,
    by: str,
    reason: str,
    at: str,
    quorum: ApprovalPolicy = NOBODY,
    current_fingerprint: Fingerprint | None = None,
    whatever_serves: bool = False,
) -> Release:
    """Release `bundle` in a role from `at` on. If it already holds the role, returns the current release.

    Args:
        share: of the traffic; 1 for a champion, below 1 for a canary, at most 1 for a shadow.
        current_fingerprint: the gate that must have given the approval, if there are checks to compare with. The
        champion
            is part of it: of two candidates that were compared with one champion, only the first can be released.
        whatever_serves: allow that the gate compared with another champion.
    Raises: NotApproved if it has no valid approval, or the gate was edited since; OtherChampion if the gate compared it
        with another champion; ChainBroken if the ledger was edited, because its approvals cannot be trusted then;
        Conflict if something was released or judged meanwhile; UsageError for invalid arguments.
    """
    _refuse_misuse(role, share, by, reason)
    seen = ledger.verify_chain()
    made = history(ledger, bundle.model)
    before = roles.holder(made, role=role)
    if before is not None and (before.bundle, before.share) == (bundle.digest, share):
        valid_approval(ledger, keyring, bundle, quorum=quorum, at=at)
        return before
    replaces = None if role == "shadow" or whatever_serves else roles.holder(made)
    approval = admit(
        ledger, keyring, bundle, replaces=replaces, quorum=quorum, current_fingerprint=current_fingerprint, at=at
    )
    if role != "champion":
        _refuse_alone(roles.holder(made), bundle, role)
    return _append(ledger, bundle, approval, before, role=role, share=share, by=by, reason=reason, at=at, seen=seen)


def promote(
    ledger: Ledger,
    keyring: Keyring,
    bundle: Bundle,
    *,
    by: str,
    reason: str,
    at: str,
    seen: int | None = None,
    quorum: ApprovalPolicy = NOBODY,
    current_fingerprint: Fingerprint | None = None,
    whatever_serves: bool = False,
) -> Release:
    """Make the running canary or shadow the champion, which ends its other role. Requires all that `release` requires.

    Args:
        seen: number of the ledger's last entry when this was decided; default: now.
        current_fingerprint: as `release`.
        whatever_serves: as `release`.
    Raises: UsageError if `bundle` runs as neither; Conflict if it was promoted or releases changed meanwhile; and as
        `release`.
    """
    _refuse_anonymous(by, reason)
    seen, made = _look(ledger, bundle.model, what=f"The promotion of {bundle.name}", seen=seen)
    champion = roles.holder(made)
    if champion is not None and champion.bundle == bundle.digest:
        raise Conflict(f"The promotion of {bundle.name}", f"{champion.by} made it champion, because: {champion.reason}")
    if all(held is None or held.bundle != bundle.digest for held in roles.running(made)):
        raise UsageError(
            f"{bundle.name} runs neither as canary nor as shadow. To let it answer all the same: "
            f'proveout release {bundle.digest[:12]} --reason "…"'
        )
    replaces = None if whatever_serves else champion
    approval = admit(
        ledger, keyring, bundle, replaces=replaces, quorum=quorum, current_fingerprint=current_fingerprint, at=at
    )
    return _append(
        ledger, bundle, approval, champion, role="champion", share=1.0, by=by, reason=reason, at=at, seen=seen
    )


def rollback(
    ledger: Ledger,
    keyring: Keyring,
    model: str,
    *,
    role: Role | None = None,
    bundle: Bundle | None = None,
    by: str,
    reason: str,
    at: str,
    seen: int | None = None,
    quorum: ApprovalPolicy = NOBODY,
) -> Release:
    """Undo the newest change of the traffic.

    A running canary is ended by a release with share 0. Otherwise the previous champion is released again, without a
    new approval if its approvals are still valid.

    Args:
        role: the role to roll back; default: the newest change.
        bundle: the previous champion as described by its verified files; default: as in the ledger.
        seen: number of the ledger's last entry when this was decided; default: now.
    Raises: NotFound if there is no earlier champion; NotApproved if it may no longer serve; Conflict if releases
        changed meanwhile, or there was a rollback a few seconds ago.
    """
    _refuse_anonymous(by, reason)
    _refuse_unknown(role or "champion")
    looked, made = _look(ledger, model, what=f"Going back with {model}", seen=seen)
    _refuse_double_rollback(made, model, at=at)
    target = roles.to_take_back(made) if role is None else role
    if target != "champion":
        return end(ledger, model, target, by=by, reason=reason, at=at, seen=looked)
    back, champion = roles.before(made), roles.holder(made)
    if back is None or champion is None:
        raise NotFound("release", f"of {model} before the one that serves", "See what may serve: proveout bundles")
    if bundle is not None and bundle.digest != back.bundle:
        raise Conflict(f"Going back to {bundle.name}", f"{champion.by} released {champion.name}: {champion.reason}")
    packed = bundle or known_bundle(ledger, back.bundle)
    approval = valid_approval(ledger, keyring, packed, quorum=quorum, at=at)
    return _append(
        ledger, packed, approval, champion, role="champion", share=1.0, by=by, reason=reason, at=at, seen=looked
    )


def end(ledger: Ledger, model: str, role: Role, *, by: str, reason: str, at: str, seen: int | None = None) -> Release:
    """End a canary or a shadow with a release of share 0; the champion answers its traffic.

    Raises: NotFound if none runs; UsageError for the champion; Conflict if releases changed meanwhile.
    """
    _refuse_anonymous(by, reason)
    if role == "champion":
        raise UsageError('A champion cannot be ended, only replaced: proveout rollback --reason "…"')
    seen, made = _look(ledger, model, what=f"Ending the {role} of {model}", seen=seen)
    held = roles.holder(made, role=role)
    if held is None:
        raise NotFound(role, f"of {model} that runs", "See what does: proveout status")
    ended = replace(held, share=0.0, since=utc(at), by=by, reason=reason, before=held.bundle)
    _record(ledger, ended, seen=seen)
    return ended


def current(ledger: Ledger, model: str, role: Role = "champion") -> Release | None:
    """The release that holds the role now; None if there is none."""
    return roles.holder(history(ledger, model), role=role)


def before(ledger: Ledger, model: str) -> Release | None:
    """The release of the previous champion; None if there was none."""
    return roles.before(history(ledger, model))


def history(ledger: Ledger, model: str) -> tuple[Release, ...]:
    """All releases of `model`, in the order of the ledger."""
    releases = (read(Release, entry) for entry in ledger.entries(kind="release"))
    return tuple(found for found in releases if found.model == model)


def find(ledger: Ledger, kind: str, prefix: str) -> Digest:
    """The one subject of `kind` that starts with `prefix`, which may have the form `model@prefix`.

    Raises: NotFound; UsageError if several do.
    """
    start = prefix.rpartition("@")[2].lower()
    found = sorted(subject for subject in ledger.subjects(kind) if subject.startswith(start)) if start else []
    if not found:
        raise NotFound(kind, f"of {prefix}", "List what was packed: proveout bundles")
    if len(found) > 1:
        raise UsageError(f"{prefix} begins the names of {len(found)} bundles with a {kind}: give more digits.")
    return Digest(found[0])


def _look(ledger: Ledger, model: str, *, what: str, seen: int | None) -> tuple[int, tuple[Release, ...]]:
    """The number of the last entry, and the model's releases. Raises: Conflict if there are releases after `seen`."""
    last = ledger.verify_chain()
    seen, made = last if seen is None else seen, history(ledger, model)
    for newest in ledger.entries(kind="release", limit=1, newest_first=True):
        if newest.seq > seen:
            raise Conflict(what, f"{newest.actor} changed what runs, because: {newest.reason}")
    return seen, made


def known_bundle(ledger: Ledger, digest: Digest) -> Bundle:
    """The bundle as recorded in the ledger. Raises: NotFound."""
    entries = ledger.entries(kind="bundle", subject=digest, limit=1, newest_first=True)
    if not entries:
        raise NotFound("bundle", f"{digest[:12]} in this ledger", "See what was packed: proveout bundles")
    return read(Bundle, entries[0])


def task_of(ledger: Ledger, digest: Digest) -> Task:
    """The task of a bundle; binary if the ledger does not have it."""
    entries = ledger.entries(kind="bundle", subject=digest, limit=1, newest_first=True)
    return tasks.of(read(Bundle, entries[0]).task if entries else TaskFacts())


def _append(
    ledger: Ledger,
    bundle: Bundle,
    approval: Approval,
    before: Release | None,
    *,
    role: Role,
    share: float,
    by: str,
    reason: str,
    at: str,
    seen: int,
) -> Release:
    new = Release(
        model=bundle.model,
        bundle=bundle.digest,
        role=role,
        share=share,
        since=utc(at),
        by=by,
        reason=reason,
        data=bundle.snapshot,
        verdict=approval.verdict,
        before=before.bundle if before else None,
    )
    _record(ledger, new, seen=seen)
    return new


def _record(ledger: Ledger, new: Release, *, seen: int) -> None:
    decided_on = ("release", "verdict")
    ledger.append(
        "release", new.bundle, new, actor=new.by, reason=new.reason, at=new.since, unless_newer=decided_on, seen=seen
    )


def _refuse_misuse(role: Role, share: float, by: str, reason: str) -> None:
    allowed = {
        "champion": (share == 1, "all of the traffic"),
        "canary": (0 < share < 1, "a part of the traffic: --share 0.1"),
        "shadow": (0 < share <= 1, "at most all of the traffic: --share 1"),
    }
    _refuse_unknown(role)
    fits, what = allowed[role]
    if not fits:
        raise UsageError(f"Nothing can be released as {role} with {share:.0%} of the traffic: a {role} has {what}.")
    _refuse_anonymous(by, reason)


def _refuse_unknown(role: str) -> None:
    if role not in get_args(Role):
        raise UsageError(f"{role} is not a role: a bundle is released as champion, canary or shadow.")


def _refuse_anonymous(by: str, reason: str) -> None:
    if not by.strip() or not reason.strip():
        raise UsageError('A release needs a person and a reason: --by NAME --reason "…".')


def _refuse_alone(champion: Release | None, bundle: Bundle, role: Role) -> None:
    if champion is None:
        raise UsageError(
            f"There is no champion yet for {bundle.name} to run beside as {role}. Release it as champion first."
        )
    if champion.bundle == bundle.digest:
        raise UsageError(f"{bundle.name} is the champion: as {role} it would run beside itself.")


def _refuse_double_rollback(releases: Sequence[Release], model: str, *, at: str) -> None:
    """Refuse a second rollback by another person for the same fault, because the first one already did it."""
    if not releases:
        return
    newest, line = releases[-1], [champion.bundle for champion in roles.line(releases[:-1])]
    went_back = newest.share == 0 or (newest.role == "champion" and newest.bundle in line)
    age = datetime.fromisoformat(utc(at)) - datetime.fromisoformat(utc(newest.since))
    if went_back and abs(age.total_seconds()) < SAME_WISH_S:
        did = f"ended the {newest.role} {newest.name}" if newest.share == 0 else f"went back to {newest.name}"
        raise Conflict(f"Going back with {model}", f"{newest.by} {did}, because: {newest.reason}")
