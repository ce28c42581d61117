"""Micro-batches: requests that wait while the worker is busy are sent together as one message.

Input: single records, each with its release. Output: an answer for each, or the reason why there is none. There is no
batching window: a batch is sent as soon as the worker is free. A request that would wait too long for a busy worker,
by the measured batch times, gets `Overloaded` at once. A request to a hanging or failing worker is answered by the
fallback chain at its deadline. After several failures the `breaker` sends no requests to the release for a while.
Explanations and shadows have their own queues: see `explain_queue` and `shadow_queue`.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from proveout.records.answer import Answer
from proveout.records.values import Scalar
from proveout.server.no_answer import NoAnswer
from proveout.server.queue.breaker import Breaker, BreakerState
from proveout.server.queue.explain_queue import ExplainQueue
from proveout.server.queue.release_queue import (
    MOST_ROWS,
    InFlightBatch,
    ReleaseQueue,
    Scored,
    Waiting,
    answers_in,
    columns_of,
)
from proveout.server.queue.shadow_queue import ShadowQueue, ShadowScore
from proveout.server.queue.worker_connection import WorkerChannels, WorkerLost, WorkerStatus, WorkerTimeout
from proveout.server.server_state import DesiredState

__all__ = ["MOST_ROWS", "MOST_WAITING", "Dispatch", "Overloaded", "Scored", "ShadowScore"]

MOST_WAITING = 10_000  # more than a worker can answer within any deadline
_TICKS_PER_S = 200  # one timer serves all deadlines within the same five milliseconds
_BATCH_SHARE = 0.25  # of a request's time, that its batch may take: new requests wait for the end of the batch
_BLAMED_SHARE = 0.5  # of a request's time; a batch that took more is the cause of the timeout
_CARE = 1.25  # safety factor: measured times are means
_HANGS_AFTER_S = 0.05  # plus twice the expected time: a batch that takes longer hangs, and predicts no waiting time

_STALL_S = 0.03  # a timer this late means that this process was stopped, and cannot judge the worker

_DOWN = "the worker is down"
_DIED = "the worker died"
_OPEN = "the circuit breaker is open"


class Overloaded(Exception):
    """The requests already waiting cannot be answered before the deadline of a new one."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"more requests are waiting than can be answered in time; try again in {self.retry_after_s:.1f} s"


