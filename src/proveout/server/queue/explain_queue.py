"""The queue for explanations, which the worker computes within a deadline or not at all.

Input: records. Output: the reasons for a release's answers to them. Explanations have their own connection to the
worker, so no plain request waits for them. Waiting ones are sent together as one message. The queue measures how long
they take, and refuses at once an explanation that cannot be ready in time.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proveout.records.values import Scalar
from proveout.server.no_answer import NoAnswer
from proveout.server.queue.worker_connection import Connection, WorkerLost
from proveout.server.server_state import DesiredState

_MOST_EXPLAINED = 8  # records in one message
_TRY_AGAIN_S = 5.0  # after this, a measured time that is too long for any explanation is measured again

_NO_TIME = "no time for reasons within the deadline"


@dataclass(frozen=True, slots=True)
class _Request:
    """A record that waits for its reasons."""

    release: str
    record: Mapping[str, Scalar]
    reply: asyncio.Future[Sequence[Mapping[str, Any]]]
    until: float


class ExplainQueue:
    """The queue for explanations.

    Args:
        columns: converts records to columns.
    """

    def __init__(
        self,
        connection: Connection,
        columns: Callable[[Sequence[Mapping[str, Scalar]]], Mapping[str, Sequence[Scalar]]],
    ) -> None:
        self._connection, self._columns = connection, columns
        self._waiting: deque[_Request] = deque()
        self._work = asyncio.Event()
        self._each_s: dict[str, tuple[float, float]] = {}  # seconds per explanation, and when measured, by release
        self._out: tuple[float, float] | None = None  # the message in flight: since when, and expected seconds

    def post(self, desired: DesiredState) -> None:
        """Apply a new desired state: forget the releases that it does not list."""
        listed = {release.name for release in desired.releases}
        self._each_s = {name: each for name, each in self._each_s.items() if name in listed}

    async def explain(self, record: Mapping[str, Scalar], *, release: str, until: float) -> Sequence[Mapping[str, Any]]:
        """The reasons. Raises: NoAnswer, at once if there is not enough time for them."""
        status = self._connection.status
        if status is None or release not in status.holds:
            raise NoAnswer("no worker holds the release")
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now + self._expected_s(release, now) > until:
            raise NoAnswer(_NO_TIME)
        request = _Request(release, record, loop.create_future(), until)
        self._waiting.append(request)
        self._work.set()
        try:
            async with asyncio.timeout_at(until):
                return await request.reply
        except TimeoutError as error:
            raise NoAnswer(_NO_TIME) from error

    def _expected_s(self, release: str, now: float) -> float:
        """How long a new explanation will take, with those before it; 0 if the time is to be measured again."""
        each_s, measured = self._each_s.get(release, (0.0, now))
        if now - measured > _TRY_AGAIN_S and not self._waiting and self._out is None:
            return 0.0
        out_s = 0.0
        if self._out is not None:
            since, expected_s = self._out
            out_s = max(0.0, since + expected_s - now)
        ahead_s = sum(self._each_s.get(request.release, (0.0, now))[0] for request in self._waiting)
        return out_s + ahead_s + each_s

    async def run(self) -> None:
        """Send what waits, until cancelled."""
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
                reply = await self._connection.ask(
                    {
                        "ask": "explain",
                        "release": release,
                        "columns": self._columns([request.record for request in batch]),
                        "within_s": max(request.until for request in batch) - began,
                    }
                )
                self._explained(batch, reply)
            except WorkerLost:
                _answer(batch, ["the worker died"] * len(batch))
            except Exception as error:  # a malformed reply
                _answer(batch, [f"its reply cannot be read ({type(error).__name__})"] * len(batch))
            finally:
                self._out = None
            took_s = (loop.time() - began) / len(batch)
            self._each_s[release] = ((each_s + took_s) / 2 if each_s else took_s, loop.time())

    def _next(self) -> Sequence[_Request]:
        """The first waiting requests of one release, as many as can be ready before the first deadline."""
        batch: list[_Request] = []
        now = asyncio.get_running_loop().time()
        while self._waiting and len(batch) < _MOST_EXPLAINED:
            request = self._waiting[0]
            if not request.reply.done():
                each_s = self._each_s.get(request.release, (0.0, now))[0]
                first = min((other.until for other in batch), default=request.until)
                if batch and (request.release != batch[0].release or now + each_s * (len(batch) + 1) > first):
                    break
                batch.append(request)
            self._waiting.popleft()
        return batch

    def _explained(self, batch: Sequence[_Request], reply: Any) -> None:
        if "reasons" not in reply:
            _answer(batch, [f"explaining failed: {reply.get('problem')}"] * len(batch))
            return
        _answer(batch, [_NO_TIME if reasons is None else reasons for reasons in reply["reasons"]])


def _answer(batch: Sequence[_Request], answers: Sequence[Any]) -> None:
    """Resolve the futures of `batch`. A string among `answers` says why there are no reasons."""
    for request, reasons in zip(batch, answers, strict=True):
        if request.reply.done():
            continue
        if isinstance(reasons, str):
            request.reply.set_exception(NoAnswer(reasons))
        else:
            request.reply.set_result(reasons)
