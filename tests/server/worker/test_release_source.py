"""worker/release_source.py and serve/app.py: only what the gate approved, whole and unchanged, is served."""

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import time
import urllib.request
from typing import Any

import pandas as pd
import pytest
from patience import PATIENCE_S
from serving_live import free_port
from tiny_project import Project

from proveout.errors import BundleError, ChainBroken, LedgerError, NoLedger, NotApproved, NotFound, Tampered
from proveout.ledger.ledger import Ledger
from proveout.model.bundle import reference_rows
from proveout.records.answer import TaskFacts
from proveout.records.bundle import Bundle
from proveout.records.values import now
from proveout.rollout.releases import release
from proveout.schema import examples, request_schema
from proveout.server.worker.model_runner import ModelRunner
from proveout.server.worker.release_source import Released
from proveout.trust.signing import Keyring


@pytest.fixture
def released(tiny: Project) -> Bundle:
    packed = tiny.pack()
    tiny.judge(packed)
    tiny.release(packed)
    return packed


def test_the_released_bundle_is_opened(tiny, released):
    """What was trained answers, under the name of its release."""
    desired = Released().check(tiny.settings)
    served = Released().open(tiny.settings, desired.champion)

    assert desired.champion.name == released.name
    assert desired.releases == (desired.champion,)

    assert served.release == released.name
    assert served.model.predict(pd.DataFrame({"hour": [3, 21], "wind": [0.0, None]}))[1] > 0.5


def test_nothing_released_says_how_to_release(tiny):
    """The first thing a new user meets."""
    with pytest.raises(NoLedger, match=r"is not there yet.*flows/ingest.py"):
        Released().check(tiny.settings)
    Ledger(tiny.settings.ledger).close()
    with pytest.raises(NotFound, match=r"no release of tiny.*flows/ingest.py.*flows/train.py.*proveout release"):
        Released().check(tiny.settings)


@pytest.mark.parametrize(
    "file",
    [
        "model.skops",
        "signature.json",
        "code/features.py",
        "confidence.json",
        "reference.parquet",
        "heldout_answers.parquet",
    ],
)
def test_one_flipped_bit_is_refused_with_the_name_of_its_file(tiny, released, file):
    """A changed model, or a changed reason for trusting it, is another model."""
    path = tiny.folder(released) / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)

    for asked in (Released().check, tiny.open):
        with pytest.raises(Tampered, match=file):
            asked(tiny.settings)


def test_a_manifest_that_was_embellished_is_refused(tiny, released):
    """Every file is as its manifest says; the manifest is not as it was approved."""
    path = tiny.folder(released) / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["provenance"]["metrics"]["auc"] = 0.99
    path.chmod(0o644)
    path.write_text(json.dumps(manifest))

    with pytest.raises(NotApproved, match="for another manifest"):
        tiny.open(tiny.settings)


def test_another_bundle_in_its_folder_is_refused(tiny, released):
    """Whole, even approved, but not the one that was released."""
    other = tiny.pack(task=TaskFacts(threshold=0.4))
    folder = tiny.folder(released)
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(0o644)
            file.write_bytes((tiny.folder(other) / file.relative_to(folder)).read_bytes())

    with pytest.raises(Tampered):
        tiny.open(tiny.settings)


def test_an_approval_that_ended_is_refused(tiny):
    """Leave to serve is given for a time."""
    packed = tiny.pack()
    tiny.judge(packed, until="2014")
    tiny.release(packed, at="2013-06-01T00:00:00+00:00")

    with pytest.raises(NotApproved, match="ended at 2014"):
        Released().check(tiny.settings)


def test_a_refusal_after_the_release_is_obeyed(tiny, released):
    """The newest word of the gate counts, also for what serves already."""
    tiny.judge(released, failed=("checks/test_model.py::test_auc",))

    with pytest.raises(NotApproved, match="test_auc"):
        Released().check(tiny.settings)


def test_an_approval_by_a_strangers_key_is_refused(tiny, released, tmp_path):
    """Anybody can sign; whose signature counts is in the keys folder."""
    tiny.judge(released, keyring=Keyring(tmp_path / "stranger"))

    with pytest.raises(NotApproved, match="signature"):
        Released().check(tiny.settings)


def test_an_edited_ledger_is_refused_at_the_start(tiny, released):
    """Whoever can write to the database could put another approved bundle in the champion's place."""
    with sqlite3.connect(tiny.settings.state_dir / "ledger.db") as edited:
        for (name,) in edited.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            edited.execute(f'DROP TRIGGER "{name}"')
        edited.execute("UPDATE entries SET reason = 'another' WHERE kind = 'release'")

    with pytest.raises(ChainBroken):
        Released().check(tiny.settings)


def test_a_model_that_asks_for_fields_no_request_has_does_not_start(tiny, released):
    """Each answer would come from the rules, and nobody would know why."""
    served = tiny.open(tiny.settings)

    with pytest.raises(BundleError, match="wind"):
        ModelRunner(served, {"hour": "int64"})


# --- what comes after the start --------------------------------------------------------------------------------------


