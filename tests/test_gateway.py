"""serving/gateway.py and what stands behind it: HTTP in, one answer out, whatever happens to the worker.

The worker is a real one on a real unix socket, in a thread; test_host.py has it in a process of its own.
"""

import asyncio
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving_toy import RELEASE, THRESHOLD, ToyModel, request, settings_of
from test_validation import NOT_JSON

from proveout.registry.ledger import Ledger
from proveout.serving import journal as journal_module
from proveout.serving import wire
from proveout.serving.champion import Served
from proveout.serving.desk import Habits
from proveout.serving.gateway import Gateway
from proveout.serving.office import Office
from proveout.serving.schema import compile_schema
from proveout.serving.worker import Bench, attend, listen
from proveout.settings import load_object


async def litserve(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
    """What LitServe's application is to the gateway."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"LitServe"})


class Worker:
    """A worker in a thread: the real socket and the real answers, with a model that does as it is told."""

    def __init__(self, path: str, schema: Any, answer: Callable[[Any], Any] | None = None) -> None:
        bench = Bench(Served(release=RELEASE, model=ToyModel()), schema.dtypes)
        self.messages: list[Any] = []
        real = bench.answer

        def noted(message: Any) -> Any:
            self.messages.append(message)
            return answer(message) if answer else real(message)

        bench.answer = noted  # type: ignore[method-assign]
        self.listening = listen(path)
        threading.Thread(target=self._attend, args=(bench,), daemon=True).start()

    def _attend(self, bench: Bench) -> None:
        try:
            attend(self.listening, bench)
        except OSError:
            return

    def batches(self) -> list[int]:
        return [len(m["columns"]["mode"]) for m in self.messages if m["ask"] == "predict"]


class Running:
    """A gateway that runs, a client of it, and what it wrote."""

    def __init__(self, client: httpx.AsyncClient, office: Office, worker: Worker | None, url: str) -> None:
        self.client, self.office, self.worker, self._url = client, office, worker, url

    async def ask(self, headers: Mapping[str, str] | None = None, **changed: Any) -> httpx.Response:
        return await self.client.post("/predict", json=request(**changed), headers=headers)

    def log(self) -> list[Any]:
        self.office._drain.once()
        with Ledger(self._url) as ledger:
            return list(ledger.predictions())


@asynccontextmanager
async def running(
    root: Path,
    *,
    with_worker: bool = True,
    answer: Callable[[Any], Any] | None = None,
    body_s: float = 5.0,
    action: Callable[..., Any] | None = None,
    **changed: Any,
) -> AsyncIterator[Running]:
    settings = settings_of(root, **changed)
    schema = compile_schema(load_object(settings.request_schema, root), name="toy")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/w"
        worker = Worker(path, schema, answer) if with_worker else None
        habits = Habits(
            model="toy",
            label_name="late",
            release=RELEASE,
            rules=load_object(settings.fallback, root),
            action=action or load_object(settings.actions, root),
            deadline_s=settings.deadline_s,
        )
        offices: list[Office] = []

        def open_office() -> Office:
            offices.append(
                Office(
                    habits,
                    fields=schema.names,
                    socket=path,
                    hang_s=60,
                    journal_dir=settings.journal_dir,
                    open_log=partial(Ledger, settings.ledger),
                )
            )
            return offices[0]

        gateway = Gateway(
            litserve, schema=schema, office=open_office, max_body_bytes=settings.max_body_bytes, body_s=body_s
        )
        async with (
            lifespan(gateway),
            httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url="http://toy") as client,
        ):
            yield Running(client, offices[0], worker, settings.ledger)
        if worker is not None:
            worker.listening.close()


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    incoming: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    outgoing: asyncio.Queue[Mapping[str, str]] = asyncio.Queue()
    task = asyncio.create_task(app({"type": "lifespan"}, incoming.get, outgoing.put))
    await incoming.put({"type": "lifespan.startup"})
    assert (await outgoing.get())["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await incoming.put({"type": "lifespan.shutdown"})
        assert (await outgoing.get())["type"] == "lifespan.shutdown.complete"
        await task


def run(test: Awaitable[None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test

    asyncio.run(bounded())


@pytest.fixture(autouse=True)
def _no_wait_for_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proveout.serving.office._WORKER_S", 1.0)


# --- answers --------------------------------------------------------------------------------------------------------


def test_an_answer_says_everything_it_has_to(tmp_path):
    """What a person and a program need: the label, how sure, what to do, who said it."""

    async def test() -> None:
        async with running(tmp_path) as server:
            response = await server.ask({"x-request-id": "flight-1"}, size=0.5, number=0)

            assert response.status_code == 200
            assert response.json() == {
                "request_id": "flight-1",
                "prediction": {"late": True, "probability": pytest.approx(0.35)},
                "confidence": {"share": 0.9, "level": "high"},
                "action": "wait",
                "answered_by": "model",
                "release": RELEASE,
                "fallback_reason": None,
            }
            assert float(response.headers["x-proveout-latency-ms"]) > 0
            assert response.headers["x-request-id"] == "flight-1"
            (row,) = server.log()
            assert (row.request_id, row.answered_by, row.label, row.release) == ("flight-1", "model", True, RELEASE)
            assert row.record == request(size=0.5, number=0)

    run(test())


def test_reasons_come_only_when_asked_for(tmp_path):
    """They cost the worker a hundred times a plain answer."""

    async def test() -> None:
        async with running(tmp_path, deadline_s=5) as server:
            plain, explained = await server.ask(size=0.9), await server.ask(size=0.9, explain=True)

            assert "reasons" not in plain.json()
            assert explained.json()["reasons"][0]["field"] == "size"
            assert explained.json()["reasons"][0]["effect"] > 0.1
            assert "reasons_missing" not in explained.json()
            assert "explain" not in server.log()[1].record

    run(test())


def test_an_explained_request_waits_behind_the_plain_ones(tmp_path):
    """It is a message of its own: nobody's answer waits for somebody else's reasons in the same batch."""

    async def test() -> None:
        async with running(tmp_path, deadline_s=5) as server:
            await asyncio.gather(*(server.ask(explain=i == 0, number=i) for i in range(20)))

            assert server.worker is not None
            asked = [message["ask"] for message in server.worker.messages]
            assert asked.count("explain") == 1
            assert asked.index("explain") > asked.index("predict")

    run(test())


def test_reasons_that_come_too_late_are_left_out_and_said_so(tmp_path):
    """The answer itself is there in time."""

    def slow_reasons(message: Any) -> Any:
        if message["ask"] == "explain":
            time.sleep(0.6)
            return {"reasons": []}
        return {"probability": [0.2], "confidence": [0.9], "problem": None}

    async def test() -> None:
        async with running(tmp_path, answer=slow_reasons, deadline_s=0.3) as server:
            began = time.perf_counter()
            answer = (await server.ask(explain=True)).json()

            assert time.perf_counter() - began < 0.5
            assert answer["answered_by"] == "model"
            assert answer["reasons"] == []
            assert answer["reasons_missing"].startswith("no answer within")

    run(test())


def test_requests_that_wait_for_a_busy_worker_travel_together(tmp_path):
    """One message and one model call for all of them; alone, each would cost what 64 cost together."""

    async def test() -> None:
        async with running(tmp_path, deadline_s=10) as server:
            responses = await asyncio.gather(
                server.ask(mode="slow"), *(server.ask(size=i / 200, number=i) for i in range(200))
            )

            assert all(response.json()["answered_by"] == "model" for response in responses)
            scores = [response.json()["prediction"]["probability"] for response in responses[1:]]
            assert scores == [pytest.approx(0.1 + 0.5 * i / 200 + 0.0001 * i) for i in range(200)]
            assert server.worker is not None
            assert len(server.worker.batches()) <= 4

    run(test())


def test_a_single_request_waits_for_nobody(tmp_path):
    """There is no batching window: an idle worker is asked at once."""

    async def test() -> None:
        async with running(tmp_path) as server:
            await server.ask()
            took = [float((await server.ask()).headers["x-proveout-latency-ms"]) for _ in range(20)]

            assert sorted(took)[10] < 30

    run(test())


def test_a_batch_has_at_most_256_rows(tmp_path):
    """A batch without bound would take as long as it likes, and everybody behind it with it."""

    async def test() -> None:
        async with running(tmp_path, deadline_s=20) as server:
            await asyncio.gather(server.ask(mode="slow"), *(server.ask(number=i) for i in range(600)))

            assert server.worker is not None
            assert max(server.worker.batches()) <= 256

    run(test())


# --- the ladder ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("raise", "model: it raised RuntimeError"),
        ("nan", "model: its probability is not a number from 0 to 1"),
        ("high", "model: its probability is not a number from 0 to 1"),
        ("short", "model: it raised WrongShape"),
    ],
)
def test_whatever_the_model_does_wrong_the_rules_answer(tmp_path, mode, reason):
    """R11 of the scoreboard. LitServe answers 500, or lets the request hang."""

    async def test() -> None:
        async with running(tmp_path) as server:
            response = await server.ask(mode=mode)

            assert response.status_code == 200
            answer = response.json()
            assert (answer["answered_by"], answer["fallback_reason"]) == ("rules", reason)
            assert answer["prediction"] == {"late": True, "probability": 0.4}
            assert answer["confidence"] is None
            assert "Ada" not in response.text
            assert (await server.ask()).json()["answered_by"] == "model"
            assert [row.answered_by for row in server.log()] == ["rules", "model"]

    run(test())


def test_one_bad_request_does_not_cost_the_others_their_answer(tmp_path):
    """A batch is chance company: the one the model raises on is found, the others are scored."""

    async def test() -> None:
        async with running(tmp_path, deadline_s=10) as server:
            modes = ["slow", *("raise" if i == 17 else "fine" for i in range(64))]
            answers = [r.json()["answered_by"] for r in await asyncio.gather(*(server.ask(mode=m) for m in modes))]

            assert answers.count("rules") == 1
            assert answers[18] == "rules"

    run(test())


REPLIES: dict[str, Any] = {
    "too few": {"probability": [], "confidence": [], "problem": None},
    "too many": {"probability": [0.1, 0.2], "confidence": [None, None], "problem": None},
    "texts": {"probability": ["0.5"], "confidence": [None], "problem": None},
    "a number": {"probability": 5, "confidence": None, "problem": None},
    "a list": [1, 2, 3],
    "nothing": None,
    "a problem": {"problem": "it raised MemoryError"},
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_a_reply_like_no_other_falls_back_and_the_queue_moves_on(tmp_path, reply):
    """The queue in front of the worker is one task: if it died, every later request would wait for its deadline."""

    async def test() -> None:
        async with running(tmp_path, answer=lambda message: reply) as server:
            for _ in range(3):
                answer = (await server.ask()).json()
                assert answer["answered_by"] == "rules"
                assert "no answer within" not in answer["fallback_reason"]

    run(test())


def test_bytes_that_are_no_message_cost_one_connection(tmp_path):
    """A worker of another version, or a broken one: the line is dropped, and tried again."""

    async def test() -> None:
        async with running(tmp_path, answer=lambda message: object()) as server:
            assert (await server.ask()).json()["answered_by"] == "rules"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "pack", _pack_or_garbage)
        run(test())


def _pack_or_garbage(message: Any, real: Any = wire.pack) -> bytes:
    return real(message) if type(message) is not object else b"\x04\x00\x00\x00{{{{"


@pytest.mark.parametrize(
    ("mode", "why"), [("rules-raise", "it raised ZeroDivisionError"), ("rules-nan", "its probability")]
)
def test_when_rules_fail_too_the_answer_is_an_explicit_no_prediction(tmp_path, mode, why):
    """Null, with what to do; never an invented number, never a 500."""

    async def test() -> None:
        async with running(tmp_path) as server:
            response = await server.ask(mode=mode)

            assert response.status_code == 200
            answer = response.json()
            assert answer["answered_by"] == "none"
            assert answer["prediction"] == {"late": None, "probability": None}
            assert answer["action"] == "ask somebody"
            assert why in answer["fallback_reason"]
            (row,) = server.log()
            assert (row.answered_by, row.label, row.probability) == ("none", None, None)

    run(test())


def test_without_a_worker_the_rules_answer_at_once(tmp_path):
    """Waiting for the deadline would only add to the trouble."""

    async def test() -> None:
        async with running(tmp_path, with_worker=False, deadline_s=10) as server:
            began = time.perf_counter()
            answer = (await server.ask(explain=True)).json()

            assert time.perf_counter() - began < 1
            assert (answer["answered_by"], answer["fallback_reason"]) == ("rules", "model: the worker is down")
            assert (answer["reasons"], answer["reasons_missing"]) == ([], "the model did not answer")
            assert answer["release"] == RELEASE

    run(test())


def test_at_the_deadline_the_rules_answer(tmp_path):
    """A hanging model costs an answer its quality, not its time."""
    stuck = threading.Event()

    def hang(message: Any) -> Any:
        stuck.wait(20)
        return {"problem": "too late"}

    async def test() -> None:
        async with running(tmp_path, answer=hang, deadline_s=0.2) as server:
            began = time.perf_counter()
            answers = await asyncio.gather(*(server.ask() for _ in range(50)))

            assert time.perf_counter() - began < 0.5
            assert {answer.json()["answered_by"] for answer in answers} == {"rules"}
            assert "no answer within 180 ms" in answers[0].json()["fallback_reason"]
            stuck.set()

    run(test())


def test_a_reply_after_the_deadline_is_given_to_nobody(tmp_path):
    """It belongs to a request that was answered already, not to the next one."""
    seen: list[int] = []

    def late_then_prompt(message: Any) -> Any:
        seen.append(1)
        if len(seen) == 1:
            time.sleep(0.3)
        rows = len(message["columns"]["number"])
        return {"probability": [number / 1000 for number in message["columns"]["number"]], "confidence": [None] * rows}

    async def test() -> None:
        async with running(tmp_path, answer=late_then_prompt, deadline_s=0.15) as server:
            assert (await server.ask(number=111)).json()["answered_by"] == "rules"
            await asyncio.sleep(0.3)
            answer = (await server.ask(number=222)).json()
            assert (answer["answered_by"], answer["prediction"]["probability"]) == ("model", 0.222)

    run(test())


def test_a_worker_that_comes_back_answers_again(tmp_path):
    """The line is tried again and again; nobody has to restart the server."""

    async def test() -> None:
        async with running(tmp_path) as server:
            assert server.worker is not None
            path = server.worker.listening.getsockname()
            server.office._link._hang_up()  # what a dead worker's end of the line looks like
            Path(path).unlink()
            answers = [(await server.ask()).json()["answered_by"] for _ in range(3)]
            assert answers == ["rules"] * 3
            settings = settings_of(tmp_path)
            schema = compile_schema(load_object(settings.request_schema, tmp_path), name="toy")
            Worker(path, schema)
            async with asyncio.timeout(5):
                await server.office._link.up.wait()
            assert (await server.ask()).json()["answered_by"] == "model"

    run(test())


def test_an_action_that_raises_costs_the_advice_only(tmp_path, capfd):
    """It is a person's own code, like the rules. It is said on stderr, once."""

    def action(probability: float | None, confidence: float | None) -> str:
        raise KeyError("no such advice")

    async def test() -> None:
        async with running(tmp_path, action=action) as server:
            answers = [(await server.ask()).json() for _ in range(3)]

            assert [answer["answered_by"] for answer in answers] == ["model"] * 3
            assert answers[0]["action"] == ""

    run(test())
    assert capfd.readouterr().err.count("proveout: the action raised KeyError") == 1


def test_the_label_of_a_rule_uses_the_threshold_of_the_released_model(tmp_path):
    """0.4 is late for a model that calls 0.3 late; answers of one server must not mean two things."""

    async def test() -> None:
        async with running(tmp_path) as server:
            assert THRESHOLD < 0.4
            assert (await server.ask(mode="raise")).json()["prediction"] == {"late": True, "probability": 0.4}

    run(test())


def test_a_queue_that_cannot_be_worked_off_grows_no_further(tmp_path, monkeypatch):
    """Whoever comes then is told at once, instead of waiting with everybody else for the deadline."""
    monkeypatch.setattr("proveout.serving.dispatch.MOST_WAITING", 10)

    async def test() -> None:
        async with running(tmp_path, deadline_s=5) as server:
            answers = await asyncio.gather(server.ask(mode="slow"), *(server.ask() for _ in range(40)))

            reasons = {answer.json()["fallback_reason"] for answer in answers}
            assert reasons == {None, "model: too many requests are waiting"}

    run(test())


# --- the log ---------------------------------------------------------------------------------------------------------


def test_an_answer_is_in_the_journal_before_it_leaves(tmp_path):
    """kill -9 may come when the client has its answer."""

    async def test() -> None:
        async with running(tmp_path) as server:
            path = server.office._journal._path
            assert path is not None
            seen: list[bytes] = []
            original = server.office._journal.append

            def noting(rows: Any) -> bool:
                done = original(rows)
                seen.append(path.read_bytes())
                return done

            server.office._journal.append = noting  # type: ignore[method-assign]
            response = await server.ask({"x-request-id": "seen"})
            assert response.status_code == 200
            assert b'"seen"' in seen[0]

    run(test())


def test_answers_that_leave_together_are_one_write(tmp_path, monkeypatch):
    """A write for each of 200 would be most of their cost."""

    async def test() -> None:
        async with running(tmp_path, deadline_s=10) as server:
            writes: list[int] = []
            original = server.office._journal.append
            server.office._journal.append = lambda rows: writes.append(len(rows)) or original(rows)  # type: ignore[method-assign,assignment,func-returns-value]
            await asyncio.gather(server.ask(mode="slow"), *(server.ask(number=i) for i in range(200)))

            assert sum(writes) == 201
            assert len(writes) <= 6

    run(test())


def test_an_answer_without_a_log_says_so(tmp_path, monkeypatch, capfd):
    """The user still gets an answer; the row waits in memory, is counted, and is written when that works again."""
    real = os.write

    async def test() -> None:
        async with running(tmp_path) as server:
            with monkeypatch.context() as full:

                def no_space(*_: Any) -> int:
                    raise OSError(28, "No space left on device")

                full.setattr(journal_module.os, "write", no_space)
                responses = [await server.ask() for _ in range(3)]
                assert [r.headers.get("x-proveout-unlogged") for r in responses] == ["1"] * 3
                details = (await server.client.get("/readyz")).json()
                assert details["journal"]["unlogged_rows"] == 3
                assert "No space left" in details["journal"]["trouble"]
            assert os.write is real
            last = await server.ask()
            assert "x-proveout-unlogged" not in last.headers
            assert len(server.log()) == 4

    run(test())
    assert capfd.readouterr().err.count("cannot be written") == 1


def test_a_ledger_that_is_down_changes_no_answer(tmp_path):
    """The database may be away for hours; the journal is not."""
    (tmp_path / "blocked").write_text("no folder")

    async def test() -> None:
        async with running(tmp_path, ledger_url=f"sqlite:///{tmp_path}/blocked/ledger.db") as server:
            response = await server.ask()
            await asyncio.sleep(0.5)
            details = (await server.client.get("/readyz")).json()

            assert response.json()["answered_by"] == "model"
            assert "x-proveout-unlogged" not in response.headers
            assert details["ready"] is True
            assert details["ledger"]["trouble"] is not None
            (tmp_path / "blocked").unlink()
            assert len(server.log()) == 1

    run(test())


def test_at_the_end_everything_is_in_the_ledger(tmp_path):
    """An orderly end leaves no journal behind."""

    async def test() -> None:
        async with running(tmp_path) as server:
            await asyncio.gather(*(server.ask(number=i) for i in range(100)))

    run(test())
    with Ledger(settings_of(tmp_path).ledger) as ledger:
        assert ledger.prediction_count() == 100
    assert list((tmp_path / ".proveout" / "journal").iterdir()) == []


# --- request ids -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", "tab\there", "ü"])
def test_an_id_that_is_not_sane_is_replaced(tmp_path, given):
    """It goes into headers, logs and terminals."""

    async def test() -> None:
        async with running(tmp_path) as server:
            response = await server.client.post(
                "/predict", json=request(), headers=[(b"x-request-id", given.encode("latin-1"))]
            )
            assert response.status_code == 200
            assert response.json()["request_id"] != given
            assert len(response.json()["request_id"]) == 36

    run(test())


def test_an_id_given_twice_gets_a_tail(tmp_path):
    """The log keeps one row for an id: the second answer would be missing from it."""

    async def test() -> None:
        async with running(tmp_path) as server:
            ids = [(await server.ask({"x-request-id": "same"})).json()["request_id"] for _ in range(3)]

            assert ids[0] == "same"
            assert len(set(ids)) == 3
            assert all(one.startswith("same") for one in ids)
            assert {row.request_id for row in server.log()} == set(ids)

    run(test())


def test_new_ids_are_unique_and_in_the_order_of_time(tmp_path):
    """Two answers in one millisecond are still two."""

    async def test() -> None:
        async with running(tmp_path) as server:
            ids = [(await server.ask()).json()["request_id"] for _ in range(50)]

            assert len(set(ids)) == 50
            assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)

    run(test())


