"""The lines of a journal: one JSON object per row.

Input: records. Output: a line for each, and the record again. The line of a prediction is its record. The line of any
other record begins with its `kind`.
"""

from typing import Any

import orjson

from proveout.records.answer import Answer
from proveout.records.drift_report import Alert
from proveout.records.prediction import Feedback, Prediction, ShadowAnswer

Row = Prediction | ShadowAnswer | Feedback | Alert

_KINDS: dict[str, type[Row]] = {"shadow": ShadowAnswer, "feedback": Feedback, "alert": Alert}
_HEADS = {kind: b'{"kind":"%s",' % name.encode() for name, kind in _KINDS.items()}


def write(row: Row) -> bytes:
    """The line of `row`, with its line feed."""
    head = _HEADS.get(type(row))
    if head is None:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    return head + orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)[1:]


def read(line: bytes) -> Row:
    """The row in `line`. Raises: ValueError or TypeError if there is none."""
    fields: dict[str, Any] = orjson.loads(line)
    kind = fields.pop("kind", None)
    if fields.get("answer") is not None:
        fields["answer"] = Answer(**fields["answer"])
    return Prediction(**fields) if kind is None else _KINDS[str(kind)](**fields)
