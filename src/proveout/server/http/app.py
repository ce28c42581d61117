"""The gateway: HTTP in front of the prediction service, as pure ASGI middleware in LitServe's API process.

Input: requests. The gateway answers every route, after the authorization rule in `auth.RULES`. LitServe's own routes
have no rules and are never reached. Output: 200 for every accepted request, whatever source answered it. "No
prediction" is an answer too: a 5xx would make clients retry, and would hide the recommended action. 4xx with a problem
for an invalid request or one over its limits. 503 where the settings prefer no answer to a late or unlogged one.

Headers of an answer: `x-request-id`; `x-proveout-latency-ms`; `x-proveout-unlogged: 1` if its log is in memory only;
`x-proveout-cache: hit|miss|stale` where the cache is on.
"""

import asyncio
import gc
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from proveout.records.api_key import Scope
from proveout.records.values import Scalar
from proveout.schema import examples
from proveout.schema.spec import RequestSchema
from proveout.server import safe_traceback
from proveout.server.http import auth, batch, feedback, metrics, open_inference, openapi, prediction_detail, ui
from proveout.server.http.auth import Authenticator, Method
from proveout.server.http.rate_limits import LimitDecision, RateLimits
from proveout.server.http.request import (
    BODY_S,
    JSON,
    App,
    Backend,
    Call,
    ClientDisconnected,
    Message,
    Receive,
    Send,
    answer_headers,
)
from proveout.server.http.validation import Header, Problem, Reader, Refused, unavailable
from proveout.server.queue.batcher import Overloaded
from proveout.server.service.group_commit import Unlogged
from proveout.settings import Settings

MOST_IN_FLIGHT = 4_096  # requests per process: answers to more would come too late, and cost memory
_COUNT_EVERY_S = 1.0
_PARAMETER = re.compile(r"\{(\w+)\}")