# --- what is no request ----------------------------------------------------------------------------------------------

HOSTILE: dict[str, tuple[bytes, int]] = {
    **{name: (text, 413 if len(text) > 65_536 else 400) for name, text in NOT_JSON.items()},
    "wrong types": (json.dumps(request(number="1", size=[1], mode=None)).encode(), 422),
    "missing": (b"{}", 422),
    "unknown field": (json.dumps(request(stranger=1)).encode(), 422),
    "twice": (json.dumps(request()).encode()[:-1] + b', "number": 2}', 400),
    "1 MB": (json.dumps(request(city="x" * 2**20)).encode(), 413),
    "20 MB": (b"x" * 20 * 2**20, 413),
    "NUL in a text": (json.dumps(request(city="A\x00B")).encode(), 422),
    "a million deep": (b'{"number":' * 6_000, 400),
}


def test_hostile_bodies_are_refused_and_the_server_still_answers(tmp_path):
    """S4 of the scoreboard: 4xx with a JSON problem, never 500, never a hang."""

    async def test() -> None:
        async with running(tmp_path) as server:
            for name, (text, status) in HOSTILE.items():
                response = await server.client.post("/predict", content=text)
                assert response.status_code == status, name
                assert response.headers["content-type"] == "application/problem+json"
                assert response.json()["status"] == status
                assert response.json()["type"].startswith("urn:proveout:problem:")
                assert (await server.ask()).json()["answered_by"] == "model", name
            assert {row.answered_by for row in server.log()} == {"model"}

    run(test())


