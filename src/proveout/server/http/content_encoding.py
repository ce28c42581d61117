"""Compressed bodies: gzip is decoded, every other coding is refused.

Input: the headers of a request, and its body as it arrives. Output: the decoded body, in pieces no larger than the
caller asks for, so a small body never takes more memory than the limit allows; or `Refused`.
"""

import zlib
from collections.abc import Iterable

from proveout.schema.validator import shown
from proveout.server.http.validation import Problem, Refused

CODINGS = b"gzip"  # the value of `Accept-Encoding`
OVERHEAD_BYTES = 1_024  # that gzip adds to a body that it cannot compress
_GZIP = {"gzip", "x-gzip"}
_STEP_BYTES = 4_096  # encoded bytes per decoding step; zlib copies those that do not fit under the limit


def decoder(headers: Iterable[tuple[bytes, bytes]]) -> "Gunzip | None":
    """The decoder of the body; None for a plain body. Raises: Refused with 415 for an unknown coding."""
    named = b",".join(value for name, value in headers if name == b"content-encoding").decode("latin-1").lower()
    codings = [coding for part in named.split(",") if (coding := part.strip()) not in {"", "identity"}]
    if not codings:
        return None
    if len(codings) == 1 and codings[0] in _GZIP:
        return Gunzip()
    detail = f"Content-Encoding {shown(', '.join(codings))} is not supported: send the body plain, or as gzip once."
    problem = Problem(status=415, kind="content-encoding", title="Unsupported content coding", detail=detail)
    raise Refused(problem, (b"accept-encoding", CODINGS))


class Gunzip:
    """The decoder of one gzip body. Feed a part, then take pieces until b"" comes back."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)
        self._fed, self._at = b"", 0
        self._full = False  # whether the last piece reached the limit: zlib may hold more of it
        self._ended = False

    def feed(self, part: bytes) -> None:
        """Add the next bytes of the body. Take all earlier ones first."""
        self._fed, self._at = part, 0

    def take(self, most_bytes: int) -> bytes:
        """The next decoded bytes; b"" when more must be fed. Raises: Refused if the body is not gzip."""
        while self._full or self._at < len(self._fed):
            if self._inflate.eof:
                self._inflate = zlib.decompressobj(wbits=31)  # a gzip file may have several members
            part = self._fed[self._at : self._at + _STEP_BYTES]
            try:
                found = self._inflate.decompress(part, most_bytes)
            except zlib.error as error:
                raise Refused(_undecodable("is not gzip, or is damaged")) from error
            self._at += len(part) - len(self._inflate.unconsumed_tail or self._inflate.unused_data)
            self._full = len(found) == most_bytes and not self._inflate.eof
            self._ended = self._inflate.eof
            if found:
                return found
        return b""

    def end(self) -> None:
        """Call after the last `feed`. Raises: Refused if the body is incomplete."""
        if not self._ended:
            raise Refused(_undecodable("is incomplete"))

    def whole(self, encoded: bytes, most_bytes: int) -> bytes:
        """The decoded body. Of a larger one, only the first `most_bytes` + 1 bytes. Raises: Refused."""
        self.feed(encoded)
        pieces: list[bytes] = []
        size = 0
        while size <= most_bytes and (piece := self.take(most_bytes + 1 - size)):
            pieces.append(piece)
            size += len(piece)
        if size <= most_bytes:
            self.end()
        return b"".join(pieces)


def _undecodable(how: str) -> Problem:
    detail = f"The body {how}. Its Content-Encoding says gzip."
    return Problem(status=400, kind="content-encoding", title="The body cannot be decoded", detail=detail)
