"""Progress of long work, printed to stderr.

Input: the items to work on. Output: the same items, one by one.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
_SILENT_S = 2.0


def reported(what: str, items: Sequence[T]) -> Iterator[T]:
    """Yield `items`; after some seconds, print progress to stderr, which `pytest -s` shows."""
    began = said = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - said > _SILENT_S:
            said = time.monotonic()
            print(f"{done} of {len(items)} {what}, {said - began:.0f} s", file=sys.stderr, flush=True)
        yield item
