"""Approvals that do not count, and ledgers that were written by somebody else: refused wherever they are shown.

Each fault is arranged in a real ledger, over real bundles, by somebody who may write to the database and to the store
but has no key that is trusted here; then each door is tried: `release`, `promote`, `rollback`, the worker that finds
the bundle on its desired state, and the start of the server.
"""

import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from tiny_project import Project
from typer.testing import CliRunner

from proveout.data.store import Store
from proveout.errors import ChainBroken, LedgerError, NotApproved, ProveoutError, Tampered
from proveout.ledger.ledger import Ledger
from proveout.model import packing
from proveout.model.released_bundle import open_released
from proveout.records.answer import TaskFacts
from proveout.records.bundle import Bundle
from proveout.records.json_form import from_json
from proveout.records.release import Approval, Release
from proveout.records.values import Digest
from proveout.rollout import releases
from proveout.server.worker.release_source import Released
from proveout.trust.signing import Keyring

pytestmark = pytest.mark.usefixtures("no_signing_key")


@pytest.fixture
def project(tmp_path: Path, order: Any) -> Project:
    root = tmp_path / "project"
    root.mkdir(exist_ok=True)
    return Project(root, order)


_PACKED: dict[str, Any] = {}  # packing takes longer than all else here: done once, copied for each test


