"""Approvals by persons, with real keys over a real ledger: whose consent counts, and what serves nobody without it."""

import ast
import json
import re
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from registry_toy import MODEL, A, B, Registry, at, went
from tiny_project import Project
from typer.testing import CliRunner, Result

from proveout.cli import _approve_view, main
from proveout.errors import BadSignature, Conflict, LedgerError, NotApproved, UsageError
from proveout.ledger.ledger import Ledger
from proveout.records.bundle import Bundle
from proveout.records.json_form import from_json
from proveout.records.release import Approval, Consent
from proveout.records.values import Digest, now
from proveout.records.verdict import Evidence, Verdict
from proveout.rollout import admission, canary, releases, status
from proveout.server.worker.release_source import Released
from proveout.trust import approvals as consents
from proveout.trust import authorization
from proveout.trust.approvals import ApprovalPolicy
from proveout.trust.signing import PRIVATE_KEY_VARIABLE, Keyring, PrivateKey, new_key

SRC = Path(releases.__file__).parents[1]
ENDS = "2013-08-01T00:00:00.000+00:00"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (PRIVATE_KEY_VARIABLE, "PROVEOUT_APPROVER_KEY", "PROVEOUT_REQUIRED_APPROVALS", "PROVEOUT_STATE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


class Persons(Registry):
    """A registry that asks two persons, and the keys of some."""

    def __init__(self, folder: Path, *, asked: int = 2) -> None:
        super().__init__(folder)
        self.quorum = ApprovalPolicy(persons=asked, approvers=folder / "approvers", gate_keys=folder / "keys")
        self.quorum.approvers.mkdir()
        self.keys = {name: self.let_in(name) for name in ("ada", "bob", "cleo")}

    def let_in(self, name: str, pem: bytes | None = None) -> PrivateKey:
        """A person whose public key was committed and reviewed."""
        key = PrivateKey(pem or new_key(), name)
        (self.quorum.approvers / f"{name}.pub").write_bytes(key.public_pem())
        return key

    def agree(self, what: Bundle, *names: str, minute: int = 1, **changes: object) -> Consent:
        """The consents of some, the last one returned."""
        approval = authorization.approval_of(self.ledger, what.digest)
        seen = self.ledger.last_seq()
        asked = {"reason": "sound", "at": at(minute), "expires_at": ENDS, "seen": seen, **changes}
        return [consents.give(self.ledger, self.quorum, self.keys[name], approval, by=name, **asked) for name in names][
            -1
        ]

    def enter(self, consent: Consent) -> None:
        """As whoever may write to the ledger can: nothing is asked."""
        self.ledger.append("consent", consent.bundle, consent, actor="mallory", reason="-", at=at(1))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Persons]:
    made = Persons(tmp_path)
    yield made
    made.ledger.close()


def released(registry: Persons, what: Bundle = A, minute: int = 2, **changes: object) -> Digest:
    return registry.release(what, minute, quorum=registry.quorum, **changes).bundle


def held(registry: Persons, what: Bundle = A, *, when: str = at(2)) -> set[str]:
    approval = authorization.approval_of(registry.ledger, what.digest)
    found = consents.entered(registry.ledger, what.digest)
    return {one.by for one in consents.granted(found, registry.quorum, approval, at=when)}


# --- who counts ---------------------------------------------------------------------------------------------------


def test_as_many_persons_as_are_asked_for_let_a_bundle_serve(registry: Persons) -> None:
    """Each with a key of their own, after the gate; before that the answer says who has, how many lack, and how."""
    registry.judge(A)
    with pytest.raises(NotApproved, match=r"2 of 2 persons missing\. Ask for it: proveout approve aaaaaaaaaaaa --by"):
        released(registry)
    registry.agree(A, "ada")
    with pytest.raises(NotApproved, match=r"1 of 2 persons missing \(ada approved it until 2013-08-01"):
        released(registry)
    registry.agree(A, "bob")

    assert released(registry) == A.digest
    entry = registry.ledger.entries(kind="consent", subject=A.digest)[0]
    assert (entry.actor, entry.reason, entry.subject) == ("ada", "sound", A.digest)
    assert registry.ledger.verify_chain() == registry.ledger.last_seq()


