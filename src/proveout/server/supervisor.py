"""A supervised process: restarted when it dies, after a pause that grows if it dies often.

Input: its work, which lasts until a message arrives at the connection it is given. Output: whether a restart is due;
and its end, by a message on that connection. The signals that end the other processes are not for it.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

_REST_S, _LONGEST_REST_S = 0.2, 30.0  # before it is started again, doubled each time
_SOUND_S = 60.0  # one that lived for so long is started again at once


class Kept:
    """The process, and whichever follows it.

    Args:
        patience_s: how long it has to end once it is told to.
    """

    def __init__(self, name: str, work: Callable[[Connection], None], *, patience_s: float) -> None:
        self._name, self._work, self._patience_s = name, work, patience_s
        self._process: Any = None
        self._ending: Connection | None = None
        self._rest_s = _REST_S
        self._started_at = self._due_at = 0.0

    @property
    def exit_code(self) -> int | None:
        """How it died; None while it lives."""
        code: int | None = self._process.exitcode
        return code

    def start(self, sockets: Sequence[Any]) -> None:
        """Start it, from a thread that lives as long as this process, with the signals blocked that end the others.

        Args:
            sockets: what this process listens on, which is not the other's business.
        """
        context = get_context("fork")
        theirs, self._ending = context.Pipe(duplex=False)
        self._process = context.Process(target=_be, args=(self._work, theirs, sockets), name=self._name)
        self._process.start()
        theirs.close()
        self._started_at, self._due_at = time.monotonic(), 0.0

    def is_due(self) -> bool:
        """Whether it is dead and has rested."""
        if self._process.is_alive():
            return False
        clock = time.monotonic()
        if self._due_at == 0.0:
            self._rest_s = _REST_S if clock - self._started_at > _SOUND_S else min(self._rest_s * 2, _LONGEST_REST_S)
            self._due_at = clock + self._rest_s
        return clock >= self._due_at

    def finish(self) -> None:
        """Let it do what is left, and end it."""
        if self._ending is not None:
            with suppress(OSError):
                self._ending.send_bytes(b".")
        self._process.join(self._patience_s)
        self._process.kill()
        self._process.join()


def _be(work: Callable[[Connection], None], ending: Connection, sockets: Sequence[Any]) -> None:
    for listening in sockets:
        listening.close()
    work(ending)