@pytest.fixture
def packed(project: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Three bundles in the store; one of them is the champion, the others are not judged yet."""
    state = project.settings.state_dir
    if _PACKED:
        shutil.copytree(_PACKED["state"], state)
        return _PACKED
    good, bad, third = (project.pack(task=TaskFacts(threshold=threshold)) for threshold in (0.5, 0.4, 0.6))
    project.judge(good)
    project.release(good)
    kept = tmp_path_factory.mktemp("packed") / "state"
    shutil.copytree(state, kept)
    _PACKED.update(good=good, bad=bad, third=third, state=kept)
    return _PACKED


@pytest.fixture
def good(packed: dict[str, Any]) -> Bundle:
    """The champion, as it should be."""
    made: Bundle = packed["good"]
    return made


@pytest.fixture
def bad(packed: dict[str, Any]) -> Bundle:
    """What somebody would like to be served: packed, and not judged yet."""
    made: Bundle = packed["bad"]
    return made


# --- the doors ----------------------------------------------------------------------------------------------------


def by_release(project: Project, bad: Bundle) -> None:
    project.release(bad)


def command(project: Project, bad: Bundle, *arguments: str) -> None:
    """A command of proveout's. Raises: NotApproved with what it said, if it refused."""
    from proveout.cli import main

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PROVEOUT_ROOT", str(project.root))
        ran = CliRunner().invoke(main, [*arguments, "--reason", "because", "--by", "ada"])
    if ran.exit_code:
        assert ran.exit_code == 1, ran.output
        raise NotApproved(bad.name, ran.stderr)


def by_command(project: Project, bad: Bundle) -> None:
    command(project, bad, "release", bad.digest)


def by_promotion(project: Project, bad: Bundle) -> None:
    project.by_hand(bad, role="canary", share=0.1)
    command(project, bad, "promote", bad.digest)


def by_rollback(project: Project, bad: Bundle) -> None:
    project.by_hand(bad)
    project.by_hand(_PACKED["third"])
    project.append("bundle", bad.digest, bad)
    with Ledger(project.settings.ledger) as ledger:
        assert releases.before(ledger, "tiny").bundle == bad.digest
    command(project, bad, "rollback")


def by_desired_state(project: Project, bad: Bundle) -> None:
    project.by_hand(bad, role="canary", share=0.1)
    desired = Released().news(project.settings, seq=0)
    assert desired is not None
    assert desired.canary is not None
    Released().open(project.settings, desired.canary)


def by_start(project: Project, bad: Bundle) -> None:
    project.by_hand(bad)
    Released().check(project.settings)


DOORS: tuple[Callable[[Project, Bundle], None], ...] = (
    by_release,
    by_command,
    by_promotion,
    by_rollback,
    by_desired_state,
    by_start,
)


@pytest.mark.parametrize("door", DOORS)
def test_what_was_approved_goes_through(project, bad, door):
    """Otherwise a door that is always shut would pass every test below."""
    project.judge(bad)
    door(project, bad)


# --- the faults ---------------------------------------------------------------------------------------------------


def changed(field: str) -> Callable[[Project, Bundle], None]:
    """The approval with one field changed: the whole entry, as it may be in a ledger that was rewritten."""

    def arrange(project: Project, bad: Bundle) -> None:
        leave = signed(project, bad)
        text = getattr(leave, field)
        other = {
            "model": "other",
            "key": "0123456789abcdef",
            "approved_at": "2013-01-02T00:00:00.000+00:00",
            "expires_at": "2199-01-01T00:00:00.000+00:00",
        }.get(field, ("0" if text[0] != "0" else "1") + text[1:])
        project.append("approval", bad.digest, replace(leave, **{field: other}))

    return arrange


def signed(project: Project, bad: Bundle, **changes: Any) -> Approval:
    """A good approval of `bad`, that is not in the ledger; its verdict is."""
    leave = project.judge(bad, **changes)
    assert leave is not None
    without_the_last(project)
    return leave


def without_the_last(project: Project) -> None:
    project.rewrite(list(project.entries()[:-1]))


def unsigned(project: Project, bad: Bundle) -> None:
    project.append("approval", bad.digest, replace(signed(project, bad), signature=""))


def by_a_stranger(project: Project, bad: Bundle) -> None:
    project.judge(bad, keyring=Keyring(project.root / "stranger"))


def by_a_stranger_who_uses_our_name(project: Project, bad: Bundle) -> None:
    """The id of the trusted key, the signature of another."""
    stranger = Keyring(project.root / "stranger")
    leave = replace(signed(project, bad), key=project.keyring.key_id(), signature="")
    payload = {name: value for name, value in vars(leave).items() if name != "signature"}
    from proveout.records.json_form import canonical

    project.append("approval", bad.digest, replace(leave, signature=stranger.sign(canonical(payload))[1]))


def by_a_key_that_is_a_path(project: Project, bad: Bundle) -> None:
    project.append("approval", bad.digest, replace(signed(project, bad), key="../../../etc/ssl/ca"))


def ended(project: Project, bad: Bundle) -> None:
    project.judge(bad, until="2014")


def of_another_bundle(project: Project, bad: Bundle) -> None:
    (genuine,) = project.entries("approval")
    project.append("approval", bad.digest, json.loads(genuine.body))


def of_another_bundle_with_its_verdict(project: Project, bad: Bundle) -> None:
    of_another_bundle(project, bad)
    (verdict,) = project.entries("verdict")
    project.append("verdict", bad.digest, json.loads(verdict.body))


def of_another_manifest(project: Project, bad: Bundle) -> None:
    """The same identity, packed by another run: other metrics, another reference to compare with."""
    project.judge(replace(bad, manifest=Digest("a" * 64)))


def of_another_ledger(project: Project, bad: Bundle) -> None:
    """Signed by the key that is trusted here, over this very bundle, for a verdict entered elsewhere."""
    leave = signed(project, bad)
    verdict = project.entries("verdict")[-1]
    project.rewrite([entry for entry in project.entries() if entry.hash != verdict.hash])
    project.append("audit", "-", {})  # the two ledgers have not had the same past
    project.append("verdict", bad.digest, json.loads(verdict.body))
    project.append("approval", bad.digest, leave)


def refused(project: Project, bad: Bundle) -> None:
    project.judge(bad, failed=("checks/test_model.py::test_auc",))


def refused_since(project: Project, bad: Bundle) -> None:
    project.judge(bad)
    refused(project, bad)


def replayed_after_a_refusal(project: Project, bad: Bundle) -> None:
    """The old approval once more: its signature holds, its time has not ended, its verdict is in the ledger."""
    project.judge(bad)
    refused(project, bad)
    project.append("approval", bad.digest, json.loads(project.entries("approval")[-1].body))


def replayed_with_its_verdict(project: Project, bad: Bundle) -> None:
    """The old verdict, too. Entered again it is another entry: no signature names it."""
    project.judge(bad)
    refused(project, bad)
    project.append("verdict", bad.digest, json.loads(project.entries("verdict")[-2].body))
    project.append("approval", bad.digest, json.loads(project.entries("approval")[-1].body))


def rewritten_without_the_refusal(project: Project, bad: Bundle) -> None:
    """Every entry again, with right hashes, but the refusal, which came before the approval."""
    refused(project, bad)
    project.judge(bad)
    entries = list(project.entries())
    project.rewrite([entry for entry in entries if "test_auc" not in entry.body])


def never_judged(project: Project, bad: Bundle) -> None:
    pass


FAULTS: dict[str, tuple[Callable[[Project, Bundle], None], str]] = {
    **{
        f"approval with another {field.name}": (
            changed(field.name),
            {
                "bundle": "names a verdict that is not in this ledger|for another bundle",
                "verdict": "names a verdict that is not in this ledger",
                "key": "that key is not trusted here",
            }.get(field.name, "the text was changed, or signed with another key"),
        )
        for field in fields(Approval)
    },
    "unsigned": (unsigned, "the text was changed, or signed with another key"),
    "by a stranger": (by_a_stranger, "that key is not trusted here"),
    "by a stranger who uses our name": (by_a_stranger_who_uses_our_name, "signed with another key"),
    "by a key that is a path": (by_a_key_that_is_a_path, "a key's id has 16 hexadecimal digits"),
    "ended": (ended, "its approval ended at 2014"),
    "of another bundle": (of_another_bundle, "for another bundle"),
    "of another bundle, with its verdict": (of_another_bundle_with_its_verdict, "for another bundle"),
    "of another manifest": (of_another_manifest, "for another manifest"),
    "of another ledger": (of_another_ledger, "names a verdict that is not in this ledger"),
    "refused": (refused, "the gate refused it on .*test_auc"),
    "refused since": (refused_since, "has since refused it on .*test_auc"),
    "replayed after a refusal": (replayed_after_a_refusal, "has since refused it on .*test_auc"),
    "replayed with its verdict": (replayed_with_its_verdict, "has since refused it on .*test_auc"),
    "rewritten without the refusal": (rewritten_without_the_refusal, "names a verdict that is not in this ledger"),
    "never judged": (never_judged, "the gate has not approved it"),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("fault", FAULTS)
def test_an_approval_that_does_not_count_opens_no_door(project, good, bad, fault, door):
    """The reason is said: who was refused must be able to tell an attack from an approval that ran out."""
    arrange, why = FAULTS[fault]
    arrange(project, bad)
    with pytest.raises(NotApproved, match=why):
        door(project, bad)
    with Ledger(project.settings.ledger) as ledger:
        assert all(made.by != "ada" or made.bundle == good.digest for made in releases.history(ledger, "tiny"))
        ledger.verify_chain()


# --- after a replay, and beside it ----------------------------------------------------------------------------------


def test_a_new_approval_after_a_refusal_counts(project, good):
    """The gate may change its mind; and then an old approval shown again takes nothing back."""
    replayed_after_a_refusal(project, good)
    old = project.entries("approval")[0]
    project.judge(good)
    project.append("approval", good.digest, json.loads(old.body))

    Released().check(project.settings)


def test_an_approved_bundle_of_another_model_is_not_served_as_ours(project, good, order):
    """Signed, whole, and made to answer another question."""
    other = packing.pack(replace(order(task=TaskFacts(threshold=0.3)), model="other"), Store(project.settings.store))
    project.judge(other)
    project.by_hand(other)

    with pytest.raises(NotApproved, match="for the model other, not tiny"):
        Released().check(project.settings)


def test_a_bundle_that_was_approved_may_be_looked_at_after_its_end(project, good):
    """The monitor watches what serves: also when its approval has ended, or the gate has changed its mind."""
    project.judge(good, failed=("checks/test_model.py::test_auc",))
    opened = open_released(project.settings, good.digest)

    assert opened.bundle.digest == good.digest


@pytest.mark.parametrize(
    "fault", ["unsigned", "by a stranger", "of another bundle", "of another manifest", "never judged"]
)
def test_a_bundle_that_nobody_approved_is_not_even_looked_at(project, good, bad, fault):
    """To open it is to run its features."""
    FAULTS[fault][0](project, bad)
    project.by_hand(bad)

    with pytest.raises(NotApproved):
        open_released(project.settings, bad.digest)


def test_a_key_that_is_no_longer_trusted_opens_nothing(project, good):
    """Taking its file away is how a stolen key is revoked."""
    (project.settings.keys_dir / f"{project.keyring.key_id()}.pub").unlink()
    stranger = Keyring(project.root / "stranger")
    (project.settings.keys_dir / f"{stranger.key_id()}.pub").write_bytes(
        (stranger.folder / f"{stranger.key_id()}.pub").read_bytes()
    )

    with pytest.raises(NotApproved, match="that key is not trusted here"):
        Released().check(project.settings)


# --- while the ledger is down ---------------------------------------------------------------------------------------


def ledger_down(project: Project) -> None:
    (project.settings.state_dir / "ledger.db").write_bytes(b"no database" * 100)


def test_what_was_taken_back_is_so_when_the_ledger_is_down(project, good):
    """A worker keeps the approvals it has seen, to start again without a ledger: not those that were taken back."""
    champion = Released().check(project.settings).champion
    (kept,) = (project.settings.state_dir / "approvals").iterdir()
    refused(project, good)
    with pytest.raises(NotApproved):
        Released().open(project.settings, champion)
    assert not kept.exists()

    ledger_down(project)
    with pytest.raises(LedgerError):
        Released().open(project.settings, champion)


@pytest.mark.parametrize("fault", ["approval with another expires_at", "unsigned", "of another manifest"])
def test_an_approval_that_was_kept_is_no_better_than_any_other(project, good, bad, fault):
    """Whoever may write to the folder may put one there; its signature is looked at all the same."""
    champion = Released().check(project.settings).champion
    (kept,) = (project.settings.state_dir / "approvals").iterdir()
    FAULTS[fault][0](project, bad)
    kept.with_name(f"{bad.digest}.json").write_text(project.entries("approval")[-1].body)
    ledger_down(project)

    Released().open(project.settings, champion)
    with pytest.raises(NotApproved):
        Released().open(project.settings, replace(champion, bundle=bad.digest))


def test_an_approval_that_does_not_hold_is_not_kept(project, good, bad):
    """Nor is a file written where a made-up digest leads."""
    FAULTS["unsigned"][0](project, bad)
    release = project.by_hand(bad)
    outside = "../../outside"
    project.append("verdict", outside, project.verdict(replace(bad, digest=Digest(outside))))
    leave = from_json(Approval, project.entries("approval")[-1].body)
    verdict = project.entries("verdict")[-1].hash
    project.append("approval", outside, replace(leave, bundle=Digest(outside), verdict=verdict))
    for digest, why in ((bad.digest, "the text was changed"), (Digest(outside), "64 hexadecimal digits")):
        with pytest.raises(NotApproved, match=why):
            Released().open(project.settings, replace(release, bundle=digest))

    assert not list(project.root.parent.rglob("outside*"))
    assert not list((project.settings.state_dir / "approvals").glob(f"{bad.digest}*"))


# --- the chain ------------------------------------------------------------------------------------------------------


def edit(project: Project, statement: str) -> None:
    with sqlite3.connect(project.settings.state_dir / "ledger.db") as edited:
        for (name,) in edited.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            edited.execute(f'DROP TRIGGER "{name}"')
        edited.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = replace(body, 'ada', 'eve') WHERE kind = 'release'",
        "DELETE FROM entries WHERE kind = 'verdict'",
        "INSERT INTO entries SELECT seq + 1, at, kind, subject, actor, reason, body, hash, hash FROM entries "
        "WHERE seq = (SELECT max(seq) FROM entries)",
        "UPDATE entries SET seq = seq + 100 WHERE seq = (SELECT max(seq) FROM entries)",
    ],
    ids=["edited", "removed", "put in by hand", "moved"],
)
def test_an_entry_that_was_written_by_hand_shows(project, good, statement):
    """No server starts on such a ledger, and one that runs keeps what it had."""
    edit(project, statement)

    with pytest.raises(ChainBroken):
        Released().check(project.settings)
    with pytest.raises(ChainBroken):
        Released().news(project.settings, seq=1)
    with pytest.raises(ChainBroken):
        project.release(good)


