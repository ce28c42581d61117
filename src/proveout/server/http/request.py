"""One HTTP request and the way to answer it, as a route of the gateway sees them.

Input: ASGI's scope, `receive` and `send`. Output: a body, whole or in parts, or `Refused`; and responses, which all
carry the same common headers. `Backend` is what a route needs of the API runtime.
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
# Read and discarded of a body that is too large: a client that is still sending when the connection closes may lose
# the response.
_DISCARDED_BYTES = 8 * 2**20
_PIECE_BYTES = 65_536  # of a compressed stream, decoded
_SKIPPED_BYTES = 65_536  # of an unread body; for a longer one the connection is closed

JSON, NDJSON, PROBLEM = b"application/json", b"application/x-ndjson", b"application/problem+json"
OCTETS = b"application/octet-stream"
_CLOSE = (b"connection", b"close")
_ALWAYS: tuple[Header, ...] = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class _Rest:
    """The rest of an awaitable whose first step was taken already, and which waits for `waits_for`."""

    def __init__(self, waits_for: Any, steps: Generator[Any, Any, Message]) -> None:
        self._waits_for, self._steps = waits_for, steps

    def __await__(self) -> Generator[Any, Any, Message]:
        """Wait for `waits_for`, then run the remaining steps."""
        try:
            yield self._waits_for
        except BaseException:
            self._steps.close()
            raise
        return (yield from self._steps)


class ClientDisconnected(Exception):
    """The client closed the connection and waits for no answer."""


class Backend(Protocol):
    """What a route needs of the API runtime."""

    @property
    def draining(self) -> bool:
        """Whether the server is shutting down and responses close their connection."""

    @property
    def service(self) -> PredictionService:
        """The prediction service."""

    @property
    def desired(self) -> DesiredState | None:
        """The last desired state that was read; None before the first."""

    @property
    def task(self) -> Task:
        """The champion's task."""

    @property
    def journal(self) -> Journal:
        """The prediction journal."""

    @property
    def dispatch(self) -> Dispatch:
        """The queue in front of the worker."""

    def log_controller(self) -> ControllerNote | None:
        """The log controller's last note on its own state."""

    async def enter(self) -> None:
        """Start the background tasks."""

    async def leave(self) -> None:
        """Stop them."""

    async def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Whether a model answers, and the details."""


class Call:
    """One HTTP request and its response."""

    __slots__ = ("_body_requested", "_body_s", "_draining", "_gunzip", "_receive", "_scope", "_send", "caller", "extra",
                 "headers", "more", "params", "read", "started", "status", "v2")  # fmt: skip

    def __init__(self, scope: Message, receive: Receive, send: Send, *, body_s: float, draining: bool) -> None:
        self._scope, self._receive, self._send, self._body_s = scope, receive, send, body_s
        self._draining = draining
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.params: Mapping[str, str] = {}  # path parameters
        self.caller: Caller = ANYBODY
        self.extra: tuple[Header, ...] = ()  # sent with every response to this request
        self.more: Callable[[Call, int], None] = _unlimited  # see `take`
        self.read = False  # whether the whole body was read
        self._body_requested = False  # whether `receive` was called for the body
        self._gunzip: Gunzip | None = None  # the body's decoder
        self.v2 = False  # whether this is the Open Inference Protocol
        self.started = False  # whether the response was started
        self.status = 0

    @property
    def method(self) -> str:
        method: str = self._scope["method"]
        return method

    def wanted_id(self) -> str | None:
        """The request id that the client sent."""
        given = self.headers.get(b"x-request-id")
        return None if given is None else sane_id(given)

    def budget_s(self) -> float | None:
        """How long the client will wait; None if it does not say. Raises: Refused if the header is not a number."""
        given = self.headers.get(b"x-proveout-deadline-ms")
        if given is None:
            return None
        if not (given.isdigit() and 0 < len(given) <= 9 and int(given) > 0):
            detail = "The header x-proveout-deadline-ms must be a whole number of milliseconds above 0."
            raise Refused(Problem(status=400, kind="header", title="A header cannot be read", detail=detail))
        return int(given) / 1000

    def take(self, answers: int) -> None:
        """Count `answers` more answers, beyond the first, against the caller's limit. Raises: Refused with 429."""
        if answers > 0:
            self.more(self, answers)

    # --- the body -------------------------------------------------------------------------------------------------

    async def body(self, most_bytes: int) -> bytes:
        """The whole body, decoded.

        Raises: ClientDisconnected; Refused if the body is larger than `most_bytes`, takes too long or is not gzip.
        """
        if b"content-encoding" in self.headers:
            self._gunzip = content_encoding.decoder(self._scope["headers"])
        if b"expect" in self.headers and self._announced_bytes() > most_bytes + OVERHEAD_BYTES * bool(self._gunzip):
            raise Refused(too_large(most_bytes))  # before `receive`, which would ask the client to send it
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
        """A body that arrives in parts or is too large. `message` is its first part."""
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
        """The next part of the body, decoded; None after the last.

        Raises: ClientDisconnected; Refused if it takes too long or is not gzip.
        """
        if b"content-encoding" not in self.headers:
            return await self._encoded_part()
        if not self._body_requested:
            self._gunzip = content_encoding.decoder(self._scope["headers"])
        if self._gunzip is None:
            return await self._encoded_part()
        await asyncio.sleep(0)  # one message may decode to a thousand parts: let other requests run between them
        while not (found := self._gunzip.take(_PIECE_BYTES)):
            part = await self._encoded_part()
            if part is None:
                self._gunzip.end()
                return None
            self._gunzip.feed(part)
        return found

    async def _encoded_part(self) -> bytes | None:
        """The next part of the body as the client sent it; None after the last."""
        if self.read:
            return None
        message = await self._next()
        self.read = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body

    async def _next(self, within_s: float | None = None) -> Message:
        """The next ASGI message. Raises: ClientDisconnected; Refused if it takes longer than a body may."""
        self._body_requested = True
        steps = self._receive().__await__()
        try:
            waits_for = next(steps)
        except StopIteration as arrived:  # nearly always it was there already, and a timer costs as much as validation
            message: Message = arrived.value
        else:
            try:
                async with asyncio.timeout(self._body_s if within_s is None else max(0.0, within_s)):
                    message = await _Rest(waits_for, steps)
            except TimeoutError as error:
                raise Refused(self._slow()) from error
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        return message

    def _slow(self) -> Problem:
        detail = f"The body did not arrive within {self._body_s:g} s."
        return Problem(status=408, kind="slow-body", title="Too slow", detail=detail)

    # --- the response ---------------------------------------------------------------------------------------------

    async def respond(self, status: int, body: bytes, kind: bytes, *headers: Header) -> None:
        """Send a whole response."""
        await self.start(status, kind, (b"content-length", b"%d" % len(body)), *headers)
        await self._send({"type": "http.response.body", "body": body})

    async def start(self, status: int, kind: bytes, *headers: Header) -> None:
        """Send the headers of a response whose body is sent by `write`."""
        self.started, self.status = True, status
        close = (_CLOSE,) if self._closes(status) else ()
        every = [(b"content-type", kind), *headers, *self.extra, *_ALWAYS, *close]
        await self._send({"type": "http.response.start", "status": status, "headers": every})

    async def write(self, part: bytes, *, last: bool = False) -> None:
        """Send the next part. Returns when the client has received enough of the earlier ones."""
        await self._send({"type": "http.response.body", "body": part, "more_body": not last})

    async def refuse(self, refused: Refused) -> None:
        """Send the problem as the response."""
        problem = refused.problem
        body, kind = (orjson.dumps({"error": sentence(problem)}), JSON) if self.v2 else (problem.body(), PROBLEM)
        await self.respond(problem.status, body, kind, *refused.headers)

    def _closes(self, status: int) -> bool:
        if self._draining or status in {408, 413, 500}:
            return True
        if b"expect" in self.headers and not self._body_requested:
            return True  # the client may or may not send the body now: the next bytes could be either
        # uvicorn would skip an unread body of any length.
        long = b"transfer-encoding" in self.headers or self._announced_bytes() > _SKIPPED_BYTES
        return status >= 400 and not self.read and long

    def _announced_bytes(self) -> float:
        """The Content-Length; 0 without one."""
        length = self.headers.get(b"content-length", b"0")
        return int(length) if length.isdigit() and len(length) < 12 else math.inf


def _unlimited(call: Call, answers: int) -> None:
    """The default of `Call.more`: no rate limit."""


def sentence(problem: Problem) -> str:
    """A problem as text, for protocols whose errors are one string."""
    if not problem.problems:
        return problem.detail
    listed = "; ".join(f"{one.field} is {one.got}, expected {one.expected}" for one in problem.problems)
    return f"{problem.detail} {listed}."


def too_large(most_bytes: int) -> Problem:
    """The problem of a body larger than `most_bytes`."""
    detail = f"The body has more than {most_bytes} bytes."
    return Problem(status=413, kind="too-large", title="Too large", detail=detail)


def answer_headers(response: Response) -> tuple[Header, ...]:
    """The headers of an answer: request id, latency, log and cache."""
    prediction = response.prediction
    headers: tuple[Header, ...] = (
        (b"x-request-id", prediction.request_id.encode()),
        (b"x-proveout-latency-ms", b"%.3f" % prediction.latency_ms),
    )
    if not response.logged:
        headers += ((b"x-proveout-unlogged", b"1"),)
    if response.cached is not None:
        headers += ((b"x-proveout-cache", response.cached.encode()),)
    return headers
