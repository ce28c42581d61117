"""The log controller: the one process of the server that opens the ledger.

Input: journals, new entries of the ledger, notes of the API processes. Output: rows of the ledger; the desired state,
posted within 0.3 s of an entry that changes it; the canary's verdict; alerts. It runs at a lower priority, and no
request waits for it. While it is dead, or the ledger is down, answers continue, the journals grow, and the last posted
desired state holds.

Everything that may wait for the database has a thread of its own, so that none of them waits for another.
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
from proveout.server.log.alert_state import BY, Alarms
from proveout.server.log.shipper import LogShipper
from proveout.server.worker.release_source import Source
from proveout.settings import Settings, load

if TYPE_CHECKING:
    from proveout.ledger.ledger import Ledger
    from proveout.rollout.admission import Fingerprint

NICE = 10
LAST_DRAIN_S = 8.0  # at the end; what is not drained by then is drained by the next server
MOST_BACKLOG_BYTES = 32 * 2**20  # about 60,000 answers: more is said

_NEWS_EVERY_S, _DRAIN_EVERY_S, _JUDGE_EVERY_S, _NOTE_EVERY_S = 0.15, 0.2, 1.0, 0.5
_LONGEST_WAIT_S = 5.0
_REMEMBERED = 200  # alerts of before that are looked through for what still stands


def run(
    settings: Settings,
    source: Source,
    folder: Path,
    current_fingerprint: "Callable[[Settings], Fingerprint] | None",
    ending: Connection,
) -> None:
    """Be the controller, until something arrives at `ending`. Call it in a process of its own."""
    os.nice(NICE)
    Controller(settings, source, folder, current_fingerprint=current_fingerprint).run(ending)


class Controller:
    """What the controller's process does.

    Args:
        folder: the server's private folder, where the desired state is posted.
        current_fingerprint: what a bundle would be judged by now; without it, no canary is promoted by itself.
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
        self._untold: list[Alert] = []  # alerts that are not in the ledger yet
        self._alarms: Alarms | None = None  # until the ledger could be asked what was said before
        self._news_trouble = Incident("the desired state")
        self._canary_trouble = Incident("the canary's verdict")
        self._promotion_trouble = Incident("the canary's promotion")
        self._drain = LogShipper(
            settings.journal_dir, open_log=self._open, event_fields=settings.event_key, alarm=self._untold.append
        )
        posted = server_state.read(server_state.desired_path(folder), server_state.DesiredState)
        self._seq = posted.seq if posted else 0
        self._has_canary = posted is not None and posted.canary is not None
        self._advised = ""  # what was last said of the canary

    def run(self, ending: Connection) -> None:
        """Work until something arrives at `ending`; then drain what there is."""
        loops = [
            # The news never wait for long: when the ledger is back, a rollback may be in it.
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
                wait_s = every_s if work().words is None else min(at_most_s, wait_s * 2)

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
            self._news_trouble.begins(f"stays as it is: {_words(error)}")
        return self._news_trouble

    # --- the books ------------------------------------------------------------------------------------------------

    def ship_logs(self) -> Incident:
        """Carry journals and alerts into the ledger."""
        self._drain.once()
        if self._drain.trouble.words is None:
            with suppress(Exception):  # they wait for the next time, like the rows, which say what is wrong
                self._tell()
        return self._drain.trouble

    def _tell(self) -> None:
        events = sorted(self._folder.glob("event-*.json"))
        if self._alarms is not None and not self._untold and not events:
            return
        with self._open() as ledger:
            if self._alarms is None:
                self._alarms = Alarms(self._said(ledger))
            for path in events:
                alert = server_state.read(path, Alert)
                if alert is not None:
                    self._append(ledger, alert)
                path.unlink()
            while self._untold:
                self._append(ledger, self._untold[0])
                del self._untold[0]

    def _said(self, ledger: "Ledger") -> Iterator[Alert]:
        """The newest alerts of this server and those before it, the oldest first."""
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
        except UsageError:  # a text that no ledger can hold: the others shall not wait for it
            print(f"proveout: an alert cannot be stored: {alert.what!r}", file=sys.stderr, flush=True)

    # --- the canary -----------------------------------------------------------------------------------------------

    def _judge(self) -> Incident:
        """Promote or roll back the canary, once its answers say so."""
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
            pass  # somebody released something meanwhile: the next look is at that
        except Exception as error:
            self._canary_trouble.begins(f"cannot be had: {_words(error)}")
        return self._canary_trouble

    def _follow_canary(self) -> None:
        from proveout.rollout import canary

        settings = self._settings
        with self._open() as ledger:
            verdict = canary.look(ledger, settings)
            if verdict is None or verdict.decision == "waits":
                return
            keyring, current_fingerprint = open_keyring(settings), self._current_fingerprint
            # Asked by the settings as they are now: those that the server was started with may be weeks old.
            asked = (
                None if current_fingerprint is None else lambda: current_fingerprint(of_the_file(load(settings.root)))
            )
            release = canary.act(ledger, keyring, settings, verdict, at=now(), current_fingerprint=asked)
        words = f"{verdict.canary} {'is promoted' if verdict.decision == 'promotes' else 'is rolled back'}"
        if release is None:  # it is for a person to do
            words = f"{verdict.canary} could be {'promoted' if verdict.decision == 'promotes' else 'rolled back'}"
        if words != self._advised:
            self._advised = words
            print(f"proveout: {words}: {verdict.reason}", file=sys.stderr, flush=True)
            step = f"proveout {'promote' if verdict.decision == 'promotes' else 'rollback'}, if you agree"
            self._untold.append(
                _alert("warning", words, verdict.reason, step if release is None else "See proveout status")
            )

    # --- how things are -------------------------------------------------------------------------------------------

    def _note(self) -> None:
        """Say how things are, to the API processes and, where something is wrong, to a person."""
        try:
            backlog = self._drain.backlog_bytes()
            note = server_state.ControllerNote(
                pid=os.getpid(),
                seq=self._seq,
                drained_rows=self._drain.drained_rows,
                damaged_lines=self._drain.damaged_lines,
                backlog_bytes=backlog,
                trouble=self._drain.trouble.words,
            )
            server_state.post(server_state.controller_path(self._folder), note)
            if self._alarms is not None:
                self._untold += self._alarms.look(self._wrong(backlog), clock=time.monotonic(), at=now())
        except Exception:
            traceback.print_exc(file=sys.stderr)

    def _wrong(self, backlog: int) -> list[Alert]:
        wrong = [trouble for note in server_state.api_notes(self._folder) for trouble in note.troubles]
        for trouble, step in (
            (self._drain.trouble, "See whether its database runs and its disk has room: proveout status"),
            (self._news_trouble, "See what is wrong with the ledger: proveout ledger verify"),
            (self._canary_trouble, "See what is wrong with the canary: proveout status"),
        ):
            if trouble.words is not None:
                wrong.append(_alert("critical", f"{trouble.name} is in trouble", f"It {trouble.words}", step))
        if self._promotion_trouble.words is not None:
            what, step = "the canary is not promoted", "See proveout status; then the gate again, or proveout promote"
            wrong.append(_alert("warning", what, f"Its promotion {self._promotion_trouble.words}", step))
        if self._drain.damaged_lines:
            details = f"{self._drain.damaged_lines} lines are kept in {self._settings.journal_dir}/*.damaged."
            wrong.append(_alert("warning", "lines of the log cannot be read", details, "Look at them, and at the disk"))
        if backlog > MOST_BACKLOG_BYTES:
            details = f"{backlog / 2**20:.0f} MB of journals wait in {self._settings.journal_dir}."
            wrong.append(_alert("warning", "the log is behind", details, "See whether the ledger is slow or down"))
        return wrong


def _alert(severity: Severity, what: str, details: str, next_step: str) -> Alert:
    return Alert(severity=severity, what=what, details=details, next_step=next_step, at=now())


def _words(error: Exception) -> str:
    # A foreign error may hold the ledger's password: its class is enough here.
    return str(error) if isinstance(error, ProveoutError) else type(error).__name__