def test_the_content_type_is_not_asked_for(tmp_path):
    """curl -d sends a form's; what counts is what is in the body."""

    async def test() -> None:
        async with running(tmp_path) as server:
            for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"):
                response = await server.client.post(
                    "/predict", content=json.dumps(request()), headers={"content-type": kind}
                )
                assert response.status_code == 200

    run(test())


def test_a_body_that_does_not_end_is_refused_in_time(tmp_path):
    """A client that sends a byte a second holds a connection, not a request."""

    async def test() -> None:
        async with running(tmp_path, body_s=0.2) as server:

            async def slow() -> AsyncIterator[bytes]:
                for byte in json.dumps(request()).encode():
                    yield bytes([byte])
                    await asyncio.sleep(0.05)

            sent: list[Any] = []
            chunks = slow()

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": await anext(chunks), "more_body": True}

            async def send(message: Any) -> None:
                sent.append(message)

            scope = {"type": "http", "path": "/predict", "method": "POST", "headers": []}
            began = time.perf_counter()
            gateway: Any = server.client._transport
            await gateway.app(scope, receive, send)

            assert time.perf_counter() - began < 1
            assert sent[0]["status"] == 408
            assert (b"connection", b"close") in sent[0]["headers"]

    run(test())


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/predict", "GET", 405), ("/livez", "POST", 405), ("/else", "GET", 418)]
)
def test_other_methods_are_refused_and_other_paths_are_litserves(tmp_path, path, method, status):
    """The gateway stands before LitServe's application and hides nothing of it but /predict."""

    async def test() -> None:
        async with running(tmp_path) as server:
            response = await server.client.request(method, path)
            assert response.status_code == status

    run(test())


