"""Releases over a real ledger and real keys: what may be released, and who held the role at which moment."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa
from registry_toy import MODEL, A, B, C, Registry, at, bundle, promoted, went

from proveout.errors import ChainBroken, Conflict, NotApproved, NotFound, UsageError
from proveout.records.bundle import Bundle
from proveout.records.drift_report import Alert
from proveout.records.json_form import to_json
from proveout.records.release import Release
from proveout.records.values import Digest
from proveout.rollout import releases, roles, status

pytestmark = pytest.mark.usefixtures("no_signing_key")


def test_an_approved_bundle_becomes_the_champion_and_remembers_the_one_before(registry: Registry) -> None:
    """Going back needs to know where to."""
    registry.judge(A)
    registry.judge(B)

    first, second = registry.release(A, 1), registry.release(B, 2)

    assert (first.before, second.before) == (None, A.digest)
    assert (second.role, second.share, second.since, second.by, second.reason) == (
        "champion",
        1,
        at(2),
        "ada",
        "minute 2",
    )
    assert second.verdict in {entry.hash for entry in registry.ledger.entries(kind="verdict", subject=B.digest)}
    assert releases.current(registry.ledger, MODEL) == second
    assert releases.history(registry.ledger, MODEL) == (first, second)
    assert registry.ledger.entries(kind="release", newest_first=True)[0].actor == "ada"


def test_going_back_is_releasing_the_one_before(registry: Registry) -> None:
    """One command, the same checks, one more line in the book."""
    for what in (A, B):
        registry.judge(what)
    registry.release(A, 1)
    bad = registry.release(B, 2)

    assert bad.before is not None
    back = registry.release(A, 3)

    assert (back.bundle, back.before) == (A.digest, B.digest)
    assert len(releases.history(registry.ledger, MODEL)) == 3


def test_releasing_the_champion_again_changes_nothing(registry: Registry) -> None:
    """A job that is repeated after it was cut off must not lose what was there before."""
    registry.judge(A)
    first = registry.release(A, 1)
    seen = registry.ledger.last_seq()

    assert registry.release(A, 2) == first
    assert registry.ledger.last_seq() == seen


def test_a_bundle_without_a_verdict_is_not_released(registry: Registry) -> None:
    """No evidence is not good evidence."""
    with pytest.raises(NotApproved, match="aaaaaaaaaaaa is not approved: the gate has not approved it"):
        registry.release(A, 1)
    assert registry.ledger.entries() == ()


def test_an_approving_verdict_without_a_signature_is_not_enough(registry: Registry) -> None:
    """Whoever can write a row into a table has not approved anything by that."""
    registry.judge(A, approval=False)
    with pytest.raises(NotApproved, match="the gate has not approved it"):
        registry.release(A, 1)


def test_a_refused_bundle_is_not_released_and_the_checks_are_named(registry: Registry) -> None:
    """The first question is always: what did it fail on?"""
    registry.judge(A, failed=tuple(f"checks/test_model.py::test_{n}" for n in range(5)))
    with pytest.raises(
        NotApproved, match=r"flight-delay@aaaaaaaaaaaa .* refused it on .*::test_2 and 2 more\. .*verdict aaa"
    ):
        registry.release(A, 1)


def test_a_refusal_withdraws_the_approval_before_it(registry: Registry) -> None:
    """New data, or a new check, has shown what the first gate run did not see."""
    registry.judge(A)
    registry.judge(A, failed=("checks/test_data.py::test_fresh",), minute=1)
    with pytest.raises(NotApproved, match=r"the gate has since refused it on checks/test_data.py::test_fresh"):
        registry.release(A, 2)

    registry.judge(A, approval=False, minute=3)  # a gate that was killed before it signed
    with pytest.raises(NotApproved, match="has since refused it"):
        registry.release(A, 4)

    registry.judge(A, minute=5)
    assert registry.release(A, 6).bundle == A.digest


def test_a_run_of_one_check_takes_no_approval_back(registry: Registry) -> None:
    """`pytest checks/test_model.py` at a desk must not keep the champion from restarting; nor does it approve."""
    registry.judge(B, unproven=("checks/test_data.py::test_fresh",))
    with pytest.raises(NotApproved, match="refused it on checks/test_data"):
        registry.release(B, 1)

    registry.judge(A)
    registry.judge(A, unproven=("checks/test_data.py::test_fresh",), minute=1)
    assert registry.release(A, 2).bundle == A.digest


def test_an_approval_that_has_ended_releases_nothing(registry: Registry) -> None:
    """Three months later the world is another one."""
    registry.judge(A)
    with pytest.raises(NotApproved, match="its approval ended at 2013-09-01"):
        registry.release(A, 1, at="2013-09-01T00:00:00Z")


def test_a_bundle_packed_again_with_other_provenance_is_not_released(registry: Registry) -> None:
    """The approval signs the manifest whole."""
    registry.judge(A)
    with pytest.raises(NotApproved, match="another manifest"):
        registry.release(replace(A, manifest=Digest("9" * 64)), 1)


def test_an_approval_copied_under_another_bundle_is_not_believed(registry: Registry) -> None:
    """Replaying an old approval is the cheapest attack there is."""
    registry.judge(A)
    (approval,) = registry.ledger.entries(kind="approval")
    registry.ledger.append("approval", B.digest, json.loads(approval.body), actor="eve", reason="-", at=at(1))
    with pytest.raises(NotApproved, match="its approval is for another bundle"):
        registry.release(B, 2)


def test_nothing_is_released_from_a_ledger_that_was_edited(registry: Registry) -> None:
    """A refusal that was cut out of the book would bring its approval back."""
    registry.judge(A)
    registry.judge(A, failed=("checks/test_data.py::test_fresh",), minute=1)
    registry.judge(B, minute=2)
    engine = sa.create_engine(registry.url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER entries_refuse_delete")
        connection.exec_driver_sql("DELETE FROM entries WHERE seq = 3")
    engine.dispose()

    with pytest.raises(ChainBroken, match="breaks at entry 3"):
        registry.release(A, 3)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"role": "canary"}, "as canary with 100% of the traffic: a canary has a part of the traffic: --share 0.1"),
        ({"role": "canary", "share": 0.0}, "Nothing can be released as canary with 0% of the traffic"),
        ({"role": "canary", "share": float("nan")}, "Nothing can be released as canary"),
        ({"role": "shadow", "share": 1.5}, "Nothing can be released as shadow with 150% of the traffic"),
        ({"role": "challenger"}, "challenger is not a role"),
        (
            {"role": "canary", "share": 0.1},
            "There is no champion yet for flight-delay@aaaaaaaaaaaa to run beside",
        ),
        ({"share": 0.5}, "Nothing can be released as champion with 50%"),
        ({"reason": "  "}, "a person and a reason"),
        ({"by": ""}, "a person and a reason"),
    ],
)
def test_a_release_that_cannot_be_meant_is_refused(
    registry: Registry, changes: dict[str, object], sentence: str
) -> None:
    """Before anything else is looked at."""
    registry.judge(A)
    with pytest.raises(UsageError, match=sentence):
        registry.release(A, 1, **changes)
    assert releases.current(registry.ledger, MODEL) is None


def test_of_two_people_who_release_at_once_nobody_overwrites_the_other_unseen(
    registry: Registry, tmp_path: Path
) -> None:
    """The second one gets a Conflict, or has seen the first and records it as its predecessor."""
    bundles = [bundle(letter) for letter in "123456789f"]
    for what in bundles:
        registry.judge(what)
    start, lost = Barrier(2), 0

    def go(what: Bundle) -> Release | None:
        start.wait()
        try:
            return registry.release(what, 1)
        except Conflict:
            return None

    with ThreadPoolExecutor(2) as two:
        for one, other in zip(bundles[::2], bundles[1::2], strict=True):
            lost += [run.result() for run in [two.submit(go, one), two.submit(go, other)]].count(None)

    history = releases.history(registry.ledger, MODEL)
    assert len(history) == len(bundles) - lost
    assert [r.before for r in history] == [None, *(r.bundle for r in history[:-1])]
    assert registry.ledger.verify_chain() == 20 + len(history)


def roles_of(registry: Registry) -> tuple[str | None, ...]:
    """The first letter of champion, canary and shadow."""
    made = releases.history(registry.ledger, MODEL)
    held = (roles.holder(made, role=role) for role in ("champion", "canary", "shadow"))
    return tuple(r.bundle[0] if r else None for r in held)


@pytest.fixture
def staged(registry: Registry) -> Registry:
    """A is champion, B its canary with a tenth of the traffic, C its shadow."""
    for what in (A, B, C):
        registry.ledger.append("bundle", what.digest, what, actor="ada", reason="-", at=at(0))
        registry.judge(what)
    registry.release(A, 1)
    registry.release(B, 2, role="canary", share=0.1)
    registry.release(C, 3, role="shadow", share=0.5)
    return registry


def test_canary_and_shadow_run_beside_the_champion(staged: Registry) -> None:
    """Three bundles, three roles; each release says its share."""
    assert roles_of(staged) == ("a", "b", "c")
    assert releases.current(staged.ledger, MODEL, "canary").share == 0.1  # type: ignore[union-attr]
    assert staged.release(B, 4, role="canary", share=0.1).since == at(2)  # again: nothing changes
    assert staged.release(B, 5, role="canary", share=0.3).since == at(5)  # another share is another release
    with pytest.raises(UsageError, match="aaaaaaaaaaaa is the champion: as canary it would run beside itself"):
        staged.release(A, 6, role="canary", share=0.1)
    with pytest.raises(UsageError, match="as shadow it would run beside itself"):
        staged.release(A, 6, role="shadow", share=1.0)
    staged.judge(bundle("f"), failed=("checks/x",))
    with pytest.raises(NotApproved):
        staged.release(bundle("f"), 6, role="shadow", share=1.0)
    assert roles_of(staged) == ("a", "b", "c")


def test_a_promoted_canary_is_champion_and_canary_no_more(staged: Registry) -> None:
    """Its traffic is all traffic now."""
    made = promoted(staged, B, 4)

    assert (made.role, made.share, made.before, made.by) == ("champion", 1.0, A.digest, "bob")
    assert roles_of(staged) == ("b", None, "c")
    assert promoted(staged, C, 5).before == B.digest  # a shadow may be promoted, too
    assert roles_of(staged) == ("c", None, None)


def test_a_shadow_that_becomes_canary_is_shadow_no_more(staged: Registry) -> None:
    """One bundle has one role: the usual way is shadow, canary, champion."""
    staged.release(C, 4, role="canary", share=0.05)

    assert roles_of(staged) == ("a", "c", None)
    staged.release(C, 5)
    assert roles_of(staged) == ("c", None, None)
    staged.release(A, 6)  # and back: the canary of before does not come back by that
    assert roles_of(staged) == ("a", None, None)


def test_only_what_runs_can_be_promoted(staged: Registry) -> None:
    """`promote` names no digest that nobody has watched."""
    staged.judge(bundle("f"))
    with pytest.raises(UsageError, match="ffffffffffff runs neither as canary nor as shadow"):
        promoted(staged, bundle("f"), 4)
    staged.judge(B, failed=("checks/x",), minute=4)
    with pytest.raises(NotApproved, match="since refused it on checks/x"):
        promoted(staged, B, 5)
    with pytest.raises(NotApproved, match="another manifest"):
        promoted(staged, replace(C, manifest=Digest("9" * 64)), 5)
    assert roles_of(staged) == ("a", "b", "c")


def test_a_rollback_takes_the_canary_out_first_and_then_goes_back_champion_by_champion(staged: Registry) -> None:
    """The newest change of the traffic is undone; a release that was rolled back before does not return."""
    promoted(staged, C, 4)  # champions so far: A, C; the canary B runs on

    first = went(staged, 5)
    assert (first.role, first.bundle, first.share, first.before) == ("canary", B.digest, 0.0, B.digest)
    assert roles_of(staged) == ("c", None, None)

    assert releases.before(staged.ledger, MODEL).bundle == A.digest  # type: ignore[union-attr]
    second = went(staged, 6)
    assert (second.role, second.bundle, second.share, second.before) == ("champion", A.digest, 1.0, C.digest)
    assert roles_of(staged) == ("a", None, None)

    assert releases.before(staged.ledger, MODEL) is None
    with pytest.raises(NotFound, match="before the one that serves"):
        went(staged, 7)


def test_a_rollback_may_name_the_role(staged: Registry) -> None:
    """The champion is at fault while a canary runs; or the shadow costs too much."""
    promoted(staged, C, 4)

    assert went(staged, 5, role="champion").bundle == A.digest
    assert roles_of(staged) == ("a", "b", None)
    staged.release(C, 6, role="shadow")
    assert went(staged, 7, role="shadow").share == 0.0
    assert roles_of(staged) == ("a", "b", None)
    with pytest.raises(NotFound, match="There is no shadow of flight-delay that runs"):
        went(staged, 8, role="shadow")
    with pytest.raises(UsageError, match="challenger is not a role"):
        went(staged, 8, role="challenger")
    with pytest.raises(UsageError, match="A champion cannot be ended"):
        releases.end(staged.ledger, MODEL, "champion", by="bob", reason="-", at=at(8))


def test_two_steps_back_are_two_champions_back_and_forward_again_is_a_new_step(registry: Registry) -> None:
    """A list of what served, walked like the history of a browser."""
    for what in (A, B, C):
        registry.ledger.append("bundle", what.digest, what, actor="ada", reason="-", at=at(0))
        registry.judge(what)
    for minute, what in enumerate((A, B, C), start=1):
        registry.release(what, minute)

    assert [went(registry, minute).bundle[0] for minute in (4, 5)] == ["b", "a"]
    registry.release(C, 6)
    assert went(registry, 7).bundle == A.digest


def test_what_may_not_serve_any_more_is_not_gone_back_to(staged: Registry) -> None:
    """Learnt before it answers, not after."""
    promoted(staged, B, 4)
    staged.judge(A, failed=("checks/x",), minute=5)
    with pytest.raises(NotApproved, match="since refused it"):
        went(staged, 6)
    assert roles_of(staged) == ("b", None, "c")


TRIALS = [15, pytest.param(50, marks=pytest.mark.chaos)]


def at_once(*actions: Callable[[], Release]) -> list[Release | None]:
    """What each of `actions` made, all begun at the same moment; None for a lost race."""
    start = Barrier(len(actions))

    def go(action: Callable[[], Release]) -> Release | None:
        start.wait()
        try:
            return action()
        except Conflict as lost:
            assert lost.exit_code == 4
            return None

    with ThreadPoolExecutor(len(actions)) as threads:
        return [run.result() for run in [threads.submit(go, action) for action in actions]]


@pytest.mark.parametrize("trials", TRIALS)
@pytest.mark.parametrize("kind", ["promote", "rollback", "either"])
def test_of_two_who_change_what_runs_at_once_exactly_one_wins(tmp_path: Path, kind: str, trials: int) -> None:
    """The loser sees who won and why, with exit code 4; exactly one succeeds."""
    won, entries = 0, 0
    for trial in range(trials):
        (tmp_path / str(trial)).mkdir()
        registry = Registry(tmp_path / str(trial))
        for what in (A, B):
            registry.judge(what)
        registry.release(A, 1)
        registry.release(B, 2, role="canary", share=0.1)
        seen = registry.ledger.last_seq()
        promote = partial(promoted, registry, B, 3, seen=seen)
        back = partial(went, registry, 3, seen=seen)

        made = at_once(*{"promote": (promote, promote), "rollback": (back, back), "either": (promote, back)}[kind])

        won += sum(release is not None for release in made)
        entries += len(releases.history(registry.ledger, MODEL)) - 2
        assert registry.ledger.verify_chain() == registry.ledger.last_seq()
        registry.ledger.close()
    print(f"{kind}: {trials} trials of two threads, {won} won, {entries} entries")
    assert (won, entries) == (trials, trials)


CHANGE = """
import sys
from pathlib import Path
from proveout.errors import Conflict
from proveout.records.bundle import Bundle
from proveout.records.json_form import from_json
from proveout.rollout import releases
from proveout.ledger.ledger import Ledger
from proveout.trust.signing import Keyring
folder, bundle = Path(sys.argv[1]), from_json(Bundle, sys.argv[2])
for line in sys.stdin:
    trial, way, seen = line.split()
    with Ledger(f"sqlite:///{folder / trial / 'ledger.db'}") as ledger:
        keyring = Keyring(folder / trial / "keys")
        asked = {"by": sys.argv[3], "reason": way, "at": "2013-06-01T10:03:00", "seen": int(seen)}
        try:
            if way == "promote":
                releases.promote(ledger, keyring, bundle, **asked)
            else:
                releases.rollback(ledger, keyring, bundle.model, **asked)
            print("won", flush=True)
        except Conflict as lost:
            print("lost", lost.exit_code, flush=True)
