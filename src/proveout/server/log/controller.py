"""The log controller: the one process of the server that opens the ledger.

Input: journals, new entries of the ledger, notes of the API processes. Output: rows of the ledger; the desired state,
posted within 0.3 s of an entry that changes it; the canary's verdict; alerts. It runs at a lower priority, and no
request waits for it. While it is dead, or the ledger is down, answers continue, the journals grow, and the last posted
desired state holds.

Each task that may wait for the database has its own thread, so none waits for another.
"""

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from proveout.errors import ConfigError, Conflict, NotApproved, OtherChampion, ProveoutError, UsageError
from proveout.gate_settings import of_the_file
from proveout.project import open_keyring, open_ledger
from proveout.records.drift_report import Alert, Severity
from proveout.records.json_form import from_json
from proveout.records.values import now
from proveout.server import server_state
from proveout.server.incidents import Incident
from proveout.server.log.alert_state import BY, AlertState
from proveout.server.log.shipper import LogShipper
from proveout.server.worker.release_source import Source
from proveout.settings import Settings, load

if TYPE_CHECKING:
    from proveout.ledger.ledger import Ledger
    from proveout.rollout.admission import Fingerprint

NICE = 10
LAST_DRAIN_S = 8.0  # at shutdown; the next server copies what is left
MOST_BACKLOG_BYTES = 32 * 2**20  # about 60,000 answers: more raises an alert

_NEWS_EVERY_S, _DRAIN_EVERY_S, _JUDGE_EVERY_S, _NOTE_EVERY_S = 0.15, 0.2, 1.0, 0.5
_LONGEST_WAIT_S = 5.0
_REMEMBERED = 200  # earlier alerts that are searched for open ones


def run(
    settings: Settings,
    source: Source,
    folder: Path,
    current_fingerprint: "Callable[[Settings], Fingerprint] | None",
    ending: Connection,
) -> None:
    """Run the controller until a message arrives on `ending`. Call it in a separate process."""
    os.nice(NICE)
    Controller(settings, source, folder, current_fingerprint=current_fingerprint).run(ending)


