"""support/virtual_clock.py: a clock that stood still, or ran by itself, would let every test that uses it pass."""

import asyncio
import time

import pytest
import virtual_clock


def test_a_sleep_takes_its_time_on_the_virtual_clock_and_none_on_the_real_one():
    """Two at once end at their own moments, in their order."""
    ended: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        ended.append((name, virtual_clock.now()))

    async def work() -> float:
        began = virtual_clock.now()
        await asyncio.gather(sleeper("long", 7200), sleeper("short", 3600))
        return began

    real = time.monotonic()
    began = virtual_clock.run(work())
    assert time.monotonic() - real < 3600
    assert ended == [("short", began + 3600), ("long", began + 7200)]


def test_code_that_computes_keeps_the_timers_waiting():
    """A process that stands still wakes late."""

    async def work() -> float:
        began = virtual_clock.now()
        sleeping = asyncio.create_task(asyncio.sleep(1))
        await asyncio.sleep(0)
        virtual_clock.advance(5)
        await sleeping
        return virtual_clock.now() - began

    assert virtual_clock.run(work()) == 5


def test_what_waits_for_nothing_is_said_so():
    """On a real clock it would hang until the timeout of the test."""

    async def work() -> None:
        await asyncio.Event().wait()

    with pytest.raises(AssertionError, match="waits for ever"):
        virtual_clock.run(work())


def test_a_real_loop_is_not_taken_for_a_virtual_one():
    """`advance` on it would do nothing, and the test would mean nothing."""

    async def work() -> None:
        virtual_clock.advance(1)

    with pytest.raises(AssertionError, match="no clock that a test can move"):
        asyncio.run(work())


def test_a_skipped_hour_is_over_at_once_and_an_unskipped_one_is_not():
    """A deadline that comes by itself would make the test depend on the machine."""

    async def work() -> tuple[bool, bool]:
        hour = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.sleep(0.01)
        before = hour.done()
        virtual_clock.advance(3600)
        await asyncio.sleep(0.01)
        return before, hour.done()

    assert virtual_clock.run(work(), loop=virtual_clock.SkippingLoop) == (False, True)
