"""The circuit breaker of one release: a failing release gets no requests, so no request waits for it in vain.

Input: the time, and whether each answer succeeded. Output: whether the release may get a request now. Pure: the caller
passes the time of a monotonic clock, in seconds.

    closed ──10 of the last 20 answers failed──► open ──cool_s later──► half-open: one request at a time is let through
       ▲                                          ▲                          │
       └──────────── it was answered ─────────────┼──────────────────────────┤
                                                  └─────── it failed ────────┘
"""

from collections import deque
from typing import Literal, NewType

BreakerState = Literal["closed", "open", "half-open"]

WINDOW = 20  # the number of last answers that count
MOST_FAILED = 10  # of them; at this number the breaker opens

Ticket = NewType("Ticket", int)
"""Permission for one request. The owner hands it back to `Breaker.end` with the result."""


class Breaker:
    """The circuit breaker of one release.

    Args:
        cool_s: how long the release gets no requests after the breaker opened.
    """

    def __init__(self, *, cool_s: float) -> None:
        self._cool_s = cool_s
        self._succeeded: deque[bool] = deque(maxlen=WINDOW)  # for each of the last answers
        self._failed = 0
        self._closed = True
        self._until = 0.0  # until then no request is let through, unless closed
        self._turn = 0  # counts state changes: a result of an earlier state does not count
        self._probing = False

    def state(self, now: float) -> BreakerState:
        """The state at `now`."""
        if self._closed:
            return "closed"
        return "half-open" if self._probing or now >= self._until else "open"

    def allows(self, now: float) -> bool:
        """Whether `begin` would return a ticket. Changes nothing."""
        return self._closed or now >= self._until

    def begin(self, now: float) -> Ticket | None:
        """A ticket for one request, to be passed to `end`; None if the release may not be asked."""
        if not self._closed:
            if now < self._until:
                return None
            # The next probe after cool_s, because this ticket may never be handed back.
            self._until = now + self._cool_s
            self._probing = True
            self._turn += 1
        return Ticket(self._turn)

    def end(self, ticket: Ticket, succeeded: bool | None, now: float) -> None:
        """Report the result of a request. None if it says nothing about the release: the client left, the worker
        died."""
        if ticket != self._turn:
            return  # from before the breaker opened, or a probe that was given up
        if self._closed:
            if succeeded is not None:
                self._count(succeeded, now)
        elif succeeded is None:
            self._until, self._probing = now, False  # the next request may try
        elif succeeded:
            self._closed, self._probing = True, False
            self._turn += 1
        else:
            self._open(now)

    def _count(self, succeeded: bool, now: float) -> None:
        seen = self._succeeded
        if len(seen) == WINDOW and not seen[0]:
            self._failed -= 1
        seen.append(succeeded)
        if not succeeded:
            self._failed += 1
            if self._failed >= MOST_FAILED:
                self._open(now)

    def _open(self, now: float) -> None:
        self._closed, self._probing = False, False
        self._until = now + self._cool_s
        self._turn += 1
        self._succeeded.clear()
        self._failed = 0