# --- health ----------------------------------------------------------------------------------------------------------


def test_ready_means_that_a_model_answers(tmp_path):
    """LitServe's /health says ok while its worker is dead or hanging."""

    async def test() -> None:
        async with running(tmp_path) as server:
            response = await server.client.get("/readyz")

            assert response.status_code == 200
            assert response.json()["worker"] == os.getpid()
            assert response.json()["release"] == RELEASE
            server.office._link._hang_up()
            assert (await server.client.get("/readyz")).status_code == 503
            assert (await server.client.get("/livez")).status_code == 200

    run(test())


def test_a_hanging_worker_is_not_ready(tmp_path, monkeypatch):
    """It is connected, it said hello, and it answers nothing: only a prediction shows."""
    monkeypatch.setattr("proveout.serving.office._PROBE_S", 0.2)
    stuck = threading.Event()

    def hang(message: Any) -> Any:
        stuck.wait(20)
        return {"problem": "x"}

    async def test() -> None:
        async with running(tmp_path, answer=hang) as server:
            response = await server.client.get("/readyz")
            assert response.status_code == 503
            assert response.json()["reason"].startswith("no answer within")
            stuck.set()

    run(test())


def test_a_worker_that_listens_and_says_nothing_is_no_worker(tmp_path):
    """A process that hangs before its first word: the rules answer, and nobody waits."""

    async def test() -> None:
        async with running(tmp_path, with_worker=False) as server:
            path = server.office._link._path
            with socket.socket(socket.AF_UNIX) as mute:
                mute.bind(path)
                mute.listen()
                await asyncio.sleep(0.2)
                assert (await server.ask()).json()["fallback_reason"] == "model: the worker is down"

    run(test())
