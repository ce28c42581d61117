"""server/http/batch.py: many requests in one, each with its own answer or its own problem."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from gateway_toy import body, run, running
from patience import PATIENCE_S, async_wait_until
from serving_toy import request

NDJSON = {"content-type": "application/x-ndjson"}


async def array(server: Any, items: Any, **headers: str) -> Any:
    text = items if isinstance(items, bytes) else orjson.dumps(items)
    return await server.client.post("/predict/batch", content=text, headers=headers)


def kinds(items: list[Any]) -> list[Any]:
    """Who answered each item, or its problem's status."""
    return [item.get("answered_by", item.get("status")) for item in items]


def test_every_item_has_its_own_answer_in_order(tmp_path):
    """And all of them go to the model in one message."""

    async def test() -> None:
        async with running(tmp_path) as server:
            response = await array(server, [request(size=i / 100, number=i) for i in range(100)])

            assert response.status_code == 200
            scores = [item["prediction"]["probability"] for item in response.json()]
            assert scores == [pytest.approx(0.1 + 0.5 * i / 100 + 0.0001 * i) for i in range(100)]
            assert server.worker is not None and len(server.worker.batches()) <= 2
            assert [row.record["number"] for row in server.log()] == list(range(100))

    run(test())


def test_an_item_that_is_no_request_costs_only_itself(tmp_path):
    """A file of a thousand rows has one bad one, always."""

    async def test() -> None:
        async with running(tmp_path) as server:
            items = [request(), request(number=-1), 5, None, [], {}, request(mode="raise"), request(stranger=1)]
            response = await array(server, items)

            assert response.status_code == 200
            assert kinds(response.json()) == ["model", 422, 422, 422, 422, 422, "rules", 422]
            assert response.json()[1]["problems"][0]["field"] == "number"
            assert len(server.log()) == 2

    run(test())


@pytest.mark.parametrize("twice", [b'"number": 2', b'"numb\\u0065r": 2', b'"mode": "fine"'])
def test_a_field_given_twice_is_found_in_every_item(tmp_path, twice):
    """The third of four, and only that one is refused."""

    async def test() -> None:
        async with running(tmp_path) as server:
            items = [body(), body(), body()[:-1] + b"," + twice + b"}", body()]
            response = await array(server, b"[" + b",".join(items) + b"]")

            assert kinds(response.json()) == ["model", "model", 400, "model"]
            assert "twice" in response.json()[2]["detail"]

    run(test())


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"", 400),
        (b"{}", 400),
        (b'"rows"', 400),
        (b"[{}", 400),
        (b"[NaN]", 400),
        (b"[" * 5_000, 400),
        (b"[" + b",".join([b"1"] * 11) + b"]", 413),
        (b"[" + b" " * 65_536 * 64 + b"]", 413),
    ],
)
def test_what_is_no_array_is_refused_whole(tmp_path, text, status):
    """There is nothing to answer item by item."""

    async def test() -> None:
        async with running(tmp_path, max_batch_rows=10) as server:
            response = await array(server, text)

            assert response.status_code == status
            assert response.json()["status"] == status

    run(test())


def test_an_empty_array_has_no_answers(tmp_path):
    """Nothing asked, nothing answered, nothing wrong."""

    async def test() -> None:
        async with running(tmp_path) as server:
            response = await array(server, [])
            assert (response.status_code, response.json()) == (200, [])

    run(test())


def test_items_have_ids_made_from_the_clients_own(tmp_path):
    """Feedback on one of a thousand answers needs its id."""

    async def test() -> None:
        async with running(tmp_path) as server:
            named = await array(server, [request(number=1), request(number=2)], **{"x-request-id": "monday"})
            unnamed = await array(server, [request(number=3), request(number=4)])

            assert [item["request_id"] for item in named.json()] == ["monday.0", "monday.1"]
            assert len({item["request_id"] for item in unnamed.json()}) == 2
            assert len({row.request_id for row in server.log()}) == 4

    run(test())


def test_explained_items_have_reasons_or_say_why_not(tmp_path):
    """Within the deadline: a batch of a hundred explanations is no reason to be late."""

    async def test() -> None:
        async with running(tmp_path) as server:
            response = await array(server, [request(size=i / 10, number=i, explain=i % 2 == 0) for i in range(10)])
            items = response.json()

            assert kinds(items) == ["model"] * 10
            assert all(("reasons" in item) == (place % 2 == 0) for place, item in enumerate(items))
            assert all(item["reasons"] or item["reasons_missing"] for item in items[::2])

    run(test())


def test_single_requests_are_answered_while_a_large_batch_is(tmp_path):
    """It is computed in turns, so nobody waits for all of somebody else's rows."""

    async def test() -> None:
        async with running(tmp_path, max_batch_rows=2_000) as server:
            large = asyncio.create_task(array(server, [request(number=i % 1000, mode="slow") for i in range(1_500)]))
            await async_wait_until(lambda: server.worker.messages, "the first turn of the large one")
            assert (await server.ask()).json()["answered_by"] == "model"
            assert not large.done()
            assert kinds((await large).json()) == ["model"] * 1_500

    run(test())


# --- streams ---------------------------------------------------------------------------------------------------------


