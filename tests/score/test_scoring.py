"""score/scoring.py, rubric.py, statements.py, facts.py: the ML Test Score, and what each point rests on."""

import inspect
import re
from dataclasses import replace
from datetime import date

import pytest
from tiny_project import Project

from proveout.errors import ConfigError
from proveout.ledger.ledger import Ledger
from proveout.model.released_bundle import open_released
from proveout.records.answer import Answer, TaskFacts
from proveout.records.bundle import Metric
from proveout.records.drift_report import DriftReport, Performance
from proveout.records.prediction import Prediction
from proveout.records.release import Release
from proveout.records.values import Digest, now
from proveout.records.verdict import CheckResult, Verdict
from proveout.score import attestations, ledger_evidence, rubric
from proveout.score import scoring as score

TODAY = date(2026, 11, 21)


def verdict(*results: CheckResult) -> Verdict:
    return Verdict(
        model="tiny", candidate=Digest("a" * 64), manifest=Digest("b" * 64), data=Digest("c" * 64),
        checks=Digest("d" * 64), outcome="approved", passed=len(results), results=results,
        judged_at="2026-11-21T10:00:00+00:00",
    )  # fmt: skip


def check(name: str, *covers: str, outcome="passed") -> CheckResult:
    return CheckResult(check=f"checks/test_model.py::{name}", outcome=outcome, required=True, covers=covers)


def statement(test: str, **changes) -> attestations.Statement:
    entry = {"test": test, "says": "Somebody looked at it for a while.", "by": "ada", "date": date(2026, 5, 1)}
    return attestations.Statement.model_validate({**entry, "until": date(2027, 4, 1), **changes})


def counted(*results: CheckResult, happened=(), stated=()) -> dict[str, score.Point]:
    found = score.count("tiny", verdict(*results), happened, stated, today=TODAY)
    return {point.id: point for point in found.points}


def test_there_are_the_28_tests_of_the_paper():
    """Seven in each of four sections."""
    assert len(rubric.TESTS) == len(rubric.IDS) == 28
    assert [test.id for test in rubric.TESTS[:2]] == ["data-1", "data-2"]
    assert rubric.TESTS[-1].title == "Prediction quality has not regressed"


def test_a_check_that_passed_is_a_point_and_says_which():
    """The evidence stands behind the point."""
    points = counted(
        check("test_auc", "model-6"), check("test_airport[EWR]", "model-6"), check("test_airport[JFK]", "model-6")
    )

    assert points["model-6"].points == 1
    assert points["model-6"].why == ("test_model.py::test_auc passed", "test_model.py::test_airport: 2 passed")
    assert points["model-5"].points == 0
    assert points["model-5"].why == ("nothing",)


@pytest.mark.parametrize("outcome", ["failed", "skipped", "deselected", "empty", "xfailed"])
def test_a_check_that_did_not_pass_takes_the_point_away_whatever_people_say(outcome):
    """A person's word does not outweigh what was measured."""
    results = [check("test_auc", "model-6"), check("test_slice", "model-6", outcome=outcome)]

    points = counted(*results, stated=[statement("model-6")], happened=[score.Fact(test="model-6", what="it ran")])

    assert points["model-6"].points == 0
    assert points["model-6"].why == (f"test_model.py::test_slice {outcome}",)


def test_a_statement_is_half_a_point_until_its_day():
    """What nobody looked at for a year is not known any more."""
    assert counted(stated=[statement("data-6")])["data-6"].points == 0.5
    assert "ada, 2026-05-01: Somebody looked" in counted(stated=[statement("data-6")])["data-6"].why[0]

    over = counted(stated=[statement("data-6", until=date(2026, 11, 20))])["data-6"]

    assert over.points == 0
    assert over.why == ("what ada stated ended on 2026-11-20",)


def test_what_runs_by_itself_counts_before_what_is_stated():
    """One point, not one and a half."""
    points = counted(check("test_features", "data-7"), stated=[statement("data-7")])

    assert points["data-7"].points == 1
    assert points["data-7"].why == ("test_model.py::test_features passed",)


def test_the_score_is_the_least_of_the_four_sums():
    """A model that is well tested and not watched is not well tested."""
    results = [check("test_all", *(test.id for test in rubric.TESTS if test.section != "monitor"))]

    found = score.count("tiny", verdict(*results), [score.Fact(test="monitor-1", what="-")], (), today=TODAY)

    assert found.sums == {"data": 7, "model": 7, "infra": 7, "monitor": 1}
    assert found.score == 1
    assert found.band.startswith("not totally untested")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "- {test: data-9, says: It was looked at by us., by: ada, date: 2026-01-01, until: 2026-02-01}",
            "none of the 28",
        ),
        ("- {test: data-6, says: short, by: ada, date: 2026-01-01, until: 2026-02-01}", "says"),
        ("- {test: data-6, says: It was looked at by us., date: 2026-01-01, until: 2026-02-01}", "by"),
        ("- {test: data-6, says: It was looked at by us., by: ada, date: 2026-01-01}", "until"),
        (
            "- {test: data-6, says: It was looked at by us., by: ada, date: 2026-01-01, until: 2027-06-01}",
            "within a year",
        ),
        (
            "- {test: data-6, says: It was looked at by us., by: ada, date: 2026-03-01, until: 2026-02-01}",
            "within a year",
        ),
        ("- just words", "entry 1"),
        ("{}", "holds no list of statements"),
    ],
)
def test_a_slip_in_a_statement_is_an_error_that_names_it(tmp_path, text, said):
    """Half a point for something nobody can be asked about would be worth less than none."""
    file = tmp_path / "attestations.yaml"
    file.write_text(text)

    with pytest.raises(ConfigError, match=said):
        attestations.load(file)


