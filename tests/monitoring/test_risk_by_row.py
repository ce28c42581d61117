"""The test of independent rows: its level, its delay, and that nothing depends on when one looks."""

import numpy as np
import pytest

from proveout.monitoring import risk_by_row


def failed(random, share, rows):
    return (random.random(rows) < share).astype(float)


def test_quiet_streams_seldom_alarm():
    """Of 60 at a level of 10 %; more than 13 of them have a probability below 1 %. Each has its own short reference."""
    alarms = 0
    for number in range(60):
        random = np.random.default_rng(number)
        found = risk_by_row.worse(failed(random, 0.1, 300), failed(random, 0.1, 1500))
        alarms += found.first_alarm(0.1) is not None

    assert alarms <= 13


def test_each_bet_wins_nothing_at_the_risk_it_is_against():
    """The expected factor of one row is 1 for each stake: this is what makes the level hold."""
    for risk in (0.01, 0.1, 0.5, 0.9):
        stakes = risk_by_row._STAKES / risk
        factor = risk * (1 + stakes * (1 - risk)) + (1 - risk) * (1 - stakes * risk)

        assert np.allclose(factor, 1)
        assert (1 - stakes * risk > 0).all()


@pytest.mark.parametrize(("share", "within"), [(0.15, 1500), (0.3, 150)])
def test_a_shift_is_found_and_its_first_row(share, within):
    """From one failure in ten, after 500 quiet rows."""
    delays, since = [], []
    for number in range(9):
        random = np.random.default_rng(200 + number)
        stream = np.concatenate([failed(random, 0.1, 500), failed(random, share, 2500)])
        found = risk_by_row.worse(failed(random, 0.1, 2000), stream)
        alarm = found.first_alarm(0.05)
        delays.append(np.inf if alarm is None else alarm - 500)
        since.append(found.since - 500)

    assert np.median(delays) <= within
    assert abs(np.median(since)) <= 60


def test_what_is_tolerated_is_no_alarm():
    """A tenth more than before, and up to a fifth is tolerated."""
    random = np.random.default_rng(5)
    reference, stream = failed(random, 0.1, 2000), failed(random, 0.2, 2000)

    assert risk_by_row.worse(reference, stream).first_alarm(0.05) is not None
    assert risk_by_row.worse(reference, stream, tolerance=0.2).first_alarm(0.05) is None


def test_looking_earlier_changes_nothing():
    """What was known after a row is the same, however many rows follow."""
    random = np.random.default_rng(6)
    reference, stream = failed(random, 0.1, 500), failed(random, 0.12, 400)

    whole = risk_by_row.worse(reference, stream).logarithm

    assert np.array_equal(whole[:203], risk_by_row.worse(reference, stream[:203]).logarithm)


@pytest.mark.parametrize("loss", [0.0, 1.0])
def test_losses_that_are_all_the_same_are_no_evidence(loss):
    """Nothing failed before, and nothing fails now; or everything."""
    found = risk_by_row.worse(np.full(100, loss), np.full(300, loss))

    assert found.first_alarm(0.05) is None
    assert np.isfinite(found.logarithm).all()
