"""The tests that may be looked at any time: their error rates, and how soon they detect a difference."""

import random
from functools import cache
from itertools import product
from math import comb, exp, inf, isclose

import pytest

from proveout.rollout.sequential import bounds, evidence


def chance_of(canary: int, events: int, share: float) -> float:
    return comb(events, canary) * share**canary * (1 - share) ** (events - canary)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_the_evidence_is_a_martingale_where_the_two_do_not_differ(share: float) -> None:
    """The whole promise rests on it: of the next event, chance alone changes nothing on average."""
    for canary, champion in product(range(0, 30, 3), range(0, 60, 7)):
        now = evidence(canary, champion, share=share)
        then = share * evidence(canary + 1, champion, share=share) + (1 - share) * evidence(
            canary, champion + 1, share=share
        )
        assert isclose(now, then, rel_tol=1e-9)
    assert isclose(sum(chance_of(k, 40, share) * evidence(k, 40 - k, share=share) for k in range(41)), 1, rel_tol=1e-6)


def test_looking_after_every_event_is_wrong_no_more_often_than_asked() -> None:
    """Peeking is what it is for. A test for one look, looked at as often, shows what it would cost."""
    rng, trials, alpha = random.Random(20130601), 1_000, 0.05
    ever, naive, found = 0, 0, cache(evidence)  # the same counts come up in many trials
    for _ in range(trials):
        canary = crossed = fooled = 0
        for event in range(1, 401):
            canary += rng.random() < 0.1
            crossed = crossed or found(canary, event - canary, share=0.1) >= 1 / alpha
            deviation = (canary - 0.1 * event) / (event * 0.1 * 0.9) ** 0.5
            fooled = fooled or (event >= 30 and deviation > 1.645)
        ever, naive = ever + bool(crossed), naive + bool(fooled)
    print(f"{trials} trials of 400 events, a look at each: {ever} wrong at 5 %; a z-test for one look: {naive}")
    assert ever <= trials * alpha
    assert naive > 3 * trials * alpha


@pytest.mark.parametrize(("times", "share", "within"), [(20, 0.1, 12), (3, 0.1, 150), (3, 0.5, 80), (1.5, 0.1, 1_500)])
def test_a_canary_that_is_worse_is_found_after_few_events(times: float, share: float, within: int) -> None:
    """In the median of 50 runs, at the level of 1 in 300."""
    needed = []
    for seed in range(50):
        rng, canary, events = random.Random(seed), 0, 0
        while evidence(canary, events - canary, share=share) < 300:
            events += 1
            canary += rng.random() < share * times / (share * times + 1 - share)
        needed.append(events)
    median = sorted(needed)[25]
    print(f"{times} times as bad with {share:.0%} of the traffic: {median} events")
    assert median <= within


def test_a_bad_hour_speaks_against_nobody() -> None:
    """All fail ten times as often, both alike: no evidence, however many events."""
    assert evidence(10, 90, share=0.1) < 1
    assert evidence(1_000, 9_000, share=0.1) < 1
    assert evidence(0, 10_000, share=0.1) < 1e-3  # better is no reason to go back
    assert evidence(100_000, 0, share=0.1) == inf
    assert evidence(0, 0, share=0.1) == 1


def test_bounds_hold_the_true_rate_at_every_look() -> None:
    """A confidence interval for one look would have left it in most runs."""
    known = cache(bounds)  # the same counts come up in many runs
    for rate in (0.0, 0.003, 0.05, 0.4, 1.0):
        rng, trials, alpha, missed = random.Random(7), 300, 0.05, 0
        for _ in range(trials):
            bad, ever = 0, False
            for of in range(1, 501):
                bad += rng.random() < rate
                if of % 5 == 0:
                    found = known(bad, of, alpha=alpha)
                    ever = ever or not found.low <= rate <= found.high
            missed += ever
        print(f"rate {rate}: {missed} of {trials} runs ever missed it, asked at most 5 %")
        assert missed <= trials * alpha


def test_bounds_narrow_and_stay_in_order() -> None:
    """More rows tell more; the edges are where the likelihood says they are."""
    assert (bounds(0, 0, alpha=0.01).low, bounds(0, 0, alpha=0.01).high) == (0.0, 1.0)
    widths = []
    for of in (10, 100, 1_000, 10_000, 1_000_000):
        found = bounds(of // 10, of, alpha=0.01)
        assert 0 <= found.low < 0.1 < found.high <= 1
        widths.append(found.high - found.low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.003
    assert bounds(7, 7, alpha=0.01).high == 1.0
    assert bounds(3, 100, alpha=0.001).high > bounds(3, 100, alpha=0.1).high
    assert exp(0) == 1
