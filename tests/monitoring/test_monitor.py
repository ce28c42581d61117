"""`monitoring/monitor.py` and `flows/monitor.py`: one look at real June flights with a model trained on winter."""

import os
import re
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from proveout.data import features, snapshots
from proveout.errors import NotFound
from proveout.ledger.ledger import read
from proveout.ledger.prediction_rows import HIDDEN
from proveout.monitoring import alerts, monitor, performance
from proveout.monitoring.promise import Promise
from proveout.records.answer import Answer
from proveout.records.drift_report import Alert, DriftReport, DriftTest, Performance
from proveout.records.prediction import Outcome, Prediction
from proveout.records.train_config import GroupSplit
from proveout.records.values import Digest
from proveout.server.service.pseudonyms import PREFIX, Pseudonyms
from proveout.task.binary import Binary

AT = "2013-07-01T06:00:00.000+00:00"


# --- decisions, on plain values ---------------------------------------------------------------------------------------


def asked(request_id: str, **record) -> Prediction:
    return Prediction(
        request_id=request_id, at=AT, model="m", release="m@0", record=record, answered_by="model",
        answer=Answer(value=True, probability=0.6, confidence=None), latency_ms=1.0,
    )  # fmt: skip


def test_an_outcome_finds_every_request_about_its_event_and_no_other():
    """Two people ask about one flight: both answers are judged. A flight that is still in the air judges none."""
    rows = pd.DataFrame({"day": [1, 1, 2], "flight": [7, 8, 7], "origin": ["JFK", "JFK", "LGA"]})
    labels = pd.Series([True, pd.NA, False], dtype="boolean")
    predictions = [
        asked("a", day=1, flight=7, origin="JFK", temp=3.0),
        asked("b", day=1, flight=7, origin="JFK", temp=4.0),
        asked("in the air", day=1, flight=8, origin="JFK"),
        asked("c", day=2, flight=7, origin="LGA"),
        asked("another origin", day=2, flight=7, origin="JFK"),
        asked("no key", day=2),
    ]

    found = monitor.join(predictions, rows, labels, key=("day", "flight", "origin"), known_at=AT)

    assert found == (
        Outcome(request_id="a", value=True, known_at=AT),
        Outcome(request_id="b", value=True, known_at=AT),
        Outcome(request_id="c", value=False, known_at=AT),
    )


def test_numbers_that_name_the_event_are_not_compared():
    """The day and the flight's number move by themselves: an alarm on them rings every day. A carrier may drift."""
    reference = pd.DataFrame({"day": [1, 2], "carrier": ["UA", "B6"], "temp": [50.0, None]})

    assert monitor.compared_columns(["day", "carrier", "temp"], ["day", "carrier"], reference) == ("carrier", "temp")


def test_the_groups_of_a_split_are_not_compared():
    """The model is judged on groups that it has not seen, and meets others: new ones are no drift."""
    reference = pd.DataFrame({"customer": ["a", "b"], "temp": [50.0, None]})

    assert monitor.compared_columns(["customer", "temp"], [], reference, split=GroupSplit(column="customer")) == (
        "temp",
    )


def test_columns_that_hide_a_person_are_not_compared():
    """The log has pseudonyms, the training rows have names: that would be an alarm for ever."""
    predictions = [
        asked("a", tailnum=None, temp=3.0),
        asked("b", tailnum=Pseudonyms(b"k").name("tailnum", "N1"), temp=4),
    ]
    reference = pd.DataFrame({"tailnum": ["N1", "N2"], "temp": [50.0, None]})

    assert monitor.hidden_columns(predictions) == {"tailnum"}
    hidden = monitor.hidden_columns(predictions)
    assert monitor.compared_columns(["tailnum", "temp"], [], reference, hidden=hidden) == ("temp",)
    assert PREFIX == HIDDEN