def test_nobody_is_asked_unless_the_settings_ask(registry: Persons) -> None:
    """required_approvals = 0: what the gate approved is released; the ledger is not even searched for consents."""
    registry.judge(A)
    registry.ledger.append("consent", A.digest, {"nonsense": 1}, actor="eve", reason="-", at=at(1))

    assert registry.release(A, 2).bundle == A.digest


@pytest.mark.parametrize(
    ("fault", "changes"),
    [
        ("for another bundle", {"bundle": B.digest}),
        ("for another model", {"model": "churn"}),
        ("for another manifest", {"manifest": Digest("9" * 64)}),
        ("for another verdict", {"verdict": Digest("9" * 64)}),
        ("longer than it was given", {"expires_at": "2099-01-01T00:00:00.000+00:00"}),
        ("in another's name", {"by": "bob"}),
        ("in a name that is a path", {"by": "../approvers/ada"}),
        ("by a key nobody knows", {"key": "0123456789abcdef"}),
        ("signed by nobody", {"signature": ""}),
    ],
)
def test_a_consent_that_was_edited_does_not_count(registry: Persons, fault: str, changes: dict[str, object]) -> None:
    """The ledger can be written by more people than may approve."""
    for what in (A, B):
        registry.judge(what)
    good = registry.agree(A, "ada")
    assert held(registry) == {"ada"}
    edited = replace(good, **changes)
    registry.ledger.append("consent", A.digest, edited, actor="mallory", reason=fault, at=at(1))

    approval = authorization.approval_of(registry.ledger, A.digest)
    assert consents.granted([edited], registry.quorum, approval, at=at(2)) == ()
    other = authorization.approval_of(registry.ledger, B.digest)
    assert consents.granted([good, edited], registry.quorum, other, at=at(2)) == ()


@pytest.mark.parametrize(
    "changes", [{"bundle": B.digest}, {"manifest": Digest("9" * 64)}, {"verdict": Digest("9" * 64)}]
)
def test_a_consent_that_its_owner_signed_for_something_else_does_not_count_here(
    registry: Persons, changes: dict[str, object]
) -> None:
    """The signature holds; it is over another thing."""
    for what in (A, B):
        registry.judge(what)
    good = registry.agree(A, "ada")
    unsigned = replace(good, **changes, signature="")
    signed = replace(unsigned, signature=registry.keys["ada"].sign(consents._payload(unsigned)))
    approval = authorization.approval_of(registry.ledger, A.digest)

    assert consents.granted([signed], registry.quorum, approval, at=at(2)) == ()


def test_one_person_and_one_key_count_once(registry: Persons) -> None:
    """Twice the same person, two spellings of a name, and two names with one key are one person."""
    registry.judge(A)
    registry.agree(A, "ada")
    registry.agree(A, "ada")
    pem = new_key()
    for name in ("dora", "dorian"):
        registry.keys[name] = registry.let_in(name, pem)
    registry.keys["ADA"] = registry.let_in("ADA")

    assert held(registry) == {"ada"}
    registry.agree(A, "dora", "dorian", "ADA")
    assert len(held(registry)) == 2
    assert {name.casefold() for name in held(registry)} <= {"ada", "dora", "dorian"}


def test_the_gate_cannot_approve_in_a_persons_name(registry: Persons) -> None:
    """Neither with its key in the approvers folder, nor with one it is trusted by elsewhere: whoever has the CI's
    secret has the gate, not a person's consent."""
    registry.judge(A)
    gate = PrivateKey((registry.keyring.folder / "signing.key").read_bytes(), "gate")
    registry.keys["robot"] = registry.let_in("robot", (registry.keyring.folder / "signing.key").read_bytes())
    with pytest.raises(BadSignature, match="the gate cannot approve in a person's name"):
        registry.agree(A, "robot")

    unsigned = replace(registry.agree(A, "ada"), by="robot", key=gate.id, signature="")
    forged = replace(unsigned, signature=gate.sign(consents._payload(unsigned)))
    registry.enter(forged)
    assert held(registry) == {"ada"}
    with pytest.raises(NotApproved, match="1 of 2 persons missing"):
        released(registry)

    # Another machine's gate, trusted here too.
    (registry.keyring.folder / f"{registry.keys['bob'].id}.pub").write_bytes(registry.keys["bob"].public_pem())
    with pytest.raises(BadSignature, match="the gate cannot approve"):
        registry.agree(A, "bob")


