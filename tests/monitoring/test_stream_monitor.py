"""`monitoring/stream_monitor.py` and `proveout drift backtest`: the log's own days, and settings tried on them."""

import json
from dataclasses import replace

import command_line
import numpy as np
import pandas as pd
import pytest
from tiny_project import Project

from proveout.data.store import Store
from proveout.errors import NotFound
from proveout.model import packing
from proveout.monitoring import monitor
from proveout.project import open_ledger
from proveout.records.prediction import Prediction
from proveout.settings import Settings
from proveout.task.binary import Binary

AT = "2013-07-01T06:00:00.000+00:00"
ROWS = 25


class Stream:
    """A released model, and a log whose days each have a wind of their own."""

    def __init__(self, project: Project) -> None:
        packed = packing.pack(project.order(), Store(project.settings.store))
        project.judge(packed)
        project.release(packed)
        self.settings, self.root, self._name = project.settings, project.root, packed.name
        self._rng = np.random.default_rng(7)

    def log(self, first: str, days: int, *, wind: float = 0.0, rows: int = ROWS) -> list[Prediction]:
        """Log `days` days from `first` on; returns the answers."""
        made = []
        for day in pd.date_range(first, periods=days).strftime("%Y-%m-%d"):
            hours, blown = self._rng.integers(0, 24, rows), self._rng.normal(wind + self._rng.normal(0, 0.7), 1, rows)
            made += [
                Prediction(
                    request_id=f"{day}-{place}", at=f"{day}T10:00:{place % 60:02}.000+00:00", model="tiny",
                    release=self._name, record={"hour": int(hour), "wind": float(one)}, answered_by="model",
                    answer=Binary().answer([0.3]), latency_ms=1.0,
                )
                for place, (hour, one) in enumerate(zip(hours, blown, strict=True))
            ]  # fmt: skip
        with open_ledger(self.settings, create=True) as ledger:
            ledger.add_journal(made, journal=first, offset=0)
        return made

    def look(self, answers: list[Prediction], **changes: object) -> monitor.Look:
        settings: Settings = self.settings.model_copy(update={"drift_mode": "stream", **changes})
        return monitor.look(settings, answers, at=AT)


@pytest.fixture
def stream(tiny: Project) -> Stream:
    return Stream(tiny)


def test_a_stream_that_moved_away_from_its_training_rows_pages_nobody_and_cannot_tell_a_season(stream):
    """The demo's June: warm, as it was all month. As a batch it alarms each day."""
    answers = stream.log("2013-03-20", 103, wind=6.0)[-10 * ROWS :]

    seen = stream.look(answers, drift_cycle="year")
    batch = monitor.look(stream.settings, answers, at=AT)

    assert (seen.alert, seen.report.alarm) == (None, False)
    assert seen.report.stream is not None and seen.report.stream.newest is not None
    assert seen.report.stream.newest.date == "2013-06-30"
    assert "Calm: 2013-06-30 differs from the days before it no more than days do." in seen.page
    assert "wind moved away from the training rows: cannot know whether it is a season: a yearly cycle" in seen.page
    assert batch.report.alarm


def test_an_earlier_year_shows_that_it_is_a_season(stream):
    """Last June blew as hard."""
    stream.log("2012-06-01", 40, wind=6.0)
    answers = stream.log("2013-03-20", 103, wind=6.0)[-10 * ROWS :]

    seen = stream.look(answers, drift_cycle="year")

    assert [(season.column, season.verdict) for season in seen.report.seasons] == [("wind", "seasonal")]
    assert "wind moved away from the training rows: seasonal, as expected." in seen.page


def test_a_day_unlike_the_days_before_it_is_a_page(stream):
    """And tells how to see what other settings would have done."""
    stream.log("2013-03-20", 102)
    answers = stream.log("2013-06-30", 1, wind=8.0)

    seen = stream.look(answers)

    assert seen.report.alarm
    assert (
        "Alarm: 2013-06-30 differs from the 28 days before it more than one day in 30 does, most in wind." in seen.page
    )
    assert seen.alert is not None and "proveout drift backtest" in seen.alert.next_step


def test_a_short_history_is_no_calm(stream):
    """And a day that is not over is no day."""
    answers = stream.log("2013-06-15", 16, wind=8.0)
    answers += stream.log("2013-07-01", 1, wind=30.0)

    seen = stream.look(answers)

    assert seen.report.stream is not None and seen.report.stream.known_days == 16
    assert "Unknown: 16 whole days are known, and a budget of one false page in 30 days needs 73." in seen.page
    assert "Calm" not in seen.page


def test_the_backtest_shows_what_each_mode_would_have_raised(stream, monkeypatch):
    """Before anybody is paged by it: as a batch nearly every day, as a stream about as often as allowed."""
    stream.log("2013-02-01", 110, wind=0.5)
    stream.log("2013-05-22", 1, wind=9.0)
    monkeypatch.chdir(stream.root)

    by_days = json.loads(command_line.said(0, "drift", "backtest", "--mode", "stream", "--json"))
    shown = command_line.said(0, "drift", "backtest", "--mode", "batch")

    assert by_days["judged"] == 111 - 72
    assert by_days["expected"] == pytest.approx(39 / 30)
    assert by_days["days"][-1]["paged"]
    assert by_days["pages"] <= 6
    assert "batch, alpha 0.01" in shown
    assert int(shown.split()[0]) > 20


def test_rows_in_the_store_need_a_date(stream):
    """The time of an answer dates it; a row that nobody asked about has none."""
    with pytest.raises(NotFound, match="event_date"):
        monitor.backtest(stream.settings, mode="stream", source="data", budget_days=30, at=AT)
    with pytest.raises(NotFound, match="--of data"):
        monitor.backtest(stream.settings, mode="stream", source="log", budget_days=30, at=AT)


def test_of_a_window_too_large_for_memory_a_sample_is_looked_at(stream, monkeypatch):
    """A million answers would be some gigabytes; a sample of all their days says the same."""
    answers = stream.log("2013-06-01", 30)
    monkeypatch.setattr(monitor, "MOST_ANSWERS", 300)

    some = monitor.window(stream.settings, newest=1_000_000)

    assert 230 < len(some) < 370
    assert [one.at for one in some] == sorted(one.at for one in some)
    assert len({one.at[:10] for one in some}) == 30
    assert len(monitor.window(stream.settings, newest=300)) == 300
    assert len(answers) == 750


def test_another_releases_answers_are_not_the_champions(stream):
    """Its requests count, its answers do not."""
    answers = stream.log("2013-06-01", 30)
    with open_ledger(stream.settings) as ledger:
        others = [replace(one, request_id=f"o{one.request_id}", release="tiny@0") for one in answers]
        ledger.add_journal(others, journal="others", offset=0)

    seen = stream.look(answers)

    assert seen.report.stream is not None and seen.report.stream.known_days == 30
