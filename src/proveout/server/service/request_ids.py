"""Request ids: one unique id per answer, for client, server and log.

Input: the id that a client sent, or none. Output: that id, or a new one, never the same twice: the ledger keeps one row
per id, so a second answer under the same id would be lost. One small file, which all API processes map, remembers the
hashes of at least the newest hundred thousand ids. So a retry is recognized in another process and after a restart.
"""

import mmap
import os
from hashlib import blake2b
from pathlib import Path
from time import time_ns

from proveout.server import shared_memory

_LINES, _MARK = 2**15, 8
_LINE = 8 * _MARK  # holds the newest eight of the ids that hash to it, newest first


class RequestIds:
    """Gives every answer a unique id. For one thread; a forked process opens its own.

    Args:
        file: remembers the ids; None keeps them in memory, for a server of one process.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._chance = b""
        if file is None:
            self._seen = mmap.mmap(-1, _LINES * _LINE)
            return
        descriptor = shared_memory.opened(file)
        try:
            self._seen = shared_memory.mapped(descriptor, _LINES * _LINE, what="used request ids")
        finally:
            os.close(descriptor)

    def take(self, wanted: str | None) -> str:
        """`wanted`, or a new id. If `wanted` was used before, it gets a random suffix."""
        if wanted is None:
            return new_id(time_ns(), self._bits(10) >> 6)
        found = blake2b(wanted.encode(), digest_size=16).digest()
        place, mark = int.from_bytes(found[:8], "big") % _LINES * _LINE, found[8:]
        line = self._seen[place : place + _LINE]
        if mark in line:
            return f"{wanted}~{self._bits(6):012x}"
        self._seen[place : place + _LINE] = mark + line[:-_MARK]
        return wanted

    def _bits(self, count: int) -> int:
        """`count` random bytes, as a number."""
        if len(self._chance) < count:
            self._chance = os.urandom(512)  # one system call for fifty ids
        drawn, self._chance = self._chance[:count], self._chance[count:]
        return int.from_bytes(drawn, "big")


def new_id(at_ns: int, chance: int) -> str:
    """A UUID of version 7 (RFC 9562): the millisecond, then 74 random bits, so ids sort by time.

    >>> new_id(1_700_000_000_000_000_000, 0)
    '018bcfe5-6800-7000-8000-000000000000'
    """
    high, low = chance >> 62, chance & (2**62 - 1)
    bits = (at_ns // 1_000_000) << 80 | 7 << 76 | high << 64 | 2 << 62 | low
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def sane_id(given: bytes) -> str | None:
    """The id in a header, if it is 1 to 128 visible ASCII characters."""
    if 0 < len(given) <= 128 and all(0x21 <= byte <= 0x7E for byte in given):
        return given.decode("ascii")
    return None
