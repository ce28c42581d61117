"""The message format between API process and worker on a Unix socket: JSON after its length. Never pickle.

A closed socket means that the worker died: the kernel closes it however the process ends.
"""

import socket
import struct
from collections.abc import Iterator
from typing import Any

import orjson

_LENGTH = struct.Struct("<I")


def pack(message: Any) -> bytes:
    """One message as bytes. NaN becomes null."""
    text = orjson.dumps(message)
    return _LENGTH.pack(len(text)) + text


class Frames:
    """Splits a stream of bytes into messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Every message that `data` completes."""
        self._bytes += data
        while len(self._bytes) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._bytes)[0]
            if len(self._bytes) < end:
                return
            text = bytes(self._bytes[_LENGTH.size : end])
            del self._bytes[:end]
            yield orjson.loads(text)


def messages(connection: socket.socket) -> Iterator[Any]:
    """The messages that arrive at `connection`, until the other side closes it."""
    frames = Frames()
    while data := connection.recv(1 << 20):
        yield from frames.feed(data)
