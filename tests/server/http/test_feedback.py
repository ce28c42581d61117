"""server/http/feedback.py and prediction_detail.py: what is said of an answer, and all that is known of it."""

import asyncio
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import virtual_clock
from gateway_toy import api_key, bearer, run, running
from patience import PATIENCE_S
from serving_toy import RELEASE, release, request, settings_of

from proveout.ledger.ledger import Ledger
from proveout.records.answer import Answer
from proveout.records.prediction import Feedback, ShadowAnswer
from proveout.server.http import prediction_detail


def into_the_ledger(root: Path, rows: Sequence[Any]) -> None:
    """What the controller does with a journal."""
    with Ledger(settings_of(root).ledger) as ledger:
        ledger.add_journal(rows, journal="test", offset=len(rows))


async def say(server: Any, **said: Any) -> Any:
    return await server.client.post("/feedback", content=orjson.dumps(said))


# --- feedback --------------------------------------------------------------------------------------------------------


def test_feedback_is_in_the_journal_before_it_is_taken(tmp_path):
    """202 is a promise: the ledger may be down for hours."""

    async def test() -> None:
        async with running(tmp_path) as server:
            answer = (await server.ask()).json()
            response = await say(server, request_id=answer["request_id"], outcome=True, wrong=True, text="It was late.")

            assert response.status_code == 202
            (row,) = [row for row in server.rows() if isinstance(row, Feedback)]
            assert (row.request_id, row.outcome, row.wrong, row.text) == (
                answer["request_id"], True, True, "It was late.",
            )  # fmt: skip
            assert response.json() == {"feedback_id": row.feedback_id, "request_id": answer["request_id"]}

    run(test())


def test_feedback_says_whose_it_is(tmp_path):
    """Somebody who marks every answer as wrong can be found."""
    key = api_key(scopes=("feedback",))

    async def test() -> None:
        async with running(tmp_path, keys=[key]) as server:
            text = orjson.dumps({"request_id": "one", "wrong": True})
            response = await server.client.post("/feedback", content=text, headers=bearer(key))

            assert response.status_code == 202
            assert [row.key for row in server.rows() if isinstance(row, Feedback)] == [key.id]

    run(test())


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"request_id": "a"},
        {"request_id": "a", "wrong": False},
        {"request_id": "a", "text": ""},
        {"request_id": "", "wrong": True},
        {"request_id": "two words", "wrong": True},
        {"request_id": "ü", "wrong": True},
        {"request_id": "a" * 161, "wrong": True},
        {"request_id": 5, "wrong": True},
        {"request_id": "a", "outcome": 1},
        {"request_id": "a", "outcome": "late"},
        {"request_id": "a", "wrong": "yes"},
        {"request_id": "a", "text": "x" * 2_001},
        {"request_id": "a", "text": "a\x00b"},
        {"request_id": "a", "text": ["x"]},
        {"request_id": "a", "wrong": True, "stranger": 1},
    ],
)
def test_what_is_no_feedback_is_refused(tmp_path, said):
    """With the field named, and nothing in the journal."""

    async def test() -> None:
        async with running(tmp_path) as server:
            response = await say(server, **said)

            assert response.status_code == 422
            assert response.json()["problems"]
            assert server.rows() == []

    run(test())


def test_a_feedback_that_gives_a_field_twice_is_refused(tmp_path):
    """Which of two outcomes did they mean?"""

    async def test() -> None:
        async with running(tmp_path) as server:
            text = b'{"request_id": "a", "outcome": true, "outcome": false}'
            assert (await server.client.post("/feedback", content=text)).status_code == 400

    run(test())


# --- dossiers --------------------------------------------------------------------------------------------------------


