"""The test of days: its level, its delay, and that nothing depends on when one looks."""

import numpy as np
import pytest

from proveout.monitoring import risk_by_day

DAYS = 60


def skewed(random, size):
    """A few days are far worse than all others, as those with a storm."""
    return random.pareto(1.5, size)


def normal(random, size):
    return random.normal(size=size)


@pytest.mark.parametrize(("before", "shifted"), [(30, 0), (30, 7), (31, 300), (2, 1)])
def test_a_rank_drawn_at_random_wins_nothing(before, shifted):
    """Over all ranks, each bet wins 1 for 1: this is what makes the level hold, without any assumption."""
    among = before + shifted + 1
    ranks = [risk_by_day._gain(rank, np.array([[before]]), np.array([[shifted]])) for rank in range(among)]

    assert np.allclose(np.exp(ranks).mean(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize("drawn", [normal, skewed])
def test_quiet_streams_seldom_alarm(drawn):
    """Of 60 at a level of 10 %; more than 13 of them have a probability below 1 %."""
    alarms = 0
    for number in range(60):
        random = np.random.default_rng(number)
        found = risk_by_day.worse(drawn(random, 30), drawn(random, 40))
        alarms += found.first_alarm(0.1) is not None

    assert alarms <= 13


@pytest.mark.parametrize(("shift", "within"), [(2.0, 15), (1.2, 40)])
def test_a_shift_is_found_and_its_first_day(shift, within):
    """In standard deviations of the days, after forty quiet ones."""
    delays, since = [], []
    for number in range(15):
        random = np.random.default_rng(100 + number)
        stream = np.concatenate([normal(random, 40), normal(random, DAYS) + shift])
        found = risk_by_day.worse(normal(random, 31), stream)
        alarm = found.first_alarm(0.05)
        delays.append(np.inf if alarm is None else alarm - 40)
        since.append(found.since - 40)

    assert np.median(delays) <= within
    assert abs(np.median(since)) <= 4


def test_better_days_are_no_alarm():
    """Only worse ones are looked for."""
    random = np.random.default_rng(3)

    assert risk_by_day.worse(normal(random, 31), normal(random, DAYS) - 2).first_alarm(0.05) is None


def test_looking_earlier_changes_nothing():
    """What was known after a day is the same, however many days follow."""
    random = np.random.default_rng(4)
    reference, stream = normal(random, 31), normal(random, DAYS) + 0.5

    whole = risk_by_day.worse(reference, stream).logarithm

    assert np.allclose(whole[:25], risk_by_day.worse(reference, stream[:25]).logarithm)


def test_days_that_are_alike_are_no_evidence():
    """A loss of zero on each day, before and after."""
    found = risk_by_day.worse(np.zeros(31), np.zeros(DAYS))

    assert found.first_alarm(0.05) is None


def test_a_stream_without_days_has_no_evidence():
    """Before the first outcome."""
    found = risk_by_day.worse(np.zeros(31), np.array([]))

    assert (len(found.logarithm), found.first_alarm(0.05)) == (0, None)
