"""What the demo asks: rows of the project as requests, and here and there one that no server may accept.

Input: rows of the request columns. Output: bodies for `POST /predict`, each with what is wrong with it, if
anything is.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proveout.data import request_columns
from proveout.records.values import Scalar

if TYPE_CHECKING:
    import pandas as pd

Record = Mapping[str, Scalar]


@dataclass(frozen=True, kw_only=True)
class SampleRequest:
    """One body to send. `malformed` names what is wrong with it; empty for a good one."""

    body: bytes
    malformed: str = ""


def _first(record: Record) -> str:
    return next(iter(record))


# Refused whatever the schema of the project is: each breaks JSON, the shape of a request, or the list of its fields.
MALFORMED: Mapping[str, Callable[[Record], str]] = {
    "ends in the middle": lambda record: json.dumps(record)[:-2],
    "has a field that the schema does not know": lambda record: json.dumps({**record, "no such field": 1}),
    "has a list for a value": lambda record: json.dumps({**record, _first(record): [1, 2]}),
    "has NaN, which is not JSON": lambda record: json.dumps({**record, _first(record): float("nan")}),
    "is a list": lambda record: json.dumps([record]),
}


def sample(rows: "pd.DataFrame", *, requests: int, malformed: int) -> tuple[SampleRequest, ...]:
    """`requests` bodies, `malformed` of them broken, spread evenly.

    Args:
        rows: of the request columns. They are drawn without replacement, and asked in their own order; of fewer rows
            than `requests`, all are asked again and again.
    """
    drawn = rows.sample(min(requests, len(rows)), random_state=0).sort_index()
    records = request_columns.plain_records(drawn)
    return tuple(spread([records[place % len(records)] for place in range(requests)], malformed=malformed))


def spread(records: Sequence[Record], *, malformed: int) -> list[SampleRequest]:
    """The records as bodies, `malformed` of them broken, each in the next way.

    >>> [bool(one.malformed) for one in spread([{"a": 1}] * 6, malformed=2)]
    [True, False, False, True, False, False]
    """
    ways, every = list(MALFORMED), max(1, len(records) // malformed) if malformed else len(records) + 1
    bodies = []
    for place, record in enumerate(records):
        number, rest = divmod(place, every)
        way = ways[number % len(ways)] if malformed and rest == 0 and number < malformed else ""
        text = MALFORMED[way](record) if way else json.dumps(record)
        bodies.append(SampleRequest(body=text.encode(), malformed=way))
    return bodies