def test_a_consent_ends_and_a_person_who_is_no_approver_any_more_has_given_none(registry: Persons) -> None:
    """Three months later the world is another one; a lost key is taken out of the folder."""
    registry.judge(A)
    registry.agree(A, "ada", "bob")

    assert held(registry, when="2013-07-31T23:59:59Z") == {"ada", "bob"}
    assert held(registry, when=ENDS) == set()
    (registry.quorum.approvers / "ada.pub").unlink()
    assert held(registry) == {"bob"}
    with pytest.raises(NotApproved, match="1 of 2 persons missing"):
        released(registry)


def test_nobody_approves_what_they_packed_as_far_as_that_can_be_known(registry: Persons) -> None:
    """Two pairs of eyes: the second one is somebody else's."""
    registry.ledger.append("bundle", A.digest, A, actor="Ada", reason="trained", at=at(0))
    registry.judge(A)
    with pytest.raises(NotApproved, match="ada packed it, and may not approve it"):
        registry.agree(A, "ada")

    unsigned = replace(registry.agree(A, "bob"), by="ada", key=registry.keys["ada"].id, signature="")
    registry.enter(replace(unsigned, signature=registry.keys["ada"].sign(consents._payload(unsigned))))
    with pytest.raises(NotApproved, match="1 of 2 persons missing"):
        released(registry)


def test_a_consent_is_refused_when_it_cannot_count(registry: Persons) -> None:
    """Learnt when it is given, not when a release fails."""
    with pytest.raises(NotApproved, match="the gate has not approved it"):
        registry.agree(A, "ada")
    registry.judge(A)
    registry.keys["eve"] = PrivateKey(new_key(), "eve")
    with pytest.raises(BadSignature, match=r"there is no eve\.pub .* proveout approvers add eve"):
        registry.agree(A, "eve")
    registry.keys["ada"], was = registry.keys["eve"], registry.keys["ada"]
    with pytest.raises(BadSignature, match="holds another key"):
        registry.agree(A, "ada")
    registry.keys["ada"] = was
    with pytest.raises(UsageError, match="needs a reason"):
        registry.agree(A, "ada", reason=" ")
    with pytest.raises(UsageError, match="cannot end at"):
        registry.agree(A, "ada", expires_at=at(0))
    with pytest.raises(UsageError, match="cannot be an approver's name"):
        consents.public_file(registry.quorum.approvers, "../ada")
    assert registry.ledger.entries(kind="consent") == ()


def test_who_approves_what_the_gate_has_judged_again_meanwhile_is_told(registry: Persons) -> None:
    """The numbers they looked at are not the last word."""
    registry.judge(A)
    seen = registry.ledger.last_seq()
    registry.judge(A, failed=("checks/x",), minute=1)
    approval = from_json(Approval, registry.ledger.entries(kind="approval", subject=A.digest)[0].body)
    with pytest.raises(Conflict):
        consents.give(
            registry.ledger, registry.quorum, registry.keys["ada"], approval,
            by="ada", reason="sound", at=at(2), expires_at=ENDS, seen=seen,
        )  # fmt: skip


# --- what it holds up ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["champion", "canary", "shadow"])
def test_no_role_is_had_without_the_persons(registry: Persons, role: str) -> None:
    """A shadow as well: the server has it open, and one forged entry away it would answer."""
    registry.judge(A)
    registry.judge(B)
    registry.agree(A, "ada", "bob")
    released(registry)
    share = {"champion": 1.0, "canary": 0.1, "shadow": 1.0}[role]
    with pytest.raises(NotApproved, match="2 of 2 persons missing"):
        released(registry, B, 3, role=role, share=share)
    registry.agree(B, "ada", "cleo")

    assert released(registry, B, 3, role=role, share=share) == B.digest


