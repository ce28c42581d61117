"""`monitoring/alerts.py`: the outbox, and a real HTTP server at the other end of it."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from proveout.errors import ConfigError
from proveout.ledger.ledger import Ledger
from proveout.monitoring import alerts
from proveout.records.drift_report import Alert

MODEL = "flight-delay"


class Ear:
    """A web server that keeps the requests it gets, or fails on demand."""

    def __init__(self, port: int = 0) -> None:
        ear = self
        self.heard: list[dict[str, str]] = []
        self.refused: list[str] = []
        self.ill_on = ""

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                ill = ear.ill_on and ear.ill_on in message["title"]
                (ear.refused if ill else ear.heard).append(message["title"] if ill else message)
                self.send_response(500 if ill else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Answer)
        self.url = f"json://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    yield ear
    ear.close()


@pytest.fixture
def ledger(tmp_path) -> Iterator[Ledger]:
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ledger


def raised(ledger: Ledger, what: str, severity: str = "warning", minute: int = 0):
    alert = Alert(
        severity=severity,
        what=what,
        details="temp moved, p = 3e-09",
        next_step="python flows/train.py run",
        at=f"2013-06-30T06:{minute:02d}:00.000+00:00",
    )
    return alerts.raise_alert(ledger, alert, model=MODEL, by="monitor")


def test_an_alert_arrives_once_with_what_happened_and_what_to_do(ledger, ear):
    """A second call, the next hour's cron, must not send it again."""
    raised(ledger, "the inputs moved")

    assert alerts.deliver(ledger, [ear.url]) == 1
    assert alerts.deliver(ledger, [ear.url]) == 0

    assert len(ear.heard) == 1
    message = ear.heard[0]
    assert message["title"] == "warning: flight-delay: the inputs moved"
    assert "temp moved, p = 3e-09" in message["message"]
    assert "python flows/train.py run" in message["message"]
    assert message["type"] == "warning"


def test_a_delivery_names_the_alert_and_not_the_password(ledger, ear):
    """The ledger is read by many and never forgets: an address with a secret must not get into it."""
    entry = raised(ledger, "the inputs moved")

    alerts.deliver(ledger, [ear.url.replace("json://", "json://me:hunter2@")])

    [delivery] = ledger.entries(kind="delivery")
    assert json.loads(delivery.body)["alert"] == entry.hash
    assert "hunter2" not in "".join(map(str, (delivery.body, delivery.reason, delivery.subject)))
    assert ledger.verify_chain() == 2


def test_what_a_dead_address_does_not_hear_waits_for_it(ledger, ear):
    """A mail server that is down on Sunday must still tell on Monday."""
    raised(ledger, "the inputs moved")
    ear.close()

    assert alerts.deliver(ledger, [ear.url]) == 0
    assert len(alerts.waiting(ledger, alerts.sink_name(ear.url))) == 1
    assert ledger.entries(kind="delivery") == ()

    back = Ear(port=ear.server.server_port)
    try:
        assert alerts.deliver(ledger, [back.url]) == 1
        assert len(back.heard) == 1
    finally:
        back.close()


def test_a_dead_address_does_not_hold_up_a_living_one(ledger, ear):
    """Mail down, chat up: the chat hears it, and only the mail still waits."""
    raised(ledger, "the inputs moved")
    dead = "json://127.0.0.1:9/"

    assert alerts.deliver(ledger, [dead, ear.url]) == 1
    assert len(alerts.waiting(ledger, alerts.sink_name(dead))) == 1
    assert alerts.waiting(ledger, alerts.sink_name(ear.url)) == ()


def test_an_alert_the_address_cannot_stomach_does_not_block_the_next(ledger, ear):
    """A message that is too long for a chat must not keep a critical one from it."""
    raised(ledger, "a novel")
    raised(ledger, "the performance fell", "critical", minute=1)
    ear.ill_on = "a novel"

    assert alerts.deliver(ledger, [ear.url]) == 1
    assert [message["title"] for message in ear.heard] == ["critical: flight-delay: the performance fell"]
    assert ear.heard[0]["type"] == "failure"


def test_an_ill_address_is_given_up_after_three_messages(ledger, ear):
    """A hundred timeouts in a row would hold up the monitor for minutes; the next call tries again."""
    for minute in range(5):
        raised(ledger, f"alert {minute}", minute=minute)
    ear.ill_on = "alert"

    assert alerts.deliver(ledger, [ear.url]) == 0
    assert len(ear.refused) == alerts.PATIENCE

    ear.ill_on = ""
    assert alerts.deliver(ledger, [ear.url]) == 5
    assert [message["title"][-1] for message in ear.heard] == list("01234")


def test_an_alert_of_another_model_is_left_alone_when_one_is_asked_for(ledger, ear):
    """One ledger may hold many models, each with its own people."""
    raised(ledger, "the inputs moved")

    assert alerts.deliver(ledger, [ear.url], model="another") == 0
    assert alerts.deliver(ledger, [ear.url], model=MODEL) == 1


def test_an_address_apprise_does_not_know_sends_nothing(ledger, ear):
    """A typing error in one address must show before half of the messages are out, and not show its secret."""
    raised(ledger, "the inputs moved")

    with pytest.raises(ConfigError) as refused:
        alerts.deliver(ledger, [ear.url, "carrier-pigeon://secret@loft"])

    assert "secret" not in str(refused.value)
    assert ear.heard == []


def test_without_apprise_the_error_names_the_extra(ledger, monkeypatch):
    """An optional dependency that is missing says how it is installed."""
    monkeypatch.setitem(sys.modules, "apprise", None)

    with pytest.raises(ConfigError, match=r"pip install 'proveout\[alerts\]'"):
        alerts.deliver(ledger, ["json://127.0.0.1:9/"])


def test_without_an_address_nothing_is_sent_and_nothing_is_lost(ledger):
    """A project that never set one still has its alerts in `proveout alerts`."""
    raised(ledger, "the inputs moved")

    assert alerts.deliver(ledger, []) == 0
    assert len(ledger.entries(kind="alert")) == 1
