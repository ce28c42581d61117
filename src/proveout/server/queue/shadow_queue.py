"""Requests to a shadow: records that were answered already, sent when nothing else waits.

Input: records. Output: the shadow's answer to each, some time later, for the log. It has its own connection to the
worker, so no request waits, whatever happens to it. A shadow that hangs: one that sleeps takes nothing from the
requests; one that computes in Python shares the interpreter with them; one that holds the interpreter in a call to C
stops them all, until the watchdog ends the worker. In each case it is not asked again.
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
from proveout.server.queue.worker_connection import Line, Silent, WorkerLost
from proveout.server.server_state import DesiredState
from proveout.task.task import Task

MOST_MIRRORED = 1_000  # records that wait for the shadow; more are dropped
_MOST_SHADOWED = 32  # in one message
_LOOK_EVERY_S = 0.005  # whether requests still wait
_MOST_DEATHS = 2  # of the worker, while it scored for a shadow


@dataclass(frozen=True, kw_only=True)
class ShadowScore:
    """What a shadow said of one record. `answer` is None exactly where there is a problem."""

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
        columns: records as their columns.
        breaker: the breaker of a release.
        busy: whether requests wait for the worker.
    """

    def __init__(
        self,
        line: Line,
        columns: Callable[[Sequence[Mapping[str, Scalar]]], Mapping[str, Sequence[Scalar]]],
        *,
        breaker: Callable[[str], Breaker],
        busy: Callable[[], bool],
    ) -> None:
        self._line, self._columns = line, columns
        self._breaker, self._busy = breaker, busy
        self._mirrored: deque[_Mirrored] = deque()
        self._work = asyncio.Event()
        self._asked: str | None = None  # the release that is asked just now
        self._deaths: Counter[str] = Counter()
        self._listed: dict[str, str] = {}  # since when each release in the desired state has its role
        self._banned: dict[str, str] = {}  # shadows that are not asked: since when they had theirs
        self.dropped = 0

    def post(self, desired: DesiredState) -> None:
        """There is a new desired state: a release on it that was not, or is in its role since another moment, is
        asked."""
        self._listed = {release.name: release.since for release in desired.releases}
        self._banned = {name: since for name, since in self._banned.items() if self._listed.get(name) == since}
        self._deaths = Counter({name: n for name, n in self._deaths.items() if name in self._listed})

    def mirror(self, record: Mapping[str, Scalar], *, release: str, then: Callable[[ShadowScore], None]) -> bool:
        """Whether there is room for it."""
        status = self._line.status
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
        """The worker was silent on a request and was killed. Where it scored for a shadow, that may be why."""
        if self._asked is not None:
            self._ban(self._asked, "was being asked when the worker fell silent")

    async def run(self) -> None:
        """Carry, until cancelled."""
        while True:
            await self._work.wait()
            while self._busy():  # requests go before it
                await asyncio.sleep(_LOOK_EVERY_S)
            if not self._mirrored:
                self._work.clear()
                continue
            await self._carry()

    async def _carry(self) -> None:
        loop, status = asyncio.get_running_loop(), self._line.status
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
        self._asked = release
        columns = self._columns([mirrored.record for mirrored in batch])
        sound: bool | None = False
        try:
            reply = await self._line.ask({"ask": "shadow", "release": release, "columns": columns})
            scores = _shadow_scores(reply, len(batch), task=status.holds[release])
            sound = all(score.problem is None for score in scores)
        except Silent:
            self._ban(release, "was silent")
            scores = [_failed("it was silent")] * len(batch)
        except WorkerLost:
            sound = None
            self._deaths[release] += 1
            if self._deaths[release] >= _MOST_DEATHS:
                self._ban(release, f"was being asked {_MOST_DEATHS} times when the worker died")
            scores = [_failed("the worker died")] * len(batch)
        except Exception as error:  # a reply like no other
            scores = [_failed(f"its reply cannot be read ({type(error).__name__})")] * len(batch)
        finally:
            self._asked = None
        breaker.end(ticket, sound, loop.time())
        for mirrored, score in zip(batch, scores, strict=True):
            try:
                mirrored.then(score)
            except Exception as error:  # of who notes it: the next one is carried all the same
                safe_traceback.report(error)

    def _ban(self, release: str, why: str) -> None:
        if release not in self._banned:
            words = f"the shadow {release} {why}: it is not asked again until it is released again"
            print(f"proveout: {words}", file=sys.stderr, flush=True)
        self._banned[release] = self._listed.get(release, "")


def _failed(problem: str, *, latency_ms: float = 0.0) -> ShadowScore:
    return ShadowScore(answer=None, latency_ms=latency_ms, problem=problem)


def _shadow_scores(reply: Any, rows: int, *, task: Task) -> list[ShadowScore]:
    took_ms = float(reply.get("took_ms", 0.0))
    try:
        answers = answers_in(reply, rows, task)
    except NoAnswer as silence:
        return [_failed(str(silence), latency_ms=took_ms)] * rows
    return [
        ShadowScore(answer=answer, latency_ms=took_ms)
        if isinstance(answer, Answer)
        else _failed(answer, latency_ms=took_ms)
        for answer in answers
    ]