def test_a_dossier_has_all_that_is_known_of_an_answer(tmp_path):
    """Inputs, release, verdict, approval, answer source, reasons, what the shadow said, what people said, what
    happened."""

    async def test() -> None:
        async with running(tmp_path) as server:
            answer = (await server.ask({"x-request-id": "a/flight"}, size=0.9)).json()
            await say(server, request_id="a/flight", outcome=False, text="On time.")
            shadow = ShadowAnswer(
                request_id="a/flight", at="2013-06-07T00:00:00.000+00:00", release="toy@2",
                answer=Answer(value=True, probability=0.4), latency_ms=1.0,
            )  # fmt: skip
            _release(tmp_path)
            into_the_ledger(tmp_path, [*server.rows(), shadow])
            response = await server.client.get("/predictions/a/flight")

            assert response.status_code == 200
            found = response.json()
            assert found["prediction"]["record"] == request(size=0.9)
            assert found["prediction"]["answered_by"] == "model"
            assert found["release"]["reason"] == "it is better"
            assert found["verdict"] == release().verdict
            assert found["approval"] is None
            assert found["reasons"][0]["field"] == "size"
            assert found["shadows"][0]["answer"]["probability"] == 0.4
            assert found["feedback"][0]["text"] == "On time."
            assert found["outcome"] is False
            assert answer["release"] == RELEASE

    run(test())


def _release(root: Path) -> None:
    with Ledger(settings_of(root).ledger) as ledger:
        old = release()
        body = {**vars(old), "reason": "it is better"}
        at = "2013-01-01T00:00:00+00:00"
        ledger.append("release", old.bundle, body, actor="ada", reason="it is better", at=at)


def test_an_answer_just_given_is_waited_for(tmp_path):
    """The controller has it in the ledger within a second; nobody has to try twice."""

    async def test() -> None:
        async with running(tmp_path) as server:
            answer = (await server.ask()).json()
            into_the_ledger(tmp_path, [])
            rows = server.log()
            later = threading.Timer(0.4, into_the_ledger, (tmp_path, rows))
            later.start()
            response = await server.client.get(f"/predictions/{answer['request_id']}")

            assert response.status_code == 200

    run(test())


def test_an_id_that_nobody_has_is_not_found(tmp_path, monkeypatch):
    """After the wait, and without saying whether it is somebody else's."""
    monkeypatch.setattr(prediction_detail, "_DRAIN_S", 0.1)

    async def test() -> None:
        async with running(tmp_path) as server:
            into_the_ledger(tmp_path, [])
            response = await server.client.get("/predictions/nobody")

            assert response.status_code == 404
            assert response.json()["type"] == "urn:proveout:problem:prediction"

    run(test())


def test_predictions_go_on_while_the_ledger_hangs(tmp_path, monkeypatch):
    """A database that does not answer keeps a dossier waiting, and nobody else."""
    monkeypatch.setattr(prediction_detail, "_LEDGER_TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr("proveout.ledger.database.BUSY_S", 2 * PATIENCE_S)

    async def test() -> None:
        async with running(tmp_path) as server:
            into_the_ledger(tmp_path, [])
            with sqlite3.connect(settings_of(tmp_path).state_dir / "ledger.db") as lock:
                lock.execute("PRAGMA locking_mode=EXCLUSIVE")
                lock.execute("BEGIN EXCLUSIVE")
                asked = asyncio.create_task(server.client.get("/predictions/nobody"))
                for number in range(20):
                    assert (await server.ask(number=number)).json()["answered_by"] == "model"
                assert not asked.done()
                virtual_clock.advance(PATIENCE_S)
                response = await asked
                lock.rollback()
            assert response.status_code == 503
            assert response.headers["content-type"] == "application/problem+json"

    run(test())


def test_a_ledger_that_is_down_is_said_so(tmp_path):
    """503 with a time to come again, not a traceback."""
    (tmp_path / "blocked").write_text("no folder")

    async def test() -> None:
        async with running(tmp_path, ledger_url=f"sqlite:///{tmp_path}/blocked/ledger.db") as server:
            response = await server.client.get("/predictions/anybody")

            assert response.status_code == 503
            assert int(response.headers["retry-after"]) > 0
            assert (await server.ask()).json()["answered_by"] == "model"

    run(test())


def test_an_outcome_of_feedback_is_the_answers_outcome(tmp_path):
    """What a person says happened joins the prediction as an outcome does."""

    async def test() -> None:
        async with running(tmp_path) as server:
            answer = (await server.ask()).json()
            await say(server, request_id=answer["request_id"], outcome=True)
            into_the_ledger(tmp_path, server.rows())
            with Ledger(settings_of(tmp_path).ledger) as ledger:
                assert ledger.outcomes([answer["request_id"]]) == {answer["request_id"]: True}

    run(test())