def test_a_canary_is_promoted_only_while_its_consents_hold(registry: Persons, tmp_path: Path) -> None:
    """By a person, and by itself."""
    for what in (A, B):
        registry.ledger.append("bundle", what.digest, what, actor="ci", reason="-", at=at(0))
        registry.judge(what)
        registry.agree(what, "ada", "bob")
    released(registry)
    released(registry, B, 3, role="canary", share=0.1)
    (registry.quorum.approvers / "bob.pub").unlink()
    asked = {"by": "ops", "reason": "-", "at": at(4)}
    with pytest.raises(NotApproved, match="1 of 2 persons missing"):
        releases.promote(registry.ledger, registry.keyring, B, quorum=registry.quorum, **asked)

    settings = _settings(tmp_path, required_approvals=2)
    verdict = canary.CanaryVerdict(
        decision="promotes", reason="alike", canary=B.name, bundle=B.digest, champion=A.name, share=0.1, since=at(3),
        answers=500, slow_ms=None, measures=(), seen=registry.ledger.last_seq(),
    )  # fmt: skip

    def judging() -> admission.Fingerprint:
        return admission.Fingerprint(checks=Digest("e" * 64), configuration=Digest(""))

    with pytest.raises(NotApproved, match="1 of 2 persons missing"):
        canary.act(registry.ledger, registry.keyring, settings, verdict, at=at(4), current_fingerprint=judging)
    registry.keys["bob"] = registry.let_in("bob")
    registry.agree(B, "bob", minute=4)
    counted = replace(verdict, seen=registry.ledger.last_seq())
    made = canary.act(registry.ledger, registry.keyring, settings, counted, at=at(5), current_fingerprint=judging)
    assert made is not None
    assert (made.bundle, made.role) == (B.digest, "champion")


def test_going_back_asks_nobody_anew_as_long_as_the_old_consents_hold(registry: Persons) -> None:
    """At two in the morning: a former champion has its consents, until they end."""
    for what in (A, B):
        registry.ledger.append("bundle", what.digest, what, actor="ci", reason="-", at=at(0))
        registry.judge(what)
        registry.agree(what, "ada", "bob")
    released(registry)
    released(registry, B, 3)
    with pytest.raises(NotApproved, match="2 of 2 persons missing"):
        went(registry, 4, at="2013-08-02T02:00:00Z", quorum=registry.quorum)

    assert went(registry, 4, quorum=registry.quorum).bundle == A.digest


def test_a_gate_run_of_tonight_does_not_take_away_what_persons_gave_yesterday(registry: Persons) -> None:
    """A nightly run on the champion approves it once more. A refusal in between does take it away."""
    registry.judge(A)
    registry.agree(A, "ada", "bob")
    registry.judge(A, minute=2)
    assert released(registry, minute=3) == A.digest
    given = registry.ledger.entries(kind="verdict", subject=A.digest)[0].hash
    assert releases.current(registry.ledger, MODEL).verdict == given  # type: ignore[union-attr]

    registry.judge(B)
    registry.agree(B, "ada", "bob")
    registry.judge(B, failed=("checks/x",), minute=4)
    registry.judge(B, minute=5)
    with pytest.raises(NotApproved, match="2 of 2 persons missing"):
        released(registry, B, 6)
    registry.agree(B, "ada", "bob", minute=6)
    assert released(registry, B, 7) == B.digest


def test_every_call_that_releases_says_whom_it_asks() -> None:
    """Left out, nobody would be asked: a new caller must not forget it."""
    asking = {"release", "promote", "rollback", "entered", "check", "now", "packed"}
    silent = [
        f"{file.name}:{call.lineno} {call.func.attr}"
        for file in SRC.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in {"releases", "permits", "standing"}
        and call.func.attr in asking
        and not any(word.arg == "quorum" for word in call.keywords)
        and not (call.func.attr == "entered" and len(call.args) == 3)
    ]

    assert silent == []


def test_the_standing_says_who_approved_and_how_many_are_missing(registry: Persons) -> None:
    """What `proveout status` says has to be true before the night shift needs it."""
    for what in (A, B):
        registry.ledger.append("bundle", what.digest, what, actor="ci", reason="-", at=at(0))
        registry.judge(what)
    registry.agree(A, "ada", "bob")
    released(registry)
    registry.agree(B, "ada", minute=3)

    def look(moment: str) -> tuple[status.Standing, dict[str, status.Packed]]:
        found = status.packed(registry.ledger, MODEL, at=moment, quorum=registry.quorum)
        return (
            status.now(registry.ledger, MODEL, at=moment, quorum=registry.quorum),
            {one.bundle.digest[0]: one for one in found},
        )

    stands, packed = look(at(4))
    assert stands.approved is not None
    assert (stands.approved.problem, set(stands.approved.approved_by)) == (None, {"ada", "bob"})
    assert stands.approved.until == ENDS  # the first to end
    assert (packed["b"].state, packed["b"].persons, packed["b"].approved_by) == ("approved", 2, ("ada",))
    assert packed["a"].state == "champion"
    later, _ = look("2013-08-15")
    assert later.approved is not None
    assert later.approved.problem == "2 of 2 persons missing"


