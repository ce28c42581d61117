"""One HTTP request and the way to answer it, as a route of the gateway sees them.

Input: ASGI's scope, `receive` and `send`. Output: a body, whole or in parts, or `Refused`; and responses, whose
headers are the same wherever they come from. What stands behind the gateway is a `Backend`.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Generator, Mapping, MutableMapping
from typing import Any, Protocol

import orjson

from proveout.server.http import content_encoding
from proveout.server.http.content_encoding import OVERHEAD_BYTES, Gunzip
from proveout.server.http.validation import Header, Problem, Refused
from proveout.server.log.journal import Journal
from proveout.server.queue.batcher import Dispatch
from proveout.server.server_state import ControllerNote, DesiredState
from proveout.server.service.request_ids import sane_id
from proveout.server.service.service import PredictionService, Response
from proveout.server.service.types import ANYBODY, Caller
from proveout.task.task import Task

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

BODY_S = 5.0  # for a whole body to arrive, or for the next part of a stream
_DISCARDED_BYTES = 8 * 2**20  # of a body too large: closing while a client still sends would lose it the answer
_PIECE_BYTES = 65_536  # of a stream that comes compressed
_SKIPPED_BYTES = 65_536  # of a body that nobody reads: a longer one costs its connection

JSON, NDJSON, PROBLEM = b"application/json", b"application/x-ndjson", b"application/problem+json"
OCTETS = b"application/octet-stream"
_CLOSE = (b"connection", b"close")
_ALWAYS: tuple[Header, ...] = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class _Rest:
    """What is left of an awaitable that was asked once and waits for something."""

    def __init__(self, waits_for: Any, steps: Generator[Any, Any, Message]) -> None:
        self._waits_for, self._steps = waits_for, steps

    def __await__(self) -> Generator[Any, Any, Message]:
        """Wait for that, then for the rest."""
        try:
            yield self._waits_for
        except BaseException:
            self._steps.close()
            raise
        return (yield from self._steps)


class Left(Exception):
    """The client is gone, and waits for no answer."""


class Backend(Protocol):
    """What stands behind the gateway: the API runtime."""

    @property
    def draining(self) -> bool:
        """Whether connections are not kept any more."""

    @property
    def service(self) -> PredictionService:
        """Who answers."""

    @property
    def desired(self) -> DesiredState | None:
        """What stands, as far as is known."""

    @property
    def task(self) -> Task:
        """How the champion's answers are read."""

    @property
    def journal(self) -> Journal:
        """The log."""

    @property
    def dispatch(self) -> Dispatch:
        """The queue in front of the worker."""

    def log_controller(self) -> ControllerNote | None:
        """What the controller says of itself."""

    async def enter(self) -> None:
        """Start."""

    async def leave(self) -> None:
        """End."""

    async def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Whether a model answers, and the details."""


class Call:
    """A request. For one route, once."""

    __slots__ = ("_asked", "_body_s", "_draining", "_gunzip", "_receive", "_scope", "_send", "caller", "extra",
                 "headers", "more", "params", "read", "started", "status", "v2")  # fmt: skip

    def __init__(self, scope: Message, receive: Receive, send: Send, *, body_s: float, draining: bool) -> None:
        self._scope, self._receive, self._send, self._body_s = scope, receive, send, body_s
        self._draining = draining
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.params: Mapping[str, str] = {}  # of the path's template
        self.caller: Caller = ANYBODY
        self.extra: tuple[Header, ...] = ()  # what every response to this request says
        self.more: Callable[[Call, int], None] = _unlimited  # see `take`
        self.read = False  # the body, to its end
        self._asked = False  # for the body, or the first part of it
        self._gunzip: Gunzip | None = None  # what decodes it
        self.v2 = False  # spoken to in the Open Inference Protocol
        self.started = False  # the response
        self.status = 0

    @property
    def method(self) -> str:
        method: str = self._scope["method"]
        return method

    def wanted_id(self) -> str | None:
        """The id that the client gave its request."""
        given = self.headers.get(b"x-request-id")
        return None if given is None else sane_id(given)

    def budget_s(self) -> float | None:
        """How long the client will wait, where it says so. Raises: Refused if it says it in no number."""
        given = self.headers.get(b"x-proveout-deadline-ms")
        if given is None:
            return None
        if not (given.isdigit() and 0 < len(given) <= 9 and int(given) > 0):
            detail = "The header x-proveout-deadline-ms is a whole number of milliseconds above 0."
            raise Refused(Problem(status=400, kind="header", title="A header cannot be read", detail=detail))
        return int(given) / 1000

    def take(self, answers: int) -> None:
        """Count so many answers more than one for the caller. Raises: Refused with 429."""
        if answers > 0:
            self.more(self, answers)

    # --- the body -------------------------------------------------------------------------------------------------

    async def body(self, most_bytes: int) -> bytes:
        """The whole body, decoded. Raises: Left; Refused if it is larger, takes too long or is no gzip."""
        if b"content-encoding" in self.headers:
            self._gunzip = content_encoding.decoder(self._scope["headers"])
        if b"expect" in self.headers and self._announced_bytes() > most_bytes + OVERHEAD_BYTES * bool(self._gunzip):
            raise Refused(too_large(most_bytes))  # it is not sent before somebody asks for it
        message = await self._next()
        part: bytes = message.get("body", b"")
        if self._gunzip is None and not message.get("more_body", False) and len(part) <= most_bytes:
            self.read = True
            return part
        if self._gunzip is None:
            return await self._collect(message, most_bytes)
        found = self._gunzip.whole(await self._collect(message, most_bytes + OVERHEAD_BYTES), most_bytes)
        if len(found) > most_bytes:
            raise Refused(too_large(most_bytes))
        return found

    async def _collect(self, message: Message, most_bytes: int) -> bytes:
        """A body that comes in parts, or is too large, from its first `message` on."""
        parts: list[bytes] = []
        size = 0
        until = time.monotonic() + self._body_s
        while True:
            part = message.get("body", b"")
            size += len(part)
            if size <= most_bytes:
                parts.append(part)
            self.read = not message.get("more_body", False)
            if self.read or size > most_bytes + _DISCARDED_BYTES:
                break
            message = await self._next(until - time.monotonic())
        if size > most_bytes:
            raise Refused(too_large(most_bytes))
        return b"".join(parts)

    async def part(self) -> bytes | None:
        """The next part of the body, decoded; None after the last. Raises: Left; Refused if it takes too long, or is
        no gzip."""
        if b"content-encoding" not in self.headers:
            return await self._arrived()
        if not self._asked:
            self._gunzip = content_encoding.decoder(self._scope["headers"])
        if self._gunzip is None:
            return await self._arrived()
        await asyncio.sleep(0)  # what arrives at once may become a thousand parts: others come between them
        while not (found := self._gunzip.take(_PIECE_BYTES)):
            part = await self._arrived()
            if part is None:
                self._gunzip.end()
                return None
            self._gunzip.feed(part)
        return found

    async def _arrived(self) -> bytes | None:
        """The next part of the body as it is sent, None after the last."""
        if self.read:
            return None
        message = await self._next()
        self.read = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body

    async def _next(self, within_s: float | None = None) -> Message:
        """The next message. Raises: Left; Refused if it takes longer than a body may."""
        self._asked = True
        steps = self._receive().__await__()
        try:
            waits_for = next(steps)
        except StopIteration as arrived:  # it was there: nearly always, and a timer costs as much as validation
            message: Message = arrived.value
        else:
            try:
                async with asyncio.timeout(self._body_s if within_s is None else max(0.0, within_s)):
                    message = await _Rest(waits_for, steps)
            except TimeoutError as error:
                raise Refused(self._slow()) from error
        if message["type"] == "http.disconnect":
            raise Left
        return message

    def _slow(self) -> Problem:
        detail = f"The body did not arrive within {self._body_s:g} s."
        return Problem(status=408, kind="slow-body", title="Too slow", detail=detail)

    # --- the response ---------------------------------------------------------------------------------------------

    async def respond(self, status: int, body: bytes, kind: bytes, *headers: Header) -> None:
        """The response, whole."""
        await self.start(status, kind, (b"content-length", b"%d" % len(body)), *headers)
        await self._send({"type": "http.response.body", "body": body})

    async def start(self, status: int, kind: bytes, *headers: Header) -> None:
        """The beginning of a response whose parts follow by `write`."""
        self.started, self.status = True, status
        close = (_CLOSE,) if self._closes(status) else ()
        every = [(b"content-type", kind), *headers, *self.extra, *_ALWAYS, *close]
        await self._send({"type": "http.response.start", "status": status, "headers": every})

    async def write(self, part: bytes, *, last: bool = False) -> None:
        """The next part. Returns when the client has taken enough of those before."""
        await self._send({"type": "http.response.body", "body": part, "more_body": not last})

    async def refuse(self, refused: Refused) -> None:
        """Say why there is no answer."""
        problem = refused.problem
        told, kind = (orjson.dumps({"error": sentence(problem)}), JSON) if self.v2 else (problem.body(), PROBLEM)
        await self.respond(problem.status, told, kind, *refused.headers)

    def _closes(self, status: int) -> bool:
        if self._draining or status in {408, 413, 500}:
            return True
        if b"expect" in self.headers and not self._asked:
            return True  # the client may send the body now or not: what comes next cannot be told from it
        # What is not read is skipped by uvicorn, for as long as it comes: not for everybody.
        long = b"transfer-encoding" in self.headers or self._announced_bytes() > _SKIPPED_BYTES
        return status >= 400 and not self.read and long

    def _announced_bytes(self) -> float:
        """How long the body is, by its header; 0 where it does not say."""
        length = self.headers.get(b"content-length", b"0")
        return int(length) if length.isdigit() and len(length) < 12 else math.inf


def _unlimited(call: Call, answers: int) -> None:
    """No limit is counted."""


def sentence(problem: Problem) -> str:
    """A problem as one sentence, for protocols that carry no more."""
    told = [f"{one.field} is {one.got}, expected {one.expected}" for one in problem.problems]
    return " ".join([problem.detail, *(f"{words}." for words in ["; ".join(told)] if words)])


def too_large(most_bytes: int) -> Problem:
    """The problem of a body that is larger."""
    detail = f"The body has more than {most_bytes} bytes."
    return Problem(status=413, kind="too-large", title="Too large", detail=detail)


def answer_headers(given: Response) -> tuple[Header, ...]:
    """What the headers of an answer say of it."""
    prediction = given.prediction
    headers: tuple[Header, ...] = (
        (b"x-request-id", prediction.request_id.encode()),
        (b"x-proveout-latency-ms", b"%.3f" % prediction.latency_ms),
    )
    if not given.logged:
        headers += ((b"x-proveout-unlogged", b"1"),)
    if given.cached is not None:
        headers += ((b"x-proveout-cache", given.cached.encode()),)
    return headers
