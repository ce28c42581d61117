"""server/log/controller.py, alert_state.py: the state follows the ledger, journals reach it, a person is alerted."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest
from journal_folder import prediction
from patience import PATIENCE_S, wait_until
from serving_toy import ToySource, apply, desired, release, settings_of

from proveout.gate.current_fingerprint import current_fingerprint
from proveout.ledger.ledger import Ledger, read
from proveout.records.answer import TaskFacts
from proveout.records.drift_report import Alert
from proveout.records.prediction import AnswerSource, Prediction
from proveout.records.release import Release, Role
from proveout.records.values import now
from proveout.rollout import admission, releases
from proveout.server import api_runtime as api_runtime_module
from proveout.server.log import controller as controller_module
from proveout.server.log.alert_state import GONE_S, AlertState
from proveout.server.log.controller import Controller
from proveout.server.log.journal import Journal
from proveout.server.server_state import (
    ApiNote,
    ControllerNote,
    DesiredState,
    Reader,
    api_path,
    controller_path,
    desired_path,
    post,
)
from proveout.server.server_state import read as read_note
from proveout.server.worker import worker as worker_module
from proveout.server.worker.release_source import Released, Source
from proveout.settings import Settings


def alert(what: str, **changed: Any) -> Alert:
    return Alert(**{"severity": "critical", "what": what, "details": "-", "next_step": "-", "at": now(), **changed})


class RunningController:
    """A controller at work in threads of this process, and what it did."""

    def __init__(
        self,
        tmp_path: Path,
        settings: Settings,
        *,
        source: Source | None = None,
        current_fingerprint: Callable[[Settings], admission.Fingerprint] | None = None,
    ) -> None:
        self.settings, self.root = settings, settings.root
        self.folder = tmp_path / "private"
        self.folder.mkdir(exist_ok=True)
        Ledger(settings.ledger).close()  # nothing serves before there is one
        source = source or ToySource()
        post(desired_path(self.folder), source.check(settings))
        mine, self._ending = Pipe(duplex=False)
        self.log_controller = Controller(settings, source, self.folder, current_fingerprint=current_fingerprint)
        self._thread = threading.Thread(target=self.log_controller.run, args=(mine,))
        self._thread.start()

    def end(self) -> None:
        self._ending.send_bytes(b".")
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def desired(self) -> DesiredState:
        found = Reader(desired_path(self.folder)).poll()
        assert found is not None
        return found

    def note(self) -> ControllerNote | None:
        return read_note(controller_path(self.folder), ControllerNote)

    def alerts(self) -> list[Alert]:
        with Ledger(self.settings.ledger) as ledger:
            return [read(Alert, entry) for entry in ledger.entries(kind="alert")]

    def whats(self) -> list[str]:
        return [told.what for told in self.alerts()]


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Callable[..., RunningController]]:
    started: list[RunningController] = []

    def working(**changed: Any) -> RunningController:
        started.append(RunningController(tmp_path, settings_of(tmp_path / "project", **changed)))
        return started[-1]

    yield working
    for running in started:
        if running._thread.is_alive():
            running.end()


# --- the desired state -----------------------------------------------------------------------------------------------


def test_a_new_entry_is_in_the_desired_state(work):
    """Without being asked: every process acts on the desired state."""
    running = work()
    apply(running.root, desired(seq=7, champion=release("b")))
    wait_until(lambda: running.desired().seq == 7, "the new desired state")

    assert running.desired().champion.bundle == release("b").bundle


def test_who_acts_on_a_release_looks_often_enough_for_it_to_be_everywhere_within_two_seconds():
    """The controller looks into the ledger, then the API processes and the worker at the desired state: what else a
    release takes is opening the bundle. So a rollback, whose bundle is open, has most of the two seconds to spare."""
    assert controller_module._NEWS_EVERY_S + max(api_runtime_module._READ_EVERY_S, worker_module._POLL_S) <= 0.5


def test_a_ledger_that_is_down_leaves_the_desired_state_as_it_is(work, capfd):
    """What was last posted holds; it is said once, and a person hears of it."""
    running = work()
    (running.root / "ledger-down").touch()
    wait_until(lambda: running.whats() == ["the desired state is in trouble"], "an alert")
    assert running.desired().seq == 1
    (running.root / "ledger-down").unlink()
    apply(running.root, desired(seq=2))
    wait_until(lambda: running.desired().seq == 2, "the desired state of afterwards")

    assert capfd.readouterr().err.count("the desired state stays as it is") == 1


# --- the books -------------------------------------------------------------------------------------------------------


def test_what_is_in_the_journal_reaches_the_ledger(work):
    """The API processes never open it."""
    running = work()
    journal = Journal(running.settings.journal_dir)
    journal.append([prediction(str(i)) for i in range(20)])
    wait_until(lambda: (note := running.note()) is not None and note.drained_rows == 20, "20 rows")

    with Ledger(running.settings.ledger) as ledger:
        assert ledger.prediction_count() == 20


def test_the_controller_drains_what_is_left_when_it_is_told_to_end(work):
    """Its end is the server's end: what the API processes wrote last would wait for the next server."""
    running = work()
    wait_until(lambda: running.note() is not None, "its first note")
    journal = Journal(running.settings.journal_dir)
    journal.append([prediction(str(i)) for i in range(20)])
    journal.close()
    running.end()

    with Ledger(running.settings.ledger) as ledger:
        assert ledger.prediction_count() == 20
    assert list(running.settings.journal_dir.iterdir()) == []


