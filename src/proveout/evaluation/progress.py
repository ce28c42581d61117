"""How far long work is, on stderr.

Input: what is worked on. Output: the same, one after another.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
_SILENT_S = 2.0


def reported(what: str, items: Sequence[T]) -> Iterator[T]:
    """`items`, and on stderr how many are done, once it has taken some seconds: `pytest -s` shows it."""
    began = said = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - said > _SILENT_S:
            said = time.monotonic()
            print(f"{done} of {len(items)} {what}, {said - began:.0f} s", file=sys.stderr, flush=True)
        yield item
