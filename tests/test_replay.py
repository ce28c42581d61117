"""Logged traffic through a real, tiny bundle: what it turns, what it cannot answer, and which answers were better."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from real_postgres import own_schema
from reference_project import ROOT
from tiny_project import Project
from typer.testing import CliRunner, Result

from proveout import replay
from proveout.cli import main
from proveout.errors import BundleError, ConfigError, NotFound, UsageError
from proveout.evaluation import cost
from proveout.ledger import prediction_history
from proveout.ledger.ledger import Ledger
from proveout.model.bundle import OpenBundle, open_bundle
from proveout.records.answer import Answer
from proveout.records.prediction import Outcome, Prediction
from proveout.records.values import Scalar
from proveout.replay import Pairs, Replay
from proveout.task.binary import Binary

START = datetime(2013, 5, 1, tzinfo=UTC)
SINCE, UNTIL = "2013-05-01", "2013-06-01"
COST = """
def cost(answer, outcome):
    return 5.0 if outcome and not answer.value else 1.0 if answer.value else 0.0


def broken(answer, outcome):
    return None
"""


def moment(minute: int) -> str:
    return (START + timedelta(minutes=minute)).isoformat(timespec="milliseconds")


def logged(minute: int, probability: float | None = 0.4, **changes: object) -> Prediction:
    record: dict[str, Scalar] = {"hour": minute % 24, "wind": float(minute % 7)}
    plain = Prediction(
        request_id=f"r{minute:05d}",
        at=moment(minute),
        model="tiny",
        release="tiny@aaaaaaaaaaaa",
        record=record,
        answered_by="model",
        answer=Answer(
            value=None if probability is None else probability >= 0.5, probability=probability, confidence=None
        ),
        latency_ms=1.0,
    )
    return replace(plain, **changes)


@pytest.fixture
def project(tmp_path: Path, order: Callable[..., object]) -> Project:
    (tmp_path / "tiny").mkdir()
    made = Project(tmp_path / "tiny", order)
    (made.root / "costs.py").write_text(COST)
    return made


@pytest.fixture
def candidate(project: Project) -> OpenBundle:
    return open_bundle(project.folder(project.pack()))


def log(project: Project, *rows: Prediction, outcomes: dict[str, bool] | None = None) -> None:
    with Ledger(project.settings.ledger) as ledger:
        ledger.add_journal(rows, journal="j", offset=1, event_fields=("hour",))
        known = outcomes or {}
        ledger.add_outcomes([Outcome(request_id=name, value=was, known_at=moment(0)) for name, was in known.items()])


def run(project: Project, candidate: OpenBundle, **changes: object) -> Replay:
    asked = {"since": SINCE, "until": UNTIL, "margin": 0.01, **changes}
    settings = asked.pop("settings", project.settings)
    with Ledger(project.settings.ledger) as ledger:
        return replay.run(ledger, settings, candidate, **asked)


# --- what it would have answered ----------------------------------------------------------------------------------


def test_a_bundle_without_a_verdict_is_replayed_beside_what_was_answered(
    project: Project, candidate: OpenBundle
) -> None:
    """Labels it turns each way, how far its probabilities lie apart; and nothing is entered or released by that."""
    rows = [logged(minute, 0.4 if minute % 2 else 0.6) for minute in range(240)]
    log(project, *rows, logged(300, answered_by="rules"), logged(301, None, answered_by="none"))
    before = project.entries()

    found = run(project, candidate)

    said = candidate.predict(_table(rows))
    was = np.array([row.answer.probability for row in rows])
    assert (found.logged, found.replayed, found.rows, found.others) == (242, 242, 240, 2)
    assert found.by == {"tiny@aaaaaaaaaaaa": 240}
    assert found.turned["true"] == int(((said >= 0.5) & (was < 0.5)).sum()) > 0
    assert found.turned["false"] == int(((said < 0.5) & (was >= 0.5)).sum()) > 0
    assert found.mean_difference == pytest.approx((said - was).mean())
    assert found.most == pytest.approx(np.abs(said - was).max())
    assert found.worst[0].field == "hour"
    assert (found.problems, found.hidden, found.outcomes, found.measured) == (0, (), 0, ())
    assert project.entries() == before


def _table(rows: list[Prediction]):
    import pandas as pd

    return pd.DataFrame([dict(row.record) for row in rows])


def test_what_the_log_hides_is_not_known_to_the_candidate_and_is_said(project: Project, candidate: OpenBundle) -> None:
    """A pseudonym is no value: a model that was given it would answer another question."""
    hidden = {"wind": "pii:29e7907eec4b3c5009bb9a9c28a70a11"}
    log(project, *(logged(n, record={"hour": n % 24, "wind": 1.0, **(hidden if n < 5 else {})}) for n in range(50)))

    found = run(project, candidate)

    assert (found.rows, found.hidden, found.hidden_rows, found.problems) == (50, ("wind",), 5, 0)


def test_records_the_candidate_cannot_answer_are_counted_one_by_one(project: Project, candidate: OpenBundle) -> None:
    """One bad record must not take the portion with it; the first one is an example."""
    bad = {7, 8, 400, 511}
    log(project, *(logged(n, record={"hour": None if n in bad else n % 24, "wind": 1.0}) for n in range(600)))

    found = run(project, candidate)

    assert (found.rows, found.problems) == (596, 4)
    assert found.example is not None
    assert "Error" in found.example


def test_traffic_the_candidate_cannot_answer_at_all_ends_the_replay(project: Project, candidate: OpenBundle) -> None:
    """A bundle packed for other requests: no need to try a million records one by one."""
    log(project, *(logged(n, record={"wind": 1.0}) for n in range(1_000)))

    with pytest.raises(BundleError, match=r"answers none of the first 200 logged records: .*other requests"):
        run(project, candidate)


def test_an_answer_that_is_no_probability_is_no_answer(project: Project, candidate: OpenBundle) -> None:
    """NaN would be false in every comparison, and so turn labels in silence."""
    log(project, *(logged(n) for n in range(24)))
    real = candidate.predict
    candidate.predict = lambda rows: np.where(rows["hour"] == 3, np.nan, real(rows))  # type: ignore[method-assign]

    found = run(project, candidate)

    assert (found.rows, found.problems, found.example) == (23, 1, "its probability is not a number from 0 to 1")


def test_only_the_newest_answers_of_the_window_are_replayed(project: Project, candidate: OpenBundle) -> None:
    """`until` is not part of it; and a window with nothing in it says so."""
    log(project, *(logged(n) for n in range(30)), logged(40, model="other"))

    found = run(project, candidate, until=moment(20), newest=5)
    assert (found.logged, found.replayed) == (20, 5)
    with pytest.raises(NotFound, match="There is no logged answer of tiny from 2014"):
        run(project, candidate, since="2014-01-01", until="2014-02-01")


# --- which was better ---------------------------------------------------------------------------------------------


def test_where_outcomes_are_known_both_are_measured_on_the_same_rows(project: Project, candidate: OpenBundle) -> None:
    """Answers of chance against a model that knows: AUC, Brier score and cost, each with the paired interval."""
    chance = random.Random(0)
    rows = [logged(n, round(chance.random(), 3)) for n in range(800)]
    happened = {row.request_id: int(row.record["hour"] or 0) + chance.gauss(0, 4) > 12 for row in rows[::2]}
    log(project, *rows, outcomes=happened)
    settings = project.settings.model_copy(update={"cost_function": "costs.py:cost"})

    found = run(project, candidate, settings=settings)

    by = {one.name: one for one in found.measured}
    assert found.outcomes == 400
    assert (by["auc"].value or 0) > 0.9
    assert 0.4 < (by["auc"].champion or 0) < 0.6
    gain = next(one for name, one in by.items() if name.startswith("auc, "))
    assert gain.decision.startswith("better")
    truth = np.array([happened[row.request_id] for row in rows[::2]])
    was = np.array([row.answer.probability for row in rows[::2]])
    said = candidate.predict(_table(rows[::2]))
    assert by["brier"].value == pytest.approx(((said - truth) ** 2).mean())
    assert by["brier"].champion == pytest.approx(((was - truth) ** 2).mean())
    spent = [sum(5.0 if t and not c >= 0.5 else float(c >= 0.5) for c, t in zip(side, truth)) for side in (said, was)]  # noqa: B905
    name = "cost per 1,000 answers"
    assert by[name].value == pytest.approx(1000 * spent[0] / 400)
    assert by[name].champion == pytest.approx(1000 * spent[1] / 400)
    apart = by[f"{name}, difference"]
    assert apart.value == pytest.approx(1000 * (spent[0] - spent[1]) / 400)
    assert apart.low is not None
    assert apart.high is not None
    assert apart.low < (apart.value or 0) < apart.high < 0
    assert apart.decision == "better"


def test_an_equal_candidate_is_neither_better_nor_worse(project: Project) -> None:
    """And a worse one is called so."""
    rng = np.random.default_rng(0)
    truth = rng.random(500) < 0.4
    good, bad = np.clip(truth * 0.4 + rng.random(500) * 0.5, 0, 1), rng.random(500)
    same = replay.measure(_pairs(good, good, truth), Binary(), cost=None, margin=0.01)
    worse = replay.measure(_pairs(bad, good, truth), Binary(), cost=None, margin=0.01)

    assert [one.decision for one in same if one.name.endswith("difference")] == ["undecided"]
    assert [one.decision for one in worse if one.name.endswith("difference")] == ["worse"]
    assert replay.measure(_pairs(good, good, truth, known=False), Binary(), cost=None, margin=0.01) == ()


def test_answers_about_one_event_count_as_one(project: Project) -> None:
    """A flight that is asked about fifty times is late once: fifty rows of it are no fifty witnesses."""
    rng = np.random.default_rng(1)
    truth = np.repeat(rng.random(40) < 0.5, 50)
    good, bad = np.repeat(rng.random(40), 50), np.repeat(rng.random(40), 50)
    own, shared = np.arange(2_000), np.repeat(np.arange(40), 50)

    def width(events: "np.ndarray") -> float:
        found = replay.measure(_pairs(good, bad, truth, events=events), Binary(), cost=None, margin=0.01)
        apart = next(one for one in found if one.name == "brier, difference")
        return (apart.high or 0) - (apart.low or 0)

    assert width(shared) > 4 * width(own)


def _pairs(mine, theirs, truth, *, known: bool = True, events=None) -> Pairs:
    return Pairs(
        logged=theirs,
        candidate=mine,
        difference=mine - theirs,
        known=tuple(range(len(truth))) if known else (),
        outcomes=tuple(truth.tolist()) if known else (),
        logged_answers=(),
        candidate_answers=(),
        events=np.arange(len(truth)) if events is None else events,
    )


def test_a_cost_function_that_cannot_be_used_is_told_before_the_work(project: Project, candidate: OpenBundle) -> None:
    """By its name, and with the answer it fails on."""
    log(project, logged(1))
    settings = project.settings.model_copy(update={"cost_function": "costs.py:broken"})
    with pytest.raises(ConfigError, match=r"costs\.py:broken: raises TypeError on Answer\(value=True, prob"):
        run(project, candidate, settings=settings)
    with pytest.raises(ConfigError, match="gives nan"):
        cost.of_each(lambda *asked: float("nan"), [Answer(value=True)], [True])


def test_the_cost_of_the_reference_project_follows_what_it_advises() -> None:
    """A warning costs a little, wanted or not; what nobody was warned of costs most."""
    from proveout.settings import load

    spent = cost.load(load(ROOT))
    assert spent is not None
    unlikely, warned, late = (Binary().answer([probability]) for probability in (0.1, 0.3, 0.6))
    assert spent(unlikely, False) == 0
    assert spent(unlikely, True) > spent(warned, False) > spent(late, True) > 0


# --- reading ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_portions_have_every_answer_once_and_in_order(
    request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> None:
    """Also those of one millisecond, across the borders of portions."""
    postgres = database == "postgresql"
    url = own_schema(request.getfixturevalue("postgres")) if postgres else f"sqlite:///{tmp_path / 'ledger.db'}"
    rows = [replace(logged(n), at=moment(n // 5)) for n in random.Random(0).sample(range(50), 50)]
    with Ledger(url) as ledger:
        ledger.add_journal(rows, journal="j", offset=1)
        ledger.add_outcomes([Outcome(request_id="r00003", value=True, known_at=moment(0))])

        def read(**changes: object) -> list[prediction_history.LoggedAnswer]:
            asked = {"since": moment(0), "until": UNTIL, "rows": 3, **changes}
            return [one for portion in prediction_history.portions(ledger, "tiny", **asked) for one in portion]

        ids = [one.prediction.request_id for one in read()]
        assert ids == [f"r{n:05d}" for n in range(50)]
        assert [one.prediction.request_id for one in read(newest=7)] == ids[-7:]
        assert [one.prediction.request_id for one in read(newest=999)] == ids
        assert [one.prediction.request_id for one in read(until=moment(2))] == ids[:10]
        assert {one.prediction.request_id: one.outcome for one in read()}["r00003"] is True
        assert {one.outcome for one in read(since=moment(1))} == {None}
        assert prediction_history.count(ledger, "tiny", since=moment(1), until=moment(3)) == 10


# --- the command --------------------------------------------------------------------------------------------------


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["replay", *arguments])


def test_the_command_says_what_is_turned_first_and_what_to_do_next(
    project: Project, candidate: OpenBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the same as one record."""
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("PROVEOUT_COST_FUNCTION", "costs.py:cost")
    rows = [logged(n) for n in range(120)]
    log(project, *rows, outcomes={row.request_id: int(row.record["hour"] or 0) > 11 for row in rows})
    digits = candidate.bundle.digest[:12]

    page = invoke("--candidate", digits, "--window", f"{SINCE}..{UNTIL}").stdout
    record = json.loads(invoke("--candidate", digits, "--window", f"{SINCE}..", "--json").stdout)

    turned = sum(record["turned"].values())
    assert page.startswith(f"replayed   {candidate.bundle.name}   flips {turned} of 120 labels")
    assert "outcomes    120 known" in page
    assert "cost per 1,000 answers, difference" in page
    assert page.rstrip().endswith(f"next: proveout gate {digits}   # a replay approves nothing")
    assert record["rows"] == 120
    assert invoke("--candidate", digits, "--last", "24h").exit_code == 1  # 2013 is longer ago
    assert invoke("--candidate", "beef00", "--last", "24h").exit_code == 1


@pytest.mark.parametrize(
    ("window", "last", "why"),
    [
        (None, None, "Which traffic"),
        ("2013..2014", "24h", "Which traffic"),
        ("2013-05-01", None, "is not a window"),
        ("2013-06-01..2013-05-01", None, "cannot end at"),
        (None, "0h", "is not a duration"),
        (None, "24", "is not a duration"),
        ("yesterday..", None, "is not a timestamp"),
    ],
)
def test_a_window_that_cannot_be_meant_is_refused(window: str | None, last: str | None, why: str) -> None:
    """Before anything is opened."""
    from proveout.cli.replay import span

    with pytest.raises(UsageError, match=why):
        span(window, last, now="2013-06-02")


def test_the_last_so_many_hours_end_now() -> None:
    """In UTC, as everything."""
    from proveout.cli.replay import span

    assert span(None, "90min", now="2013-06-02T01:00:00+00:00")[0] == "2013-06-01T23:30:00.000+00:00"
    assert span("..2013-06-01", None, now="2013-06-02")[0].startswith("0001")