def test_a_locked_ledger_holds_up_the_rows_and_not_the_desired_state(work, monkeypatch):
    """One thread for each thing that may wait: a revoked key must not work on because a row cannot be written."""
    monkeypatch.setattr("proveout.ledger.database.BUSY_S", 0.2)
    monkeypatch.setattr("proveout.server.log.controller.MOST_BACKLOG_BYTES", 10)
    running = work()
    wait_until(lambda: running.note() is not None, "its first note")
    holder = sqlite3.connect(running.settings.state_dir / "ledger.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    Journal(running.settings.journal_dir).append([prediction("a")])
    wait_until(lambda: (note := running.note()) is not None and note.trouble is not None, "the trouble")
    apply(running.root, desired(seq=3))
    wait_until(lambda: running.desired().seq == 3, "a new desired state in spite of it")
    holder.execute("ROLLBACK")
    holder.close()
    wait_until(lambda: (note := running.note()) is not None and note.drained_rows == 1, "the row")

    told = {"the ledger is in trouble", "the log is behind"}
    wait_until(lambda: told <= set(running.whats()), "the alerts, as soon as they can be written")


# --- the canary ------------------------------------------------------------------------------------------------------


def answers(release: Release, role: Role, sources: Sequence[AnswerSource]) -> list[Prediction]:
    return [
        prediction(
            f"{role}-{number}", at=now(), model="tiny", release=release.name, role=role, answered_by=source,
            record={"hour": number, "wind": None},
        )
        for number, source in enumerate(sources)
    ]  # fmt: skip


@pytest.mark.parametrize(("canary", "acts"), [("auto", True), ("advise", False)])
def test_a_canary_that_fails_is_taken_back(tiny, tmp_path, canary, acts):
    """Nobody watches it at night. Where only advice was asked for, a person is told, once."""
    first, second = tiny.pack(), tiny.pack(task=TaskFacts(threshold=0.4))
    tiny.judge(first)
    tiny.judge(second)
    tiny.release(first)
    settings = tiny.settings.model_copy(update={"canary_mode": canary})
    with Ledger(settings.ledger) as ledger:
        by: dict[str, Any] = {"by": "ada", "reason": "-"}
        new = releases.release(ledger, tiny.keyring, second, role="canary", share=0.5, at=now(), **by)
    running = RunningController(tmp_path, settings, source=Released())
    try:
        assert running.desired().canary == new
        journal = Journal(settings.journal_dir)
        old = running.desired().champion
        journal.append(answers(old, "champion", ["model"] * 400))
        journal.append(answers(new, "canary", ["model", "rules"] * 200))
        wait_until(lambda: len(running.whats()) > 0, "what became of it")
        if acts:
            wait_until(lambda: running.desired().canary is None, "a desired state without it")
        time.sleep(1.5)
        whats, standing = running.whats(), running.desired().canary
    finally:
        running.end()

    assert whats == [f"{new.name} {'is' if acts else 'could be'} rolled back"]
    assert standing == (None if acts else new)
    assert running.desired().champion.bundle == first.digest


def test_a_canary_whose_checks_were_edited_keeps_its_share_until_they_judge_it(tiny, tmp_path):
    """Overnight nothing becomes champion that `proveout release` refuses; a person reads why, and it goes on by
    itself as soon as what judges is what judged it."""
    (tiny.root / "checks" / "test_none.py").write_text("def test_it(): pass\n")
    first, second = tiny.pack(), tiny.pack(task=TaskFacts(threshold=0.4))
    judging = current_fingerprint(tiny.settings)
    tiny.judge(first)
    tiny.judge(second, champion=first.digest, checks=judging.checks, configuration=judging.configuration)
    tiny.release(first)
    settings = tiny.settings.model_copy(update={"canary_min_answers": 30, "canary_margin": 0.7, "canary_alpha": 0.2})
    with Ledger(settings.ledger) as ledger:
        ledger.append("bundle", second.digest, second, actor="ada", reason="trained", at=now())
        by: dict[str, Any] = {"by": "ada", "reason": "-"}
        new = releases.release(ledger, tiny.keyring, second, role="canary", share=0.5, at=now(), **by)
    (tiny.root / "checks" / "test_none.py").write_text("def test_it(): assert True\n")
    running = RunningController(tmp_path, settings, source=Released(), current_fingerprint=current_fingerprint)
    try:
        journal = Journal(settings.journal_dir)
        journal.append(answers(running.desired().champion, "champion", ["model"] * 400))
        journal.append(answers(new, "canary", ["model"] * 400))
        wait_until(lambda: len(running.whats()) > 0, "an alert")
        [told] = running.alerts()
        standing = running.desired().canary
        (tiny.root / "checks" / "test_none.py").write_text("def test_it(): pass\n")
        wait_until(lambda: running.desired().canary is None, "a desired state without it")
    finally:
        running.end()

    assert standing == new
    assert (told.severity, told.what) == ("warning", "the canary is not promoted")
    assert "it keeps its share" in told.details
    assert "the checks were edited since the gate approved it; run the gate again" in told.details
    assert running.desired().champion.bundle == second.digest


# --- alerts ----------------------------------------------------------------------------------------------------------


def test_a_trouble_of_an_api_process_is_told_once_and_its_end_too(work, monkeypatch):
    """Two processes with a full disk are one alert; it is no flood, and whoever was woken hears that it is over."""
    monkeypatch.setattr("proveout.server.log.alert_state.GONE_S", 0.6)
    running = work()
    full = alert("the prediction journal is in trouble")
    for pid in (11, 12):
        post(api_path(running.folder, pid), ApiNote(pid=pid, worker="-", problems=(full,)))
    wait_until(lambda: running.whats() != [], "the alert")
    time.sleep(1.2)
    assert running.whats() == [full.what]
    for pid in (11, 12):
        post(api_path(running.folder, pid), ApiNote(pid=pid, worker="-"))
    wait_until(lambda: len(running.whats()) > 1, "that it is over")

    assert running.whats() == [full.what, f"over: {full.what}"]
    assert [told.severity for told in running.alerts()] == ["critical", "info"]


def test_an_event_of_the_main_process_is_an_alert(work):
    """A process that died and was started again stands nowhere: it happened once."""
    running = work()
    post(running.folder / "event-000001.json", alert("an API process died"))
    wait_until(lambda: list(running.folder.glob("event-*")) == [], "that it is taken up")
    assert running.whats() == ["an API process died"]


def test_an_alert_in_a_journal_reaches_the_ledger(work):
    """An API process has no other way to tell, when it is about to die."""
    running = work()
    Journal(running.settings.journal_dir).append([alert("from a journal")])
    wait_until(lambda: running.whats() == ["from a journal"], "the alert")


def test_an_alert_that_cannot_be_stored_stops_no_other(work):
    """It may quote what a library said, and that may hold anything."""
    running = work()
    journal = Journal(running.settings.journal_dir)
    journal.append([alert("odd \0"), alert("next")])
    (running.folder / "event-000001.json").write_text("{")
    wait_until(lambda: running.whats() == ["next"], "the alert after it")
    wait_until(lambda: list(running.folder.glob("event-*")) == [], "the event that cannot be read is gone")


def test_damaged_lines_are_an_alert(work):
    """Somebody must look at them: they may be answers."""
    running = work()
    dead = running.settings.journal_dir / "20130604T000000000000Z-1.jsonl"
    dead.parent.mkdir(parents=True, exist_ok=True)
    dead.write_bytes(b"\x00\x00\n")
    wait_until(lambda: running.whats() == ["lines of the log cannot be read"], "the alert")


def test_a_note_that_cannot_be_read_stops_nothing(work):
    """Whatever another process writes, the controller lives."""
    running = work()
    api_path(running.folder, 11).write_text("{")
    Journal(running.settings.journal_dir).append([prediction("a")])
    wait_until(lambda: (note := running.note()) is not None and note.drained_rows == 1, "the row")


def test_a_flapping_trouble_is_one_alert():
    """A breaker that opens and closes every second would bury what matters."""
    alarms, told = AlertState(), []
    for second in range(20):
        told += alarms.update([alert("flaps")] if second % 2 else [], clock=100.0 + second, at=now())
    assert [one.what for one in told] == ["flaps"]
    told = alarms.update([], clock=121.0 + GONE_S, at=now())
    assert [one.what for one in told] == ["over: flaps"]


def test_a_new_controller_knows_what_was_said():
    """It is restarted in the middle of a trouble: the same alert again would say nothing, and its end must be told."""
    alarms = AlertState(
        [alert("a"), alert("b"), alert("over: a", severity="info"), alert("b"), alert("i", severity="info")]
    )

    assert alarms.update([alert("b")], clock=50.0, at=now()) == []
    assert [one.what for one in alarms.update([alert("a"), alert("b")], clock=51.0, at=now())] == ["a"]
    over = alarms.update([], clock=60.0, at=now())
    assert sorted(one.what for one in over) == ["over: a", "over: b"]