def test_news_is_what_came_after_the_last_desired_state(tiny, released):
    """The controller asks several times a second: mostly there is none."""
    first = Released().check(tiny.settings)
    assert Released().news(tiny.settings, seq=first.seq) is None

    second = tiny.pack(task=TaskFacts(threshold=0.4))
    tiny.judge(second)
    tiny.release(second)
    news = Released().news(tiny.settings, seq=first.seq)

    assert news is not None
    assert news.seq > first.seq
    assert [found.name for found in news.releases] == [second.name, released.name]
    assert news.before is not None
    assert news.before.bundle == released.digest


def test_a_bundle_that_may_not_be_served_is_news_all_the_same(tiny, released):
    """The worker refuses it and says why; the champion beside it is served."""
    canary = tiny.pack(task=TaskFacts(threshold=0.4))
    tiny.judge(canary)
    with Ledger(tiny.settings.ledger) as ledger:
        release(ledger, tiny.keyring, canary, role="canary", share=0.1, by="ada", reason="-", at=now())
    tiny.judge(canary, failed=("checks/test_model.py::test_auc",))

    news = Released().news(tiny.settings, seq=0)

    assert news is not None
    assert news.canary is not None
    assert (news.canary.bundle, news.canary.share) == (canary.digest, 0.1)
    with pytest.raises(NotApproved):
        Released().open(tiny.settings, news.canary)


@pytest.mark.parametrize("fault", ["edited", "cut off"])
def test_no_news_comes_from_a_ledger_that_is_not_whole(tiny, released, fault):
    """What was posted before stays up."""
    seen = Released().check(tiny.settings).seq
    with sqlite3.connect(tiny.settings.state_dir / "ledger.db") as edited:
        for (name,) in edited.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            edited.execute(f'DROP TRIGGER "{name}"')
        if fault == "edited":
            edited.execute("UPDATE entries SET reason = 'another' WHERE kind = 'release'")
        else:
            edited.execute("DELETE FROM entries WHERE seq = ?", (seen,))

    with pytest.raises(ChainBroken):
        Released().news(tiny.settings, seq=0 if fault == "edited" else seen)


def test_a_worker_is_started_again_while_the_ledger_is_down(tiny, released):
    """Its death and the database's together leave the model's answers as they were; a signature still has to hold."""
    champion = Released().check(tiny.settings).champion
    away = tiny.settings.model_copy(update={"ledger_url": "sqlite:////dev/null/ledger.db"})

    assert Released().open(away, champion).release == released.name

    kept = tiny.settings.state_dir / "approvals" / f"{released.digest}.json"
    kept.write_text(kept.read_text().replace("2099-", "2199-"))
    with pytest.raises(NotApproved, match="signature"):
        Released().open(away, champion)
    kept.unlink()
    with pytest.raises(LedgerError):
        Released().open(away, champion)


# --- serve/app.py ----------------------------------------------------------------------------------------------------


def test_the_reference_app_serves_the_champion(tiny, released):
    """The whole way once: ledger, approval, bundle, LitServe, gateway, answer, log, orderly end."""
    port = free_port()
    server = tiny.serve(PROVEOUT_PORT=str(port), PROVEOUT_DEADLINE_S="60")
    try:
        answer = ask(server, port, {"hour": 22, "wind": None, "explain": True})
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json") as response:
            document = json.load(response)
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE_S) == 0
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)

    assert answer["answered_by"] == "model"
    assert answer["release"] == released.name
    assert answer["prediction"]["late"] is True
    assert answer["reasons"][0]["field"] == "hour"
    assert answer["confidence"]["level"] in {"high", "medium", "low"}
    with Ledger(tiny.settings.ledger) as ledger:
        assert [row.request_id for row in ledger.predictions()] == [answer["request_id"]]
    learned = examples.typical_values(reference_rows(tiny.folder(released)), request_schema.load(tiny.settings))
    assert learned.keys() == {"hour", "wind"}
    assert document["components"]["schemas"]["Request"]["examples"] == [learned]


def ask(server: subprocess.Popen[str], port: int, record: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and server.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
            connection.request("POST", "/predict", json.dumps(record))
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            return answer
        except OSError:
            time.sleep(0.1)
    raise AssertionError(server.stderr.read() if server.stderr and server.poll() is not None else "no server")


@pytest.mark.parametrize("fault", ["nothing taken in", "refused", "tampered"])
def test_the_reference_app_refuses_to_start_with_a_reason(tiny, fault):
    """One sentence on stderr and an exit code, no traceback and no half-started server."""
    if fault != "nothing taken in":
        packed = tiny.pack()
        tiny.judge(packed)
        tiny.release(packed)
        if fault == "refused":
            tiny.judge(packed, failed=("checks/test_model.py::test_auc",))
        else:
            model = tiny.folder(packed) / "model.skops"
            model.chmod(0o644)
            model.write_bytes(model.read_bytes() + b"x")
    server = tiny.serve(PROVEOUT_PORT=str(free_port()))
    _, said = server.communicate(timeout=PATIENCE_S)

    assert server.returncode == 1
    assert {
        "nothing taken in": "is not there yet. The first data makes it",
        "refused": "is not approved",
        "tampered": "was tampered with",
    }[fault] in said
    assert "Traceback" not in said
