"""Many requests in one: `POST /predict/batch`, as a JSON array or, line by line, as a stream of NDJSON.

Input: an array, or any number of lines. Output: for each item its own answer or its own problem, in order. Each item is
validated, rate-limited, scored and logged like a single request. A stream is answered while it still arrives. It is
read no faster than the answers are computed and received, so memory stays bounded for any length.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from proveout.schema.validator import class_of
from proveout.server.http.request import JSON, NDJSON, Backend, Call, too_large
from proveout.server.http.validation import Problem, Reader, Refused, not_json, parsed, repeated_fields, unavailable
from proveout.server.queue.batcher import MOST_ROWS, Overloaded
from proveout.server.service.group_commit import Unlogged
from proveout.server.service.service import Response
from proveout.settings import Settings

BODIES = 64  # the largest array, in multiples of the largest single request
_NDJSON_KINDS = {NDJSON, b"application/ndjson", b"application/jsonl", b"application/x-jsonlines"}

Item = Any
"""A parsed item of an array, a line of a stream, or the problem that was found in it."""


class Batches:
    """The route's handler."""

    def __init__(self, reader: Reader, settings: Settings) -> None:
        self._reader, self._settings = reader, settings
        self.most_bytes = settings.max_body_bytes * BODIES

    async def answer(self, call: Call, backend: Backend) -> None:
        """The route. Raises: Refused if the body is not a batch."""
        kind = call.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind in _NDJSON_KINDS:
            await self._stream(call, backend)
        else:
            await self._array(call, backend)

    async def _array(self, call: Call, backend: Backend) -> None:
        body = await call.body(self.most_bytes)
        items = parsed(body)
        if not isinstance(items, list):
            raise Refused(not_json(f"The body is {class_of(items)}, expected an array of requests."))
        if len(items) > self._settings.max_batch_rows:
            detail = (
                f"The array has more than {self._settings.max_batch_rows} items. Send parts, or a stream of NDJSON."
            )
            raise Refused(Problem(status=413, kind="too-large", title="Too large", detail=detail))
        for place, problem in repeated_fields(body, items).items():
            items[place] = problem
        call.take(len(items) - 1)
        batch = _BatchAnswers(call, backend)
        parts: list[bytes] = []
        for start in range(0, len(items), MOST_ROWS):  # in windows, so that single requests are answered between them
            window = [self._request(item) for item in items[start : start + MOST_ROWS]]
            parts += await batch.answers(window)
        unlogged = ((b"x-proveout-unlogged", b"1"),) if batch.unlogged else ()
        await call.respond(200, b"[" + b",".join(parts) + b"]", JSON, *unlogged)

    def _request(self, item: Item) -> Any:
        """The request in an item, or its problem."""
        if isinstance(item, Problem):
            return item
        try:
            return self._reader.take(item)
        except Refused as refused:
            return refused.problem

    async def _stream(self, call: Call, backend: Backend) -> None:
        batch, lines, counted = _BatchAnswers(call, backend), _Lines(self._settings.max_body_bytes), 0
        ending: Problem | None = None
        while ending is None:
            try:
                part = await call.part()
            except Refused as refused:
                if not call.started:
                    raise
                ending = refused.problem
                break
            found = lines.feed(part) if part is not None else lines.end()
            for window in _windows(found):
                requests = []
                for line in window:
                    requests.append(self._line(line, call, counted))
                    counted += 1
                answered = await batch.answers(requests)
                if not call.started:
                    await call.start(200, NDJSON)
                await call.write(b"\n".join(answered) + b"\n")
            if part is None:
                break
            if backend.draining:
                ending = unavailable("ending", "The server is shutting down.", retry_after_s=1).problem
        if not call.started:
            await call.start(200, NDJSON)
        await call.write(b"" if ending is None else ending.body() + b"\n", last=True)

    def _line(self, line: "bytes | Problem", call: Call, place: int) -> Any:
        try:
            if place:  # the first was counted when the request was admitted
                call.take(1)
            return line if isinstance(line, Problem) else self._reader.read(line)
        except Refused as refused:
            return refused.problem


class _BatchAnswers:
    """The answers to the items of one batch."""

    def __init__(self, call: Call, backend: Backend) -> None:
        self._call, self._service = call, backend.service
        self._budget_s, self._id = call.budget_s(), call.wanted_id()
        self._place = 0
        self.unlogged = False

    async def answers(self, window: Sequence[Any]) -> list[bytes]:
        """The JSON of an answer or a problem for each item, in order."""
        start, self._place = self._place, self._place + len(window)
        return await asyncio.gather(*(self._answer(request, start + place) for place, request in enumerate(window)))

    async def _answer(self, request: Any, place: int) -> bytes:
        if isinstance(request, Problem):
            return request.body()
        try:
            response: Response = await self._service.answer(
                request,
                request_id=None if self._id is None else f"{self._id}.{place}",
                caller=self._call.caller,
                budget_s=self._budget_s,
            )
        except Overloaded as overloaded:
            why = "An answer would come too late."
            return unavailable("overloaded", why, retry_after_s=overloaded.retry_after_s).problem.body()
        except Unlogged:
            return unavailable("unlogged", "The log cannot be written.", retry_after_s=1).problem.body()
        self.unlogged = self.unlogged or not response.logged
        return response.body


class _Lines:
    """Splits a stream into lines. A line longer than a request may be becomes a problem."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest = b""
        self._skipping = False  # whether the rest of a line that is too long is being skipped

    def feed(self, part: bytes) -> "list[bytes | Problem]":
        """Every line that `part` completes, or the problem of a line that is too long."""
        first, *others = part.split(b"\n")
        if not others:
            return self._grow(first)
        found: list[bytes | Problem] = []
        if self._skipping:
            self._skipping = False
        else:
            found += self._checked(self._rest + first)
        self._rest = b""
        for line in others[:-1]:
            found += self._checked(line)
        return found + self._grow(others[-1])

    def end(self) -> "list[bytes | Problem]":
        """The last line, if it has no line feed."""
        rest, self._rest = self._rest, b""
        return [] if self._skipping else self._checked(rest)

    def _grow(self, more: bytes) -> "list[bytes | Problem]":
        if self._skipping:
            return []
        self._rest += more
        if len(self._rest) <= self._longest:
            return []
        self._rest, self._skipping = b"", True
        return [too_large(self._longest)]

    def _checked(self, line: bytes) -> "list[bytes | Problem]":
        if not line.strip():
            return []
        return [line if len(line) <= self._longest else too_large(self._longest)]


def _windows(lines: "Sequence[bytes | Problem]") -> "Iterator[Sequence[bytes | Problem]]":
    for start in range(0, len(lines), MOST_ROWS):
        yield lines[start : start + MOST_ROWS]
