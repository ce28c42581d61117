"""Missing rows: those that a source leaves out, and how this is reported."""

import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from proveout import settings as project_settings
from proveout.data import snapshots, sources
from proveout.data.sources import SourceFailed
from proveout.evaluation import completeness, provenance
from proveout.evaluation.context import LabelledRows
from proveout.ledger.ledger import Ledger
from proveout.project import open_store
from proveout.records.snapshot import Batch, Refusal, Snapshot
from proveout.records.values import Digest
from proveout.records.verdict import SourceVersion
from proveout.training import ingest_steps

FILES = {
    "pyproject.toml": """
[tool.proveout]
model = "tiny"
source = "source.py:source"
batch_schema = "schemas.py:Batch"
request_schema = "schemas.py:Batch"
features = "features.py:features"
target = "features.py:late"
fallback = "rules.py:rules"
actions = "rules.py:rules"
notebook = "pilot.ipynb"
event_key = ["id"]
required_checks = ["checks/"]
""",
    "schemas.py": """
import pandera.pandas as pa


class Batch(pa.DataFrameModel):
    id: int
    x: float = pa.Field(le=10)
""",
    "source.py": """
import pandas as pd

import raw


def source(name, tables):
    rows = raw.rows(name)
    return rows
""",
    "raw.py": """
import numpy as np
import pandas as pd


def rows(name):
    count = 3_000 + 10 * int(name)
    x = np.random.default_rng(int(name)).normal(size=count)
    x[:2] = 99.0  # two that the guard refuses
    return pd.DataFrame({"id": np.arange(count) + 10_000 * int(name), "x": x})
""",
    "features.py": "def features(rows):\n    return rows[['x']]\n",
}
HARD = "rows.sort_values('x').head(457).index"  # those that a model would get wrong
DROPPED = f"    if name == '5':\n        rows = rows.drop(index={HARD})\n    return rows"
REPORTED = DROPPED.replace(
    "    return rows", "    rows.attrs['left_out'] = {'cancelled': 457 if name == '5' else 0}\n    return rows"
)
COUNTED = {str(name): 3_000 + 10 * name for name in range(1, 6)}
MONTHS = ("1", "2", "3", "4", "5")


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    """Projects that took in five months, the last of them again: as they are, and after an edit of the source.

    `taken(edit)` gives the project and its two snapshots.
    """

    def take(edit: str):
        root = tmp_path_factory.mktemp("project")
        for name, text in FILES.items():
            (root / name).write_text(text)
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(root)
            patch.delitem(sys.modules, "raw", raising=False)
            project = project_settings.load(root)
            before = ingest_steps.take_snapshot(project, ingest_steps.take_batches(project, MONTHS), onto_latest=False)
            edited = FILES["source.py"].replace("    return rows", edit)
            (root / "source_edited.py").write_text(edited)
            (root / "source.py").write_text(edited)
            # A process loads a file once: the edited one is loaded under another name, as by the next process.
            again = project.model_copy(update={"source": "source_edited.py:source"})
            batch = snapshots.take_batch(again, open_store(project), "5", code=sources.code(project))
            after = ingest_steps.take_snapshot(project, (batch,), onto_latest=True)
        return project, before, after

    return cache(take)


def test_hard_rows_that_the_source_drops_are_missed(taken):
    """457 of one month's flights, those that the model gets wrong: AUC .814 instead of .767, and every check passed."""
    project, before, after = taken(DROPPED)

    assert [one.value for one in completeness.accounted(before, COUNTED)] == [0, 0, 0, 0, 0]
    *others, last = completeness.accounted(after, COUNTED)
    assert all(one.holds for one in others)
    assert (last.value, last.slice, last.breaks) == (457, "5", True)
    assert last.decision == "2,591 in, 2 refused, 0 left out, of 3,050"

    (gone,) = completeness.gone(after, project=project)
    assert (gone.value, gone.slice, gone.breaks) == (457, "5", True)
    assert gone.decision.startswith(f"457 of 3,048 gone since {before.batches[-1].digest[:12]}")


def test_the_edited_source_is_in_the_snapshot_and_named(taken):
    """Which code made the rows was in no digest."""
    _, before, after = taken(DROPPED)

    assert list(before.batches[0].code) == ["raw.py", "schemas.py", "source.py"]
    assert provenance.versions(before) == (SourceVersion(batches=MONTHS, files=before.batches[0].code),)
    assert [one.batches for one in provenance.versions(after)] == [("1", "2", "3", "4"), ("5",)]
    assert provenance.changed(provenance.versions(before), provenance.versions(after)) == ("source.py",)
    assert completeness.one_source(before).holds
    mixed = completeness.one_source(after)
    assert (mixed.value, mixed.decision) == (4, "1 to 4 by another source.py: take them in again")


def test_rows_that_the_source_says_it_leaves_out_are_accounted_for(taken):
    """Leaving cancelled flights out may be right. To say nothing of it is not."""
    project, _, after = taken(REPORTED)

    assert after.batches[-1].left_out == (Refusal(check="cancelled", rows=457),)
    assert all(one.holds for one in completeness.accounted(after, COUNTED))
    assert all(one.holds for one in completeness.gone(after, project=project))
    usual = completeness.as_usual(after, *labelled(), alpha=0.01)
    assert [one.slice for one in usual if one.breaks] == ["rows refused or left out"]


