"""Binary tensors: the extension of the Open Inference Protocol that Triton's clients use by default.

Input: a body that begins with JSON, whose length is in the header Inference-Header-Content-Length. After it come the
tensors that have a `binary_data_size`, in order. Output: their values; and values as bytes, for an answer. Numbers are
little-endian, a BOOL is one byte, an element of BYTES has its length before it.
"""

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

EXTENSION = "binary_tensor_data"
HEADER = b"inference-header-content-length"

_FORMATS = {
    "BOOL": "?", "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "UINT8": "B", "UINT16": "H", "UINT32": "I",
    "UINT64": "Q", "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip
_LENGTH = struct.Struct("<I")

Refuse = Callable[[str], Exception]
"""Makes an error from a message."""


class BinaryBody:
    """A body of JSON and binary tensors.

    Args:
        header: the request's Inference-Header-Content-Length; None if the whole body is JSON.
    Raises: the error of `refuse`, as the methods below do.
    """

    def __init__(self, body: bytes, header: bytes | None, *, refuse: Refuse) -> None:
        self._refuse = refuse
        if header is not None and not (header.isdigit() and len(header) < 12 and int(header) <= len(body)):
            raise refuse("The header Inference-Header-Content-Length must be the number of JSON bytes in the body.")
        length = len(body) if header is None else int(header)
        self.json, self._rest = body[:length], body[length:]
        self._at = 0

    def take(self, name: str, datatype: str, count: int, size: Any) -> list[Any]:
        """The next `count` values, in `size` bytes. NaN becomes None: unknown."""
        if type(size) is not int or not 0 <= size <= len(self._rest) - self._at:
            left = len(self._rest) - self._at
            raise self._refuse(
                f"The `binary_data_size` of {name} must be a number of bytes, at most the {left} that are left in the "
                "body after the JSON and the earlier tensors."
            )
        raw, self._at = self._rest[self._at : self._at + size], self._at + size
        if datatype == "BYTES":
            return self._texts(name, count, raw)
        needed = count * struct.calcsize(f"<{_FORMATS[datatype]}")
        if needed != size:
            raise self._refuse(
                f"The tensor {name} has {size} bytes of binary data. Its shape and {datatype} need {needed}."
            )
        if datatype == "BOOL" and not set(raw) <= {0, 1}:
            raise self._refuse(f"The tensor {name} has a BOOL byte other than 0 and 1.")
        values = struct.unpack(f"<{count}{_FORMATS[datatype]}", raw)
        return [None if type(value) is float and math.isnan(value) else value for value in values]

    def _texts(self, name: str, count: int, raw: bytes) -> list[str]:
        texts: list[str] = []
        at = 0
        try:
            while at < len(raw):
                (length,) = _LENGTH.unpack_from(raw, at)
                at += _LENGTH.size + length
                if at > len(raw):
                    break
                texts.append(raw[at - length : at].decode())
        except (struct.error, UnicodeDecodeError) as error:
            raise self._refuse(_NO_TEXTS.format(name=name, count=count)) from error
        if at != len(raw) or len(texts) != count:
            raise self._refuse(_NO_TEXTS.format(name=name, count=count))
        return texts

    def end(self) -> None:
        """Call after the last tensor. Raises: an error if bytes are left."""
        if self._at != len(self._rest):
            left = len(self._rest) - self._at
            raise self._refuse(f"The body has {left} more bytes than its binary tensors need.")


_NO_TEXTS = "The binary data of {name} must be {count} texts in UTF-8, each after its length in four bytes."


def encoded(datatype: str, values: Sequence[Any]) -> bytes:
    """Values as bytes. None becomes NaN, 0, false or an empty text, because binary tensors have no null."""
    if datatype == "BYTES":
        texts = ("" if value is None else str(value) for value in values)
        return b"".join(_LENGTH.pack(len(text)) + text for text in (one.encode() for one in texts))
    nothing = math.nan if datatype.startswith("FP") else 0
    known = [nothing if value is None else value for value in values]
    return struct.pack(f"<{len(values)}{_FORMATS[datatype]}", *known)
