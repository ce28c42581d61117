"""The answer cache: answers are served again while they are young, and in place of a failing model.

Input: the model's answer to a record. Output: the same answer, to the same tenant, for the same release and record,
with its age. Each API process has its own, bounded in rows and age.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from proveout.records.answer import Answer
from proveout.records.values import Scalar

Place = tuple[str, str, bytes]
"""Where an answer is kept: tenant, release and the record's text. Nothing of another tenant or release is there."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the model said."""

    answer: Answer
    reasons: Sequence[Any] | None  # as they were given; None where nobody asked
    at_s: float  # the clock of the cache


class Answers:
    """The answers of one process.

    Args:
        rows: so many are kept; whose last use is longest ago goes first.
        oldest_s: an older one is not served.
        clock: seconds that only go forward.
    """

    def __init__(self, *, rows: int, oldest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rows, self._oldest_s, self._clock = rows if oldest_s > 0 else 0, oldest_s, clock
        self._kept: OrderedDict[Place, Kept] = OrderedDict()

    def place(self, record: Mapping[str, Scalar], *, tenant: str, release: str) -> Place:
        """Where the answer to `record` is kept. Its fields are in the order of the schema, however they were sent."""
        return (tenant, release, orjson.dumps(record))

    def get(self, place: Place) -> Kept | None:
        """What was put there, if it is not too old."""
        found = self._kept.get(place)
        if found is None:
            return None
        if self._clock() - found.at_s > self._oldest_s:
            del self._kept[place]
            return None
        self._kept.move_to_end(place)
        return found

    def put(self, place: Place, answer: Answer, *, reasons: Sequence[Any] | None, before: Kept | None = None) -> None:
        """Keep what the model answered. The reasons of `before` stay, where it says the same again without being asked
        for them."""
        if not self._rows or answer.value is None:
            return
        if reasons is None and before is not None and before.answer == answer:
            reasons = before.reasons
        self._kept[place] = Kept(answer, reasons, self._clock())
        self._kept.move_to_end(place)
        if len(self._kept) > self._rows:
            self._kept.popitem(last=False)

    def age_s(self, kept: Kept) -> float:
        """How long ago the model said it."""
        return self._clock() - kept.at_s

    def __len__(self) -> int:
        return len(self._kept)
