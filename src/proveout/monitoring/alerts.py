"""Alerts: what a person must hear, kept in the ledger first and sent from there.

Input: alerts. Output: messages, by address. The ledger is the outbox: an alert is waiting for an address until a
`delivery` entry says it arrived there, so a dead mail server delays an alert and never loses one. Only importer of
apprise.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from proveout.errors import ConfigError
from proveout.ledger.ledger import Ledger, read
from proveout.records.drift_report import Alert, Severity
from proveout.records.ledger_entry import Entry
from proveout.records.values import now

if TYPE_CHECKING:
    from apprise import Apprise

_COLOURS: Mapping[Severity, str] = {"critical": "failure", "warning": "warning", "info": "info"}  # as apprise has them

PATIENCE = 3
"""Messages that may fail at one address in one call: a dead address costs a timeout each, one bad message no more."""


def raise_alert(ledger: Ledger, alert: Alert, *, model: str, by: str) -> Entry:
    """The ledger's entry of `alert`. It waits there for `deliver`."""
    return ledger.append("alert", model, alert, actor=by, reason=alert.what, at=alert.at)


def waiting(ledger: Ledger, sink: str, *, model: str | None = None) -> tuple[Entry, ...]:
    """The alerts that have not arrived at `sink` (see `sink_name`), the oldest first."""
    arrived = {
        delivery["alert"]
        for delivery in (read(dict[str, str], entry) for entry in ledger.entries(kind="delivery", subject=model))
        if delivery["sink"] == sink
    }
    return tuple(entry for entry in ledger.entries(kind="alert", subject=model) if entry.hash not in arrived)


def deliver(ledger: Ledger, urls: Sequence[str], *, model: str | None = None, by: str = "outbox") -> int:
    """How many messages arrived: each waiting alert goes to each address it has not arrived at.

    One message is one alert to one address. What does not arrive stays waiting for the next call. A process that is
    killed between sending and noting it sends that one message again: twice is better than never.

    Raises: ConfigError if apprise is not installed or does not know an address. Then nothing was sent.
    """
    messengers = {sink_name(url): _open(url) for url in urls}
    return sum(_empty(ledger, sink, messenger, model=model, by=by) for sink, messenger in messengers.items())


def _empty(ledger: Ledger, sink: str, messenger: "Apprise", *, model: str | None, by: str) -> int:
    sent = failed = 0
    for entry in waiting(ledger, sink, model=model):
        if _send(messenger, entry):
            note = {"alert": entry.hash, "sink": sink}
            ledger.append("delivery", entry.subject, note, actor=by, reason=f"alert {entry.seq}", at=now())
            sent += 1
        else:
            failed += 1
            if failed == PATIENCE:
                break
    return sent


def sink_name(url: str) -> str:
    """What the ledger calls an address: its kind and eight digits of its SHA-256, for addresses hold passwords.

    >>> sink_name("mailtos://me:secret@example.org")
    'mailtos-409bf091'
    """
    return f"{url.partition('://')[0]}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def _open(url: str) -> "Apprise":
    try:
        import apprise
    except ModuleNotFoundError as error:
        raise ConfigError("alert_urls", "apprise is not installed", "pip install 'proveout[alerts]'") from error
    messenger = apprise.Apprise()
    if not messenger.add(url):
        raise ConfigError("alert_urls", f"apprise knows no address like {sink_name(url)}", "See its list of services")
    return messenger


def _send(messenger: Any, entry: Entry) -> bool:
    alert = read(Alert, entry)
    return bool(
        messenger.notify(
            title=f"{alert.severity}: {entry.subject}: {alert.what}",
            body=f"{alert.details}\n\nNext: {alert.next_step}\n(raised {alert.at}, ledger entry {entry.seq})",
            notify_type=_COLOURS[alert.severity],
        )
    )
