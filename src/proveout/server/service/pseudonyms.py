"""Pseudonyms: they replace personal data in the log.

Input: a record and the names of its personal fields. Output: the record for journal and ledger. Only the model and the
rules get the values.
"""

import hmac
from collections.abc import Mapping, Sequence

from proveout.records.json_form import canonical
from proveout.records.values import Scalar

PREFIX = "pii:"


class Pseudonyms:
    """Replaces values by a keyed hash. The same value of a field always has the same pseudonym, so the owner of the key
    can still count, join and erase its rows. Without the key nobody can find the value by guessing.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:  # keeps the key out of logs
        return "Pseudonyms()"

    def hide(self, record: Mapping[str, Scalar], pii_fields: Sequence[str]) -> Mapping[str, Scalar]:
        """`record` with a pseudonym in each of `pii_fields`. Null stays null."""
        if not pii_fields:
            return record
        hidden = {name: self.name(name, record[name]) for name in pii_fields if record.get(name) is not None}
        return {**record, **hidden}

    def name(self, field: str, value: Scalar) -> str:
        """The pseudonym of one value: 128 bits of HMAC-SHA256 over the field's name and the value.

        >>> Pseudonyms(b"a key").name("tailnum", "N12345")
        'pii:fd29e7907eec4b3c5009bb9a9c28a70a'
        """
        text = field.encode() + b"\0" + canonical(value)
        return PREFIX + hmac.digest(self._key, text, "sha256").hex()[:32]
