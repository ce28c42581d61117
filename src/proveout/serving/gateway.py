"""The gateway: HTTP in front of the desk, as pure ASGI middleware in LitServe's API process.

Comes in: requests. `POST /predict` is answered here, `/livez` and `/readyz` too; everything else is LitServe's.
Goes out: 200 for every accepted request, whoever answered it (a 5xx would make a client try again and hide what the
answer tells a person to do, so «no prediction» is an answer as well); a 4xx with a problem for what is no request.

Headers of an answer: `x-request-id`; `x-proveout-latency-ms`; `x-proveout-unlogged: 1` if its log is in memory only.
"""

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

from proveout.serving.desk import Given, sane_id
from proveout.serving.office import Office
from proveout.serving.schema import RequestSchema
from proveout.serving.validation import Problem, Refused, read

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

BODY_S = 5.0  # for a whole body to arrive
_DISCARDED_BYTES = 8 * 2**20  # of a body too large: closing while a client still sends would lose it the answer

_JSON, _PROBLEM = b"application/json", b"application/problem+json"
_CLOSE = (b"connection", b"close")


class Gateway:
    """ASGI middleware.

    Args:
        app: LitServe's application.
        schema: what a request may be.
        office: a factory, called once in the process that serves.
    """

    def __init__(
        self,
        app: App,
        *,
        schema: RequestSchema,
        office: Callable[[], Office],
        max_body_bytes: int,
        body_s: float = BODY_S,
    ) -> None:
        self._app, self._schema, self._build, self._body_s = app, schema, office, body_s
        self._max_body_bytes = max_body_bytes
        self._office: Office | None = None
        self._routes: dict[str, tuple[str, Callable[[Message, Receive, Send], Awaitable[None]]]] = {
            "/predict": ("POST", self._predict),
            "/livez": ("GET", self._livez),
            "/readyz": ("GET", self._readyz),
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One connection's request, or the process's beginning and end."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        method, route = (
            self._routes.get(scope.get("path", ""), ("", self._app)) if scope["type"] == "http" else ("", None)
        )
        if route is None or not method:
            await self._app(scope, receive, send)
        elif scope["method"] != method and not (scope["method"] == "HEAD" and method == "GET"):
            wrong = Problem(status=405, kind="method", title="Wrong method", detail=f"{scope['path']} takes {method}.")
            await self._refuse(send, wrong, (b"allow", method.encode()))
        else:
            await self._attempt(route, scope, receive, send)

    async def _attempt(
        self, route: Callable[[Message, Receive, Send], Awaitable[None]], scope: Message, receive: Receive, send: Send
    ) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await route(scope, receive, watched)
        except Refused as refused:
            await self._refuse(send, refused.problem)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            if not started:
                broken = Problem(
                    status=500,
                    kind="fault",
                    title="A fault of the server",
                    detail="The gateway failed; its log says how.",
                )
                await self._refuse(send, broken)

    async def _predict(self, scope: Message, receive: Receive, send: Send) -> None:
        body = await self._body(scope, receive)
        if body is None:
            return  # the client left
        request = read(body, self._schema)
        wanted = next((sane_id(value) for name, value in scope["headers"] if name == b"x-request-id"), None)
        given = await self._inside.desk.answer(request, request_id=wanted)
        await self._respond(send, 200, given.body, _JSON, *_headers(given))

    async def _body(self, scope: Message, receive: Receive) -> bytes | None:
        """The whole body, None if the client left. Raises: Refused if it is too large or takes too long."""
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._body_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    part = message.get("body", b"")
                    size += len(part)
                    if size <= self._max_body_bytes:
                        parts.append(part)
                    if not message.get("more_body", False) or size > _DISCARDED_BYTES:
                        break
        except TimeoutError as error:
            detail = f"The body did not arrive within {self._body_s:g} s."
            raise Refused(Problem(status=408, kind="slow-body", title="Too slow", detail=detail)) from error
        if size > self._max_body_bytes:
            detail = f"The body has more than {self._max_body_bytes} bytes."
            raise Refused(Problem(status=413, kind="too-large", title="Too large", detail=detail))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _livez(self, scope: Message, receive: Receive, send: Send) -> None:
        await self._respond(send, 200, b'{"alive":true}', _JSON)

    async def _readyz(self, scope: Message, receive: Receive, send: Send) -> None:
        ready, details = await self._inside.readiness()
        await self._respond(send, 200 if ready else 503, orjson.dumps({"ready": ready, **details}), _JSON)

    # --- sending --------------------------------------------------------------------------------------------------

    async def _refuse(self, send: Send, problem: Problem, *headers: tuple[bytes, bytes]) -> None:
        # What was not read of a body cannot be told from a next request: such a connection is not kept.
        close = (_CLOSE,) if problem.status in {405, 408, 413, 500} else ()
        with suppress(OSError):
            await self._respond(send, problem.status, problem.body(), _PROBLEM, *headers, *close)

    async def _respond(self, send: Send, status: int, body: bytes, kind: bytes, *headers: tuple[bytes, bytes]) -> None:
        closing = (_CLOSE,) if self._office is not None and self._office.draining and _CLOSE not in headers else ()
        always = ((b"content-type", kind), (b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": [*always, *headers, *closing]})
        await send({"type": "http.response.body", "body": body})

    # --- beginning and end ----------------------------------------------------------------------------------------

    @property
    def _inside(self) -> Office:
        if self._office is None:
            raise RuntimeError("a request came before the server's lifespan began")
        return self._office

    async def _lifespan(self, scope: Message, receive: Receive, send: Send) -> None:
        async def opening() -> Message:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._office = self._build()
                await self._office.enter()
            return message

        async def closing(message: Message) -> None:
            if message["type"] == "lifespan.shutdown.complete" and self._office is not None:
                await self._office.leave()
            await send(message)

        await self._app(scope, opening, closing)


def _headers(given: Given) -> Sequence[tuple[bytes, bytes]]:
    unlogged = () if given.logged else ((b"x-proveout-unlogged", b"1"),)
    return (
        (b"x-request-id", given.request_id.encode()),
        (b"x-proveout-latency-ms", f"{given.latency_ms:.3f}".encode()),
        *unlogged,
    )