def report(*, alarm: bool = False, auc: float | None = None, rows: int = 2000) -> DriftReport:
    test = DriftTest(
        part="inputs", column="temp", test="ks", statistic=0.9, p_value=1e-9 if alarm else 0.4, level=0.01, effect=0.9,
        reference_rows=2000, window_rows=rows, verdict="-", alarmed=alarm,
    )  # fmt: skip
    return DriftReport(
        model="flight-delay", bundle=Digest("ab" * 32), window_from=AT, window_to=AT, window_rows=rows,
        drift_alpha=0.01, tests=(test,), alarm=alarm, sources={"model": rows},
        performance=None if auc is None else Performance(
            rows=rows, metrics={"auc": auc},
            errors={"auc": performance.auc_error(auc, true=rows // 5, false=rows - rows // 5)},
        ),
    )  # fmt: skip


def promise(value: float | None) -> Promise:
    return Promise(task=Binary(), metric="auc", value=value)


def test_a_calm_report_wakes_nobody():
    """An alert for nothing teaches people to look away."""
    assert monitor.decide(report(auc=0.76), promise(0.77), at=AT) is None
    assert monitor.decide(report(), promise(None), at=AT) is None


def test_moved_inputs_are_a_warning_that_names_them_and_how_the_model_does():
    """A season is no emergency; whether the model still holds is the first thing to know about it."""
    alert = monitor.decide(report(alarm=True, auc=0.76), promise(0.77), at=AT)

    assert alert is not None
    assert (alert.severity, alert.at) == ("warning", AT)
    assert "Moved: temp; least p-value 1.0e-09 of 1 tests. AUC 0.76 on 2000 outcomes" in alert.details
    assert "python flows/train.py run" in alert.next_step


@pytest.mark.parametrize("alarm", [True, False])
def test_a_fallen_performance_is_critical_whether_or_not_the_inputs_moved(alarm):
    """Wrong answers are what the inputs were watched for."""
    alert = monitor.decide(report(alarm=alarm, auc=0.65), promise(0.77), at=AT)

    assert alert is not None
    assert alert.severity == "critical"
    assert alert.what.endswith("fell: AUC 0.65 on 2000 outcomes, promised 0.77")
    assert "proveout status" in alert.next_step


def test_a_performance_that_rests_on_few_outcomes_is_not_critical():
    """The first ten outcomes of a bad morning are chance."""
    assert monitor.decide(report(auc=0.65, rows=40), promise(0.77), at=AT) is None


# --- a look at real flights -------------------------------------------------------------------------------------------


class Watched:
    """A project of its own with a released model, and June in the store."""

    def __init__(self, project) -> None:
        self.project, self.settings = project, project.settings()
        self.opened = monitor.champion(self.settings)

    def answers(
        self, months: list[str], rows: int, *, answered_by: str = "model", name: str = "r", ended: bool = False
    ) -> list[Prediction]:
        with self.project.ledger() as ledger:
            newest = ledger.entries(kind="snapshot", limit=1, newest_first=True)[0].subject
        flights = snapshots.read(self.project.store(), newest, batches=months)
        # A cancelled flight often has no tail number, and no model has learned from it.
        flights = flights[features.labels(self.settings, flights).notna()] if ended else flights
        flights = flights.sample(rows, random_state=3)
        columns = list(self.opened.request_columns)
        records = flights[columns].astype(object).where(flights[columns].notna(), None).to_dict("records")
        scores = self.opened.predict(flights) if answered_by == "model" else [0.2] * rows
        return [
            Prediction(
                request_id=f"{name}-{place}", at=f"2013-06-30T10:00:00.{place:03d}+00:00", model="flight-delay",
                release=self.opened.bundle.name, record=record, answered_by=answered_by,
                answer=Answer(value=bool(score >= 0.5), probability=float(score), confidence=None), latency_ms=2.0,
            )
            for place, (record, score) in enumerate(zip(records, scores, strict=True))
        ]  # fmt: skip


@pytest.fixture(scope="module")
def watched(trained, tmp_path_factory) -> Watched:
    state = tmp_path_factory.mktemp("watched") / "state"
    shutil.copytree(trained.state, state)
    project = type(trained)(state)
    project.release()
    ran = project.run("flows/ingest.py", "run", "--batch", "2013-06")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return Watched(project)


@pytest.fixture(scope="module")
def june(watched) -> list[Prediction]:
    """300 logged answers to June flights."""
    predictions = watched.answers(["2013-06"], 300, name="june")
    with watched.project.ledger() as ledger:
        ledger.add_journal(predictions, journal="test", offset=0)
    return predictions


@pytest.fixture(scope="module")
def monitored(watched, june):
    """flows/monitor.py, run as cron runs it: from somewhere in the project, without a user's name."""
    environment = {key: value for key, value in os.environ.items() if key not in {"USER", "LOGNAME", "METAFLOW_USER"}}
    watched.project.environment = {**environment, "PROVEOUT_STATE": str(watched.project.state)}
    ran = watched.project.run("monitor.py", "run", cwd=watched.project.root / "flows")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran


def test_the_monitor_sees_that_june_is_not_winter(watched, monitored):
    """Real drift: trained through April, asked about June. It is in the ledger, with its false-alarm budget."""
    found = read(DriftReport, watched.project.newest("drift"))

    assert found.alarm
    assert {column.column for column in found.tests if column.alarmed} >= {"temp", "dewp"}
    assert {column.column for column in found.tests}.isdisjoint({"year", "month", "day", "flight"})
    assert "probability" in {column.column for column in found.tests}
    assert found.window_rows == 300
    assert found.drift_alpha == 0.01
    assert found.sources == {"model": 300}
    assert re.search(r"Alarm: \w+, \w+, \w+ and \d+ more columns moved away", monitored.stdout)
    changes = [test.answers_change for test in found.tests if test.alarmed and test.part == "inputs"]
    assert max(changes) > 0.005  # the mean of the absolute differences of the probability
    assert 0.0 in changes or min(changes) < 0.002
    with watched.project.ledger() as ledger:
        ledger.verify_chain()


def test_the_monitor_learns_what_became_of_the_flights(watched, june, monitored):
    """Outcomes come from the batch that came in later; performance stands on them."""
    found = read(DriftReport, watched.project.newest("drift"))
    with watched.project.ledger() as ledger:
        known = ledger.outcomes([prediction.request_id for prediction in june])

    assert 280 < len(known) <= 300  # cancelled flights have none
    assert found.performance is not None
    assert found.performance.rows == len(known)
    assert found.performance.metrics["auc"] > 0.65
    assert monitor.learn_outcomes(watched.settings, june, at=AT) == 0


def test_the_monitor_leaves_a_warning_for_a_person(watched, monitored):
    """What it saw is worth nothing if nobody hears of it."""
    alert = read(Alert, watched.project.newest("alert"))

    assert alert.severity == "warning"
    assert "temp" in alert.details
    assert alert.next_step in monitored.stdout


def test_the_page_is_the_runs_card(watched, monitored, tmp_path):
    """The card type is found in an editable install, and shows the page as it is."""
    ran = watched.project.run("flows/monitor.py", "card", "get", "look", str(tmp_path / "card.html"))

    assert ran.returncode == 0, ran.stdout + ran.stderr
    page = (tmp_path / "card.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "▲ Alarm: " in page
    assert "set back, the answers differ by" in page
    assert page.count("<svg role") >= 20


def test_requests_of_the_training_months_and_answers_of_the_held_out_one_are_calm(watched):
    """The other half of the promise: nothing moved, nothing said. Real rows, the bundle's own reference."""
    learned = watched.answers(["2013-01", "2013-02", "2013-03", "2013-04"], 400, ended=True)
    held_out = watched.answers(["2013-05"], 400, ended=True)

    asked, answered = (monitor.look(watched.settings, window, at=AT).report for window in (learned, held_out))

    assert {one.column for one in asked.tests if one.alarmed} <= {"probability"}
    assert not any(one.alarmed for one in answered.tests if one.part == "answers")


def test_an_outage_is_no_drift(watched):
    """While the worker is down the rules answer, all with one number: that is for the answer sources to say."""
    predictions = watched.answers(["2013-02", "2013-03"], 400, answered_by="rules")
    months = watched.answers(["2013-02", "2013-03"], 400)

    by_rules, by_model = (monitor.look(watched.settings, answers, at=AT).report for answers in (predictions, months))

    assert by_rules.tests == by_model.tests
    assert by_rules.sources == {"rules": 400}
    assert by_rules.performance is None


def test_as_a_stream_june_is_calm_beside_may_and_the_season_is_not_known(watched, monitored, june):
    """Summer is warm. One year of flights cannot tell that it is so every year, and says so; nobody is paged by it."""
    settings = watched.settings.model_copy(update={"drift_mode": "stream", "drift_cycle": "year"})

    seen = monitor.look(settings, june, at=AT)
    days = monitor.backtest(settings, mode="stream", source="data", budget_days=30, at=AT)

    assert seen.report.stream is not None and seen.report.stream.newest is not None
    assert seen.report.stream.newest.date == "2013-06-30"
    assert {season.verdict for season in seen.report.seasons} == {"unknown"}
    assert "temp" in {season.column for season in seen.report.seasons}
    assert "cannot know whether it is a season: a yearly cycle is stated, but no rows of an earlier year" in seen.page
    assert days.known_days == 181  # January to June
    assert days.judged == 181 - 72
    assert days.pages <= 3 * days.expected


def test_a_model_that_got_worse_is_critical(watched, june, monitored):
    """Answers turned upside down: the outcomes are there to notice."""
    worse = [replace(one, answer=Binary().answer([1 - one.answer.probability])) for one in june]

    seen = monitor.look(watched.settings, worse, at=AT)

    assert seen.alert is not None
    assert seen.alert.severity == "critical"
    assert "▲ Critical: the performance of flight-delay@" in seen.page


def test_an_alert_whose_address_is_dead_waits_in_the_ledger(watched, june, monitored):
    """The monitor's own run must not fail because a chat is down."""
    dead = "json://127.0.0.1:9/"
    settings = watched.settings.model_copy(update={"alert_urls": (dead,)})

    arrived = monitor.record(settings, monitor.look(settings, june, at=AT), at=AT)

    assert arrived == 0
    with watched.project.ledger() as ledger:
        assert len(alerts.waiting(ledger, alerts.sink_name(dead), model="flight-delay")) == 2


def test_a_look_at_answers_about_hidden_people_compares_the_rest(watched, june):
    """Pseudonyms are neither drift nor something to ask a model about, also where the rules had answered."""
    column = next(name for name in watched.opened.request_columns if isinstance(june[0].record.get(name), str))
    hide = Pseudonyms(b"k").hide
    hidden = [replace(one, record=hide(one.record, [column])) for one in june]
    hidden[0] = replace(hidden[0], answered_by="rules")

    found = monitor.look(watched.settings, hidden, at=AT)

    compared = {one.column for one in monitor.look(watched.settings, june, at=AT).report.tests}
    assert {one.column for one in found.report.tests} == compared - {column}
    assert column in compared


def test_too_few_answers_are_no_calm(watched, june):
    """Three answers prove nothing, and it says so; a scheduler's run does not fail because the night was quiet."""
    seen = monitor.look(watched.settings, june[:3], at=AT)

    assert (seen.report.tests, seen.report.alarm) == ((), False)
    assert "Not compared: 3 answers, and a test needs 20." in seen.page
    assert "Calm" not in seen.page


def test_without_answers_or_a_release_it_says_what_to_do(watched, trained, june):
    """The two ways to begin in the wrong order."""
    with pytest.raises(NotFound, match=r"Serve it first: python serve/app\.py"):
        monitor.window(watched.settings, newest=5000, since="2030-01-01")
    with pytest.raises(NotFound, match="Release an approved bundle: proveout bundles"):
        monitor.look(trained.settings().model_copy(update={"model": "another"}), june, at=AT)
