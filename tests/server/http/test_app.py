"""server/http.py and what stands behind it: HTTP in, one answer out, whatever happens to the worker.

See gateway_toy.py for what it is run against.
"""

import asyncio
import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import virtual_clock
from gateway_toy import DEADLINE_S, Worker, run, running
from patience import PATIENCE_S, async_wait_until
from serving_toy import RELEASE, THRESHOLD, desired, release, request, settings_of

from proveout.records.answer import Answer
from proveout.records.prediction import ShadowAnswer
from proveout.schema import request_schema
from proveout.server.log import journal as journal_module
from proveout.server.queue import protocol
from proveout.settings import load_object


@pytest.fixture(autouse=True)
def _no_wait_for_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proveout.server.api_runtime._WORKER_S", 1.0)


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
            assert (row.request_id, row.answered_by, row.answer.value, row.release) == (
                "flight-1",
                "model",
                True,
                RELEASE,
            )
            assert row.record == request(size=0.5, number=0)

    run(test())


def test_reasons_come_only_when_asked_for(tmp_path):
    """They cost the worker a hundred times a plain answer."""

    async def test() -> None:
        async with running(tmp_path) as server:
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
        async with running(tmp_path) as server:
            await asyncio.gather(*(server.ask(explain=i == 0, number=i) for i in range(20)))

            assert server.worker is not None
            asked = [message["ask"] for message in server.worker.messages]
            assert asked.count("explain") == 1
            assert asked.index("explain") > asked.index("predict")

    run(test())


def test_reasons_that_come_too_late_are_left_out_and_said_so(tmp_path):
    """The answer itself is there in time."""

    too_late = threading.Event()

    def slow_reasons(message: Any) -> Any:
        if message["ask"] == "explain":
            too_late.wait(PATIENCE_S)
            return {"reasons": []}
        return {"scores": [[0.2]], "confidence": [0.9], "problem": None}

    async def test() -> None:
        async with running(tmp_path, answer=slow_reasons) as server:
            asked = asyncio.create_task(server.ask(explain=True))
            await async_wait_until(lambda: len(server.worker.messages) == 2, "it explains")
            virtual_clock.advance(DEADLINE_S)
            answer = (await asked).json()
            too_late.set()

            assert answer["answered_by"] == "model"
            assert answer["reasons"] == []
            assert answer["reasons_missing"] == "no time for reasons within the deadline"

    run(test())


def test_requests_that_wait_for_a_busy_worker_travel_together(tmp_path):
    """One message and one model call for all of them; alone, each would cost what 64 cost together."""

    async def test() -> None:
        async with running(tmp_path) as server:
            async with server.busy():
                asked = [asyncio.create_task(server.ask(size=i / 200, number=i)) for i in range(200)]
                await server.queued(200)
            responses = await asyncio.gather(*asked)

            assert all(response.json()["answered_by"] == "model" for response in responses)
            scores = [response.json()["prediction"]["probability"] for response in responses]
            assert scores == [pytest.approx(0.1 + 0.5 * i / 200 + 0.0001 * i) for i in range(200)]
            # How many travel together hangs on how long the worker was busy: test_batcher.py has that exactly.
            assert len(server.worker.batches()) < 50

    run(test())


def test_a_single_request_waits_for_nobody(tmp_path):
    """There is no batching window: an idle worker is asked at once."""

    async def test() -> None:
        async with running(tmp_path) as server:
            await server.ask()
            took = [float((await server.ask()).headers["x-proveout-latency-ms"]) for _ in range(50)]

            # The quickest: a window would be in every one, a busy machine only in most.
            assert min(took) < 30

    run(test())


def test_a_batch_has_at_most_256_rows(tmp_path):
    """A batch without bound would take as long as it likes, and everybody behind it with it."""

    async def test() -> None:
        async with running(tmp_path) as server:
            await asyncio.gather(server.ask(mode="slow"), *(server.ask(number=i) for i in range(600)))

            assert server.worker is not None
            assert max(server.worker.batches()) <= 256

    run(test())


# --- the fallback chain ----------------------------------------------------------------------------------------------


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
        async with running(tmp_path) as server:
            modes = ["slow", *("raise" if i == 17 else "fine" for i in range(64))]
            answers = [r.json()["answered_by"] for r in await asyncio.gather(*(server.ask(mode=m) for m in modes))]

            assert answers.count("rules") == 1
            assert answers[18] == "rules"

    run(test())


