"""rollout/admission.py: a release needs an approval by what judges now, against the champion of now."""

from dataclasses import replace

import pytest
from registry_toy import MODEL, A, B, C, Registry, at, current_fingerprint, judged_by, promoted, went

from proveout.errors import NotApproved, OtherChampion, UsageError
from proveout.records.values import Digest
from proveout.rollout import releases

pytestmark = pytest.mark.usefixtures("no_signing_key")


def test_checks_edited_after_the_verdict_hold_up_the_release(registry: Registry) -> None:
    """An approval is for the checks it was given under; the ones of now may well have refused the bundle."""
    judged_by(registry, A)
    edited = current_fingerprint(
        checks=Digest("9" * 64),
        files={"checks/test_data.py": at(0).replace("10:", "09:"), "checks/test_model.py": at(1)},
    )
    with pytest.raises(
        NotApproved,
        match=r"the checks were edited since the gate approved it \(checks/test_model\.py\); run the gate again: "
        r"proveout gate aaaaaaaaaaaa",
    ):
        registry.release(A, 2, current_fingerprint=edited)
    # In a fresh checkout every file is new: the times say nothing, the digest does.
    fresh = replace(edited, files={"checks/test_data.py": at(1), "checks/test_model.py": at(1)})
    with pytest.raises(NotApproved, match="edited since the gate approved it; run the gate again"):
        registry.release(A, 2, current_fingerprint=fresh)
    with pytest.raises(NotApproved, match=r"the settings that judge, .* were changed since"):
        registry.release(A, 2, current_fingerprint=current_fingerprint(configuration=Digest("9" * 64)))
    moved = (
        r"the bounds were changed since the gate approved it \(auc_at_least 0.6 is new, stricter\); run the gate again"
    )
    with pytest.raises(NotApproved, match=moved):
        registry.release(A, 2, current_fingerprint=current_fingerprint(bounds={"auc_at_least": 0.6}))
    assert releases.current(registry.ledger, MODEL) is None

    assert registry.release(A, 2, current_fingerprint=current_fingerprint()).bundle == A.digest
    assert registry.release(A, 3, current_fingerprint=edited).since == at(
        2
    )  # it serves: a job that is repeated changes nothing


@pytest.mark.parametrize(("role", "share"), [("canary", 0.1), ("shadow", 1.0)])
def test_edited_checks_hold_up_a_canary_and_a_shadow_too(registry: Registry, role: str, share: float) -> None:
    """Both are the beginning of a release."""
    judged_by(registry, A)
    registry.release(A, 1, current_fingerprint=current_fingerprint())
    judged_by(registry, B, champion=A)
    with pytest.raises(NotApproved, match="the checks were edited"):
        registry.release(B, 2, role=role, share=share, current_fingerprint=current_fingerprint(checks=Digest("9" * 64)))


def test_an_approval_by_a_gate_that_wrote_down_no_configuration_holds_until_it_ends(registry: Registry) -> None:
    """Its digest of the checks was made of other things: there is nothing to compare with."""
    registry.judge(A)

    assert registry.release(A, 1, current_fingerprint=current_fingerprint(checks=Digest("9" * 64))).bundle == A.digest


def test_a_bundle_is_released_in_the_place_of_the_champion_it_was_compared_with(registry: Registry) -> None:
    """Two gates compared with A. One releases B; that C is no worse than B nobody has looked at."""
    judged_by(registry, A)
    registry.release(A, 1, current_fingerprint=current_fingerprint())
    judged_by(registry, B, champion=A)
    judged_by(registry, C, champion=A)
    registry.release(B, 2, current_fingerprint=current_fingerprint())

    for role, share in (("champion", 1.0), ("canary", 0.1)):
        with pytest.raises(
            OtherChampion,
            match=r"ada made flight-delay@bbbbbbbbbbbb champion, because: minute 2\. The gate compared with "
            r"aaaaaaaaaaaa: proveout gate cccccccccccc, or release or promote it --allow-champion-change",
        ):
            registry.release(C, 3, role=role, share=share, current_fingerprint=current_fingerprint())
    assert (
        registry.release(C, 4, role="shadow", current_fingerprint=current_fingerprint()).role == "shadow"
    )  # it replaces nobody
    assert registry.release(C, 5, current_fingerprint=current_fingerprint(), whatever_serves=True).bundle == C.digest


