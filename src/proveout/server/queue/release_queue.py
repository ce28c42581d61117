"""The queue of one release in front of a worker, and the format of its batches.

Input: records. Output: their columns; and, from the worker's reply, an answer for each. `batcher` sends the batches.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from proveout.records.answer import Answer
from proveout.records.values import Scalar
from proveout.server.no_answer import NoAnswer
from proveout.server.queue.batch_timing import BatchTiming
from proveout.server.queue.breaker import Breaker, Ticket
from proveout.task.plain_values import share
from proveout.task.task import Task

MOST_ROWS = 256  # in one message


@dataclass(frozen=True, slots=True)
class Scored:
    """The worker's answer to one record, and the release that gave it."""

    answer: Answer
    release: str


class Waiting:
    """A record that waits for its answer. Not a dataclass: thousands are made per second."""

    __slots__ = ("due", "record", "release_queue", "reply", "sent", "since", "ticket", "until")

    def __init__(  # noqa: PLR0917  # positional arguments are faster
        self,
        record: Mapping[str, Scalar],
        reply: asyncio.Future[Scored],
        release_queue: "ReleaseQueue",
        ticket: Ticket,
        since: float,
        until: float,
        due: "set[Waiting]",
    ) -> None:
        self.record, self.reply, self.release_queue, self.ticket = record, reply, release_queue, ticket
        self.since, self.until = since, until  # on the loop's clock
        self.due = due  # all records with the same deadline
        self.sent = False


class ReleaseQueue:
    """The records that wait for one release."""

    def __init__(self, cool_s: float) -> None:
        self.queue: deque[Waiting] = deque()
        self.breaker = Breaker(cool_s=cool_s)
        self.pace = BatchTiming()
        self.rows = MOST_ROWS  # the row limit of its last batch

    def seconds(self) -> float:
        """The expected time to answer the whole queue."""
        waiting, full_s = len(self.queue), self.pace.seconds(self.rows)
        if not waiting:
            return 0.0
        # The time of a bin is that of its smaller batches, so full batches are scaled by rows.
        return waiting / self.rows * full_s if waiting >= self.rows else min(full_s, self.pace.seconds(2 * waiting))


@dataclass(frozen=True, slots=True)
class InFlightBatch:
    """The batch that the worker is scoring."""

    release: str
    task: Task
    release_queue: ReleaseQueue
    batch: Sequence[Waiting]
    began: float  # on the loop's clock
    clock: float  # on the finer clock that measures batches
    expected_s: float


def columns_of(fields: Sequence[str]) -> Callable[[Sequence[Mapping[str, Scalar]]], dict[str, Sequence[Scalar]]]:
    """A function that converts records to columns, without an inner loop in Python.

    >>> columns_of(["a", "b"])([{"a": 1, "b": "x"}, {"a": 2, "b": None}])
    {'a': (1, 2), 'b': ('x', None)}
    """
    names = tuple(fields)
    if len(names) == 1:  # with one name, itemgetter returns no tuple
        return lambda records: {names[0]: [record[names[0]] for record in records]}
    row = itemgetter(*names)
    return lambda records: dict(zip(names, zip(*map(row, records), strict=True), strict=True))


def answers_in(reply: Any, rows: int, task: Task) -> list[Answer | str]:
    """For each of the `rows` that were sent, an answer or the reason why there is none.

    Raises: NoAnswer if the reply has no answer for any row.
    """
    if not isinstance(reply, dict):
        raise NoAnswer("its reply is no object")
    if "scores" not in reply:
        raise NoAnswer(str(reply.get("problem") or "its reply has no scores"))
    scores, confidence = reply["scores"], reply.get("confidence") or [None] * rows
    problem = reply.get("problem") or [None] * rows
    if not len(scores) == len(confidence) == len(problem) == rows:
        raise NoAnswer(f"it gave {len(scores)} scores for {rows} requests")
    valid, answer, invalid = task.is_valid, task.answer, task.invalid
    return [
        (answer(one, confidence=share(sure)) if valid(one) else invalid) if trouble is None else str(trouble)
        for one, sure, trouble in zip(scores, confidence, problem, strict=True)
    ]