REPLIES: dict[str, Any] = {
    "too few": {"scores": [], "confidence": [], "problem": None},
    "too many": {"scores": [[0.1], [0.2]], "confidence": [None, None], "problem": None},
    "texts": {"scores": [["0.5"]], "confidence": [None], "problem": None},
    "a number": {"scores": 5, "confidence": None, "problem": None},
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
        patch.setattr(protocol, "pack", _pack_or_garbage)
        run(test())


def _pack_or_garbage(message: Any, real: Any = protocol.pack) -> bytes:
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
            assert (row.answered_by, row.answer) == ("none", Answer())

    run(test())


def test_without_a_worker_the_rules_answer_at_once(tmp_path):
    """Waiting for the deadline would only add to the trouble."""

    async def test() -> None:
        async with running(tmp_path, with_worker=False) as server:
            answer = (await server.ask(explain=True)).json()

            assert (answer["answered_by"], answer["fallback_reason"]) == ("rules", "model: the worker is down")
            assert (answer["reasons"], answer["reasons_missing"]) == ([], "the model did not answer")
            assert answer["release"] == RELEASE

    run(test())


def test_at_the_deadline_the_rules_answer(tmp_path):
    """A hanging model costs an answer its quality, not its time."""
    stuck = threading.Event()

    def hang(message: Any) -> Any:
        stuck.wait(PATIENCE_S)
        return {"problem": "too late"}

    async def test() -> None:
        async with running(tmp_path, answer=hang) as server:
            async with server.busy() as first:
                asked = [asyncio.create_task(server.ask()) for _ in range(49)]
                await server.queued(49)
                virtual_clock.advance(DEADLINE_S)
                answers = await asyncio.gather(first, *asked)

            assert {answer.json()["answered_by"] for answer in answers} == {"rules"}
            assert all("no answer within" in answer.json()["fallback_reason"] for answer in answers)
            stuck.set()

    run(test())


def test_a_reply_after_the_deadline_is_given_to_nobody(tmp_path):
    """It belongs to a request that was answered already, not to the next one."""

    def by_number(message: Any) -> Any:
        rows = len(message["columns"]["number"])
        return {"scores": [[number / 1000] for number in message["columns"]["number"]], "confidence": [None] * rows}

    async def test() -> None:
        async with running(tmp_path, answer=by_number) as server:
            async with server.busy(number=111) as first:
                virtual_clock.advance(DEADLINE_S)
                assert (await first).json()["answered_by"] == "rules"
            await async_wait_until(lambda: server.backend.dispatch.heard_at > 0, "the late reply")
            answer = (await server.ask(number=222)).json()
            assert (answer["answered_by"], answer["prediction"]["probability"]) == ("model", 0.222)

    run(test())


def test_a_worker_that_comes_back_answers_again(tmp_path):
    """The line is tried again and again; nobody has to restart the server."""

    async def test() -> None:
        async with running(tmp_path) as server:
            assert server.worker is not None
            path = server.worker.listening.getsockname()
            server.backend._connections.plain._disconnect()  # what a dead worker's end of the line looks like
            Path(path).unlink()
            answers = [(await server.ask()).json()["answered_by"] for _ in range(3)]
            assert answers == ["rules"] * 3
            settings = settings_of(tmp_path)
            schema = request_schema.read(load_object(settings.request_schema, tmp_path), name="toy")
            Worker(path, schema, desired())
            async with asyncio.timeout(PATIENCE_S):
                await server.backend._connections.plain.up.wait()
            assert (await server.ask()).json()["answered_by"] == "model"

    run(test())


def test_an_action_that_raises_costs_the_advice_only(tmp_path, capfd):
    """It is a person's own code, like the rules. It is said on stderr, once."""

    def action(answer: Answer) -> str:
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


def test_a_queue_that_cannot_be_worked_off_sheds_who_comes_then(tmp_path, monkeypatch):
    """Whoever comes then is told at once, and when to come again, instead of waiting with everybody for nothing."""
    monkeypatch.setattr("proveout.server.queue.batcher.MOST_WAITING", 10)

    async def test() -> None:
        async with running(tmp_path) as server:
            async with server.busy() as first:
                asked = [first, *(asyncio.create_task(server.ask(number=i)) for i in range(40))]
                await async_wait_until(lambda: sum(one.done() for one in asked) == 30, "30 that are told at once")
            answers = await asyncio.gather(*asked)

            shed = [answer for answer in answers if answer.status_code == 503]
            assert {answer.status_code for answer in answers} == {200, 503}
            assert {answer.json()["type"] for answer in shed} == {"urn:proveout:problem:overloaded"}
            assert all(int(answer.headers["retry-after"]) >= 1 for answer in shed)
            assert len(server.log()) == len(answers) - len(shed)

    run(test())


def test_where_the_settings_say_so_the_rules_answer_an_overload(tmp_path, monkeypatch):
    """For a caller to whom a worse answer is worth more than none."""
    monkeypatch.setattr("proveout.server.queue.batcher.MOST_WAITING", 10)

    async def test() -> None:
        async with running(tmp_path, on_overload="fallback") as server:
            async with server.busy() as first:
                asked = [first, *(asyncio.create_task(server.ask(number=i)) for i in range(40))]
                await async_wait_until(lambda: sum(one.done() for one in asked) == 30, "30 that are answered at once")
            answers = await asyncio.gather(*asked)

            assert {answer.status_code for answer in answers} == {200}
            reasons = {answer.json()["fallback_reason"] for answer in answers}
            assert reasons == {None, "model: it has too many requests before this one"}

    run(test())


@pytest.mark.parametrize("source", ["unknown to the cache", "kept"])
def test_an_overload_is_answered_by_the_last_good_answer_before_it_is_shed(tmp_path, monkeypatch, source):
    """It costs nothing, and it was right a moment ago."""

    async def test() -> None:
        async with running(tmp_path) as server:
            if source == "kept":
                assert (await server.ask(number=7)).json()["answered_by"] == "model"
            monkeypatch.setattr("proveout.server.queue.batcher.MOST_WAITING", 0)
            async with server.busy():
                answer = await server.ask(number=7)

            assert answer.status_code == (200 if source == "kept" else 503)
            if source == "kept":
                assert answer.json()["answered_by"] == "cache"
                assert answer.headers["x-proveout-cache"] == "stale"

    run(test())


def test_more_requests_at_once_than_there_is_memory_for_are_refused_unread(tmp_path, monkeypatch):
    """Before their bodies: an overload that reads everything first is one more reason for an overload."""
    monkeypatch.setattr("proveout.server.http.app.MOST_IN_FLIGHT", 3)

    async def test() -> None:
        async with running(tmp_path) as server:
            async with server.busy() as first:
                asked = [first, *(asyncio.create_task(server.ask()) for _ in range(7))]
                await async_wait_until(lambda: sum(one.done() for one in asked) == 5, "five that are refused")
            answers = await asyncio.gather(*asked)

            assert sorted(answer.status_code for answer in answers) == [200] * 3 + [503] * 5
            assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)
            assert (await server.client.get("/livez")).status_code == 200

    run(test())


