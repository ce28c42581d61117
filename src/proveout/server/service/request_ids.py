"""Request ids: the name of an answer for client and server, and the key of its row in the log.

Input: the id that a client gave, or none. Output: that id, or a new one, never the same twice. The ledger keeps one row
for an id, so a second answer under it would be missing. The given ids are remembered by their hashes, at least the
newest hundred thousand, in one small file that all API processes map. So a retry finds its first try in another
process, and after a restart.
"""

import mmap
import os
from hashlib import blake2b
from pathlib import Path
from time import time_ns

from proveout.server import shared_memory

_LINES, _MARK = 2**15, 8
_LINE = 8 * _MARK  # the newest eight ids of those that share a line, the newest first


class Ids:
    """Gives every answer an id of its own. For one thread; a forked process opens its own.

    Args:
        file: where ids are remembered; None for a server of one process that is not started again.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._chance = b""
        if file is None:
            self._seen = mmap.mmap(-1, _LINES * _LINE)
            return
        descriptor = shared_memory.opened(file)
        try:
            self._seen = shared_memory.mapped(descriptor, _LINES * _LINE, what="request ids that were given")
        finally:
            os.close(descriptor)

    def take(self, wanted: str | None) -> str:
        """`wanted` or a new one. One that was given before gets a tail."""
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
        """So many random bytes, as a number."""
        if len(self._chance) < count:
            self._chance = os.urandom(512)  # one call of the kernel for fifty ids
        drawn, self._chance = self._chance[:count], self._chance[count:]
        return int.from_bytes(drawn, "big")


def new_id(at_ns: int, chance: int) -> str:
    """A UUID of version 7 (RFC 9562): the millisecond, then 74 bits of chance, so ids sort by their time.

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
