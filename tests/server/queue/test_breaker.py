"""server/queue/breaker.py: a failing release is left alone, and tried again by one request at a time."""

from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from proveout.server.queue.breaker import MOST_FAILED, Breaker, Ticket

COOL_S = 2.0


def answered(breaker: Breaker, *sound: bool | None, now: float = 0.0) -> None:
    for each in sound:
        ticket = breaker.begin(now)
        assert ticket is not None
        breaker.end(ticket, each, now)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(cool_s=COOL_S)
    answered(breaker, *[False] * MOST_FAILED, now=now)
    return breaker


def test_ten_failures_in_twenty_answers_open_it():
    """Half of what is asked of it fails: waiting for the other half costs everybody."""
    breaker = Breaker(cool_s=COOL_S)

    answered(breaker, *[True, False] * (MOST_FAILED - 1), True)
    assert breaker.state(0) == "closed"
    answered(breaker, False)

    assert breaker.state(0) == "open"
    assert not breaker.allows(0)
    assert breaker.begin(COOL_S - 0.01) is None


def test_old_failures_are_forgotten():
    """One failure in three, for ever, is not half of the last twenty."""
    breaker = Breaker(cool_s=COOL_S)

    answered(breaker, *[False, True, True] * 100)

    assert breaker.state(0) == "closed"


def test_what_says_nothing_of_the_release_counts_for_nothing():
    """A client that left, or a worker that was killed, is no fault of the model's."""
    breaker = Breaker(cool_s=COOL_S)

    answered(breaker, *[None] * 100)

    assert breaker.state(0) == "closed"


def test_after_its_time_one_request_at_a_time_is_let_through():
    """A thousand waiting requests must not be the test of whether it is well."""
    breaker = opened()

    assert breaker.allows(COOL_S)
    assert breaker.begin(COOL_S) is not None

    assert breaker.state(COOL_S) == "half-open"
    assert breaker.begin(COOL_S) is None
    assert not breaker.allows(COOL_S)


def test_an_answer_closes_it_and_the_past_is_forgotten():
    """Nine failures later it is still closed: those before it opened do not count again."""
    breaker = opened()

    answered(breaker, True, now=COOL_S)
    assert breaker.state(COOL_S) == "closed"
    answered(breaker, *[False] * (MOST_FAILED - 1), now=COOL_S)

    assert breaker.state(COOL_S) == "closed"


def test_a_failure_opens_it_again_for_its_whole_time():
    """Half-open is not closed."""
    breaker = opened()

    answered(breaker, False, now=COOL_S)

    assert breaker.begin(2 * COOL_S - 0.01) is None
    assert breaker.begin(2 * COOL_S) is not None


def test_a_probe_that_said_nothing_makes_room_for_the_next():
    """Its client left: the release is as unknown as before."""
    breaker = opened()

    answered(breaker, None, now=COOL_S)

    assert breaker.begin(COOL_S) is not None


def test_a_probe_that_never_comes_back_does_not_close_the_door_for_ever():
    """And when it does come back at last, it is not believed."""
    breaker = opened()
    lost = breaker.begin(COOL_S)
    assert lost is not None

    second = breaker.begin(2 * COOL_S)
    assert second is not None
    breaker.end(lost, True, 2 * COOL_S)

    assert breaker.state(2 * COOL_S) == "half-open"


@pytest.mark.parametrize("sound", [True, False])
def test_late_answers_of_before_do_not_count_as_the_probe(sound):
    """A batch that was on its way when it opened says how it was, not how it is."""
    breaker = Breaker(cool_s=COOL_S)
    early = breaker.begin(0)
    assert early is not None
    answered(breaker, *[False] * MOST_FAILED)

    breaker.end(early, sound, COOL_S)

    assert breaker.begin(COOL_S) is not None
    assert breaker.state(COOL_S) == "half-open"


class Asking(RuleBasedStateMachine):
    """Whatever is asked, answered, lost or late, in whatever order."""

    tickets = Bundle("tickets")

    @initialize()
    def begin_closed(self) -> None:
        self.breaker, self.now = Breaker(cool_s=COOL_S), 0.0
        self.given: list[tuple[float, Ticket]] = []

    @rule(target=tickets)
    def ask(self) -> Ticket:
        allowed, state = self.breaker.allows(self.now), self.breaker.state(self.now)
        ticket = self.breaker.begin(self.now)
        assert (ticket is not None) == allowed
        if state != "closed" and ticket is not None:
            # In half-open: one request for each time it cools, unless one came back and said nothing.
            self.given.append((self.now, ticket))
        return ticket if ticket is not None else Ticket(-1)

    @rule(ticket=consumes(tickets), sound=st.sampled_from([True, False, None]))
    def answer(self, ticket: Ticket, sound: bool | None) -> None:
        if sound is None:
            self.given = [(at, other) for at, other in self.given if other != ticket]
        self.breaker.end(ticket, sound, self.now)

    @rule(seconds=st.sampled_from([0.1, 1.0, COOL_S]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def one_at_a_time(self) -> None:
        if self.given and self.breaker.state(self.now) != "closed":
            moments = [at for at, _ in self.given]
            assert all(b - a >= COOL_S - 1e-9 for a, b in pairwise(moments))

    @invariant()
    def never_shut_for_ever(self) -> None:
        assert self.breaker.allows(self.now + COOL_S)


Asking.TestCase.settings = settings(max_examples=50, stateful_step_count=60, deadline=None)
TestAsking = Asking.TestCase