class Controller:
    """The log controller.

    Args:
        folder: the server's private folder, where the desired state is posted.
        current_fingerprint: gives the current fingerprint of the checks. Without it, no canary is promoted
            automatically.
    """

    def __init__(
        self,
        settings: Settings,
        source: Source,
        folder: Path,
        *,
        current_fingerprint: "Callable[[Settings], Fingerprint] | None" = None,
    ) -> None:
        self._settings, self._source, self._folder, self._current_fingerprint = (
            settings,
            source,
            folder,
            current_fingerprint,
        )
        self._ending = threading.Event()
        self._unsent_alerts: list[Alert] = []  # alerts that are not in the ledger yet
        self._alert_state: AlertState | None = None  # None until the earlier alerts were read from the ledger
        self._news_trouble = Incident("the desired state")
        self._canary_trouble = Incident("the canary's verdict")
        self._promotion_trouble = Incident("the canary's promotion")
        self._drain = LogShipper(
            settings.journal_dir, open_log=self._open, event_fields=settings.event_key, alarm=self._unsent_alerts.append
        )
        posted = server_state.read(server_state.desired_path(folder), server_state.DesiredState)
        self._seq = posted.seq if posted else 0
        self._has_canary = posted is not None and posted.canary is not None
        self._advised = ""  # the last message about the canary

    def run(self, ending: Connection) -> None:
        """Work until a message arrives on `ending`; then copy what is left."""
        loops = [
            # Short waits even after failures: when the ledger is back, it may contain a rollback.
            self._thread("news", self._post_news, every_s=_NEWS_EVERY_S, at_most_s=_JUDGE_EVERY_S),
            self._thread("drain", self.ship_logs, every_s=_DRAIN_EVERY_S, at_most_s=_LONGEST_WAIT_S),
            self._thread("canary", self._judge, every_s=_JUDGE_EVERY_S, at_most_s=_LONGEST_WAIT_S),
        ]
        while not ending.poll(_NOTE_EVERY_S):
            self._note()
        self._ending.set()
        until = time.monotonic() + LAST_DRAIN_S
        for loop in loops:
            loop.join(max(0.0, until - time.monotonic()))
        if not any(loop.is_alive() for loop in loops):
            self.ship_logs()
            self._drain.close()

    def _thread(self, name: str, work: Callable[[], Incident], *, every_s: float, at_most_s: float) -> threading.Thread:
        def looping() -> None:
            wait_s = every_s
            while not self._ending.wait(wait_s):
                wait_s = every_s if work().message is None else min(at_most_s, wait_s * 2)

        thread = threading.Thread(target=looping, name=name, daemon=True)
        thread.start()
        return thread

    # --- the desired state -------------------------------------------------------------------------------------------

    def _post_news(self) -> Incident:
        """Post a new desired state if the ledger has something new."""
        try:
            new = self._source.news(self._settings, seq=self._seq)
            if new is not None:
                server_state.post(server_state.desired_path(self._folder), new)
                self._seq, self._has_canary = new.seq, new.canary is not None
            self._news_trouble.is_over()
        except Exception as error:
            self._news_trouble.begins(f"stays as it is: {_message(error)}")
        return self._news_trouble

    # --- the ledger -----------------------------------------------------------------------------------------------

    def ship_logs(self) -> Incident:
        """Copy journals and alerts into the ledger."""
        self._drain.once()
        if self._drain.trouble.message is None:
            with suppress(Exception):  # the alerts wait for the next time; the rows report what is wrong
                self._send_alerts()
        return self._drain.trouble

    def _send_alerts(self) -> None:
        events = sorted(self._folder.glob("event-*.json"))
        if self._alert_state is not None and not self._unsent_alerts and not events:
            return
        with self._open() as ledger:
            if self._alert_state is None:
                self._alert_state = AlertState(self._sent_alerts(ledger))
            for path in events:
                alert = server_state.read(path, Alert)
                if alert is not None:
                    self._append(ledger, alert)
                path.unlink()
            while self._unsent_alerts:
                self._append(ledger, self._unsent_alerts[0])
                del self._unsent_alerts[0]

    def _sent_alerts(self, ledger: "Ledger") -> Iterator[Alert]:
        """The last alerts of this server and earlier ones, oldest first."""
        newest = ledger.entries(kind="alert", subject=self._settings.model, limit=_REMEMBERED, newest_first=True)
        for entry in reversed(newest):
            if entry.actor == BY:
                with suppress(ValueError):  # of another version
                    yield from_json(Alert, entry.body)

    def _open(self) -> "Ledger":

        return open_ledger(self._settings)

    def _append(self, ledger: "Ledger", alert: Alert) -> None:
        try:
            ledger.append("alert", self._settings.model, alert, actor=BY, reason=alert.what, at=alert.at)
        except UsageError:  # a text that the ledger cannot store: the other alerts must not wait for it
            print(f"proveout: an alert cannot be stored: {alert.what!r}", file=sys.stderr, flush=True)

    # --- the canary -----------------------------------------------------------------------------------------------

    def _judge(self) -> Incident:
        """Promote or roll back the canary, once its verdict is clear."""
        if not self._has_canary:
            self._canary_trouble.is_over()
            self._promotion_trouble.is_over()
            return self._canary_trouble
        try:
            self._follow_canary()
            self._canary_trouble.is_over()
            self._promotion_trouble.is_over()
        except (NotApproved, OtherChampion, ConfigError) as error:
            self._canary_trouble.is_over()
            self._promotion_trouble.begins(f"is refused, and it keeps its share: {error}")
            return self._promotion_trouble
        except Conflict:
            pass  # another release was made meanwhile: judge again next time
        except Exception as error:
            self._canary_trouble.begins(f"failed: {_message(error)}")
        return self._canary_trouble

    def _follow_canary(self) -> None:
        from proveout.rollout import canary

        settings = self._settings
        with self._open() as ledger:
            verdict = canary.look(ledger, settings)
            if verdict is None or verdict.decision == "waits":
                return
            keyring, current_fingerprint = open_keyring(settings), self._current_fingerprint
            # With the current settings: those of the server's start may be weeks old.
            fingerprint = (
                None if current_fingerprint is None else lambda: current_fingerprint(of_the_file(load(settings.root)))
            )
            release = canary.act(ledger, keyring, settings, verdict, at=now(), current_fingerprint=fingerprint)
        what = f"{verdict.canary} {'is promoted' if verdict.decision == 'promotes' else 'is rolled back'}"
        if release is None:  # left to a person
            what = f"{verdict.canary} could be {'promoted' if verdict.decision == 'promotes' else 'rolled back'}"
        if what != self._advised:
            self._advised = what
            print(f"proveout: {what}: {verdict.reason}", file=sys.stderr, flush=True)
            step = f"proveout {'promote' if verdict.decision == 'promotes' else 'rollback'}, if you agree"
            self._unsent_alerts.append(
                _alert("warning", what, verdict.reason, step if release is None else "See proveout status")
            )

    # --- state and problems ---------------------------------------------------------------------------------------

    def _note(self) -> None:
        """Post this process's note, and raise alerts for current problems."""
        try:
            backlog = self._drain.backlog_bytes()
            note = server_state.ControllerNote(
                pid=os.getpid(),
                seq=self._seq,
                drained_rows=self._drain.drained_rows,
                damaged_lines=self._drain.damaged_lines,
                backlog_bytes=backlog,
                trouble=self._drain.trouble.message,
            )
            server_state.post(server_state.controller_path(self._folder), note)
            if self._alert_state is not None:
                self._unsent_alerts += self._alert_state.update(
                    self._problems(backlog), clock=time.monotonic(), at=now()
                )
        except Exception:
            traceback.print_exc(file=sys.stderr)

    def _problems(self, backlog: int) -> list[Alert]:
        """All current problems, of the API processes and of this one."""
        problems = [alert for note in server_state.api_notes(self._folder) for alert in note.problems]
        for trouble, step in (
            (self._drain.trouble, "Check that its database runs and its disk has room: proveout status"),
            (self._news_trouble, "Check the ledger: proveout ledger verify"),
            (self._canary_trouble, "Check the canary: proveout status"),
        ):
            if trouble.message is not None:
                problems.append(_alert("critical", f"{trouble.name} is in trouble", f"It {trouble.message}", step))
        if self._promotion_trouble.message is not None:
            what, step = "the canary is not promoted", "See proveout status; then the gate again, or proveout promote"
            problems.append(_alert("warning", what, f"Its promotion {self._promotion_trouble.message}", step))
        if self._drain.damaged_lines:
            what = "lines of the log cannot be read"
            details = f"{self._drain.damaged_lines} lines are kept in {self._settings.journal_dir}/*.damaged."
            problems.append(_alert("warning", what, details, "Check these lines and the disk"))
        if backlog > MOST_BACKLOG_BYTES:
            details = f"{backlog / 2**20:.0f} MB of journals wait in {self._settings.journal_dir}."
            problems.append(_alert("warning", "the log is behind", details, "Check whether the ledger is slow or down"))
        return problems


def _alert(severity: Severity, what: str, details: str, next_step: str) -> Alert:
    return Alert(severity=severity, what=what, details=details, next_step=next_step, at=now())


def _message(error: Exception) -> str:
    # A foreign error may contain the ledger's password, so only its class is shown.
    return str(error) if isinstance(error, ProveoutError) else type(error).__name__