def test_a_statement_twice_is_an_error(tmp_path):
    """The second would hide that the first has ended."""
    file = tmp_path / "attestations.yaml"
    file.write_text(
        "- {test: data-6, says: It was looked at by us., by: ada, date: 2026-01-01, until: 2026-02-01}\n" * 2
    )

    with pytest.raises(ConfigError, match="data-6 is stated twice"):
        attestations.load(file)


def test_without_a_file_nobody_states_anything(tmp_path):
    """It is no duty."""
    assert attestations.load(tmp_path / "none.yaml") == ()


# --- facts --------------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path, order):
    return Project(tmp_path, order)


def gathered(project: Project) -> dict[str, list[str]]:
    with Ledger(project.settings.ledger) as ledger:
        found = ledger_evidence.gather(ledger, project.settings, opened=open_released)
    return {fact.test: [other.what for other in found if other.test == fact.test] for fact in found}


def answer(project: Project, release: Release, probability: float, *, request="r1", by="model") -> None:
    logged = Prediction(
        request_id=request, at=now(), model="tiny", release=release.name, record={"hour": 20, "wind": None},
        answered_by=by, answer=Answer(value=False, probability=probability, confidence=0.9), latency_ms=1.0,
    )  # fmt: skip
    with Ledger(project.settings.ledger) as ledger:
        ledger.add_journal([logged], journal=request, offset=1)


def test_an_empty_ledger_speaks_for_nothing(project):
    """What the software could do is no evidence that anybody did it."""
    assert gathered(project) == {}


def test_a_release_on_a_verdict_speaks_for_validation(project):
    """And not for a canary, nor for a rollback: there was none."""
    packed = project.pack()
    project.judge(packed)
    project.release(packed)

    found = gathered(project)

    assert [what.partition(" was ")[0] for what in found["infra-4"]] == [f"tiny@{packed.digest[:12]}"]
    assert {"infra-6", "infra-7", "infra-5", "infra-3"}.isdisjoint(found)


def test_every_fact_is_among_the_events_that_people_are_told_of():
    """Who has no point reads what would make one."""
    made = set(re.findall(r'test="([a-z]+-\d)"', inspect.getsource(ledger_evidence)))

    assert made == set(ledger_evidence.EVENTS)
    assert made <= rubric.IDS


def test_a_canary_that_became_champion_and_a_way_back_are_facts(project):
    """Each with who and when."""
    first, second = project.pack(), project.pack(task=TaskFacts(threshold=0.6))
    for packed in (first, second):
        project.judge(packed)
    project.release(first)
    project.release(second, role="canary", share=0.1)
    project.release(second)

    assert gathered(project)["infra-6"][0].startswith(
        f"tiny@{second.digest[:12]} ran as canary with 10% of the traffic"
    )

    project.release(first)

    assert gathered(project)["infra-7"][0].startswith(f"ada went back to tiny@{first.digest[:12]}")


def test_logged_answers_that_come_out_the_same_speak_for_debugging(project):
    """An answer that cannot be computed again cannot be explained to whoever complains."""
    packed = project.pack()
    project.judge(packed)
    release = project.release(packed)
    bundle = open_released(project.settings, packed.digest)
    import pandas as pd

    asked = pd.DataFrame([{"hour": 20, "wind": None}], columns=list(bundle.request_columns))
    answer(project, release, float(bundle.predict(asked)[0]))

    assert gathered(project)["infra-5"][0].startswith("the newest 1 answers of tiny@")

    for place in range(60):  # nobody's but the rules': they say nothing of the model
        answer(project, release, 0.5, request=f"rules-{place}", by="rules")

    assert gathered(project)["infra-5"][0].startswith("the newest 1 answers of tiny@")

    answer(project, release, 0.123, request="r22")

    assert "infra-5" not in gathered(project)


@pytest.mark.parametrize(("online", "rows", "said"), [(0.75, 500, True), (0.60, 500, False), (0.75, 20, None)])
def test_quality_online_is_held_against_quality_offline(project, online, rows, said):
    """A number measured on twenty outcomes is no number."""
    packed = replace(project.pack(), metrics=(Metric(name="auc", value=0.77),))
    project.append("bundle", packed.digest, packed)
    report = DriftReport(
        model="tiny", bundle=packed.digest, window_from=now(), window_to=now(), window_rows=rows, drift_alpha=0.01,
        tests=(), alarm=False, sources={"model": rows},
        performance=Performance(rows=rows, metrics={"auc": online}),
    )  # fmt: skip
    project.append("drift", "tiny", report)

    found = gathered(project)

    assert ("monitor-7" in found) == (said is not None)
    assert ("model-2" in found) == bool(said)
