"""A supervised process: restarted when it dies, after a pause that grows if it dies often.

Input: the work of the process: a function that returns when a message arrives on its connection. Output: whether a
restart is due; and an orderly end, by such a message. The process blocks the signals that end the others.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 30.0  # before a restart, doubled each time
_STABLE_S = 60.0  # after a life this long, the pause starts over


class SupervisedProcess:
    """A process and its restarts.

    Args:
        work: runs in the process, until a message arrives on the connection it gets.
        patience_s: how long the process may take to end after that message.
    """

    def __init__(self, name: str, work: Callable[[Connection], None], *, patience_s: float) -> None:
        self._name, self._work, self._patience_s = name, work, patience_s
        self._process: Any = None
        self._ending: Connection | None = None
        self._pause_s = _PAUSE_S
        self._started_at = self._due_at = 0.0

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while the process lives."""
        code: int | None = self._process.exitcode
        return code

    def start(self, sockets: Sequence[Any]) -> None:
        """Start the process. Call it from a thread that lives as long as this process, with SIGTERM and SIGINT blocked.

        Args:
            sockets: the listening sockets of this process, which the new one closes.
        """
        context = get_context("fork")
        child_end, self._ending = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(self._work, child_end, sockets), name=self._name)
        self._process.start()
        child_end.close()
        self._started_at, self._due_at = time.monotonic(), 0.0

    def is_due(self) -> bool:
        """Whether the process is dead and its pause is over."""
        if self._process.is_alive():
            return False
        clock = time.monotonic()
        if self._due_at == 0.0:
            stable = clock - self._started_at > _STABLE_S
            self._pause_s = _PAUSE_S if stable else min(self._pause_s * 2, _LONGEST_PAUSE_S)
            self._due_at = clock + self._pause_s
        return clock >= self._due_at

    def finish(self) -> None:
        """Let the process finish its work, then end it."""
        if self._ending is not None:
            with suppress(OSError):
                self._ending.send_bytes(b".")
        self._process.join(self._patience_s)
        self._process.kill()
        self._process.join()


def _run(work: Callable[[Connection], None], ending: Connection, sockets: Sequence[Any]) -> None:
    for listening in sockets:
        listening.close()
    work(ending)