Handler = Callable[[Call, Backend], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One path and method, and its handler."""

    template: str
    method: Method
    handler: Handler
    needed: frozenset[Scope]
    rate_limited: bool


class Gateway:
    """ASGI middleware.

    Args:
        app: LitServe's application; only its startup and shutdown are used.
        schema: the request schema.
        typical: field values for the examples, see `examples.typical_values`.
        backend: a factory, called once in the process that serves.
        authenticator: finds the caller of a request.
        folder: the server's private folder, where its processes share their metrics.
        body_s: timeout for a whole body to arrive.
    """

    def __init__(
        self,
        app: App,
        *,
        schema: RequestSchema,
        settings: Settings,
        backend: Callable[[], Backend],
        authenticator: Authenticator,
        typical: Mapping[str, Scalar] | None = None,
        folder: Path | None = None,
        body_s: float = BODY_S,
    ) -> None:
        self._app, self._build, self._authenticator, self._body_s = app, backend, authenticator, body_s
        self._settings, self._reader = settings, Reader(schema)
        self._backend: Backend | None = None
        self._limits: RateLimits | None = None
        self._tally = metrics.Tally()
        self._folder = folder
        self._counting: asyncio.Task[None] | None = None
        self._started = False  # a model has answered since this process began
        self.routes = tuple(self._routes(schema, settings, examples.record(schema, typical)))
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Route]]] = []
        self._place_routes()

    def _routes(self, schema: RequestSchema, settings: Settings, example: Mapping[str, Scalar]) -> list[Route]:
        document = openapi.document(schema, settings, example)
        batches, v2 = batch.Batches(self._reader, settings), open_inference.Inference(self._reader, settings)
        pages = ui.Pages(
            schema,
            document,
            example=example,
            target=settings.target_name,
            task=settings.task,
            asks_for_key=self._authenticator.required,
        )
        handlers: dict[tuple[str, Method], Handler] = {
            ("/predict", "POST"): self._predict,
            ("/predict/batch", "POST"): batches.answer,
            ("/feedback", "POST"): feedback.take,
            ("/predictions/{id}", "GET"): prediction_detail.PredictionDetails(settings).show,
            ("/livez", "GET"): self._livez,
            ("/readyz", "GET"): self._readyz,
            ("/startupz", "GET"): self._startupz,
            ("/metrics", "GET"): self._metrics,
            ("/openapi.json", "GET"): pages.openapi,
            ("/docs", "GET"): pages.docs,
            ("/", "GET"): pages.form,
            **v2.routes(),
        }
        rate_limited = {"/predict", "/predict/batch", "/feedback", "/predictions/{id}"}
        return [
            Route(
                template=template,
                method=method,
                handler=handler,
                needed=auth.RULES[
                    (template, method)
                ],  # KeyError for a route without a rule: the gateway does not start
                rate_limited=template in rate_limited or template.endswith("/infer"),
            )
            for (template, method), handler in handlers.items()
        ]

    def _place_routes(self) -> None:
        for route in self.routes:
            if "{" not in route.template:
                self._exact.setdefault(route.template, {})[route.method] = route
                continue
            pattern = re.compile(_PARAMETER.sub(_pattern, route.template))
            known = next((methods for known, methods in self._patterns if known == pattern), None)
            if known is None:
                self._patterns.append((pattern, known := {}))
            known[route.method] = route

    # --- requests -------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One HTTP request, or the startup and shutdown of the process."""
        if scope["type"] == "http":
            await self._attempt(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _attempt(self, scope: Message, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        backend = self._running_backend
        call = Call(scope, receive, send, body_s=self._body_s, draining=backend.draining)
        route: Route | None = None
        self._tally.in_flight += 1
        try:
            route = self._route(scope, call)
            await self._admit(route, call, backend)
            await route.handler(call, backend)
        except ClientDisconnected:
            call.status = 499  # nginx's code for it
        except Exception as error:
            with suppress(OSError):
                await self._send_problem(error, call)
        finally:
            self._tally.in_flight -= 1
            template = "none" if route is None else route.template
            self._tally.count(template, call.status, time.perf_counter() - began)

    def _route(self, scope: Message, call: Call) -> Route:
        """The route of a request. Raises: Refused with 400, 404 or 405."""
        path = scope["path"]
        call.v2 = path == "/v2" or path.startswith("/v2/")
        if scope.get("http_version") == "1.1" and [name for name, _ in scope["headers"]].count(b"host") != 1:
            detail = "An HTTP/1.1 request needs exactly one Host header."  # RFC 9112, 3.2
            raise Refused(Problem(status=400, kind="header", title="A header cannot be read", detail=detail))
        methods = self._exact.get(path)
        if methods is None:
            for pattern, templated in self._patterns:
                if found := pattern.fullmatch(path):
                    methods, call.params = templated, found.groupdict()
                    break
            else:
                detail = "There is no such route. See /docs."
                raise Refused(Problem(status=404, kind="route", title="Not found", detail=detail))
        method = scope["method"]
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            allowed = ", ".join(sorted(methods))
            detail = f"This route takes {allowed}."
            problem = Problem(status=405, kind="method", title="Wrong method", detail=detail)
            raise Refused(problem, (b"allow", allowed.encode()))
        return route

    async def _admit(self, route: Route, call: Call, backend: Backend) -> None:
        """Check overload, authorization and rate limit, before the body is read. Raises: Refused."""
        if self._tally.in_flight > MOST_IN_FLIGHT and route.needed:
            raise unavailable("overloaded", "Too many requests are being answered.", retry_after_s=1)
        call.caller = self._authenticator.caller(call.headers, backend.desired)
        auth.admit(call.caller, route.needed)
        if route.rate_limited and self._limits is not None:
            call.more = self._take
            self._take(call, 1)

    def _take(self, call: Call, answers: int) -> None:
        """Count `answers` against the caller's rate limit. Raises: Refused with 429."""
        assert self._limits is not None
        decision = self._limits.take(call.caller, answers, at_s=time.monotonic(), now_s=time.time())
        if decision.limit is None:
            return
        call.extra = _limit_headers(decision)
        if not decision.granted:
            raise _too_many(decision)

    async def _send_problem(self, error: Exception, call: Call) -> None:
        """Answer with the problem that `error` stands for."""
        if isinstance(error, Overloaded):
            error = unavailable("overloaded", "An answer would come too late.", retry_after_s=error.retry_after_s)
        elif isinstance(error, Unlogged):
            error = unavailable("unlogged", "The log cannot be written.", retry_after_s=1)
        elif not isinstance(error, Refused):
            safe_traceback.report(error)
            detail = "The gateway failed. The server's log has the traceback."
            error = Refused(Problem(status=500, kind="fault", title="Internal server error", detail=detail))
        if call.started:
            call.status = error.problem.status  # the headers are sent: the response can only be cut off
            raise OSError
        await call.refuse(error)

    # --- small routes ---------------------------------------------------------------------------------------------

    async def _predict(self, call: Call, backend: Backend) -> None:
        request = self._reader.read(await call.body(self._settings.max_body_bytes))
        response = await backend.service.answer(
            request, request_id=call.wanted_id(), caller=call.caller, budget_s=call.budget_s()
        )
        await call.respond(200, response.body, JSON, *answer_headers(response))

    async def _livez(self, call: Call, backend: Backend) -> None:
        await call.respond(200, b'{"alive":true}', JSON)

    async def _readyz(self, call: Call, backend: Backend) -> None:
        ready, details = await backend.readiness()
        self._started = self._started or ready
        shown = details if "admin" in call.caller.scopes else {"reason": details["reason"]}
        await call.respond(200 if ready else 503, orjson.dumps({"ready": ready, **shown}), JSON)

    async def _startupz(self, call: Call, backend: Backend) -> None:
        if not self._started:
            self._started, _ = await backend.readiness()
        await call.respond(200 if self._started else 503, orjson.dumps({"started": self._started}), JSON)

    # --- metrics --------------------------------------------------------------------------------------------------

    async def _metrics(self, call: Call, backend: Backend) -> None:
        self._shared.write(self._counts(backend))
        log_controller = backend.log_controller()
        figures = metrics.Figures(
            releases=backend.desired.releases if backend.desired is not None else (),
            backlog_bytes=log_controller.backlog_bytes if log_controller is not None else 0,
            drained_rows=log_controller.drained_rows if log_controller is not None else 0,
            damaged_lines=log_controller.damaged_lines if log_controller is not None else 0,
        )
        body = await asyncio.to_thread(lambda: metrics.text(self._shared.all(), figures))
        await call.respond(200, body, metrics.CONTENT_TYPE)

    def _counts(self, backend: Backend) -> metrics.Counts:
        counts, service, journal = self._tally.counts(), backend.service, backend.journal
        counts.predictions = [(*labels, number) for labels, number in service.counts.items()]
        counts.fallbacks = list(service.fallback_reasons.items())
        counts.cache = [(str(event), number) for event, number in service.cached.items()]
        dispatch = backend.dispatch
        counts.waiting_rows, counts.shed, counts.dropped_shadows = dispatch.waiting, dispatch.shed, dispatch.dropped
        counts.open_breakers = [name for name, state in dispatch.breakers.items() if state != "closed"]
        counts.unwritten_rows, counts.lost_rows = journal.owed_rows, journal.lost_rows
        return counts

    async def _write_counts(self, backend: Backend) -> None:
        while True:
            await asyncio.sleep(_COUNT_EVERY_S)
            self._shared.write(self._counts(backend))

    # --- startup and shutdown -------------------------------------------------------------------------------------

    @property
    def _running_backend(self) -> Backend:
        if self._backend is None:
            raise RuntimeError("a request arrived before the lifespan startup event")
        return self._backend

    async def _lifespan(self, scope: Message, receive: Receive, send: Send) -> None:
        async def opening() -> Message:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._open()
            return message

        async def closing(message: Message) -> None:
            if message["type"] == "lifespan.shutdown.complete" and self._backend is not None:
                await self._close(self._backend)
            await send(message)

        await self._app(scope, opening, closing)

    async def _open(self) -> None:
        if self._authenticator.required:
            self._limits = RateLimits(self._settings.state_dir / "limits")
        self._shared = metrics.Shared(None if self._folder is None else self._folder / "metrics")
        self._backend = self._build()
        await self._backend.enter()
        # Long-lived objects: otherwise the collector would scan them again every few hundred requests.
        gc.collect()
        gc.freeze()
        self._counting = asyncio.create_task(self._write_counts(self._backend))

    async def _close(self, backend: Backend) -> None:
        if self._counting is not None:
            self._counting.cancel()
        await backend.leave()
        if self._limits is not None:
            self._limits.close()


def _pattern(parameter: re.Match[str]) -> str:
    # A client's own request id may contain slashes.
    return f"(?P<{parameter[1]}>{'.+' if parameter[1] == 'id' else '[^/]+'})"


def _limit_headers(decision: LimitDecision) -> tuple[Header, ...]:
    return (
        (b"ratelimit-limit", b"%d" % (decision.limit or 0)),
        (b"ratelimit-remaining", b"%d" % decision.remaining),
        (b"ratelimit-reset", b"%d" % math.ceil(decision.reset_s)),
    )


def _too_many(decision: LimitDecision) -> Refused:
    what = "requests at once" if decision.bound == "rate" else "requests a day (UTC)"
    detail = f"This key may make {decision.limit} {what}."
    if decision.retry_s is None:
        detail += " This request alone exceeds the limit: split it."
        return Refused(Problem(status=429, kind="limit", title="Too many requests", detail=detail))
    seconds = max(1, math.ceil(decision.retry_s))
    problem = Problem(status=429, kind="limit", title="Too many requests", detail=f"{detail} Try again in {seconds} s.")
    return Refused(problem, (b"retry-after", b"%d" % seconds))
