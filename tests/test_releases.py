"""Releases over a real ledger and real keys: what may be released, and who held the role at which moment."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa

from proveout.errors import ChainBroken, LostRace, Misused, NotApproved, NotFound
from proveout.records import Alert, Bundle, Digest, Metric, Release, Verdict
from proveout.registry import releases, standing
from proveout.registry.ledger import Ledger
from proveout.registry.signing import PRIVATE_KEY_VARIABLE, Keyring, approve

MODEL = "flight-delay"


def bundle(letter: str, **changes: object) -> Bundle:
    plain = Bundle(
        model=MODEL,
        digest=Digest(letter * 64),
        manifest=Digest(f"{letter}0" * 32),
        snapshot=Digest("d" * 64),
        metrics=(Metric(name="auc", value=0.77),),
        trained_at="2013-05-31T00:00:00.000+00:00",
        run="TrainFlow/1",
        git_commit="unknown",
        train_through="2013-04",
        holdout="2013-05",
        bytes=1,
    )
    return replace(plain, **changes)


A, B, C = bundle("a"), bundle("b"), bundle("c")


def at(minute: int) -> str:
    return f"2013-06-01T10:{minute:02}:00.000+00:00"


@pytest.fixture(autouse=True)
def no_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PRIVATE_KEY_VARIABLE, raising=False)


class Registry:
    """A ledger and a keyring, and what a gate does with them."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        self.ledger, self.keyring = Ledger(self.url), Keyring(folder / "keys")

    def judge(
        self,
        what: Bundle,
        *,
        failed: tuple[str, ...] = (),
        unproven: tuple[str, ...] = (),
        approval: bool = True,
        minute: int = 0,
    ) -> None:
        verdict = Verdict(
            model=what.model,
            candidate=what.digest,
            manifest=what.manifest,
            data=what.snapshot,
            checks=Digest("e" * 64),
            outcome="refused" if failed or unproven else "approved",
            passed=3,
            failed=failed,
            unproven=unproven,
            judged_at=at(minute),
        )
        entry = self.ledger.append("verdict", what.digest, verdict, actor="gate", reason="-", at=at(minute))
        if approval and verdict.outcome == "approved":
            expires = "2013-09-01T00:00:00.000+00:00"
            leave = approve(verdict, entry, keyring=self.keyring, approved_at=at(minute), expires_at=expires)
            self.ledger.append("approval", what.digest, leave, actor="gate", reason="-", at=at(minute))

    def release(self, what: Bundle, minute: int, **changes: object) -> Release:
        asked = {"by": "ada", "reason": f"minute {minute}", "at": at(minute), **changes}
        return releases.release(self.ledger, self.keyring, what, **asked)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = Registry(tmp_path)
    yield made
    made.ledger.close()


# --- what may be released -----------------------------------------------------------------------------------------


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
    with pytest.raises(NotApproved, match="its approval names a verdict that is not in this ledger"):
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
        ({"role": "canary"}, "canary and shadow routing are not part of this version"),
        ({"role": "shadow", "share": 0.1}, "Nothing can be released as shadow with 10% of the traffic"),
        ({"share": 0.5}, "Release it as champion, to all of it"),
        ({"reason": "  "}, "who did it and why"),
        ({"by": ""}, "who did it and why"),
    ],
)
def test_a_release_that_cannot_be_meant_is_refused(
    registry: Registry, changes: dict[str, object], sentence: str
) -> None:
    """Before anything else is looked at."""
    registry.judge(A)
    with pytest.raises(Misused, match=sentence):
        registry.release(A, 1, **changes)
    assert releases.current(registry.ledger, MODEL) is None


def test_of_two_people_who_release_at_once_nobody_overwrites_the_other_unseen(
    registry: Registry, tmp_path: Path
) -> None:
    """Whoever is second is told so (LostRace), or has seen the first and names it as the one before."""
    bundles = [bundle(letter) for letter in "123456789f"]
    for what in bundles:
        registry.judge(what)
    start, lost = Barrier(2), 0

    def go(what: Bundle) -> Release | None:
        start.wait()
        try:
            return registry.release(what, 1)
        except LostRace:
            return None

    with ThreadPoolExecutor(2) as two:
        for one, other in zip(bundles[::2], bundles[1::2], strict=True):
            lost += [run.result() for run in [two.submit(go, one), two.submit(go, other)]].count(None)

    history = releases.history(registry.ledger, MODEL)
    assert len(history) == len(bundles) - lost
    assert [r.before for r in history] == [None, *(r.bundle for r in history[:-1])]
    assert registry.ledger.verify_chain() == 20 + len(history)