def test_a_refusal_that_was_cut_off_shows_only_against_a_head_kept_elsewhere(project, good):
    """What cannot be prevented: a chain without its end is a whole chain. `proveout ledger head`, kept where the
    forger cannot write, is what shows it; and a server that has seen the entry."""
    project.judge(good, failed=("checks/test_model.py::test_auc",))
    with Ledger(project.settings.ledger) as ledger:
        head, seen = ledger.head(), ledger.last_seq()
    with pytest.raises(NotApproved):
        Released().check(project.settings)
    edit(project, "DELETE FROM entries WHERE seq = (SELECT max(seq) FROM entries)")

    Released().check(project.settings)  # nothing here knows better
    with Ledger(project.settings.ledger) as ledger, pytest.raises(ChainBroken, match="entries were cut off"):
        ledger.verify_chain(head)
    with pytest.raises(ChainBroken, match="it ends before entry"):
        Released().news(project.settings, seq=seen)


def test_a_chain_rewritten_from_before_an_approval_takes_its_approvals_with_it(project, good):
    """The past of a verdict is in its hash, and the signature is over that: who rewrites it has to be able to sign."""
    with Ledger(project.settings.ledger) as ledger:
        head = ledger.head()
    entries = list(project.entries())
    project.rewrite([replace(entries[0], reason="another"), *entries[1:]])

    with Ledger(project.settings.ledger) as ledger:
        ledger.verify_chain()
        with pytest.raises(ChainBroken):
            ledger.verify_chain(head)
    with pytest.raises(NotApproved, match="names a verdict that is not in this ledger"):
        Released().check(project.settings)