def test_a_stream_is_answered_line_by_line(tmp_path):
    """In order, problems in their places, empty lines ignored, the last one without a line feed."""

    async def test() -> None:
        async with running(tmp_path) as server:
            text = b"\n".join([body(number=1), b"", b"{", body(number=-1), b"  ", body(number=2, explain=True)])
            response = await server.client.post("/predict/batch", content=text, headers=NDJSON)
            items = [orjson.loads(line) for line in response.content.splitlines()]

            assert response.headers["content-type"] == "application/x-ndjson"
            assert kinds(items) == ["model", 400, 422, "model"]
            assert "reasons" in items[3]

    run(test())


def test_lines_are_cut_wherever_the_network_cuts_them(tmp_path):
    """One byte at a time, or three lines at once."""
    lines = [body(number=number) for number in range(7)]
    text = b"\n".join(lines) + b"\n"

    async def test() -> None:
        async with running(tmp_path) as server:
            for size in (1, 7, 100, len(text)):

                async def parts(size: int = size) -> AsyncIterator[bytes]:
                    for start in range(0, len(text), size):
                        yield text[start : start + size]

                response = await server.client.post("/predict/batch", content=parts(), headers=NDJSON)
                assert kinds([orjson.loads(line) for line in response.content.splitlines()]) == ["model"] * 7

    run(test())


class Wire:
    """A client on ASGI's own terms: it sends what it is told to and takes what it wants."""

    def __init__(self, gateway: Any, **headers: str) -> None:
        self.sent: list[Any] = []
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.reads = 0
        self.taking = asyncio.Event()
        self.taking.set()
        named = [(name.encode(), value.encode()) for name, value in {**NDJSON, **headers}.items()]
        scope = {"type": "http", "path": "/predict/batch", "method": "POST", "headers": named}
        self.task = asyncio.create_task(gateway(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        self.reads += 1
        return await self.incoming.get()

    async def _send(self, message: Any) -> None:
        await self.taking.wait()
        self.sent.append(message)

    def say(self, text: bytes, *, more: bool = True) -> None:
        self.incoming.put_nowait({"type": "http.request", "body": text, "more_body": more})

    def lines(self) -> list[Any]:
        text = b"".join(message.get("body", b"") for message in self.sent)
        return [orjson.loads(line) for line in text.splitlines()]

    async def until(self, count: int) -> None:
        await async_wait_until(lambda: len(self.lines()) >= count, f"{count} answers")


def test_an_answer_comes_before_the_next_line_was_sent(tmp_path):
    """A stream is a conversation, not an upload."""

    async def test() -> None:
        async with running(tmp_path) as server:
            wire = Wire(server.gateway)
            for number in range(3):
                wire.say(body(number=number) + b"\n")
                await wire.until(number + 1)
            wire.say(b"", more=False)
            await wire.task

            assert kinds(wire.lines()) == ["model"] * 3
            assert wire.sent[-1].get("more_body") is False

    run(test())


def test_a_client_that_takes_no_answers_is_read_no_further(tmp_path):
    """Or the answers of a stream of millions would wait in memory."""

    async def test() -> None:
        async with running(tmp_path) as server:
            wire = Wire(server.gateway)
            wire.taking.clear()
            for number in range(200):
                wire.say(b"".join(body(number=number) + b"\n" for _ in range(10)))
            await async_wait_until(lambda: len(server.log()) >= 10, "the answers to the first ten lines")
            await asyncio.sleep(0.2)
            assert wire.reads == 1
            assert len(server.log()) == 10
            wire.taking.set()
            wire.say(b"", more=False)
            await wire.task
            assert kinds(wire.lines()) == ["model"] * 2_000

    run(test())


def test_a_line_without_an_end_is_refused_and_skipped(tmp_path):
    """Bounded memory: what no request can be as long as is not kept to its end."""

    async def test() -> None:
        async with running(tmp_path) as server:
            wire = Wire(server.gateway)
            wire.say(body() + b"\n")
            for _ in range(100):
                wire.say(b"x" * 10_000)
            await wire.until(2)
            wire.say(b"tail\n" + body() + b"\n" + b"y" * 70_000 + b"\n" + body(), more=False)
            await wire.task

            assert kinds(wire.lines()) == ["model", 413, "model", 413, "model"]

    run(test())


def test_a_stream_that_falls_silent_ends_with_a_problem(tmp_path):
    """What was answered was answered; a connection is not held for ever."""

    async def test() -> None:
        async with running(tmp_path, body_s=0.2) as server:
            begun, silent = Wire(server.gateway), Wire(server.gateway)
            begun.say(body() + b"\n")
            await asyncio.gather(begun.task, silent.task)

            assert kinds(begun.lines()) == ["model", 408]
            assert silent.sent[0]["status"] == 408

    run(test())


def test_a_client_that_leaves_ends_its_stream(tmp_path):
    """Its answers are logged; nothing goes on for nobody."""

    async def test() -> None:
        async with running(tmp_path) as server:
            wire = Wire(server.gateway)
            wire.say(body() + b"\n")
            await wire.until(1)
            wire.incoming.put_nowait({"type": "http.disconnect"})
            async with asyncio.timeout(PATIENCE_S):
                await wire.task
            assert len(server.log()) == 1

    run(test())


def test_a_server_that_ends_ends_its_streams(tmp_path):
    """A stream of hours would hold the shutdown until it is killed, and its client would not know where it stood."""

    async def test() -> None:
        async with running(tmp_path) as server:
            wire = Wire(server.gateway)
            wire.say(body() + b"\n")
            await wire.until(1)
            server.backend.draining = True
            wire.say(body() + b"\n")
            async with asyncio.timeout(PATIENCE_S):
                await wire.task
            assert kinds(wire.lines()) == ["model", "model", 503]

    run(test())
