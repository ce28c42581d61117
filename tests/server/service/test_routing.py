"""server/service/routing.py: who is asked, whatever the worker holds just now."""

from collections import Counter

import pytest
from serving_toy import RELEASE, THRESHOLD, desired, release, request

from proveout.records.values import Digest
from proveout.server.service.routing import Routing, choose
from proveout.task.binary import Binary

NEW = "toy@new000000000"
OTHER = "toy@other0000000"


def routing(**options: object) -> Routing:
    made = Routing(["number"], task=Binary(), **options)  # type: ignore[arg-type]
    made.post(desired())
    return made


def test_there_is_a_route_before_there_is_a_worker():
    """The rules answer then, and the log says what should have."""
    route = routing().route(request())

    assert (route.release, route.role, route.task) == (RELEASE, "champion", Binary())


def test_there_is_a_route_before_there_is_a_desired_state():
    """Nothing may keep an answer from being given."""
    assert Routing(["number"], task=Binary()).route(request()).release == ""


def test_the_champion_that_the_worker_does_not_hold_yet_is_not_asked():
    """A release takes effect when it can answer, not when it is written down."""
    made = routing()
    made.holds({RELEASE: Binary(THRESHOLD)})
    made.post(desired(champion=release("new"), before=release()))

    assert made.route(request()).release == RELEASE
    made.holds({RELEASE: Binary(THRESHOLD), NEW: Binary(0.6)})

    assert made.route(request()).release == NEW
    assert made.route(request()).task == Binary(0.6)


def test_after_a_restart_the_one_before_answers_for_a_champion_that_was_refused():
    """The worker opened what it could."""
    made = Routing(["number"], task=Binary())
    made.post(desired(champion=release("corrupt"), before=release()))
    made.holds({RELEASE: Binary(THRESHOLD)})

    assert made.route(request()).release == RELEASE


def test_two_releases_in_a_row_leave_the_one_that_is_held():
    """The desired state lists neither of them as before any more, and it still answers."""
    made = routing()
    made.holds({RELEASE: Binary(THRESHOLD)})
    made.post(desired(champion=release("new"), before=release()))
    made.post(desired(champion=release("other"), before=release("new")))

    assert made.route(request()).release == RELEASE


def test_a_threshold_outlives_the_worker():
    """The rules' probability becomes a label by the released model's threshold, not by another one's."""
    made = routing()
    made.holds({RELEASE: Binary(THRESHOLD)})
    made.post(desired(seq=2))

    assert made.route(request()).task == Binary(THRESHOLD)


# --- the canary ------------------------------------------------------------------------------------------------------


def with_canary(share: float, **options: object) -> Routing:
    made = Routing(["number"], task=Binary(), **options)  # type: ignore[arg-type]
    made.post(desired(canary=release("new", role="canary", share=share)))
    made.holds({RELEASE: Binary(THRESHOLD), NEW: Binary(0.6)})
    return made


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_canary_has_its_share(share):
    """Of keys, which is of requests where these are all different."""
    made = with_canary(share)

    asked = Counter(made.route(request(number=i)).release for i in range(4_000))

    assert asked[NEW] / 4_000 == pytest.approx(share, abs=4 * (share * (1 - share) / 4_000) ** 0.5)


def test_the_same_key_always_meets_the_same_model():
    """A retry, or a second question about the same flight, must not change the answer's author."""
    made = with_canary(0.5)

    for number in range(50):
        assert len({made.route(request(number=number, size=size / 10)).release for size in range(10)}) == 1


def test_another_canary_has_other_keys():
    """Otherwise the same customers would be first to meet every new model."""
    keys = [str(i) for i in range(2_000)]
    first = {key for key in keys if choose(key, canary=Digest("a" * 64), canary_share=0.1) == "canary"}
    second = {key for key in keys if choose(key, canary=Digest("b" * 64), canary_share=0.1) == "canary"}

    assert len(first & second) < 60


def test_a_larger_share_keeps_the_keys_of_the_smaller():
    """Widening a canary does not move anybody back and forth."""
    keys = [str(i) for i in range(2_000)]
    canary = Digest("a" * 64)

    small, large = (
        {key for key in keys if choose(key, canary=canary, canary_share=share) == "canary"} for share in (0.1, 0.3)
    )

    assert small < large


def test_a_canary_that_is_not_held_or_is_broken_costs_nobody_an_answer():
    """The champion answers for it."""
    broken: set[str] = set()
    made = with_canary(1.0, broken=broken.__contains__)
    assert made.route(request()).role == "canary"

    broken.add(NEW)
    assert (made.route(request()).release, made.route(request()).role) == (RELEASE, "champion")
    broken.clear()
    made.holds({RELEASE: Binary(THRESHOLD)})

    assert made.route(request()).release == RELEASE


def test_a_record_whose_key_is_unknown_has_a_route():
    """Nullable key fields are values like any other."""
    made = with_canary(0.5)

    assert made.route({"number": None}).release == made.route({"size": 1.0}).release


# --- the shadow ------------------------------------------------------------------------------------------------------


def test_the_shadow_sees_its_share_and_only_while_it_is_held():
    """What nobody holds cannot be asked."""
    made = Routing(["number"], task=Binary())
    made.post(desired(shadow=release("other", role="shadow", share=0.2)))
    assert {made.shadow(request(number=i)) for i in range(200)} == {None}

    made.holds({RELEASE: Binary(THRESHOLD), OTHER: Binary(0.5)})
    seen = [made.shadow(request(number=i)) for i in range(2_000)]

    assert set(seen) == {None, OTHER}
    assert seen.count(OTHER) / 2_000 == pytest.approx(0.2, abs=0.04)
    assert {made.route(request(number=i)).release for i in range(200)} == {RELEASE}
