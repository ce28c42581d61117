"""Alerts: what a person must know. They are stored in the ledger first and sent from there.

Input: alerts. Output: messages, by address. The ledger is the outbox: an alert waits for an address until a `delivery`
entry records that it arrived there, so a failing mail server delays alerts but never loses one. Only importer of
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

_COLOURS: Mapping[Severity, str] = {"critical": "failure", "warning": "warning", "info": "info"}  # apprise's names

PATIENCE = 3
"""Most failed messages per address and call: each costs a timeout, but one bad message must not stop the others."""


def raise_alert(ledger: Ledger, alert: Alert, *, model: str, by: str) -> Entry:
    """Record `alert` in the ledger, where it waits for `deliver`."""
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
    """Send each waiting alert to each address that has not received it; returns how many messages arrived.

    One message is one alert to one address. Failed messages wait for the next call. If the process is killed between
    sending a message and recording it, the next call sends it again: twice is better than never.

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
    """The ledger's name of an address: its kind and eight digits of its SHA-256, because addresses contain passwords.

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
