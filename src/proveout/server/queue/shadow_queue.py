"""The queue for the shadow: copies of answered requests, sent when no request waits for the worker.

Input: records. Output: the shadow's answer to each, some time later, for the log. Shadows have their own connection to
the worker, so no request waits for them. If a shadow hangs: while it sleeps, requests are not affected; while it
computes in Python, it shares the interpreter with them; if it holds the interpreter in a C call, requests stop until
the watchdog kills the worker. In each case the shadow gets no more records.
"""

import asyncio
import sys
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proveout.records.answer import Answer
from proveout.records.values import Scalar
from proveout.server import safe_traceback
from proveout.server.no_answer import NoAnswer
from proveout.server.queue.breaker import Breaker
from proveout.server.queue.release_queue import answers_in
from proveout.server.queue.worker_connection import Connection, WorkerLost, WorkerTimeout
from proveout.server.server_state import DesiredState
from proveout.task.task import Task

MOST_MIRRORED = 1_000  # records that wait for the shadow; more are dropped
_MOST_SHADOWED = 32  # in one message
_POLL_S = 0.005  # whether requests still wait
_MOST_DEATHS = 2  # of the worker while it scored for one shadow


@dataclass(frozen=True, kw_only=True)
class ShadowScore:
    """A shadow's answer to one record. `answer` is None if and only if there is a problem."""

    answer: Answer | None
    latency_ms: float  # of the model, for the batch that the record was in
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Mirrored:
    """A record for the shadow."""

    release: str
    record: Mapping[str, Scalar]
    then: Callable[[ShadowScore], None]


class ShadowQueue:
    """The queue for shadows.

    Args:
        columns: converts records to columns.
        breaker: the circuit breaker of a release.
        busy: whether requests wait for the worker.
    """

    def __init__(
        self,
        connection: Connection,
        columns: Callable[[Sequence[Mapping[str, Scalar]]], Mapping[str, Sequence[Scalar]]],
        *,
        breaker: Callable[[str], Breaker],
        busy: Callable[[], bool],
    ) -> None:
        self._connection, self._columns = connection, columns
        self._breaker, self._busy = breaker, busy
        self._mirrored: deque[_Mirrored] = deque()
        self._work = asyncio.Event()
        self._in_flight: str | None = None  # the release that is scoring now
        self._deaths: Counter[str] = Counter()
        self._listed: dict[str, str] = {}  # since when each release of the desired state has had its role
        self._banned: dict[str, str] = {}  # shadows that get no more records, with their `since` at that time
        self.dropped = 0

    def post(self, desired: DesiredState) -> None:
        """Apply a new desired state. It lifts the ban of a shadow that was released again."""
        self._listed = {release.name: release.since for release in desired.releases}
        self._banned = {name: since for name, since in self._banned.items() if self._listed.get(name) == since}
        self._deaths = Counter({name: n for name, n in self._deaths.items() if name in self._listed})

    def mirror(self, record: Mapping[str, Scalar], *, release: str, then: Callable[[ShadowScore], None]) -> bool:
        """Queue `record`. False if there is no room, or the release cannot be asked."""
        status = self._connection.status
        asks = status is not None and release in status.holds and release not in self._banned
        if (
            not asks
            or len(self._mirrored) >= MOST_MIRRORED
            or not self._breaker(release).allows(asyncio.get_running_loop().time())
        ):
            self.dropped += 1
            return False
        self._mirrored.append(_Mirrored(release, record, then))
        self._work.set()
        return True

    def worker_killed(self) -> None:
        """Call when the worker hung on a plain request and was killed. A shadow that was scoring may be the cause."""
        if self._in_flight is not None:
            self._ban(self._in_flight, "was scoring when the worker hung")

    async def run(self) -> None:
        """Send what waits, until cancelled."""
        while True:
            await self._work.wait()
            while self._busy():  # requests have priority
                await asyncio.sleep(_POLL_S)
            if not self._mirrored:
                self._work.clear()
                continue
            await self._send_batch()

    async def _send_batch(self) -> None:
        loop, status = asyncio.get_running_loop(), self._connection.status
        release = self._mirrored[0].release
        breaker = self._breaker(release)
        probing = breaker.state(loop.time()) != "closed"
        ticket = breaker.begin(loop.time())
        batch: list[_Mirrored] = []
        while (
            self._mirrored and self._mirrored[0].release == release and len(batch) < (1 if probing else _MOST_SHADOWED)
        ):
            batch.append(self._mirrored.popleft())
        if status is None or release not in status.holds or release in self._banned or ticket is None:
            self.dropped += len(batch)
            if ticket is not None:
                breaker.end(ticket, None, loop.time())
            return
        self._in_flight = release
        columns = self._columns([mirrored.record for mirrored in batch])
        succeeded: bool | None = False
        try:
            reply = await self._connection.ask({"ask": "shadow", "release": release, "columns": columns})
            scores = _shadow_scores(reply, len(batch), task=status.holds[release])
            succeeded = all(score.problem is None for score in scores)
        except WorkerTimeout:
            self._ban(release, "did not reply in time")
            scores = [_failed("it did not reply in time")] * len(batch)
        except WorkerLost:
            succeeded = None
            self._deaths[release] += 1
            if self._deaths[release] >= _MOST_DEATHS:
                self._ban(release, f"was scoring {_MOST_DEATHS} times when the worker died")
            scores = [_failed("the worker died")] * len(batch)
        except Exception as error:  # a malformed reply
            scores = [_failed(f"its reply cannot be read ({type(error).__name__})")] * len(batch)
        finally:
            self._in_flight = None
        breaker.end(ticket, succeeded, loop.time())
        for mirrored, score in zip(batch, scores, strict=True):
            try:
                mirrored.then(score)
            except Exception as error:  # the callback failed; the other records still get their scores
                safe_traceback.report(error)

    def _ban(self, release: str, why: str) -> None:
        if release not in self._banned:
            message = f"the shadow {release} {why}: it gets no more requests until it is released again"
            print(f"proveout: {message}", file=sys.stderr, flush=True)
        self._banned[release] = self._listed.get(release, "")


def _failed(problem: str, *, latency_ms: float = 0.0) -> ShadowScore:
    return ShadowScore(answer=None, latency_ms=latency_ms, problem=problem)


def _shadow_scores(reply: Any, rows: int, *, task: Task) -> list[ShadowScore]:
    took_ms = float(reply.get("took_ms", 0.0))
    try:
        answers = answers_in(reply, rows, task)
    except NoAnswer as no_answer:
        return [_failed(str(no_answer), latency_ms=took_ms)] * rows
    return [
        ShadowScore(answer=answer, latency_ms=took_ms)
        if isinstance(answer, Answer)
        else _failed(answer, latency_ms=took_ms)
        for answer in answers
    ]
