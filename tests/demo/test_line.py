"""demo/: a project taken through the whole line, and the promises that the server is held to."""

import dataclasses
import re

import pytest
from reference_project import FEW_CHECKS, ROOT, Project, trained_in_a_notebook

from proveout.demo import line
from proveout.demo.live_server import DemoFailed, Reply
from proveout.errors import UsageError
from proveout.records.answer import Answer
from proveout.records.bundle import Bundle
from proveout.records.json_form import from_json
from proveout.records.prediction import Prediction

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """`make demo`, run once in a state folder of its own: the project, and what was printed."""
    project = Project(tmp_path_factory.mktemp("demo") / "state")
    ran = project.run("-m", "proveout", "demo", "--batch", "2013-06", "--checks", FEW_CHECKS, timeout_s=500)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return project, ran.stdout


@pytest.mark.chaos  # an example and a table go the whole way in tests/line/, and the flights in the README's test
@pytest.mark.timeout(1_800)
def test_the_demo_goes_from_raw_data_to_a_watched_model(shown):
    """The main job, in a state folder of its own; it answers within its three minutes even on a busy machine."""
    project, said = shown

    assert "worker    killed" in said
    assert re.search(r"475 rows of 2013-06 were asked about and 475 answered: \d+ by model, \d+ by rules", said)
    assert "25 malformed requests were turned away" in said
    assert "stopped on SIGTERM, exit code 0" in said
    ledger = project.ledger()
    try:
        assert ledger.prediction_count() == 475
        kinds = {entry.kind for entry in ledger.entries()}
        assert {"snapshot", "bundle", "verdict", "approval", "release", "drift"} <= kinds
        ledger.verify_chain()
    finally:
        ledger.close()


@pytest.mark.chaos  # the check that trains again asks it of `trained`, in tests/line/test_reference_checks.py
@pytest.mark.timeout(1_800)
def test_training_gives_one_digest_at_a_terminal_in_another_project_and_from_a_notebook(shown, trained, tmp_path):
    """Same snapshot and configuration: the same bundle, in whichever state folder and wherever it is run from."""
    noted = Project(tmp_path / "state")
    trained_in_a_notebook(ROOT, checks=FEW_CHECKS, PROVEOUT_STATE=str(noted.state))
    bundles = [from_json(Bundle, one.newest("bundle").body) for one in (shown[0], trained, noted)]

    assert len({one.run for one in bundles}) == 3  # each has trained
    assert len({one.digest for one in bundles}) == 1
    assert len({one.snapshot for one in bundles}) == 1


def test_without_a_batch_the_held_out_rows_are_asked(trained):
    """Any project has rows that its model was judged by; a newer batch not every one."""
    settings, bundle = trained.settings(), from_json(Bundle, trained.newest("bundle").body)

    rows = line._rows(settings, bundle, None)

    assert set(rows["month"]) == {5}
    assert len(rows) > line.REQUESTS
    assert "arr_delay" not in rows.columns


def test_with_a_batch_its_rows_are_asked_before_it_is_taken_in(ingested):
    """June is newer than what the model has seen."""
    snapshots = ingested.store().digests("snapshots")

    rows = line._rows(ingested.settings(), None, "2013-06")

    assert set(rows["month"]) == {6}
    assert "arr_delay" not in rows.columns
    assert ingested.store().digests("snapshots") == snapshots


@pytest.fixture
def replies():
    good = Reply(status=200, body={"request_id": "r-1", "answered_by": "model"}, seconds=0.01)
    return [good, Reply(status=422, body={}, seconds=0.01, malformed="is a list")]


@pytest.fixture
def logged(ingested, replies):
    """A ledger in which r-1 is logged."""
    ledger = ingested.ledger()
    prediction = Prediction(
        request_id="r-1",
        at="2026-01-01T00:00:00.000+00:00",
        model="m",
        release="m@x",
        record={},
        answered_by="model",
        answer=Answer(value=True, probability=0.9, confidence=None),
        latency_ms=1.0,
    )
    ledger.add_journal([prediction], journal="test", offset=1)
    ledger.close()
    return ingested.settings()


def test_the_demo_counts_who_answered(logged, replies):
    """The story's figures come from the answers."""
    assert line.judge(logged, replies) == {"model": 1}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"status": 500}, "1 of 1 accepted requests failed"),
        ({"status": 0}, "1 of 1 accepted requests failed"),
        ({"body": {"request_id": "r-unlogged", "answered_by": "model"}}, "missing from the log"),
        ({"status": 200, "malformed": "is a list"}, "malformed requests did not get 4xx"),
    ],
)
def test_the_demo_fails_where_a_promise_is_broken(logged, replies, change, problem):
    """A demo that cannot fail proves nothing."""
    with pytest.raises(DemoFailed, match=problem):
        line.judge(logged, [dataclasses.replace(replies[0], **change), replies[1]])


def test_a_step_that_fails_ends_its_flow_and_the_demo_with_one_sentence(ingested):
    """Metaflow prints 40 to 90 lines around it."""
    with pytest.raises(DemoFailed) as failed:
        line.run_flow(ingested.settings(), "flows/ingest.py", "run", "--batch", "May")

    assert str(failed.value) == (
        "flows/ingest.py run --batch May failed:\nThere is no batch May. flows/source.py:read_table says: "
        "weather.csv has nothing for May; it covers 2013-01 to 2013-12"
    )


def test_a_project_without_flows_is_told_which_are_missing(ingested, tmp_path):
    """The demo runs the project's own flows: without them there is nothing to show."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "train.py").touch()
    bare = ingested.settings().model_copy(update={"root": tmp_path})

    with pytest.raises(UsageError, match=r"has no flows/ingest\.py, flows/monitor\.py, which .* proveout init"):
        line.run(bare)