class Dispatch:
    """The queue in front of a worker. For one event loop.

    Args:
        channels: the connections to the worker.
        fields: the request fields, in the order in which the worker gets them.
        cool_s: how long a failing release gets no requests.
        clock: measures batches, in seconds. Deadlines use the loop's clock, which on uvloop counts whole milliseconds:
            too coarse for short batches.
    """

    def __init__(
        self,
        channels: WorkerChannels,
        fields: Sequence[str],
        *,
        cool_s: float = 2.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._connection, self._columns, self._clock = channels.plain, columns_of(fields), clock
        self._cool_s = cool_s
        self._release_queues: dict[str, ReleaseQueue] = {}
        self._probes: deque[tuple[str | None, asyncio.Future[Any]]] = deque()
        self._flight: InFlightBatch | bool | None = None  # True for a probe
        self._scheduled = False  # whether `_pump` runs in the next turn of the loop
        self._woke_at = float("-inf")  # when this process last resumed after a stall
        self._due: dict[int, set[Waiting]] = {}
        self._slowest_s = 0.0  # the slowest batch of any release
        self._fewest = MOST_ROWS  # the smallest row limit of any release
        self._explain_queue = ExplainQueue(channels.side, self._columns)
        self._shadow_queue = ShadowQueue(
            channels.shadow, self._columns, breaker=self._breaker, busy=lambda: self.waiting > 0
        )
        self.waiting = 0  # records that were not sent to the worker yet
        self.shed = 0  # requests refused with Overloaded
        self.heard_at = float("-inf")  # when the worker last sent a valid reply, on the loop's clock

    # --- for the prediction service ----------------------------------------------------------------------------------

    def score(self, record: Mapping[str, Scalar], *, release: str, until: float) -> Awaitable[Scored]:
        """The answer of `release` to `record`.

        Raises, at once: Overloaded; NoAnswer if the release cannot be asked. Raises, awaited: NoAnswer, at the latest
        at `until` (the loop's clock).
        """
        status = self._connection.status
        if status is None:
            raise NoAnswer(_DOWN)
        if release not in status.holds:
            raise NoAnswer(_not_held(release))
        release_queue = self._release_queues.get(release) or self._release_queue(release)
        loop = asyncio.get_running_loop()
        now = loop.time()
        if not release_queue.breaker.allows(now):
            raise NoAnswer(_OPEN)
        if self.waiting or self._flight is not None:
            self._refuse_what_is_late(release_queue, now, until)
        ticket = release_queue.breaker.begin(now)
        if ticket is None:
            raise NoAnswer(_OPEN)
        reply: asyncio.Future[Scored] = loop.create_future()
        tick = int(until * _TICKS_PER_S)  # rounded down: early rather than late
        due = self._due.get(tick)
        if due is None:
            due = self._due[tick] = set()
            loop.call_at(tick / _TICKS_PER_S, self._expire, tick)
        waiting = Waiting(record, reply, release_queue, ticket, now, until, due)
        due.add(waiting)
        release_queue.queue.append(waiting)
        self.waiting += 1
        if self._flight is None and not self._scheduled:
            # In the next turn, so that all requests of this turn go into one batch.
            self._scheduled = True
            loop.call_soon(self._pump)
        return reply

    async def explain(self, record: Mapping[str, Scalar], *, release: str, until: float) -> Sequence[Mapping[str, Any]]:
        """The reasons for the answer of `release` to `record`, as the worker sends them.

        Raises: NoAnswer; at once if, by the measured times, they cannot be ready before `until`.
        """
        return await self._explain_queue.explain(record, release=release, until=until)

    def mirror(self, record: Mapping[str, Scalar], *, release: str, then: Callable[[ShadowScore], None]) -> bool:
        """Let the shadow `release` score `record` when nothing else waits, and call `then` with the result.

        Returns: False if the queue is full. Then the record is counted in `dropped`, and `then` is not called.
        """
        return self._shadow_queue.mirror(record, release=release, then=then)

    # --- for the API runtime -----------------------------------------------------------------------------------------

    def post(self, desired: DesiredState) -> None:
        """Apply a new desired state: forget the releases that it does not list, and lift the ban of a shadow that was
        released again."""
        listed = {release.name for release in desired.releases}
        self._release_queues = {
            name: release_queue
            for name, release_queue in self._release_queues.items()
            if name in listed or release_queue.queue
        }
        self._slowest_s = max(
            (release_queue.pace.slowest_s for release_queue in self._release_queues.values()), default=0.0
        )
        self._explain_queue.post(desired)
        self._shadow_queue.post(desired)

    async def probe(self, *, until: float, release: str | None = None) -> WorkerStatus:
        """Let the worker score a training row with `release`, or with any if None.

        Returns: the worker's status.
        Raises: NoAnswer.
        """
        if self._connection.status is None:
            raise NoAnswer(_DOWN)
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        self._probes.append((release, reply))
        if self._flight is None and not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._pump)
        try:
            async with asyncio.timeout_at(until):
                scored = await reply
        except TimeoutError as error:
            raise NoAnswer("the worker does not answer a probe") from error
        status = self._connection.status
        if status is None or not isinstance(scored, dict) or not _is_scored(status, scored):
            raise NoAnswer("it cannot score a row of its own training data")
        self.heard_at = asyncio.get_running_loop().time()
        return status

    async def run(self) -> None:
        """Send explanations and shadows, until cancelled. Plain requests need no task."""
        await asyncio.gather(self._explain_queue.run(), self._shadow_queue.run())

    @property
    def breakers(self) -> Mapping[str, BreakerState]:
        """The breaker's state of each release that got requests, by name."""
        now = asyncio.get_running_loop().time()
        return {name: release_queue.breaker.state(now) for name, release_queue in self._release_queues.items()}

    def broken(self, release: str) -> bool:
        """Whether the release's circuit breaker blocks requests now."""
        release_queue = self._release_queues.get(release)
        return release_queue is not None and not release_queue.breaker.allows(asyncio.get_running_loop().time())

    @property
    def dropped(self) -> int:
        """Records that were not mirrored to the shadow."""
        return self._shadow_queue.dropped

    # --- overload -------------------------------------------------------------------------------------------------

    def _refuse_what_is_late(self, release_queue: ReleaseQueue, now: float, until: float) -> None:
        left_s = until - now
        # A cheap upper bound first: it nearly always decides.
        if self.waiting < MOST_WAITING and _CARE * self._slowest_s * (self.waiting // self._fewest + 3) < left_s:
            return
        own_s, alone_s = release_queue.pace.seconds(1), release_queue.pace.alone_s
        front_s = self._flight_s(now) + sum(other.seconds() for other in self._release_queues.values())
        # A release that is too slow even for a single row is not overloaded: fallback chain and breaker handle it.
        if self.waiting >= MOST_WAITING or (_CARE * (front_s + own_s) > left_s and alone_s <= left_s):
            self.shed += 1
            raise Overloaded(retry_after_s=max(front_s, 0.1))

    def _flight_s(self, now: float) -> float:
        """The expected remaining time of the batch in flight."""
        flight = self._flight
        if not isinstance(flight, InFlightBatch):
            return 0.0
        out_s = now - flight.began
        if out_s > 2 * flight.expected_s + _HANGS_AFTER_S:
            return 0.0
        return max(0.0, flight.expected_s - out_s)

    # --- sending --------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Give the worker its next batch, if it is free."""
        self._scheduled = False
        if self._flight is not None:
            return
        status = self._connection.status
        if status is None:
            self._fail_all(_DIED)
        elif self._probes:
            release, reply = self._probes.popleft()
            self._flight = True
            sent = asyncio.ensure_future(self._connection.ask({"ask": "probe", "release": release}))
            sent.add_done_callback(lambda done: self._probed(reply, done))
        else:
            while (release_queue := self._longest_waiting()) is not None:
                name, found = release_queue
                batch = self._take(found)
                if name not in status.holds:
                    self._fail(found, batch, _not_held(name))
                elif batch:
                    self._send(status, name, found, batch)
                    return

    def _longest_waiting(self) -> tuple[str, ReleaseQueue] | None:
        waiting = [
            (release_queue.queue[0].since, name)
            for name, release_queue in self._release_queues.items()
            if release_queue.queue
        ]
        if not waiting:
            return None
        name = min(waiting)[1]
        return name, self._release_queues[name]

    def _take(self, release_queue: ReleaseQueue) -> list[Waiting]:
        """The next batch. Skips requests whose deadline has passed or whose client left."""
        queue = release_queue.queue
        batch: list[Waiting] = []
        head = queue[0]
        release_queue.rows = min(MOST_ROWS, release_queue.pace.most_rows(_BATCH_SHARE * (head.until - head.since)))
        while queue and len(batch) < release_queue.rows:
            waiting = queue.popleft()
            if not waiting.reply.done():
                waiting.sent = True
                batch.append(waiting)
                self.waiting -= 1
            elif waiting.reply.cancelled():
                self._forget(release_queue, waiting)
        return batch

    def _send(self, status: WorkerStatus, release: str, release_queue: ReleaseQueue, batch: Sequence[Waiting]) -> None:
        flight = InFlightBatch(
            release=release,
            task=status.holds[release],
            release_queue=release_queue,
            batch=batch,
            began=asyncio.get_running_loop().time(),
            clock=self._clock(),
            expected_s=release_queue.pace.seconds(len(batch)),
        )
        self._flight = flight
        columns = self._columns([waiting.record for waiting in batch])
        message = {"ask": "predict", "release": release, "columns": columns}
        sent = asyncio.ensure_future(self._connection.ask(message))
        sent.add_done_callback(lambda done: self._landed(flight, done))

    def _landed(self, flight: InFlightBatch, done: asyncio.Future[Any]) -> None:
        took_s = self._clock() - flight.clock
        self._flight = None
        if done.cancelled():
            return  # the loop is closing
        # Send the next batch first, so that the worker is busy while these requests are answered.
        self._pump()
        release_queue, batch = flight.release_queue, flight.batch
        try:
            answers = answers_in(done.result(), len(batch), flight.task)
            release_queue.pace.took(len(batch), took_s)
            self._slowest_s = max((each.pace.slowest_s for each in self._release_queues.values()), default=0.0)
            self._fewest = min((each.rows for each in self._release_queues.values()), default=MOST_ROWS)
            self.heard_at = asyncio.get_running_loop().time()
        except WorkerLost as lost:
            hung = isinstance(lost, WorkerTimeout)
            if hung:
                self._shadow_queue.worker_killed()
            self._fail(release_queue, batch, _DIED, succeeded=False if hung else None)
            return
        except NoAnswer as no_answer:
            self._fail(release_queue, batch, str(no_answer), succeeded=False)
            return
        except Exception as error:  # a malformed reply: these requests fall back, and the queue goes on
            self._fail(release_queue, batch, f"its reply cannot be read ({type(error).__name__})", succeeded=False)
            return
        now = asyncio.get_running_loop().time()
        end, release = release_queue.breaker.end, flight.release
        for waiting, answer in zip(batch, answers, strict=True):
            reply = waiting.reply
            waiting.due.discard(waiting)
            if reply.done():
                if reply.cancelled():
                    end(waiting.ticket, None, now)
            elif isinstance(answer, Answer):
                end(waiting.ticket, True, now)
                reply.set_result(Scored(answer, release))
            else:
                end(waiting.ticket, False, now)
                reply.set_exception(NoAnswer(answer))

    def _probed(self, reply: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
        self._flight = None
        if done.cancelled():
            return
        self._pump()
        error = done.exception()
        if reply.done():
            return
        if error is None:
            reply.set_result(done.result())
        else:
            reply.set_exception(NoAnswer(_DIED))

    # --- failures -------------------------------------------------------------------------------------------------

    def _expire(self, tick: int) -> None:
        """Fail the requests whose deadline is `tick`."""
        now = asyncio.get_running_loop().time()
        # The release is at fault if one of its batches took most of the time: the request's own batch, or the one
        # before it. Otherwise the queue was too long. If this timer is late itself, this process was stopped.
        flight = self._flight if isinstance(self._flight, InFlightBatch) else None
        blocking = flight.release_queue if flight is not None else None
        out_s = now - flight.began if flight is not None else 0.0
        if now - tick / _TICKS_PER_S > _STALL_S:
            self._woke_at = now
        awake = now - self._woke_at > _STALL_S
        for waiting in self._due.pop(tick):
            if waiting.reply.done():
                continue  # the client left
            self.waiting -= not waiting.sent
            failed = (
                awake and waiting.release_queue is blocking and out_s > _BLAMED_SHARE * (waiting.until - waiting.since)
            )
            waiting.release_queue.breaker.end(waiting.ticket, False if failed else None, now)
            waited_s = max(0.0, waiting.until - waiting.since)
            waiting.reply.set_exception(NoAnswer(f"no answer within {waited_s * 1000:.0f} ms"))

    def _fail_all(self, reason: str) -> None:
        for release_queue in self._release_queues.values():
            while release_queue.queue:
                self._fail(release_queue, self._take(release_queue), reason)
        while self._probes:
            _, reply = self._probes.popleft()
            if not reply.done():
                reply.set_exception(NoAnswer(reason))

    def _fail(
        self, release_queue: ReleaseQueue, batch: Sequence[Waiting], reason: str, *, succeeded: bool | None = None
    ) -> None:
        now = asyncio.get_running_loop().time()
        for waiting in batch:
            waiting.due.discard(waiting)
            if not waiting.reply.done():
                release_queue.breaker.end(waiting.ticket, succeeded, now)
                waiting.reply.set_exception(NoAnswer(reason))

    def _forget(self, release_queue: ReleaseQueue, waiting: Waiting) -> None:
        self.waiting -= 1
        waiting.due.discard(waiting)
        release_queue.breaker.end(waiting.ticket, None, asyncio.get_running_loop().time())

    # --- release queues ----------------------------------------------------------------------------------------------

    def _release_queue(self, release: str) -> ReleaseQueue:
        return self._release_queues.setdefault(release, ReleaseQueue(self._cool_s))

    def _breaker(self, release: str) -> Breaker:
        return self._release_queue(release).breaker


def _is_scored(status: WorkerStatus, reply: Mapping[str, Any]) -> bool:
    """Whether a probe's reply has valid scores of a release that the worker still holds."""
    task = status.holds.get(str(reply.get("release")))
    scores = reply.get("scores") or [None]
    return task is not None and task.is_valid(scores[0])


def _not_held(release: str) -> str:
    return f"the worker does not hold {release}"
