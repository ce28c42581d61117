"""The desk: one accepted request in, one answer out, before the deadline and after it is logged.

Comes in: a validated request and its id. Goes out: `Given`, with a body ready to send. It knows the ladder, the queue
in front of the worker and the journal; it knows nothing of HTTP.
"""

import asyncio
import sys
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import SystemRandom
from time import perf_counter, time_ns
from typing import Any

import orjson

from proveout.records import Plain, Prediction, now
from proveout.serving.dispatch import Dispatch, Scored
from proveout.serving.journal import Journal, Trouble
from proveout.serving.ladder import Answer, Claim, NoClaim, descend, level
from proveout.serving.validation import Request

DEFAULT_THRESHOLD = 0.5  # of the rules, until a worker has said what the released model's is
_MARGIN_SHARE, _MARGIN_S = 0.1, 0.02  # of the deadline, kept for rules, log and sending
_REMEMBERED_IDS = 100_000

Rules = Callable[[Mapping[str, Plain]], Any]
Action = Callable[[float | None, float | None], Any]


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How a desk answers: everything it needs to know of the project."""

    model: str
    label_name: str
    release: str  # until a worker says otherwise
    rules: Rules
    action: Action
    deadline_s: float


@dataclass(frozen=True, kw_only=True)
class Given:
    """An answer, ready to leave."""

    request_id: str
    body: bytes
    latency_ms: float
    logged: bool


class Desk:
    """Answers requests. For one event loop."""

    def __init__(self, habits: Habits, *, dispatch: Dispatch, journal: Journal) -> None:
        self._habits, self._dispatch, self._journal = habits, dispatch, journal
        self._patience_s = habits.deadline_s - min(_MARGIN_S, habits.deadline_s * _MARGIN_SHARE)
        self._release, self._threshold = habits.release, DEFAULT_THRESHOLD
        self._ids = _Ids()
        self._leaving = _Group()
        self._action_trouble = Trouble("the action")
        self.answered: dict[str, int] = {"model": 0, "cache": 0, "rules": 0, "none": 0}

    @property
    def release(self) -> str:
        """The release that answers, as far as it is known."""
        return self._release

    def met(self, *, release: str, threshold: float) -> None:
        """A worker said what it serves."""
        self._release, self._threshold = release, threshold

    async def answer(self, request: Request, *, request_id: str | None) -> Given:
        """The answer to `request`, logged. Raises nothing: the last rung is an explicit «no prediction»."""
        loop = asyncio.get_running_loop()
        began = perf_counter()  # uvloop's own clock counts in milliseconds
        until = loop.time() + self._patience_s
        scored, silence = await self._ask_model(request.record, until)
        if scored is not None:
            self.met(release=scored.release, threshold=scored.threshold)
        answer = descend(
            (
                ("model", lambda: _claim(scored, silence)),
                ("rules", lambda: Claim(probability=self._habits.rules(request.record))),
            )
        )
        reasons = await self._reasons(request, answer, until) if request.explain else {}
        latency_ms = round((perf_counter() - began) * 1000, 3)
        prediction = Prediction(
            request_id=self._ids.take(request_id),
            at=now(),
            model=self._habits.model,
            release=self._release,
            record=request.record,
            answered_by=answer.answered_by,
            label=None if answer.probability is None else answer.probability >= self._threshold,
            probability=answer.probability,
            confidence=answer.confidence,
            latency_ms=latency_ms,
            fallback_reason=answer.fallback_reason,
        )
        self.answered[answer.answered_by] += 1
        logged = await self._log(prediction)
        body = orjson.dumps({**self._members(prediction), **reasons})
        return Given(request_id=prediction.request_id, body=body, latency_ms=latency_ms, logged=logged)

    async def _ask_model(self, record: Mapping[str, Plain], until: float) -> tuple[Scored | None, NoClaim | None]:
        try:
            return await self._dispatch.score(record, until=until), None
        except NoClaim as silence:
            return None, silence

    async def _reasons(self, request: Request, answer: Answer, until: float) -> dict[str, Any]:
        """The members `reasons`, and `reasons_missing` where there are none to give."""
        if answer.answered_by != "model":
            return {"reasons": [], "reasons_missing": "the model did not answer"}
        try:
            return {"reasons": await self._dispatch.explain(request.record, until=until)}
        except NoClaim as silence:
            return {"reasons": [], "reasons_missing": str(silence)}

    def _members(self, prediction: Prediction) -> dict[str, Any]:
        confidence = prediction.confidence
        return {
            "request_id": prediction.request_id,
            "prediction": {self._habits.label_name: prediction.label, "probability": prediction.probability},
            "confidence": None if confidence is None else {"share": confidence, "level": level(confidence)},
            "action": self._action(prediction.probability, confidence),
            "answered_by": prediction.answered_by,
            "release": prediction.release,
            "fallback_reason": prediction.fallback_reason,
        }

    def _action(self, probability: float | None, confidence: float | None) -> str:
        try:
            return str(self._habits.action(probability, confidence))
        except Exception as error:  # the user's own code: an answer without advice is still an answer
            if self._action_trouble.words is None:
                traceback.print_exc(file=sys.stderr)
            self._action_trouble.begins(f"raised {type(error).__name__}; answers go without")
            return ""

    async def _log(self, prediction: Prediction) -> bool:
        """Whether `prediction` is in the journal. Answers that are ready in the same turn of the loop are one write."""
        group = self._leaving
        if not group.rows:
            asyncio.get_running_loop().call_soon(self._write)
        group.rows.append(prediction)
        await group.written.wait()
        return group.logged

    def _write(self) -> None:
        group, self._leaving = self._leaving, _Group()
        group.logged = self._append(group.rows)
        group.written.set()

    def _append(self, rows: Sequence[Prediction]) -> bool:
        try:
            return self._journal.append(rows)
        except Exception:  # an answer does not wait for its log, whatever is wrong with it
            traceback.print_exc(file=sys.stderr)
            self._journal.lost_rows += len(rows)
            return False


class _Group:
    """Answers that leave together."""

    def __init__(self) -> None:
        self.rows: list[Prediction] = []
        self.written = asyncio.Event()
        self.logged = False


def _claim(scored: Scored | None, silence: NoClaim | None) -> Claim:
    if scored is None:
        raise silence or NoClaim("it said nothing")
    return scored.claim


# --- ids ----------------------------------------------------------------------------------------------------------


class _Ids:
    """Request ids. A client's own is kept, so that both sides can talk about one answer; given again, by a retry or a
    client that counts badly, it gets a tail: two answers are two rows of the log, and the id is what tells them apart.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._random = SystemRandom()

    def take(self, wanted: str | None) -> str:
        """`wanted` or a new one, never the same twice."""
        if wanted is None:
            return new_id(time_ns(), self._random.getrandbits(74))
        if wanted in self._seen:
            return f"{wanted}~{self._random.getrandbits(48):012x}"
        self._seen[wanted] = None
        if len(self._seen) > _REMEMBERED_IDS:
            self._seen.popitem(last=False)
        return wanted


def new_id(at_ns: int, chance: int) -> str:
    """A UUID of version 7 (RFC 9562): the millisecond, then 74 bits of chance, so ids sort by their time.

    >>> new_id(1_700_000_000_000_000_000, 0)
    '018bcfe5-6800-7000-8000-000000000000'
    """
    high, low = chance >> 62, chance & (2**62 - 1)
    bits = (at_ns // 1_000_000) << 80 | 7 << 76 | high << 64 | 2 << 62 | low
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def sane_id(given: bytes) -> str | None:
    """The id in a header, if it is 1 to 128 visible ASCII characters."""
    if 0 < len(given) <= 128 and all(0x21 <= byte <= 0x7E for byte in given):
        return given.decode("ascii")
    return None
