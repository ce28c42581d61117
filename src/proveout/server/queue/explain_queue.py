"""Explanations: sent to the worker and back, within a deadline or not at all.

Input: records. Output: the reasons for a release's answers to them. They have their own connection to the worker, so no
request waits for an explanation. Several that wait are sent as one message. Their duration is measured: an explanation
that cannot be ready in time is refused at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proveout.records.values import Scalar
from proveout.server.no_answer import NoAnswer
from proveout.server.queue.worker_connection import Line, WorkerLost
from proveout.server.server_state import DesiredState

_MOST_EXPLAINED = 8  # records in one message
_TRY_AGAIN_S = 5.0  # a measured time that forbids every explanation is measured again after this

_NO_TIME = "no time for reasons within the deadline"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A record whose reasons somebody waits for."""

    release: str
    record: Mapping[str, Scalar]
    reply: asyncio.Future[Sequence[Mapping[str, Any]]]
    until: float


class ExplainQueue:
    """The queue for explanations.

    Args:
        columns: records as their columns.
    """

    def __init__(
        self, line: Line, columns: Callable[[Sequence[Mapping[str, Scalar]]], Mapping[str, Sequence[Scalar]]]
    ) -> None:
        self._line, self._columns = line, columns
        self._asked: deque[_Asked] = deque()
        self._work = asyncio.Event()
        self._each_s: dict[str, tuple[float, float]] = {}  # of one explanation, by release; and when it was measured
        self._out: tuple[float, float] | None = None  # those on their way: since when, and how long they take

    def post(self, desired: DesiredState) -> None:
        """There is a new desired state: what it does not list is forgotten."""
        listed = {release.name for release in desired.releases}
        self._each_s = {name: each for name, each in self._each_s.items() if name in listed}

    async def explain(self, record: Mapping[str, Scalar], *, release: str, until: float) -> Sequence[Mapping[str, Any]]:
        """The reasons. Raises: NoAnswer, at once where there is no time for them."""
        status = self._line.status
        if status is None or release not in status.holds:
            raise NoAnswer("no worker explains it now")
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now + self._expected_s(release, now) > until:
            raise NoAnswer(_NO_TIME)
        asked = _Asked(release, record, loop.create_future(), until)
        self._asked.append(asked)
        self._work.set()
        try:
            async with asyncio.timeout_at(until):
                return await asked.reply
        except TimeoutError as error:
            raise NoAnswer(_NO_TIME) from error

    def _expected_s(self, release: str, now: float) -> float:
        """How long an explanation asked for now takes, by those before it. 0 where that is to be measured again."""
        each_s, measured = self._each_s.get(release, (0.0, now))
        if now - measured > _TRY_AGAIN_S and not self._asked and self._out is None:
            return 0.0
        out_s = 0.0
        if self._out is not None:
            since, expected_s = self._out
            out_s = max(0.0, since + expected_s - now)
        ahead_s = sum(self._each_s.get(asked.release, (0.0, now))[0] for asked in self._asked)
        return out_s + ahead_s + each_s

    async def run(self) -> None:
        """Carry, until cancelled."""
        while True:
            await self._work.wait()
            batch = self._next()
            if not batch:
                self._work.clear()
                continue
            loop = asyncio.get_running_loop()
            release, began = batch[0].release, loop.time()
            each_s, _ = self._each_s.get(release, (0.0, began))
            self._out = (began, each_s * len(batch))
            try:
                reply = await self._line.ask(
                    {
                        "ask": "explain",
                        "release": release,
                        "columns": self._columns([asked.record for asked in batch]),
                        "within_s": max(asked.until for asked in batch) - began,
                    }
                )
                self._explained(batch, reply)
            except WorkerLost:
                _answer(batch, ["the worker died"] * len(batch))
            except Exception as error:  # a reply like no other
                _answer(batch, [f"its reply cannot be read ({type(error).__name__})"] * len(batch))
            finally:
                self._out = None
            took_s = (loop.time() - began) / len(batch)
            self._each_s[release] = ((each_s + took_s) / 2 if each_s else took_s, loop.time())

    def _next(self) -> Sequence[_Asked]:
        """The first ones that wait for the same release, as many as are done before the first deadline."""
        batch: list[_Asked] = []
        now = asyncio.get_running_loop().time()
        while self._asked and len(batch) < _MOST_EXPLAINED:
            asked = self._asked[0]
            if not asked.reply.done():
                each_s = self._each_s.get(asked.release, (0.0, now))[0]
                first = min((other.until for other in batch), default=asked.until)
                if batch and (asked.release != batch[0].release or now + each_s * (len(batch) + 1) > first):
                    break
                batch.append(asked)
            self._asked.popleft()
        return batch

    def _explained(self, batch: Sequence[_Asked], reply: Any) -> None:
        if "reasons" not in reply:
            _answer(batch, [f"explaining failed: {reply.get('problem')}"] * len(batch))
            return
        _answer(batch, [_NO_TIME if reasons is None else reasons for reasons in reply["reasons"]])


def _answer(batch: Sequence[_Asked], said: Sequence[Any]) -> None:
    for asked, reasons in zip(batch, said, strict=True):
        if asked.reply.done():
            continue
        if isinstance(reasons, str):
            asked.reply.set_exception(NoAnswer(reasons))
        else:
            asked.reply.set_result(reasons)