# --- the server ---------------------------------------------------------------------------------------------------


def _settings(root: Path, *, required_approvals: int):
    from proveout.settings import Settings

    return Settings(
        root=root, state=root, model=MODEL, source="a.py:a", batch_schema="a.py:a", request_schema="a.py:a",
        features="a.py:a", target="a.py:a", event_key=("a",), fallback="a.py:a", actions="a.py:a", notebook="a",
        required_checks=("a",), required_approvals=required_approvals,
    )  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, order: object) -> Project:
    (tmp_path / "tiny").mkdir()
    return Project(tmp_path / "tiny", order)


def agree(project: Project, what: Bundle, name: str = "ada", *, until: str = "2099-01-01") -> None:
    quorum = consents.quorum(project.settings)
    key = PrivateKey(new_key(), name)
    quorum.approvers.mkdir(exist_ok=True)
    (quorum.approvers / f"{name}.pub").write_bytes(key.public_pem())
    with Ledger(project.settings.ledger) as ledger:
        approval = authorization.approval_of(ledger, what.digest)
        seen = ledger.last_seq()
        consents.give(ledger, quorum, key, approval, by=name, reason="-", at=now(), expires_at=until, seen=seen)


def asking(project: Project, persons: int = 1):
    return project.settings.model_copy(update={"required_approvals": persons})


def test_a_release_forged_into_the_ledger_serves_no_bundle_without_its_persons(project: Project) -> None:
    """Whoever may write to the database can enter a release; the server asks for the signatures again."""
    packed = project.pack()
    project.judge(packed)
    forged = project.by_hand(packed)
    settings = asking(project)
    for role in ("champion", "canary", "shadow"):
        with pytest.raises(NotApproved, match="1 of 1 person missing"):
            Released().open(settings, replace(forged, role=role))
    with pytest.raises(NotApproved, match="1 of 1 person missing"):
        Released().check(settings)
    assert Released().open(project.settings, forged).release == packed.name  # nobody is asked here

    agree(project, packed)
    assert Released().open(settings, forged).release == packed.name
    (settings.root / "approvers" / "ada.pub").unlink()
    with pytest.raises(NotApproved, match="1 of 1 person missing"):
        Released().open(settings, forged)


def test_what_was_kept_for_a_ledger_that_is_down_has_the_consents_too(project: Project) -> None:
    """A worker is started again without a ledger; an approval alone, kept when nobody was asked, does not do."""
    packed = project.pack()
    project.judge(packed)
    forged = project.by_hand(packed)
    away = {"ledger_url": "sqlite:////dev/null/ledger.db"}
    Released().open(project.settings, forged)
    with pytest.raises(LedgerError):
        Released().open(asking(project).model_copy(update=away), forged)

    agree(project, packed)
    Released().open(asking(project), forged)
    assert Released().open(asking(project).model_copy(update=away), forged).release == packed.name
    with pytest.raises(NotApproved, match="1 of 2 persons missing"):
        Released().open(asking(project, 2).model_copy(update=away), forged)
    kept = project.settings.state_dir / "approvals" / f"{packed.digest}.persons.json"
    kept.write_text(kept.read_text().replace('"reason":"-"', '"reason":"+"'))
    with pytest.raises(NotApproved, match="1 of 1 person missing"):
        Released().open(asking(project).model_copy(update=away), forged)


# --- the command line ---------------------------------------------------------------------------------------------


def invoke(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environment)


def said(code: int, *arguments: str, **environment: str) -> str:
    result = invoke(*arguments, **environment)
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.stderr