# --- the deadline ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deadline_s", "header", "source"), [(60, "50", "rules"), (60, "50000", "model"), (0.1, "50000", "rules")]
)
def test_a_client_may_shorten_the_deadline_and_never_lengthen_it(tmp_path, deadline_s, header, source):
    """It knows how long somebody will wait; the server knows how long it wants to be kept busy."""

    async def test() -> None:
        async with running(tmp_path, deadline_s=deadline_s) as server:
            answer = await server.ask({"x-proveout-deadline-ms": header}, mode="slow")

            assert answer.json()["answered_by"] == source

    run(test())


@pytest.mark.parametrize("given", ["0", "-5", "1.5", "soon", "", "9" * 10, "٣"])
def test_a_deadline_that_is_no_number_is_refused(tmp_path, given):
    """Guessing what was meant would be an answer that is later than the client thinks."""

    async def test() -> None:
        async with running(tmp_path) as server:
            headers = [(b"x-proveout-deadline-ms", given.encode())]
            response = await server.client.post("/predict", json=request(), headers=headers)

            assert response.status_code == 400
            assert response.json()["type"] == "urn:proveout:problem:header"

    run(test())


# --- the log ---------------------------------------------------------------------------------------------------------


def test_an_answer_is_in_the_journal_before_it_leaves(tmp_path):
    """kill -9 may come when the client has its answer."""

    async def test() -> None:
        async with running(tmp_path) as server:
            path = server.backend.journal._path
            assert path is not None
            seen: list[bytes] = []
            original = server.backend.journal.append

            def noting(rows: Any) -> bool:
                done = original(rows)
                seen.append(path.read_bytes())
                return done

            server.backend.journal.append = noting  # type: ignore[method-assign]
            response = await server.ask({"x-request-id": "seen"})
            assert response.status_code == 200
            assert b'"seen"' in seen[0]

    run(test())


