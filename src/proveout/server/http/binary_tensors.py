"""Tensors in binary: the extension of the Open Inference Protocol that Triton's clients use unless told otherwise.

Input: a body whose first part is JSON, as long as the header Inference-Header-Content-Length says, and whose rest
are the tensors that say `binary_data_size`, one behind the other. Output: their values; and values as bytes, for
an answer. Numbers are little-endian, a BOOL is one byte, an element of BYTES has its length before it.
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
"""Makes an error of a sentence."""


class BinaryBody:
    """A body in two parts.

    Args:
        header: of the request; None: all of the body is JSON.
    Raises: what `refuse` makes, here and below.
    """

    def __init__(self, body: bytes, header: bytes | None, *, refuse: Refuse) -> None:
        self._refuse = refuse
        if header is not None and not (header.isdigit() and len(header) < 12 and int(header) <= len(body)):
            raise refuse("The header Inference-Header-Content-Length is the number of bytes of the JSON in the body.")
        length = len(body) if header is None else int(header)
        self.json, self._rest = body[:length], body[length:]
        self._at = 0

    def take(self, name: str, datatype: str, count: int, size: Any) -> list[Any]:
        """The next `count` values, in `size` bytes; NaN is None, a value that is not known."""
        if type(size) is not int or not 0 <= size <= len(self._rest) - self._at:
            left = len(self._rest) - self._at
            raise self._refuse(
                f"The `binary_data_size` of {name} is a number of bytes, at most the {left} that are left behind the "
                "JSON, which ends where the header Inference-Header-Content-Length says."
            )
        raw, self._at = self._rest[self._at : self._at + size], self._at + size
        if datatype == "BYTES":
            return self._texts(name, count, raw)
        needed = count * struct.calcsize(f"<{_FORMATS[datatype]}")
        if needed != size:
            raise self._refuse(
                f"The tensor {name} has {size} bytes of binary data: its shape in {datatype} has {needed}."
            )
        if datatype == "BOOL" and not set(raw) <= {0, 1}:
            raise self._refuse(f"The tensor {name} has a byte that is no BOOL: 0 or 1.")
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
        """All tensors were taken. Raises: if bytes are left."""
        if self._at != len(self._rest):
            left = len(self._rest) - self._at
            raise self._refuse(f"{left} bytes are left behind the tensors that say `binary_data_size`.")


_NO_TEXTS = "The binary data of {name} are {count} texts in UTF-8, each with its length in four bytes before it."


def encoded(datatype: str, values: Sequence[Any]) -> bytes:
    """Values as bytes. What there is not is NaN, 0, false or an empty text: of these there is no other."""
    if datatype == "BYTES":
        texts = ("" if value is None else str(value) for value in values)
        return b"".join(_LENGTH.pack(len(text)) + text for text in (one.encode() for one in texts))
    nothing = math.nan if datatype.startswith("FP") else 0
    known = [nothing if value is None else value for value in values]
    return struct.pack(f"<{len(values)}{_FORMATS[datatype]}", *known)
