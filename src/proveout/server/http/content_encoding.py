"""Bodies that come compressed: gzip is decoded, every other coding is refused by name.

Input: the headers of a request, and its body as it arrives. Output: the body as it was before, in pieces of any
size that is asked for, so that a body of a few bytes never becomes more memory than a limit allows; or `Refused`.
"""

import zlib
from collections.abc import Iterable

from proveout.schema.validator import shown
from proveout.server.http.validation import Problem, Refused

CODINGS = b"gzip"  # as `Accept-Encoding` says it
OVERHEAD_BYTES = 1_024  # of gzip, for a body that cannot be made smaller
_GZIP = {"gzip", "x-gzip"}
_AT_ONCE = 4_096  # encoded bytes that are decoded in one step: what the limit leaves of them is copied


def decoder(headers: Iterable[tuple[bytes, bytes]]) -> "Gunzip | None":
    """What decodes the body; None for one that is sent as it is. Raises: Refused with 415 for an unknown coding."""
    named = b",".join(value for name, value in headers if name == b"content-encoding").decode("latin-1").lower()
    codings = [coding for part in named.split(",") if (coding := part.strip()) not in {"", "identity"}]
    if not codings:
        return None
    if len(codings) == 1 and codings[0] in _GZIP:
        return Gunzip()
    detail = f"The header Content-Encoding says {shown(', '.join(codings))}: a body is sent as it is, or as gzip, once."
    problem = Problem(status=415, kind="content-encoding", title="Not in this coding", detail=detail)
    raise Refused(problem, (b"accept-encoding", CODINGS))


class Gunzip:
    """One gzip body. Feed it, then take until there is nothing more."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)
        self._fed, self._at = b"", 0
        self._full = False  # the last piece was as long as it might be: there may be more of it
        self._ended = False

    def feed(self, part: bytes) -> None:
        """The next bytes of the body. All before were taken."""
        self._fed, self._at = part, 0

    def take(self, most_bytes: int) -> bytes:
        """The next decoded bytes, b"" when more must be fed. Raises: Refused for what is no gzip."""
        while self._full or self._at < len(self._fed):
            if self._inflate.eof:
                self._inflate = zlib.decompressobj(wbits=31)  # gzip may be several, one behind the other
            part = self._fed[self._at : self._at + _AT_ONCE]
            try:
                found = self._inflate.decompress(part, most_bytes)
            except zlib.error as error:
                raise Refused(_spoiled("is not gzip, or was damaged on its way")) from error
            self._at += len(part) - len(self._inflate.unconsumed_tail or self._inflate.unused_data)
            self._full = len(found) == most_bytes and not self._inflate.eof
            self._ended = self._inflate.eof
            if found:
                return found
        return b""

    def end(self) -> None:
        """Nothing more will be fed. Raises: Refused if the body is not whole."""
        if not self._ended:
            raise Refused(_spoiled("ends in the middle"))

    def whole(self, encoded: bytes, most_bytes: int) -> bytes:
        """The decoded body; of a larger one no more than a byte beyond `most_bytes`. Raises: Refused."""
        self.feed(encoded)
        pieces: list[bytes] = []
        size = 0
        while size <= most_bytes and (piece := self.take(most_bytes + 1 - size)):
            pieces.append(piece)
            size += len(piece)
        if size <= most_bytes:
            self.end()
        return b"".join(pieces)


def _spoiled(how: str) -> Problem:
    detail = f"The body {how}: by its header Content-Encoding it is gzip."
    return Problem(status=400, kind="content-encoding", title="The body cannot be decoded", detail=detail)