def test_answers_that_leave_together_are_one_write(tmp_path, monkeypatch):
    """A write for each of 200 would be most of their cost."""

    async def test() -> None:
        async with running(tmp_path) as server:
            writes: list[int] = []
            original = server.backend.journal.append
            server.backend.journal.append = lambda rows: writes.append(len(rows)) or original(rows)  # type: ignore[method-assign,assignment,func-returns-value]
            async with server.busy() as first:
                asked = [asyncio.create_task(server.ask(number=i)) for i in range(200)]
                await server.queued(200)
            await asyncio.gather(first, *asked)

            assert sum(writes) == 201
            assert len(writes) < 50  # as many as there are batches, or fewer

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


def test_without_a_log_nothing_is_answered_where_the_settings_say_so(tmp_path, monkeypatch):
    """An answer that nobody can find again is none, to some."""

    async def test() -> None:
        async with running(tmp_path, on_log_failure="refuse") as server:
            with monkeypatch.context() as full:

                def no_space(*_: Any) -> int:
                    raise OSError(28, "No space left on device")

                full.setattr(journal_module.os, "write", no_space)
                refused = [await server.ask(number=number) for number in range(2)]
                assert [response.status_code for response in refused] == [503, 503]
                assert refused[0].json()["type"] == "urn:proveout:problem:unlogged"
                assert "retry-after" in refused[0].headers
            async with asyncio.timeout(PATIENCE_S):
                while (response := await server.ask(number=3)).status_code == 503:
                    await asyncio.sleep(0.1)
            assert response.json()["answered_by"] == "model"
            assert [row.record["number"] for row in server.log()] == [3]

    run(test())


def test_with_durability_power_answers_wait_for_the_disk_together(tmp_path, monkeypatch):
    """One sync for all that leave together, and none of them before it."""
    syncs: list[int] = []
    real = os.fdatasync

    def noted(file: int) -> None:
        syncs.append(file)
        real(file)

    monkeypatch.setattr(os, "fdatasync", noted)

    async def test() -> None:
        async with running(tmp_path, durability="power") as server:
            async with server.busy():
                asked = [asyncio.create_task(server.ask(number=number)) for number in range(49)]
                await server.queued(49)
            answers = await asyncio.gather(*asked)

            assert all("x-proveout-unlogged" not in answer.headers for answer in answers)
            assert len(server.log()) == 50
            assert 1 <= len(syncs) < 20

    run(test())


# --- roles -----------------------------------------------------------------------------------------------------------


def test_a_canary_answers_its_share_and_says_so(tmp_path):
    """Always the same requests, and the log knows which release was asked in which role."""
    canary = release("cafe", role="canary", share=0.5)

    async def test() -> None:
        async with running(tmp_path, there=desired(canary=canary)) as server:
            first = [(await server.ask(number=number)).json()["release"] for number in range(40)]
            again = [(await server.ask(number=number)).json()["release"] for number in range(40)]

            assert first == again
            assert 5 < first.count(canary.name) < 35
            roles = {row.release: row.role for row in server.log()}
            assert roles == {RELEASE: "champion", canary.name: "canary"}

    run(test())


