"""Event loops on clocks that a test moves: whoever sleeps on them waits for nobody.

On a `VirtualLoop` no time passes while something is ready; when nothing is, the clock jumps to the next timer. So a
test says exactly when things happen, takes no real time, and has the same outcome on every machine. It is for code
whose only clock is the loop's, and that no thread or other process answers.

Where one does, a `SkippingLoop` runs in real time, and a test skips what it does not want to wait for: with a deadline
of an hour nothing falls to it by accident, however slow the machine is, and `advance(3600)` brings it about.
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


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop in real time, of which a test can skip some."""

    _skipped_s = 0.0

    def time(self) -> float:
        return super().time() + self._skipped_s

    def advance(self, seconds: float) -> None:
        """Skip so much time: what is due by then is due now."""
        self._skipped_s += seconds


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


def run(work: Coroutine[Any, Any, T], *, loop: type[VirtualLoop | SkippingLoop] = VirtualLoop) -> T:
    """What `work` returns, run to its end on a loop of that kind."""
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(work)


def advance(seconds: float) -> None:
    """Move the clock of the running loop forward. Raises: AssertionError if that is an ordinary loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop | SkippingLoop), f"{loop} has no clock that a test can move"
    loop.advance(seconds)


def now() -> float:
    """The running loop's time in seconds."""
    return asyncio.get_running_loop().time()