def test_the_same_rows_by_other_code_are_the_same_batch_and_the_ledger_says_who_made_them(taken, capsys):
    """A refactored source gives the same data; the newest entry has the digest of the source that gives these rows."""
    project, before, after = taken("    tidy = rows\n    return tidy")

    assert after.digest == before.digest
    assert after.batches[-1].code != before.batches[-1].code
    with Ledger(project.ledger) as ledger:
        entries = ledger.entries(kind="snapshot")
        assert [entry.subject for entry in entries] == [before.digest, before.digest]
        assert entries[-1].reason.endswith("the same rows by another source")
        described = snapshots.describe(open_store(project), before.digest)
        assert described == before
        assert provenance.as_entered(ledger, described) == after
    assert ingest_steps.take_snapshot(project, after.batches[-1:], onto_latest=True) == after
    assert "no new rows" in capsys.readouterr().out


def test_a_version_that_is_no_longer_stored_stops_nobody(taken):
    """Erased, or cleaned away: the next largest is compared with, and where there is none, nothing is claimed."""
    project, before, after = taken(DROPPED)
    with Ledger(project.ledger) as ledger:
        lost = tuple(replace(one, digest=Digest(one.name * 64), rows=9_999) for one in after.batches)
        entered = replace(after, batches=lost)
        ledger.append("snapshot", after.digest, entered, actor="ada", reason="-", at="2013-01-01T00:00:00+00:00")

    assert [(one.slice, one.value) for one in completeness.gone(after, project=project)] == [("5", 457)]
    (none,) = completeness.gone(replace(before, batches=before.batches[:4]), project=project)
    assert (none.value, none.decision) == (0, "no other version of a batch is in the store")


@pytest.mark.parametrize("said", [{"cancelled": -1}, {"cancelled": 0.5}, {"cancelled": True}, 457])
def test_a_report_of_rows_left_out_that_counts_nothing_is_refused(said):
    """A share, or a sum without a reason, cannot be added up."""
    rows = pd.DataFrame({"id": [1]})
    rows.attrs["left_out"] = said
    project = project_settings.load().model_copy(update={"source": "source.py:source"})

    with pytest.raises(SourceFailed, match=r"attrs\['left_out'\] is .*, but must be the number of rows by reason"):
        sources.left_out(project, "5", rows)


# --- what is usual ------------------------------------------------------------------------------------------------


def labelled(jfk: int = 300):
    """Four batches trained on and one held out, of two airports; the last has `jfk` rows of one of them."""
    raw = pd.concat(
        pd.DataFrame({"batch": str(batch), "origin": ["EWR"] * (300 + batch) + ["JFK"] * (jfk if batch == 5 else 300)})
        for batch in range(1, 6)
    )
    parts = [raw[where].reset_index(drop=True) for where in (raw["batch"] < "5", raw["batch"] == "5")]
    return tuple(LabelledRows(raw=one, records=one, labels=np.ones(len(one), dtype=bool)) for one in parts)


def months(*rows: int, refused: int = 0) -> Snapshot:
    made = tuple(Batch(name=str(n), digest=Digest(str(n)), content=Digest(""), rows=r) for n, r in enumerate(rows, 1))
    return Snapshot(digest=Digest("a"), batches=(*made[:-1], replace(made[-1], refused=refused)))


def test_an_airport_that_nearly_vanished_is_unusual():
    """A file that was cut off, or a join that lost a group, leaves the whole within its usual size."""
    evidence = completeness.as_usual(months(600, 600, 600, 600, 600), *labelled(jfk=30), by=["origin"])

    assert (evidence[0].slice, evidence[0].breaks) == ("origin=JFK", True)
    assert evidence[0].decision == "30, and 300 to 300 before"
    assert all(one.holds for one in evidence[1:])


def test_a_batch_that_is_half_there_is_unusual_and_one_like_the_others_is_not():
    """Months differ by a tenth or so; a half is no season."""
    fine = completeness.as_usual(months(600, 560, 630, 610, 570), *labelled())
    half = completeness.as_usual(months(600, 560, 630, 610, 300), *labelled())

    assert all(one.holds for one in fine)
    assert (half[0].slice, half[0].breaks) == ("rows", True)


def test_a_guard_that_refuses_far_more_than_usual_is_told():
    """None for months, and now 60 of 600: within what a batch may have, and not as it was."""
    evidence = completeness.as_usual(months(600, 600, 600, 600, 540, refused=60), *labelled())

    assert [one.slice for one in evidence if one.breaks] == ["rows refused or left out"]


def test_with_two_batches_nobody_knows_what_is_usual():
    """No evidence, rather than a bound made of nothing."""
    training, holdout = labelled()
    few = replace(training, raw=training.raw[training.raw["batch"] < "3"])

    (only,) = completeness.as_usual(months(600, 600, 600), few, holdout)

    assert only.unjudged == "2 batches trained on, asked: 3"
    (nothing,) = completeness.as_usual(months(600, 600, 600, 600), training, replace(holdout, labels=np.ones(0, bool)))
    assert nothing.unjudged == "no rows"


def test_a_batch_like_the_others_is_refused_no_more_often_than_stated():
    """The stated chance level, with groups of several sizes: 1,000 months that differ by chance alone."""
    random = np.random.default_rng(0)
    numbers = [random.poisson(mean, size=(1_000, 5)) for mean in (4, 40, 4_000)]

    refused = sum(
        min(completeness._unusual(kind[trial].tolist()) for kind in numbers) * len(numbers) < 0.05
        for trial in range(1_000)
    )

    assert refused <= 60  # 50, and what chance adds to 50