def test_a_shadow_is_asked_after_the_answer_and_logged_beside_it(tmp_path):
    """Both outputs under one request id; nobody waited for the second."""
    shadow = release("beef", role="shadow", share=1.0)

    async def test() -> None:
        async with running(tmp_path, there=desired(shadow=shadow)) as server:
            answer = (await server.ask(size=0.5)).json()
            await async_wait_until(lambda: any(isinstance(row, ShadowAnswer) for row in server.rows()), "its answer")
            said = [row for row in server.rows() if isinstance(row, ShadowAnswer)]

            assert answer["release"] == RELEASE
            assert (said[0].request_id, said[0].release) == (answer["request_id"], shadow.name)
            assert said[0].answer.probability == pytest.approx(answer["prediction"]["probability"])
            assert (await server.ask(mode="raise")).json()["answered_by"] == "rules"
            await asyncio.sleep(0.3)
            assert len([row for row in server.rows() if isinstance(row, ShadowAnswer)]) == 1

    run(test())


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
            sent: list[Any] = []

            async def receive() -> dict[str, Any]:
                await asyncio.sleep(0.05)
                return {"type": "http.request", "body": b" ", "more_body": True}

            async def send(message: Any) -> None:
                sent.append(message)

            scope = {"type": "http", "path": "/predict", "method": "POST", "headers": []}
            await server.gateway(scope, receive, send)

            assert sent[0]["status"] == 408
            assert (b"connection", b"close") in sent[0]["headers"]

    run(test())


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/predict", "GET", 405),
        ("/livez", "POST", 405),
        ("/livez", "HEAD", 200),
        ("/else", "GET", 404),
        ("/info", "GET", 404),
        ("/predict/", "POST", 404),
        ("/v2/models/toy/ready/", "GET", 404),
        ("/shutdown", "POST", 404),
    ],
)
def test_other_methods_are_refused_and_nothing_of_litserves_is_reached(tmp_path, path, method, status):
    """LitServe's own routes know no keys: whatever has no rule here is not there."""

    async def test() -> None:
        async with running(tmp_path) as server:
            response = await server.client.request(method, path)
            assert response.status_code == status

    run(test())


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({}, True),
        ({"content-length": "300"}, True),
        ({"content-length": "70000"}, False),
        ({"content-length": "9" * 30}, False),
        ({"content-length": "many"}, False),
        ({"transfer-encoding": "chunked"}, False),
    ],
)
def test_a_long_body_that_nobody_reads_costs_its_connection(tmp_path, headers, kept):
    """Who has no key does not keep the server skipping a gigabyte; who forgot one keeps their connection."""

    async def test() -> None:
        async with running(tmp_path, keys=[]) as server:
            sent: list[Any] = []

            async def receive() -> dict[str, Any]:
                raise AssertionError("the body was read")

            async def send(message: Any) -> None:
                sent.append(message)

            named = [(name.encode(), value.encode()) for name, value in headers.items()]
            scope = {"type": "http", "path": "/predict", "method": "POST", "headers": named}
            await server.gateway(scope, receive, send)

            assert sent[0]["status"] == 401
            assert ((b"connection", b"close") not in sent[0]["headers"]) == kept

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
            server.backend._connections.plain._disconnect()
            assert (await server.client.get("/readyz")).status_code == 503
            assert (await server.client.get("/livez")).status_code == 200

    run(test())


def test_a_hanging_worker_is_not_ready(tmp_path, monkeypatch):
    """It is connected, it said what it holds, and it answers nothing: only a prediction shows."""
    monkeypatch.setattr("proveout.server.api_runtime._PROBE_S", 0.2)
    stuck = threading.Event()

    def hang(message: Any) -> Any:
        stuck.wait(PATIENCE_S)
        return {"problem": "x"}

    async def test() -> None:
        async with running(tmp_path, answer=hang) as server:
            response = await server.client.get("/readyz")
            assert response.status_code == 503
            assert response.json()["reason"] == "the worker does not answer a probe"
            stuck.set()

    run(test())


def test_a_worker_that_listens_and_says_nothing_is_no_worker(tmp_path):
    """A process that hangs before its first word: the rules answer, and nobody waits."""

    async def test() -> None:
        async with running(tmp_path, with_worker=False) as server:
            path = server.backend._connections.plain._path
            with socket.socket(socket.AF_UNIX) as mute:
                mute.bind(path)
                mute.listen()
                await asyncio.sleep(0.2)
                assert (await server.ask()).json()["fallback_reason"] == "model: the worker is down"

    run(test())
