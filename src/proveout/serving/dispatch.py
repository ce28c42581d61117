"""Micro-batches: requests that wait while the worker is busy travel together as one message.

Comes in: single records. Goes out: a claim for each, or the reason why there is none. No request waits for others: a
batch leaves as soon as the worker is free. Explanations are messages of their own, one record each, and a batch of
plain requests goes before every one of them.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from proveout.records import Plain
from proveout.serving.ladder import Claim, NoClaim
from proveout.serving.link import Hello, WorkerLost

MOST_ROWS = 256
MOST_WAITING = 10_000  # more than a worker can do within any deadline: who comes then is told at once

_DOWN = "the worker is down"
_DIED = "the worker died"


class Line(Protocol):
    """A line to a worker, see `link.Link`."""

    @property
    def hello(self) -> Hello | None:
        """What the worker says of itself; None while there is none."""

    async def ask(self, message: Any) -> Any:
        """Its reply. Raises: WorkerLost."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What the worker said of one record, and which release said it."""

    claim: Claim
    release: str
    threshold: float


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    record: Mapping[str, Plain]
    reply: asyncio.Future[Any]


class Dispatch:
    """The queue in front of a worker."""

    def __init__(self, line: Line, fields: Sequence[str]) -> None:
        self._line, self._fields = line, tuple(fields)
        self._plain: deque[_Waiting] = deque()
        self._special: deque[_Waiting] = deque()  # explanations and probes, which have no record
        self._work = asyncio.Event()
        self.heard_at = float("-inf")  # monotonic: when the worker last gave a sound reply

    async def score(self, record: Mapping[str, Plain], *, until: float) -> Scored:
        """What the model says of `record`. Raises: NoClaim, at the latest at `until` (the loop's clock)."""
        if self._line.hello is None:
            raise NoClaim(_DOWN)
        if len(self._plain) >= MOST_WAITING:
            raise NoClaim("too many requests are waiting")
        scored: Scored = await self._wait(self._plain, record, until=until)
        return scored

    async def explain(self, record: Mapping[str, Plain], *, until: float) -> list[Mapping[str, Any]]:
        """The reasons for the model's score of `record`, as the worker words them. Raises: NoClaim."""
        reply = await self._wait(self._special, record, until=until)
        if "reasons" not in reply:
            raise NoClaim(f"explaining failed: {reply.get('problem')}")
        reasons: list[Mapping[str, Any]] = reply["reasons"]
        return reasons

    async def probe(self, *, until: float) -> Hello:
        """The worker, after it has scored a row of its own. Raises: NoClaim."""
        reply = await self._wait(self._special, {}, until=until)
        hello = self._line.hello
        if hello is None or reply.get("probability", [None])[0] is None:
            raise NoClaim("it cannot score a row of its own training data")
        return hello

    async def run(self) -> None:
        """Carry messages, until cancelled."""
        while True:
            await self._work.wait()
            batch = self._next(self._plain, MOST_ROWS)
            if batch:
                await self._carry_batch(batch)
            special = self._next(self._special, 1)
            if special:
                await self._carry_special(special[0])
            if not self._plain and not self._special:
                self._work.clear()

    async def _wait(self, queue: deque[_Waiting], record: Mapping[str, Plain], *, until: float) -> Any:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(record=record, reply=loop.create_future())
        left_s = until - loop.time()
        timer = loop.call_at(until, _give_up, waiting.reply, left_s)
        queue.append(waiting)
        self._work.set()
        try:
            return await waiting.reply
        finally:
            timer.cancel()

    def _next(self, queue: deque[_Waiting], most: int) -> list[_Waiting]:
        """The first ones that still wait: whose deadline has passed is not computed any more."""
        taken: list[_Waiting] = []
        while queue and len(taken) < most:
            waiting = queue.popleft()
            if not waiting.reply.done():
                taken.append(waiting)
        return taken

    async def _carry_batch(self, batch: Sequence[_Waiting]) -> None:
        columns = {name: [waiting.record[name] for waiting in batch] for name in self._fields}
        hello = self._line.hello
        try:
            if hello is None:
                raise WorkerLost
            reply = await self._line.ask({"ask": "predict", "columns": columns})
            scores = _scores(reply, len(batch))
        except WorkerLost:
            scores = [_DIED] * len(batch)
        except NoClaim as silence:
            scores = [str(silence)] * len(batch)
        except Exception as error:  # a reply like no other: these requests fall back, and the queue moves on
            scores = [f"its reply cannot be read ({type(error).__name__})"] * len(batch)
        for waiting, score in zip(batch, scores, strict=True):
            if waiting.reply.done():
                continue
            if isinstance(score, str) or hello is None:
                waiting.reply.set_exception(NoClaim(score))
            else:
                self.heard_at = time.monotonic()
                waiting.reply.set_result(Scored(claim=score, release=hello.release, threshold=hello.threshold))

    async def _carry_special(self, waiting: _Waiting) -> None:
        columns = {name: [value] for name, value in waiting.record.items()}
        message = {"ask": "explain", "columns": columns} if columns else {"ask": "probe"}
        try:
            reply = await self._line.ask(message)
        except Exception as error:
            words = _DIED if isinstance(error, WorkerLost) else f"its reply cannot be read ({type(error).__name__})"
            if not waiting.reply.done():
                waiting.reply.set_exception(NoClaim(words))
            return
        if not waiting.reply.done():
            waiting.reply.set_result(reply if isinstance(reply, dict) else {})


def _give_up(reply: asyncio.Future[Any], waited_s: float) -> None:
    if not reply.done():
        reply.set_exception(NoClaim(f"no answer within {waited_s * 1000:.0f} ms"))


def _scores(reply: Any, rows: int) -> list[Claim | str]:
    """A claim, or the reason why there is none, for each of the `rows` that were sent. Raises: NoClaim for all."""
    if not isinstance(reply, dict):
        raise NoClaim("its reply is no object")
    if "probability" not in reply:
        raise NoClaim(str(reply.get("problem") or "its reply has no scores"))
    probability, confidence = reply["probability"], reply.get("confidence") or [None] * rows
    problem = reply.get("problem") or [None] * rows
    if not (len(probability) == len(confidence) == len(problem) == rows):
        raise NoClaim(f"it gave {len(probability)} scores for {rows} requests")
    return [
        Claim(probability=score, confidence=sure) if trouble is None else str(trouble)
        for score, sure, trouble in zip(probability, confidence, problem, strict=True)
    ]
