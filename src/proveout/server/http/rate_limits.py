"""Rate limits: how often a key may call, counted by all API processes together.

Input: the caller, the number of answers, and the time. Output: a `LimitDecision`. A token bucket enforces the rate, and
a count per day (UTC) the quota. Both are in one small file in the state folder, which every process maps, with a slot
for each key. The kernel locks a slot for a few microseconds, and releases it even after kill -9. The day's count
survives a restart; the bucket uses the monotonic clock, which starts with the machine.
"""

import fcntl
import math
import os
import struct
import time
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from proveout.server import shared_memory
from proveout.server.service.types import Caller

SLOTS = 4_096
_SLOT = struct.Struct("<16sddqq")  # hash of the key's id; tokens, when counted; day, its answers
_WIDTH = 64  # a slot is one cache line of the processor
_EMPTY = bytes(16)
_DIRECTORY = SLOTS * _WIDTH  # locked while a process searches for a key's slot
_PATIENCE_S = 0.1  # for a lock: a holder that takes longer was stopped, not only preempted
_SEARCH_PATIENCE_S = 2.0
_AHEAD_S = 5.0  # two processes may read the clock in one order and count in the other: they differ by less than this
_DAY_S = 86_400


@dataclass(slots=True)
class KeyUsage:
    """The content of a key's slot."""

    tokens: float
    counted_s: float  # the monotonic clock
    day: int  # since 1970
    used: int  # answers on that day


@dataclass(frozen=True, slots=True)
class LimitDecision:
    """Whether a caller may have the answers now, and how many are left."""

    granted: bool
    limit: int | None = None  # of the tighter bound, rate or quota; None for no limit
    remaining: int = 0
    reset_s: float = 0.0  # until the bucket is full again, or the day is over
    retry_s: float | None = None  # if not granted; None if waiting does not help
    bound: Literal["rate", "quota"] = "rate"


_UNLIMITED = LimitDecision(granted=True)


def decide(caller: Caller, count: KeyUsage, answers: int, *, at_s: float, now_s: float) -> LimitDecision:
    """Whether `caller` may have `answers` now. Updates `count`: refills it, and counts the answers if granted.

    If `at_s` is long before the last count, the machine was restarted, and the bucket is full.
    """
    day = int(now_s // _DAY_S)
    if day > count.day:  # a clock that is set back does not reset the quota
        count.day, count.used = day, 0
    rate = caller.rate_per_s
    size = 0
    if rate is not None:
        size = caller.burst if caller.burst is not None else max(1, math.ceil(rate))
        waited_s = at_s - count.counted_s
        if waited_s < -_AHEAD_S:
            count.tokens, count.counted_s = size, at_s
        else:
            count.tokens = min(size, count.tokens + max(0.0, waited_s) * rate)
            count.counted_s = max(count.counted_s, at_s)
        if answers > count.tokens:
            short_s = (answers - count.tokens) / rate
            return LimitDecision(
                granted=False,
                limit=size,
                remaining=int(count.tokens),
                reset_s=(size - count.tokens) / rate,
                retry_s=None if answers > size else short_s,
            )
    quota = caller.per_day
    if quota is not None and count.used + answers > quota:
        left_s = _DAY_S - now_s % _DAY_S
        return LimitDecision(
            granted=False,
            limit=quota,
            remaining=max(0, quota - count.used),
            reset_s=left_s,
            retry_s=None if answers > quota else left_s,
            bound="quota",
        )
    count.used += answers
    if rate is None:
        assert quota is not None
        return LimitDecision(True, quota, quota - count.used, _DAY_S - now_s % _DAY_S, None, "quota")
    count.tokens -= answers
    remaining = int(count.tokens)
    if quota is not None and quota - count.used < remaining:
        return LimitDecision(True, quota, quota - count.used, _DAY_S - now_s % _DAY_S, None, "quota")
    return LimitDecision(True, size, remaining, (size - count.tokens) / rate)


class RateLimits:
    """The counts of one installation. For one thread; a forked process opens its own.

    Args:
        file: holds the counts; created if it is missing.
        patience_s: how long to wait for the lock of a slot. After that it is changed without the lock.
    """

    def __init__(self, file: Path, *, patience_s: float = _PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._file = shared_memory.opened(file)
        self._map = shared_memory.mapped(self._file, SLOTS * _WIDTH, what="the limits of API keys")
        self._places: dict[str, tuple[int, bytes]] = {}  # offset and name of each known key's slot

    def close(self) -> None:
        """Close the file."""
        self._map.close()
        os.close(self._file)

    def take(self, caller: Caller, answers: int = 1, *, at_s: float, now_s: float) -> LimitDecision:
        """Count `answers` against the limits of `caller`: all of them, or none.

        Args:
            at_s: the monotonic clock, which all processes of a machine share.
            now_s: seconds since 1970, for the day.
        """
        if caller.rate_per_s is None and caller.per_day is None:
            return _UNLIMITED
        while True:
            offset, name = self._places.get(caller.key) or self._find(caller.key)
            locked = self._lock(offset)
            try:
                owner, tokens, counted_s, day, used = _SLOT.unpack_from(self._map, offset)
                if owner == name:
                    count = KeyUsage(tokens, counted_s, day, used)
                    decision = decide(caller, count, answers, at_s=at_s, now_s=now_s)
                    _SLOT.pack_into(self._map, offset, name, count.tokens, count.counted_s, count.day, count.used)
                    return decision
            finally:
                if locked:
                    fcntl.lockf(self._file, fcntl.LOCK_UN, _WIDTH, offset)
            del self._places[caller.key]  # another key took over the slot: all were in use, this one idle the longest

    def _find(self, key: str) -> tuple[int, bytes]:
        """The slot of `key`: its own, else an empty one, else the one that was idle the longest."""
        name = blake2b(key.encode(), digest_size=16).digest()
        # Without this lock, two processes that search at once could give the key two slots, and so two buckets.
        locked = self._lock(_DIRECTORY, patience_s=_SEARCH_PATIENCE_S)
        try:
            slots = [(offset, *_SLOT.unpack_from(self._map, offset)) for offset in range(0, SLOTS * _WIDTH, _WIDTH)]
            found = next((slot for slot in slots if slot[1] == name), None)
            if found is None:
                found = next((slot for slot in slots if slot[1] == _EMPTY), None)
                found = found or min(slots, key=lambda slot: (slot[4], slot[3]))
                self._claim(found[0], name)
        finally:
            if locked:
                fcntl.lockf(self._file, fcntl.LOCK_UN, _WIDTH, _DIRECTORY)
        self._places[key] = found[0], name
        return self._places[key]

    def _claim(self, offset: int, name: bytes) -> None:
        locked = self._lock(offset)
        _SLOT.pack_into(self._map, offset, name, math.inf, 0.0, 0, 0)  # a full bucket, an unused day
        if locked:
            fcntl.lockf(self._file, fcntl.LOCK_UN, _WIDTH, offset)

    def _lock(self, offset: int, *, patience_s: float | None = None) -> bool:
        """Lock the slot at `offset`. False if that took too long: the holder was stopped while it had the lock. One
        wrong count is better than refusing every request."""
        patience_s = self._patience_s if patience_s is None else patience_s
        until = 0.0
        while True:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, _WIDTH, offset)
                return True
            except OSError:
                until = until or time.monotonic() + patience_s
                if time.monotonic() > until:
                    return False
                time.sleep(50e-6)  # the holder needs the processor to release it
