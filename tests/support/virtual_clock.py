"""An event loop on a clock of its own: whoever sleeps on it waits for nobody.

When nothing is ready, the clock jumps to the next timer. So a test says exactly when things happen, takes no real time,
and has the same outcome on every machine. For code whose only clock is the loop's, and that no thread or other process
answers.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_STARTS_AT_S = 1000.0  # not 0: a moment that was never set must not look like now


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` moves only when nothing is ready, or when it is told to."""

    def __init__(self) -> None:
        self._now_s = _STARTS_AT_S
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Let time pass while the loop does nothing, as if the code that calls this computed for so long."""
        self._now_s += seconds


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    """Where a loop waits: with a timer ahead, its clock jumps instead."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise AssertionError("nothing is ready and no timer is set: on a virtual clock this waits for ever")
        self._loop.advance(timeout)
        return ready


def run(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns, run to its end on a virtual clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def advance(seconds: float) -> None:
    """Let time pass on the running virtual loop while it does nothing else. Raises: AssertionError on another loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), f"{loop} has no virtual clock: run the test by virtual_clock.run"
    loop.advance(seconds)


def now() -> float:
    """The running loop's time in seconds."""
    return asyncio.get_running_loop().time()