"""


@pytest.mark.parametrize("trials", TRIALS)
def test_of_two_processes_that_change_what_runs_at_once_exactly_one_wins(tmp_path: Path, trials: int) -> None:
    """Two people at two terminals; half of the trials are promotion against rollback."""
    command = [sys.executable, "-c", CHANGE, str(tmp_path), to_json(B)]
    two = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in ("ada", "bob")
    ]
    outcomes, entries = [], 0
    for trial in range(trials):
        (tmp_path / str(trial)).mkdir()
        registry = Registry(tmp_path / str(trial))
        for what in (A, B):
            registry.judge(what)
        registry.release(A, 1)
        registry.release(B, 2, role="canary", share=0.1)
        seen = registry.ledger.last_seq()
        for process, way in zip(two, ("promote", "rollback" if trial % 2 else "promote"), strict=True):
            process.stdin.write(f"{trial} {way} {seen}\n")  # type: ignore[union-attr]
        for process in two:
            process.stdin.flush()  # type: ignore[union-attr]
        outcomes.append(sorted(process.stdout.readline().strip() for process in two))  # type: ignore[union-attr]
        entries += len(releases.history(registry.ledger, MODEL)) - 2
        registry.ledger.close()
    for process in two:
        process.communicate()

    print(f"{trials} trials of two processes, {outcomes.count(['lost 4', 'won'])} with one winner, {entries} entries")
    assert outcomes == [["lost 4", "won"]] * trials
    assert entries == trials


def test_who_did_not_look_before_is_stopped_too_when_somebody_else_just_did_the_same(staged: Registry) -> None:
    """Two people press the same button. The second press, a moment later, would take the champion out as well."""
    went(staged, 4)
    with pytest.raises(Conflict, match="bob ended the canary flight-delay@bbbbbbbbbbbb, because: minute 4"):
        went(staged, 4, at=at(4).replace(":00.000", ":03.000"))
    staged.release(B, 5)
    went(staged, 6)
    with pytest.raises(Conflict, match="bob went back to flight-delay@aaaaaaaaaaaa"):
        went(staged, 6, at=at(6).replace(":00.000", ":03.000"))

    staged.release(B, 7)
    with pytest.raises(Conflict, match="ada made it champion, because: minute 7"):
        promoted(staged, B, 7)
    # Going back right after going forward is what a rollback is for.
    assert went(staged, 7, at=at(7).replace(":00.000", ":01.000")).bundle == A.digest


def release_of(digest: Digest, since: str, **changes: object) -> Release:
    plain = Release(
        model=MODEL,
        bundle=digest,
        role="champion",
        share=1.0,
        since=since,
        by="ada",
        reason="-",
        data=A.snapshot,
        verdict=A.digest,
    )
    return replace(plain, **changes)


def test_what_served_at_a_moment_follows_from_the_releases_alone() -> None:
    """A pure function of values: the answer of today is the answer in a year."""
    made = (release_of(A.digest, at(1)), release_of(B.digest, at(5)), release_of(A.digest, at(9)))

    def served(moment: str) -> Digest | None:
        held = roles.holder(made, moment=moment)
        return held.bundle if held else None

    assert served("2013-06-01T10:00:59.999Z") is None
    assert served("2013-06-01T10:01:00Z") == A.digest  # from its first millisecond on
    assert served("2013-06-01T06:04:59.999-04:00") == A.digest
    assert served("2013-06-01T10:05") == B.digest
    assert served("2014-01-01") == A.digest
    assert roles.holder(()) is None
    assert roles.holder(made) == made[-1]


def test_a_role_is_held_apart_from_the_others() -> None:
    """A ledger written by a later version may hold canaries; they are not the champion."""
    made = (release_of(A.digest, at(1)), release_of(B.digest, at(2), role="canary", share=0.1))

    assert roles.holder(made) == made[0]
    assert roles.holder(made, role="canary") == made[1]
    assert roles.holder(made, role="shadow") is None


def test_the_order_of_the_ledger_decides_where_clocks_disagree() -> None:
    """A machine with a slow clock released last; it is its release that answers."""
    made = (release_of(A.digest, at(5)), release_of(B.digest, at(4)))

    assert roles.holder(made) == made[1]
    assert roles.holder(made, moment=at(6)) == made[1]


def test_two_models_in_one_ledger_do_not_answer_for_each_other(registry: Registry) -> None:
    """One PostgreSQL may keep the ledger of several projects."""
    other = bundle("b", model="churn")
    registry.judge(A)
    registry.judge(other)
    registry.release(A, 1)

    assert registry.release(other, 2).before is None
    assert releases.current(registry.ledger, MODEL).bundle == A.digest  # type: ignore[union-attr]
    assert releases.current(registry.ledger, "churn").bundle == other.digest  # type: ignore[union-attr]
    assert roles.holder(releases.history(registry.ledger, "churn"), moment=at(1)) is None


def test_the_standing_tells_what_serves_and_whether_one_can_go_back(registry: Registry) -> None:
    """What `proveout status` says has to be true before the night shift needs it."""
    for what in (A, B):
        registry.ledger.append("bundle", what.digest, what, actor="ada", reason="-", at=at(0))
        registry.judge(what)
    registry.release(A, 1)
    registry.release(B, 2)
    alert = Alert(severity="warning", what="drift", details="-", next_step="-", at=at(3))
    for _ in range(5):
        registry.ledger.append("alert", MODEL, alert, actor="monitor", reason="-", at=at(3))

    found = status.now(registry.ledger, MODEL, at=at(4))

    assert found.served is not None
    assert (found.served.release.bundle, found.served.bundle, found.before) == (B.digest, B, A)
    assert (found.approved, found.back) == (
        status.ApprovalStatus(bundle=B.digest, until="2013-09-01T00:00:00.000+00:00", problem=None),
        status.ApprovalStatus(bundle=A.digest, until="2013-09-01T00:00:00.000+00:00", problem=None),
    )
    assert found.alerts == (alert,) * 3

    registry.judge(A, failed=("checks/test_data.py::test_fresh",), minute=5)
    after = status.now(registry.ledger, MODEL, at=at(6)).back
    assert after is not None
    assert after.problem == "the gate has since refused it on checks/test_data.py::test_fresh"
    later = status.now(registry.ledger, MODEL, at="2014-01-01").approved
    assert later is not None
    assert later.problem == "its approval has ended"


def test_what_served_then_says_until_when_and_what_was_first(registry: Registry) -> None:
    """An auditor asks with a date, long after."""
    registry.judge(A)
    registry.judge(B)
    with pytest.raises(NotFound, match=r"There is no release of flight-delay at .* Nothing was ever released"):
        status.then(registry.ledger, MODEL, moment=at(0))
    registry.release(A, 1)
    registry.release(B, 5)

    assert status.then(registry.ledger, MODEL, moment=at(3)).until == at(5)
    assert status.then(registry.ledger, MODEL, moment=at(9)).until is None
    with pytest.raises(NotFound, match=f"The first began at {at(1)[:10]}"):
        status.then(registry.ledger, MODEL, moment=at(0))


def test_every_bundle_has_one_state(registry: Registry) -> None:
    """Packed again, a bundle is still one; what became of it is one word."""
    made = {letter: bundle(letter) for letter in "12345"}
    for what in (*made.values(), made["1"]):
        registry.ledger.append("bundle", what.digest, what, actor="ada", reason="-", at=at(0))
    for letter in "123":
        registry.judge(made[letter])
    registry.judge(made["3"], failed=("x",), minute=1)
    registry.judge(made["4"], approval=False)
    registry.release(made["1"], 2)

    def states(moment: str) -> dict[str, str]:
        return {p.bundle.digest[0]: p.state for p in status.packed(registry.ledger, MODEL, at=moment)}

    assert states(at(3)) == {"1": "champion", "2": "approved", "3": "refused", "4": "candidate", "5": "candidate"}
    assert states("2014-01-01")["2"] == "expired"
    assert next(iter(states(at(3)))) == "1"  # the newest entry counts


def test_a_verdict_is_found_by_the_first_digits_of_its_bundle(registry: Registry) -> None:
    """People copy twelve digits, or the name as the logs have it."""
    registry.judge(A)
    registry.judge(bundle("a", digest=Digest("aaab" * 16)))

    assert releases.find(registry.ledger, "verdict", f"{MODEL}@aaaaaa") == A.digest
    with pytest.raises(UsageError, match="aaa begins the names of 2 bundles"):
        releases.find(registry.ledger, "verdict", "aaa")
    for missing in ("", "beef", f"{MODEL}@"):
        with pytest.raises(NotFound):
            releases.find(registry.ledger, "verdict", missing)
