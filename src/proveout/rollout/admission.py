"""Whether a bundle may take a role: its approval is valid, and checks, settings and bounds are unchanged since.

Input: a bundle whose files were verified, the ledger, and the fingerprint of the current checks, settings and bounds.
Output: the approval, or a NotApproved that says what was edited since.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from proveout import code_files
from proveout.errors import NotApproved, OtherChampion
from proveout.ledger.ledger import Ledger, read
from proveout.ledger.timestamps import utc
from proveout.records.bundle import Bundle
from proveout.records.release import Approval, Release
from proveout.records.values import Digest, Scalar
from proveout.records.verdict import Verdict
from proveout.rollout import moved_bounds as bounds
from proveout.trust import authorization
from proveout.trust.approvals import ApprovalPolicy
from proveout.trust.signing import Keyring


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """The gate as it is now, without the champion. A release compares it with the gate that judged the bundle."""

    checks: Digest
    configuration: Digest
    checks_folder: str = ""  # of the checks, if not the project's own
    bounds: Mapping[str, Scalar] = field(default_factory=dict)
    root: Path | None = None  # base of the files that the checks of a verdict read
    files: Mapping[str, str] = field(default_factory=dict)  # modification time of each check file, ISO 8601


def admit(
    ledger: Ledger,
    keyring: Keyring,
    bundle: Bundle,
    *,
    replaces: Release | None,
    quorum: ApprovalPolicy,
    current_fingerprint: Fingerprint | None,
    at: str,
) -> Approval:
    """The approval by which `bundle` may take a role or share. Every change of what runs goes through this function.

    Exception: a bundle that runs, or ran before, was admitted by the checks of that time, so that a rollback does not
    have to wait for a gate run because a check was edited.

    Args:
        replaces: the champion that the gate must have compared with; None if that does not matter.
    Raises: NotApproved, OtherChampion.
    """
    approval = valid_approval(ledger, keyring, bundle, quorum=quorum, at=at)
    if current_fingerprint is not None:
        judged = _judged(ledger, approval)
        refuse_edited(judged, bundle, current_fingerprint)
        _refuse_other_champion(judged, bundle, replaces)
    return approval


def valid_approval(ledger: Ledger, keyring: Keyring, bundle: Bundle, *, quorum: ApprovalPolicy, at: str) -> Approval:
    """The approval of `bundle`, with the required consents, unless it has ended. Raises: NotApproved."""
    found = authorization.entered(ledger, bundle.digest, quorum)
    return authorization.check(found, bundle, keyring=keyring, quorum=quorum, at=at).approval


def _judged(ledger: Ledger, approval: Approval) -> Verdict:
    entries = ledger.entries(kind="verdict", subject=approval.bundle)
    return next(read(Verdict, entry) for entry in entries if entry.hash == approval.verdict)


def refuse_edited(judged: Verdict, bundle: Bundle, now: Fingerprint) -> None:
    """Return if the gate is unchanged since `judged`. Raises: NotApproved, naming what was edited since."""
    if _before_yardsticks(judged):
        return
    again = f"run the gate again: proveout gate {bundle.digest[:12]}"
    if judged.checks_folder != now.checks_folder:
        theirs, ours = (f"the checks in {one}" if one else "the project's own checks" for one in _folders(judged, now))
        how = f"say so: --checks {judged.checks_folder}" if judged.checks_folder else "leave --checks away"
        raise NotApproved(bundle.name, f"{theirs} approved it, not {ours}; if that is meant, {how}")
    if judged.checks != now.checks:
        later = sorted(name for name, written in now.files.items() if utc(written) > utc(judged.judged_at))
        # A fresh checkout writes all files, so times do not help then.
        told = f" ({_listed(later)})" if later and len(later) < len(now.files) else ""
        raise NotApproved(bundle.name, f"the checks were edited since the gate approved it{told}; {again}")
    if changed := _changed(judged.read, now.root):
        what = f"what its checks read was edited since the gate approved it ({_listed(changed)})"
        raise NotApproved(bundle.name, f"{what}; {again}")
    if judged.configuration != now.configuration:
        what = "the settings that judge, in [tool.proveout] or pytest's,"
        raise NotApproved(bundle.name, f"{what} were changed since the gate approved it; {again}")
    if moved := bounds.moved(judged.bounds, now.bounds):
        what = f"the bounds were changed since the gate approved it ({bounds.listed(moved)})"
        raise NotApproved(bundle.name, f"{what}; {again}")


def _folders(judged: Verdict, now: Fingerprint) -> tuple[str, str]:
    return judged.checks_folder, now.checks_folder


def _changed(read: Mapping[str, str], root: Path | None) -> list[str]:
    """The files read by checks that are changed or missing now."""
    if root is None:
        return []
    there = [root / name for name in read if (root / name).is_file()]
    now = code_files.digests(there, root)
    return sorted(name for name, digest in read.items() if now.get(name) != digest)


def _refuse_other_champion(judged: Verdict, bundle: Bundle, champion: Release | None) -> None:
    """A comparison with one champion does not hold for the next."""
    if champion is None or champion.bundle == judged.champion or _before_yardsticks(judged):
        return
    other = judged.champion[:12] if judged.champion else "nothing that served"
    raise OtherChampion(
        f"The release of {bundle.name}",
        f"{champion.by} made {champion.name} champion, because: {champion.reason}. The gate compared with {other}: "
        f"proveout gate {bundle.digest[:12]}, or release or promote it --allow-champion-change",
    )


def _before_yardsticks(judged: Verdict) -> bool:
    # Gates before this field existed counted the configuration among the checks, so there is nothing to compare, and
    # their approvals expire. Newer gates always fill it, and it cannot be emptied: the approval signs the entry's hash.
    return not judged.configuration


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
