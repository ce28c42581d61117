"""The circuit breaker of one release: a failing release gets no requests, so no request waits for it in vain.

Input: the time, and whether each answer succeeded. Output: whether the release may get a request now. Pure: the clock
is the caller's, in seconds that never go back.

    closed ──10 of the last 20 answers failed──► open ──cool_s later──► half-open: one request at a time is let through
       ▲                                          ▲                          │
       └──────────── it was answered ─────────────┼──────────────────────────┤
                                                  └─────── it failed ────────┘
"""

from collections import deque
from typing import Literal, NewType

BreakerState = Literal["closed", "open", "half-open"]

WINDOW = 20  # answers looked back on
MOST_FAILED = 10  # of them, and it opens

Ticket = NewType("Ticket", int)
"""Leave to ask once, to be handed back with what became of it."""


class Breaker:
    """Knows whether its release may be asked.

    Args:
        cool_s: how long it is not asked after it opened.
    """

    def __init__(self, *, cool_s: float) -> None:
        self._cool_s = cool_s
        self._sound: deque[bool] = deque(maxlen=WINDOW)  # of the last answers, whether each was one
        self._failed = 0
        self._closed = True
        self._until = 0.0  # it stays open, or trusts the probe to be on its way
        self._turn = 0  # of closing and opening: an answer of an earlier one says nothing of this one
        self._probing = False

    def state(self, now: float) -> BreakerState:
        """Where it stands."""
        if self._closed:
            return "closed"
        return "half-open" if self._probing or now >= self._until else "open"

    def allows(self, now: float) -> bool:
        """Whether `begin` would give leave. Asking costs nothing."""
        return self._closed or now >= self._until

    def begin(self, now: float) -> Ticket | None:
        """Leave to ask once, None while there is none. Whoever has it calls `end`."""
        if not self._closed:
            if now < self._until:
                return None
            # The next one after cool_s: this one may never be handed back.
            self._until = now + self._cool_s
            self._probing = True
            self._turn += 1
        return Ticket(self._turn)

    def end(self, ticket: Ticket, sound: bool | None, now: float) -> None:
        """What became of the answer. None where that says nothing of the release: the client left, the worker died."""
        if ticket != self._turn:
            return  # asked before it opened, or a probe that was given up
        if self._closed:
            if sound is not None:
                self._count(sound, now)
        elif sound is None:
            self._until, self._probing = now, False  # the next request may try
        elif sound:
            self._closed, self._probing = True, False
            self._turn += 1
        else:
            self._open(now)

    def _count(self, sound: bool, now: float) -> None:
        seen = self._sound
        if len(seen) == WINDOW and not seen[0]:
            self._failed -= 1
        seen.append(sound)
        if not sound:
            self._failed += 1
            if self._failed >= MOST_FAILED:
                self._open(now)

    def _open(self, now: float) -> None:
        self._closed, self._probing = False, False
        self._until = now + self._cool_s
        self._turn += 1
        self._sound.clear()
        self._failed = 0