def test_a_person_makes_a_key_approves_and_the_bundle_is_released(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way, as it is walked at a terminal."""
    with (project.root / "pyproject.toml").open("a") as file:
        file.write("required_approvals = 1\n")
    monkeypatch.chdir(project.root)
    packed = project.pack()
    project.append("bundle", packed.digest, packed)
    assert "the gate has not approved it" in said(
        1, "approve", packed.digest[:12], "--by", "ada", "--reason", "-", PROVEOUT_APPROVER_KEY=new_key().decode()
    )
    project.judge(packed)
    assert "there is no private key. Make one: proveout approvers add NAME" in said(
        2, "approve", packed.digest[:12], "--by", "ada", "--reason", "-"
    )

    page = said(0, "approvers", "add", "ada")
    private = tmp_path / "home" / ".config" / "proveout" / "approver.key"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert "PRIVATE" not in page
    assert "next: git add approvers/ada.pub" in page
    assert "already has a key" in said(2, "approvers", "add", "ada")
    assert "is in the project" in said(2, "approvers", "add", "bob", "--key", str(project.root / "bob.key"))

    assert "1 of 1 person missing" in said(1, "release", packed.digest[:12], "--reason", "-")
    assert "1 of 1 person missing" in said(1, "verify", packed.digest[:12])
    assert re.search(r"approved, 1 of 1 person missing  ", said(0, "bundles"))
    page = said(0, "approve", packed.digest[:12], "--by", "ada", "--reason", "the numbers are sound")
    assert page.startswith(f"approved   {packed.name}   by ada, with key ")
    assert "waivers     none" in page
    assert "persons     1 of 1 have approved" in page
    assert "person      ada, until " in said(0, "verify", packed.digest[:12])
    assert said(0, "release", packed.digest[:12], "--reason", "approved").startswith("released")
    assert "persons     approved by ada" in said(0, "status")

    private.chmod(0o644)
    assert "others may read this private key" in said(2, "approve", packed.digest[:12], "--by", "ada", "--reason", "-")
    key = new_key().decode().replace("\n", "\\n")  # a secret on one line, as CI has it
    other = said(1, "approve", packed.digest[:12], "--by", "ada", "--reason", "-", PROVEOUT_APPROVER_KEY=key)
    assert "holds another key" in other


def test_a_person_reads_what_was_measured_before_what_was_counted() -> None:
    """Twelve lines are read, two hundred are not: the AUC has to be among the twelve."""
    counts = [Evidence(name=f"count {place}", value=0, at_most=0) for place in range(20)]
    auc = Evidence(name="auc", value=0.78, at_least=0.7, low=0.76, high=0.8)
    waived = Evidence(name="brier", value=0.2, at_most=0.1)
    digest = Digest("a" * 64)
    judged = Verdict(
        model=MODEL, candidate=digest, manifest=digest, data=digest, checks=digest, outcome="approved", passed=1,
        judged_at=at(1), evidence=(*counts, auc, waived),
    )  # fmt: skip

    lines = _approve_view.proposal(judged, [], until="2099-01-01T00:00:00+00:00")

    numbers = lines[next(place for place, line in enumerate(lines) if "candidate" in line) + 1 : -1]
    assert [line.split()[0] for line in numbers[:3]] == ["brier", "auc", "count"]
    assert len(numbers) == 12


def test_a_private_key_that_is_there_is_used_and_never_replaced(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One person, several projects; and a lost private key cannot be had back."""
    monkeypatch.chdir(project.root)
    key = tmp_path / "own.key"
    said(0, "approvers", "add", "ada", "--key", str(key))
    before = key.read_bytes()

    page = said(0, "approvers", "add", "ada-again", "--key", str(key))

    assert "which already existed" in page
    assert key.read_bytes() == before
    keys = [(project.root / "approvers" / f"{name}.pub").read_bytes() for name in ("ada", "ada-again")]
    assert keys[0] == keys[1]
    key.chmod(0o640)
    assert "others may read" in said(2, "approvers", "add", "carl", "--key", str(key))


def test_a_consent_is_one_record_for_programs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--json` has the consent, and the verdict it is about."""
    monkeypatch.chdir(project.root)
    packed = project.pack()
    project.judge(packed)
    said(0, "approvers", "add", "ada")

    record = json.loads(said(0, "approve", packed.digest, "--by", "ada", "--reason", "-", "--json"))
    assert record["consent"]["by"] == "ada"
    assert record["verdict"]["candidate"] == packed.digest
    assert (record["others"], record["persons"]) == ([], 0)
    assert Keyring(project.settings.keys_dir).key_id() != record["consent"]["key"]
