"""Names of batches: their order, the warning about it, and the removal of a batch with a wrong name."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proveout import settings
from proveout.cli import main
from proveout.data import snapshots, sources
from proveout.data.batch_names import order_problem
from proveout.data.store import Store
from proveout.errors import ConfigError, Conflict, NotFound, UsageError
from proveout.ledger.ledger import Ledger, read
from proveout.records.json_form import from_json
from proveout.records.snapshot import Batch, BatchRemoval
from proveout.records.train_config import DataConfig, TimeSplit, TrainConfig
from proveout.records.values import Digest, now
from proveout.training import batch_removal, ingest_steps, train_steps


def batch(name: str) -> Batch:
    made = Batch(name=name, digest=Digest(""), content=Digest(name), rows=7)
    return replace(made, digest=snapshots.batch_digest(made))


@pytest.fixture
def project(template, tmp_path, monkeypatch):
    """A project that took in two months under their names, and one under a wrong one."""
    shutil.copytree(template, tmp_path / "p")
    monkeypatch.chdir(tmp_path / "p")
    found = settings.load(tmp_path / "p")
    ingest_steps.take_snapshot(
        found, tuple(batch(name) for name in ("2013-04", "2013-05", "20l3-06")), onto_latest=False
    )
    return found


def drop(*arguments: str):
    return CliRunner().invoke(main, ["data", "drop", *arguments])


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("2013-2", "2013-10"), "2013-10 comes before 2013-2: write 2013-02"),
        (("week-9", "week-10", "week-11"), "week-10 comes before week-9: write week-09"),
        (("2013-02", "2013-10", "20l3-06", "north", "south 2"), ""),
        (("1", "01"), ""),  # equal as numbers: the order is as good as any
        (("a", "b"), ""),
        ((), ""),
    ],
)
def test_names_that_do_not_sort_as_they_count_are_told(names, problem):
    """Trained through 2013-2, a model would have learned from October, and nobody would see it."""
    assert order_problem(names).endswith(problem)
    assert bool(order_problem(names)) is bool(problem)


def by_time(through: str, held_out: str, *, version: str = "latest") -> TrainConfig:
    return TrainConfig(data=DataConfig(version=version), split=TimeSplit(train_through=through, holdout=held_out))


def test_the_ingest_and_the_training_warn_of_names_that_sort_otherwise(project, capsys):
    """Where the name is given, and where it matters."""
    made = ingest_steps.take_snapshot(
        project, tuple(batch(n) for n in ("2013-9", "2013-10", "2013-8")), onto_latest=False
    )
    told = "warning: batches are in the order of their names as text, and there 2013-10 comes before 2013-8"
    assert told in capsys.readouterr().out

    train_steps.choose_data(project, by_time("2013-8", "2013-9", version=made.digest))

    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("through", "held_out", "remedy"),
    [
        ("2013-05", "2013-04", r"Hold out a later one \(20l3-06\), or train through an earlier one"),
        ("20l3-06", "20l3-06", r"Ingest a later one to hold out, or train through an earlier one"),
    ],
)
def test_nobody_is_told_to_train_on_the_rows_that_are_to_test(project, through, held_out, remedy):
    """Swapped, the two names would pass, with the model trained on what it is to be judged on."""
    with pytest.raises(ConfigError, match=remedy) as refused:
        train_steps.choose_data(project, by_time(through, held_out))

    assert "the order of their names as text (2013-04, 2013-05, 20l3-06)" in str(refused.value)
    assert "wap" not in str(refused.value)


def test_a_batch_of_any_name_can_be_taken_in_and_the_errors_say_how(project):
    """A project of regions has no months: `--through north` must not be the way on."""
    with pytest.raises(NotFound, match=r"Any name goes; .*Ingest it: python flows/ingest.py run --batch north$"):
        train_steps.choose_data(project, by_time("2013-04", "north"))


def test_a_function_is_asked_for_the_batches_that_the_project_names(project):
    """Only files can be listed: without names, the error gives both remedies."""
    named = project.model_copy(update={"source": "flows/source.py:read", "batches": ("north", "south")})
    assert sources.names(named) == ("north", "south")

    with pytest.raises(ConfigError, match=r"but no setting names the batches\. Name them, .* run --batch NAME"):
        sources.names(named.model_copy(update={"batches": ()}))


def test_a_batch_with_a_wrong_name_is_taken_out_and_nothing_is_lost(project):
    """The next training does not see it; the store, the older snapshot and the ledger still know it."""
    with Ledger(project.ledger) as ledger:
        before = ingest_steps.latest_snapshot(ledger)

    dropped = drop("20l3-06", "--reason", "a typing error", "--by", "ada", "--json")

    assert dropped.exit_code == 0, dropped.output
    found = from_json(BatchRemoval, dropped.stdout)
    assert (found.batch.name, found.before) == ("20l3-06", before.digest)
    store = Store(project.store)
    with Ledger(project.ledger) as ledger:
        assert (
            ingest_steps.latest_snapshot(ledger) == found.snapshot == snapshots.describe(store, found.snapshot.digest)
        )
        (audit,) = ledger.entries(kind="audit")
        assert (audit.subject, audit.actor, audit.reason) == ("20l3-06", "ada", "a typing error")
        assert read(BatchRemoval, audit) == found
        assert ledger.verify_chain() > 0
    assert [one.name for one in found.snapshot.batches] == ["2013-04", "2013-05"]
    assert snapshots.describe(store, before.digest) == before
    again = ingest_steps.take_snapshot(project, (batch("2013-06"),), onto_latest=True)
    assert [one.name for one in again.batches] == ["2013-04", "2013-05", "2013-06"]


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (("2013-06", "--reason", "-"), "There is no batch 2013-06. The newest snapshot, ", 1),
        (("2013-05", "--reason", " "), "needs a person and a reason", 2),
    ],
)
def test_what_cannot_be_taken_out_is_refused_and_nothing_is_written(project, arguments, told, code):
    """A slip in the name must not become an entry."""
    refused = drop(*arguments)

    assert (refused.exit_code, told in refused.output) == (code, True), refused.output
    with Ledger(project.ledger) as ledger:
        assert ledger.entries(kind="audit") == ()


def test_the_only_batch_stays(project):
    """A snapshot of nothing trains nothing."""
    ingest_steps.take_snapshot(project, (batch("2013-04"),), onto_latest=False)
    with Ledger(project.ledger) as ledger:
        with pytest.raises(UsageError, match="the only batch"):
            batch_removal.plan(ledger, "2013-04")
        with pytest.raises(NotFound, match=r"has 2013-04$"):
            batch_removal.plan(ledger, "2013-05")


def test_a_batch_taken_in_meanwhile_is_not_undone(project):
    """Two at a time: the snapshot that was planned does not have what came since."""
    with Ledger(project.ledger) as ledger:
        seen, planned = ledger.last_seq(), batch_removal.plan(ledger, "20l3-06")
        ingest_steps.take_snapshot(project, (batch("2013-07"),), onto_latest=True)
        with pytest.raises(Conflict):
            batch_removal.remove(ledger, Store(project.store), planned, by="ada", reason="-", at=now(), seen=seen)
        assert ingest_steps.latest_snapshot(ledger).through() == "20l3-06"
        assert ledger.entries(kind="audit") == ()


def test_a_refused_batch_of_any_name_is_kept_in_quarantine(project, monkeypatch):
    """A name with a slash is no folder, and one that climbs out of it climbs nowhere."""
    import pandas as pd

    from proveout.data.guard import Guarded
    from proveout.errors import DataRefused

    bad = pd.DataFrame({"n": [1], "refused_by": ["n"]})
    nothing = Guarded(accepted=bad.iloc[:0], refused=bad, refusals=())
    monkeypatch.setattr(snapshots.guard, "check", lambda *_, **__: nothing)

    with pytest.raises(DataRefused) as refused:
        snapshots._guarded(project, bad, None, "../north/south 1")

    kept = Path(refused.value.quarantine)
    assert kept.parent == project.state_dir / "quarantine"
    assert kept.is_file()
    assert json.loads(pd.read_parquet(kept).to_json())["n"] == {"0": 1}