def test_going_back_and_forward_again_is_no_lost_race(registry: Registry) -> None:
    """B was compared with A, and A serves again."""
    for what, before in ((A, None), (B, A)):
        registry.ledger.append("bundle", what.digest, what, actor="ci", reason="-", at=at(0))
        judged_by(registry, what, champion=before)
        registry.release(what, 1, current_fingerprint=current_fingerprint())

    assert went(registry, 3).bundle == A.digest
    assert registry.release(B, 4, current_fingerprint=current_fingerprint()).bundle == B.digest


@pytest.mark.parametrize(("role", "share"), [("canary", 0.1), ("shadow", 1.0)])
def test_a_promotion_asks_what_a_release_asks(registry: Registry, role: str, share: float) -> None:
    """Else whatever the gate's checks of today, or the champion of today, would hold up, takes the way round."""
    judged_by(registry, A)
    registry.release(A, 1, current_fingerprint=current_fingerprint())
    judged_by(registry, B, champion=A)
    registry.release(B, 2, role=role, share=share, current_fingerprint=current_fingerprint())

    with pytest.raises(NotApproved, match="the checks were edited since the gate approved it"):
        promoted(registry, B, 3, current_fingerprint=current_fingerprint(checks=Digest("9" * 64)))
    with pytest.raises(NotApproved, match=r"the settings that judge, .* were changed since"):
        promoted(registry, B, 3, current_fingerprint=current_fingerprint(configuration=Digest("9" * 64)))
    assert releases.current(registry.ledger, MODEL).bundle == A.digest  # type: ignore[union-attr]
    assert promoted(registry, B, 4, current_fingerprint=current_fingerprint()).role == "champion"


def test_a_shadow_that_was_compared_with_nobody_is_not_promoted(registry: Registry) -> None:
    """A shadow replaces nobody, so nobody asks whom it was compared with, until it is to answer."""
    judged_by(registry, B)  # when nothing served
    judged_by(registry, A)
    registry.release(A, 1, current_fingerprint=current_fingerprint())
    registry.release(B, 2, role="shadow", current_fingerprint=current_fingerprint())

    with pytest.raises(OtherChampion, match="The gate compared with nothing that served: proveout gate bbbbbbbbbbbb"):
        promoted(registry, B, 3, current_fingerprint=current_fingerprint())
    assert promoted(registry, B, 4, current_fingerprint=current_fingerprint(), whatever_serves=True).bundle == B.digest


def test_a_canary_is_not_promoted_in_the_place_of_another_champion(registry: Registry) -> None:
    """It was compared with A; meanwhile C answers, released whatever serves."""
    for what, before in ((A, None), (B, A), (C, A)):
        judged_by(registry, what, champion=before)
    registry.release(A, 1, current_fingerprint=current_fingerprint())
    registry.release(B, 2, role="canary", share=0.1, current_fingerprint=current_fingerprint())
    registry.release(C, 3, current_fingerprint=current_fingerprint())

    with pytest.raises(OtherChampion, match="The gate compared with aaaaaaaaaaaa"):
        promoted(registry, B, 4, current_fingerprint=current_fingerprint())


def test_a_larger_share_is_a_release_like_any_other(registry: Registry) -> None:
    """Nearly all of the traffic is nearly a champion: each step there asks again."""
    for what, before in ((A, None), (B, A)):
        judged_by(registry, what, champion=before)
    registry.release(A, 1, current_fingerprint=current_fingerprint())
    registry.release(B, 2, role="canary", share=0.1, current_fingerprint=current_fingerprint())

    with pytest.raises(NotApproved, match="the checks were edited"):
        registry.release(
            B, 3, role="canary", share=0.99, current_fingerprint=current_fingerprint(checks=Digest("9" * 64))
        )
    with pytest.raises(UsageError, match="a canary has a part of the traffic"):
        registry.release(B, 3, role="canary", share=1.0, current_fingerprint=current_fingerprint())
