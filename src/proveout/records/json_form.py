"""The canonical JSON of a record, and its digest.

Input: a record, or plain values. Output: canonical JSON and its SHA-256; and from JSON the record. orjson writes and
pydantic, which is imported on first use, reads.
"""

import hashlib
from functools import cache
from typing import Any, TypeVar

import orjson

from proveout.records.values import Digest

R = TypeVar("R")


def canonical(value: Any) -> bytes:
    """The canonical JSON of `value` (a record, or plain values): keys sorted, no spaces. Digests are taken of it."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest_of(value: Any) -> Digest:
    """SHA-256 over the canonical JSON of a record or of plain values."""
    return Digest(hashlib.sha256(canonical(value)).hexdigest())


def to_json(record: Any) -> str:
    """A record as JSON text; `from_json` returns an equal record."""
    return canonical(record).decode()


def from_json(kind: type[R], text: str | bytes) -> R:
    """The record of type `kind` in `text`.

    Raises: pydantic.ValidationError if a field is missing or invalid.
    """
    untyped: Any = kind  # mypy does not accept a type variable as hashable
    record: R = _reader(untyped).validate_json(text)
    return record


@cache
def _reader(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)  # takes 0.4 ms to build, so it is cached per type
