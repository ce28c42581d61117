"""Rate limits: how often a key may call, counted by all API processes together.

Input: the caller, the number of answers, and the time. Output: an `Allowance`. A token bucket holds the rate, and a
count for each day (UTC) the quota. Both are in one small file in the state folder, which every process maps, with a
slot for each key. The kernel locks a slot for a few microseconds, and releases it even after kill -9. The day's count
survives a restart; the bucket counts by the clock since the machine started.
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
_SLOT = struct.Struct("<16sddqq")  # hash of the key's id; tokens, and when counted; day, and its answers
_WIDTH = 64  # a slot is one line of the processor's cache
_EMPTY = bytes(16)
_DIRECTORY = SLOTS * _WIDTH  # locked while a key's slot is looked for
_PATIENCE_S = 0.1  # for a lock: whoever holds one for longer was stopped in the middle of it, not only preempted
_SEARCH_PATIENCE_S = 2.0
_AHEAD_S = 5.0  # another process looked at the clock later and counted earlier: by less than this
_DAY_S = 86_400


@dataclass(slots=True)
class Count:
    """What stands in a key's slot."""

    tokens: float
    counted_s: float  # the monotonic clock
    day: int  # since 1970
    used: int  # answers of that day


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether somebody may ask now, and what is left to them."""

    granted: bool
    limit: int | None = None  # of what bounds them first, the bucket or the day; None for no limit at all
    remaining: int = 0
    reset_s: float = 0.0  # until the bucket is full again, or the day is over
    retry_s: float | None = None  # where not granted; None where waiting does not help
    bound: Literal["rate", "quota"] = "rate"


_UNLIMITED = Allowance(granted=True)


def decide(caller: Caller, count: Count, answers: int, *, at_s: float, now_s: float) -> Allowance:
    """Whether `caller` may be given `answers` now. Where they may, `count` is taken down by them; else only brought
    to date. A clock that stands long before the last count, of a machine started again, fills the bucket.
    """
    day = int(now_s // _DAY_S)
    if day > count.day:  # never back: a clock that is set back gives nobody a second day
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
            return Allowance(
                granted=False,
                limit=size,
                remaining=int(count.tokens),
                reset_s=(size - count.tokens) / rate,
                retry_s=None if answers > size else short_s,
            )
    quota = caller.per_day
    if quota is not None and count.used + answers > quota:
        left_s = _DAY_S - now_s % _DAY_S
        return Allowance(
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
        return Allowance(True, quota, quota - count.used, _DAY_S - now_s % _DAY_S, None, "quota")
    count.tokens -= answers
    remaining = int(count.tokens)
    if quota is not None and quota - count.used < remaining:
        return Allowance(True, quota, quota - count.used, _DAY_S - now_s % _DAY_S, None, "quota")
    return Allowance(True, size, remaining, (size - count.tokens) / rate)


class Limits:
    """The counts of one installation. For one thread; a forked process opens its own.

    Args:
        file: where they live; made if it is not there.
        patience_s: for the lock of a key's count, which is given up then.
    """

    def __init__(self, file: Path, *, patience_s: float = _PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._file = shared_memory.opened(file)
        self._map = shared_memory.mapped(self._file, SLOTS * _WIDTH, what="the limits of API keys")
        self._places: dict[str, tuple[int, bytes]] = {}  # of the keys met so far: offset and name of their slot

    def close(self) -> None:
        """Give the file up."""
        self._map.close()
        os.close(self._file)

    def take(self, caller: Caller, answers: int = 1, *, at_s: float, now_s: float) -> Allowance:
        """Leave for `caller` to be given `answers`: all of them, or none and none is counted.

        Args:
            at_s: the monotonic clock, which all processes of a machine share.
            now_s: seconds since 1970, for the day.
        """
        if caller.rate_per_s is None and caller.per_day is None:
            return _UNLIMITED
        while True:
            offset, name = self._places.get(caller.key) or self._find(caller.key)
            with_lock = self._lock(offset)
            try:
                owner, tokens, counted_s, day, used = _SLOT.unpack_from(self._map, offset)
                if owner == name:
                    count = Count(tokens, counted_s, day, used)
                    allowance = decide(caller, count, answers, at_s=at_s, now_s=now_s)
                    _SLOT.pack_into(self._map, offset, name, count.tokens, count.counted_s, count.day, count.used)
                    return allowance
            finally:
                if with_lock:
                    fcntl.lockf(self._file, fcntl.LOCK_UN, _WIDTH, offset)
            del self._places[caller.key]  # another key has it now: all were taken, and this one was the longest idle

    def _find(self, key: str) -> tuple[int, bytes]:
        """The slot of `key`: the one it has, else an empty one, else that of whoever was not heard of for longest."""
        name = blake2b(key.encode(), digest_size=16).digest()
        # Once for each key. Two that look at once without it would give the key two slots, and two buckets, for good.
        with_lock = self._lock(_DIRECTORY, patience_s=_SEARCH_PATIENCE_S)
        try:
            slots = [(offset, *_SLOT.unpack_from(self._map, offset)) for offset in range(0, SLOTS * _WIDTH, _WIDTH)]
            found = next((slot for slot in slots if slot[1] == name), None)
            if found is None:
                found = next((slot for slot in slots if slot[1] == _EMPTY), None)
                found = found or min(slots, key=lambda slot: (slot[4], slot[3]))
                self._claim(found[0], name)
        finally:
            if with_lock:
                fcntl.lockf(self._file, fcntl.LOCK_UN, _WIDTH, _DIRECTORY)
        self._places[key] = found[0], name
        return self._places[key]

    def _claim(self, offset: int, name: bytes) -> None:
        with_lock = self._lock(offset)
        _SLOT.pack_into(self._map, offset, name, math.inf, 0.0, 0, 0)  # a full bucket, an unused day
        if with_lock:
            fcntl.lockf(self._file, fcntl.LOCK_UN, _WIDTH, offset)

    def _lock(self, offset: int, *, patience_s: float | None = None) -> bool:
        """Lock the slot at `offset`. False if that took too long: whoever holds it was stopped in the middle, and one
        answer counted wrongly is better than none for anybody."""
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
                time.sleep(50e-6)  # whoever holds it needs the processor to let go of it