def test_a_chain_rewritten_after_its_approvals_shows_only_against_a_head(project, good):
    """Who released, and why, is not signed: here it is another's, and only the head tells."""
    with Ledger(project.settings.ledger) as ledger:
        head = ledger.head()
    entries = list(project.entries())
    made = from_json(Release, entries[-1].body)
    forged = replace(entries[-1], actor="eve", body=json.dumps({**vars(made), "by": "eve"}))
    project.rewrite([*entries[:-1], forged])

    assert Released().check(project.settings).champion.by == "eve"
    with Ledger(project.settings.ledger) as ledger, pytest.raises(ChainBroken):
        ledger.verify_chain(head)


def test_an_entry_that_holds_something_else_is_a_broken_ledger_and_no_crash(project, good):
    """An approval that is none, a release that is a text: each is said, nothing is served."""
    for kind, body in (("approval", {"bundle": 1}), ("release", {"model": "tiny"}), ("verdict", ["x"])):
        kept = list(project.entries())
        project.append(kind, good.digest, body)
        with pytest.raises(ProveoutError, match=r"holds no|is not approved"):
            Released().check(project.settings)
        project.rewrite(kept)
    Released().check(project.settings)


def test_files_are_looked_at_before_the_approval_and_both_before_opening(project, good, monkeypatch):
    """The order of the guards, so that no doubt is left to a later one."""
    steps: list[str] = []
    for module, name in (
        ("proveout.trust.authorization", "entered"),
        ("proveout.model.manifest", "verify"),
        ("proveout.trust.authorization", "check"),
        ("proveout.model.bundle", "open_bundle"),
    ):
        path = f"{module}.{name}"
        real = getattr(__import__(module, fromlist=[name]), name)
        monkeypatch.setattr(path, lambda *a, _real=real, _name=name, **k: (steps.append(_name), _real(*a, **k))[1])
    champion = Released().check(project.settings).champion
    steps.clear()
    Released().open(project.settings, champion)

    assert steps == ["entered", "verify", "check", "open_bundle"]


def test_tampering_is_told_from_a_missing_approval(project, good):
    """The two want different people: restore a folder, or ask the gate."""
    model = project.folder(good) / "model.skops"
    model.chmod(0o644)
    model.write_bytes(model.read_bytes() + b"x")

    with pytest.raises(Tampered, match=r"model\.skops"):
        Released().check(project.settings)
