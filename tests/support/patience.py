"""Waiting for what must happen: until it did, however long a busy machine takes.

`PATIENCE_S` bounds no speed. It only ends a test that would hang, long before its own timeout and with a sentence.
"""

import asyncio
import time
from collections.abc import Callable

PATIENCE_S = 120.0
_LOOK_EVERY_S = 0.02


def wait_until(claim: Callable[[], object], what: str | Callable[[], str], *, patience_s: float = PATIENCE_S) -> None:
    """Return as soon as `claim` is true.

    Args:
        what: is waited for, in words; or a function that says more of it when it did not happen.
    Raises: AssertionError after `patience_s`.
    """
    until = time.monotonic() + patience_s
    while not claim():
        assert time.monotonic() < until, _missing(what, patience_s)
        time.sleep(_LOOK_EVERY_S)


async def async_wait_until(
    claim: Callable[[], object], what: str | Callable[[], str], *, patience_s: float = PATIENCE_S
) -> None:
    """`wait_until` for a coroutine. Its clock is the real one, whatever the loop's clock shows.

    Raises: AssertionError after `patience_s`.
    """
    until = time.monotonic() + patience_s
    while not claim():
        assert time.monotonic() < until, _missing(what, patience_s)
        await asyncio.sleep(_LOOK_EVERY_S)


def _missing(what: str | Callable[[], str], patience_s: float) -> str:
    return f"not within {patience_s:g} s: {what if isinstance(what, str) else what()}"
