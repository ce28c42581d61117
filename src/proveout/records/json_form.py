"""The one JSON text of a record, and the digest that is taken over it.

Input: a record, or plain values. Output: canonical JSON and its SHA-256; from JSON the record again. orjson writes, and
pydantic reads: both are imported where they are used.
"""

import hashlib
from functools import cache
from typing import Any, TypeVar

from proveout.records.values import Digest

R = TypeVar("R")


def canonical(value: Any) -> bytes:
    """The one JSON text of `value` (a record, or plain values): keys sorted, no spaces. Digests are taken over it."""
    import orjson

    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest_of(value: Any) -> Digest:
    """SHA-256 over the canonical JSON of a record or of plain values."""
    return Digest(hashlib.sha256(canonical(value)).hexdigest())


def to_json(record: Any) -> str:
    """A record as JSON text; `from_json` reads it back equal."""
    return canonical(record).decode()


def from_json(kind: type[R], text: str | bytes) -> R:
    """The record of type `kind` in `text`.

    Raises: pydantic.ValidationError if a field is missing, unknown in type or out of its choices.
    """
    untyped: Any = kind  # mypy does not take a type variable for a hashable
    record: R = _reader(untyped).validate_json(text)
    return record


@cache
def _reader(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)  # 0.4 ms to build, so one for each kind
