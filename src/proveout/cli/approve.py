"""The commands for human approvals: make a person's key, and sign an approval with it."""

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proveout.cli._common import BundleName, Checks, Json, answer, bundle_folder, judging_settings, settings
from proveout.errors import ConfigError, UsageError
from proveout.project import open_keyring, open_ledger

if TYPE_CHECKING:
    from proveout.trust.signing import PrivateKey

KEY_VARIABLE = "PROVEOUT_APPROVER_KEY"
KEY_FILE = Path("~/.config/proveout/approver.key")

KeyFile = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", help=f"The private key. [${KEY_VARIABLE}, else {KEY_FILE}]")
]

approvers = typer.Typer(help="Who may approve bundles.", rich_markup_mode=None, no_args_is_help=True)


@approvers.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is, such as ada.")], key: KeyFile = None
) -> None:
    """Make a key pair for a person: a private key that only they keep, and a public key for the project.

    An existing private key is reused, so that one person can approve in several projects.
    """
    from proveout.cli._approve_view import made
    from proveout.trust import secret_files
    from proveout.trust.approvals import public_file, quorum
    from proveout.trust.signing import PrivateKey, new_key

    project = settings()
    file, public = _own_file(project.root, key), public_file(quorum(project).approvers, name)
    if public.exists():
        remedy = "Remove the file first, if that key is no longer valid"
        raise ConfigError(str(public), f"{name} already has a key", remedy)
    found = file.exists()
    if not found:
        secret_files.place(file, new_key(), mode=0o600)
    private = PrivateKey(secret_files.read(file), str(file))
    public.parent.mkdir(parents=True, exist_ok=True)
    secret_files.place(public, private.public_pem(), mode=0o644)
    record = {"name": name, "key": private.id, "private_key": str(file), "public_key": str(public)}
    answer(record, made(name, file, public.relative_to(project.root), private.id, found=found))


def approve(
    bundle: BundleName,
    *,
    by: Annotated[str, typer.Option(help="Who approves: the NAME of NAME.pub in the approvers folder.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    key: KeyFile = None,
    checks: Checks = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask at the terminal.")] = False,
    as_json: Json = False,
) -> None:
    """Approve, as a person, a bundle that the gate approved.

    The approval is signed with that person's own key. It is valid for this bundle and its verdict only, and expires
    after approval_days. Shows what will be approved; at a terminal it asks before it signs.
    """
    from proveout.cli._approve_view import approved, proposal
    from proveout.cli._terminal import colour
    from proveout.gate.current_fingerprint import current_fingerprint
    from proveout.model.manifest import verify as verify_files
    from proveout.records.values import now
    from proveout.rollout import admission, status
    from proveout.trust import approvals, authorization
    from proveout.trust.signing import check_approval

    project, at = judging_settings(checks), now()
    asked, private = approvals.quorum(project), _private_key(project.root, key)
    packed = verify_files(bundle_folder(project, bundle))
    until = (datetime.fromisoformat(at) + timedelta(days=project.approval_days)).isoformat(timespec="milliseconds")
    with open_ledger(project) as ledger:
        seen = ledger.verify_chain()
        approval = authorization.approval_of(ledger, packed.digest)
        check_approval(approval, bundle=packed, keyring=open_keyring(project), at=at)
        judged = status.verdict_at(ledger, approval)
        # Without a valid gate approval, no release could use it: nobody should sign a bundle that must be judged again.
        admission.refuse_edited(judged, packed, current_fingerprint(project))
        held = approvals.granted(approvals.entered(ledger, packed.digest), asked, approval, at=at)
        others = [one for one in held if one.by.casefold() != by.casefold()]
        if sys.stdin.isatty() and not yes:
            shown = "\n".join([f"approve   {packed.name}", *proposal(judged, others, until=until)])
            typer.echo(colour(shown), err=True)
            typer.confirm(f"Do you, {by}, approve it?", abort=True, err=True)
        given = approvals.give(
            ledger, asked, private, approval, by=by, reason=reason, at=at, expires_at=until, seen=seen
        )  # fmt: skip
    record = {"consent": given, "verdict": judged, "others": others, "persons": asked.persons}
    answer(record, approved(given, judged, others, persons=asked.persons), as_json=as_json)


def _private_key(root: Path, named: Path | None) -> "PrivateKey":
    from proveout.trust import secret_files
    from proveout.trust.signing import PrivateKey, unfolded

    pem = os.environ.get(KEY_VARIABLE)
    if pem and named is None:
        return PrivateKey(unfolded(pem), KEY_VARIABLE)
    file = _own_file(root, named)
    if not file.exists():
        raise ConfigError(str(file), "there is no private key", "Make one: proveout approvers add NAME")
    return PrivateKey(secret_files.read(file), str(file))


def _own_file(root: Path, named: Path | None) -> Path:
    """The path of a person's private key. Raises: UsageError for a path inside the project, which others can read."""
    file = (named or KEY_FILE).expanduser().absolute()
    if file.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            f"{file} is in the project, which others can read. Keep a private key outside of it: {KEY_FILE}"
        )
    return file
