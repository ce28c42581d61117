"""The answer cache: young answers are served again, and older ones while the model fails.

Input: the model's answer to a record. Output: the same answer with its age, for the same tenant, release and record.
Each API process has its own cache, bounded in rows and age.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from proveout.records.answer import Answer
from proveout.records.values import Scalar

CacheKey = tuple[str, str, bytes]
"""The key of a cached answer: tenant, release and the record's JSON. No tenant gets another tenant's answer."""


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """A cached answer of the model."""

    answer: Answer
    reasons: Sequence[Any] | None  # None if the request did not ask for reasons
    at_s: float  # on the clock of the cache


class AnswerCache:
    """An LRU cache of answers.

    Args:
        rows: the capacity.
        oldest_s: the maximum age; 0 disables the cache.
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, *, rows: int, oldest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rows, self._oldest_s, self._clock = rows if oldest_s > 0 else 0, oldest_s, clock
        self._kept: OrderedDict[CacheKey, CachedAnswer] = OrderedDict()

    def key(self, record: Mapping[str, Scalar], *, tenant: str, release: str) -> CacheKey:
        """The key of the answer to `record`, whose fields are in the order of the schema."""
        return (tenant, release, orjson.dumps(record))

    def get(self, key: CacheKey) -> CachedAnswer | None:
        """The cached answer, if it is not too old."""
        found = self._kept.get(key)
        if found is None:
            return None
        if self._clock() - found.at_s > self._oldest_s:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return found

    def put(
        self, key: CacheKey, answer: Answer, *, reasons: Sequence[Any] | None, before: CachedAnswer | None = None
    ) -> None:
        """Store an answer of the model.

        Args:
            reasons: None if the request did not ask for them. Then those of `before` are kept, if its answer is the
                same.
            before: the entry that this one replaces.
        """
        if not self._rows or answer.value is None:
            return
        if reasons is None and before is not None and before.answer == answer:
            reasons = before.reasons
        self._kept[key] = CachedAnswer(answer, reasons, self._clock())
        self._kept.move_to_end(key)
        if len(self._kept) > self._rows:
            self._kept.popitem(last=False)

    def age_s(self, cached: CachedAnswer) -> float:
        """The age of a cached answer."""
        return self._clock() - cached.at_s

    def __len__(self) -> int:
        return len(self._kept)