# --- what served --------------------------------------------------------------------------------------------------


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
        held = releases.holder(made, moment=moment)
        return held.bundle if held else None

    assert served("2013-06-01T10:00:59.999Z") is None
    assert served("2013-06-01T10:01:00Z") == A.digest  # from its first millisecond on
    assert served("2013-06-01T06:04:59.999-04:00") == A.digest
    assert served("2013-06-01T10:05") == B.digest
    assert served("2014-01-01") == A.digest
    assert releases.holder(()) is None
    assert releases.holder(made) == made[-1]


def test_a_role_is_held_apart_from_the_others() -> None:
    """A ledger written by a later version may hold canaries; they are not the champion."""
    made = (release_of(A.digest, at(1)), release_of(B.digest, at(2), role="canary", share=0.1))

    assert releases.holder(made) == made[0]
    assert releases.holder(made, role="canary") == made[1]
    assert releases.holder(made, role="shadow") is None


def test_the_order_of_the_ledger_decides_where_clocks_disagree() -> None:
    """A machine with a slow clock released last; it is its release that answers."""
    made = (release_of(A.digest, at(5)), release_of(B.digest, at(4)))

    assert releases.holder(made) == made[1]
    assert releases.holder(made, moment=at(6)) == made[1]


def test_two_models_in_one_ledger_do_not_answer_for_each_other(registry: Registry) -> None:
    """One PostgreSQL may keep the ledger of several projects."""
    other = bundle("b", model="churn")
    registry.judge(A)
    registry.judge(other)
    registry.release(A, 1)

    assert registry.release(other, 2).before is None
    assert releases.current(registry.ledger, MODEL).bundle == A.digest  # type: ignore[union-attr]
    assert releases.current(registry.ledger, "churn").bundle == other.digest  # type: ignore[union-attr]
    assert releases.at_moment(registry.ledger, "churn", at(1)) is None


# --- where things stand -------------------------------------------------------------------------------------------


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

    found = standing.now(registry.ledger, MODEL, at=at(4))

    assert found.served is not None
    assert (found.served.release.bundle, found.served.bundle, found.before) == (B.digest, B, A)
    assert (found.approved, found.back) == (
        standing.Leave(bundle=B.digest, until="2013-09-01T00:00:00.000+00:00", problem=None),
        standing.Leave(bundle=A.digest, until="2013-09-01T00:00:00.000+00:00", problem=None),
    )
    assert found.alerts == (alert,) * 3

    registry.judge(A, failed=("checks/test_data.py::test_fresh",), minute=5)
    after = standing.now(registry.ledger, MODEL, at=at(6)).back
    assert after is not None
    assert after.problem == "the gate has since refused it on checks/test_data.py::test_fresh"
    later = standing.now(registry.ledger, MODEL, at="2014-01-01").approved
    assert later is not None
    assert later.problem == "its approval has ended"


def test_what_served_then_says_until_when_and_what_was_first(registry: Registry) -> None:
    """An auditor asks with a date, long after."""
    registry.judge(A)
    registry.judge(B)
    with pytest.raises(NotFound, match=r"There is no release of flight-delay at .* Nothing was ever released"):
        standing.then(registry.ledger, MODEL, moment=at(0))
    registry.release(A, 1)
    registry.release(B, 5)

    assert standing.then(registry.ledger, MODEL, moment=at(3)).until == at(5)
    assert standing.then(registry.ledger, MODEL, moment=at(9)).until is None
    with pytest.raises(NotFound, match=f"The first began at {at(1)[:10]}"):
        standing.then(registry.ledger, MODEL, moment=at(0))


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
        return {p.bundle.digest[0]: p.state for p in standing.packed(registry.ledger, MODEL, at=moment)}

    assert states(at(3)) == {"1": "champion", "2": "approved", "3": "refused", "4": "candidate", "5": "candidate"}
    assert states("2014-01-01")["2"] == "expired"
    assert next(iter(states(at(3)))) == "1"  # the newest entry counts


def test_a_verdict_is_found_by_the_first_digits_of_its_bundle(registry: Registry) -> None:
    """People copy twelve digits, or the name as the logs have it."""
    registry.judge(A)
    registry.judge(bundle("a", digest=Digest("aaab" * 16)))

    assert releases.find(registry.ledger, "verdict", f"{MODEL}@aaaaaa") == A.digest
    with pytest.raises(Misused, match="aaa begins the names of 2 bundles"):
        releases.find(registry.ledger, "verdict", "aaa")
    for missing in ("", "beef", f"{MODEL}@"):
        with pytest.raises(NotFound):
            releases.find(registry.ledger, "verdict", missing)
