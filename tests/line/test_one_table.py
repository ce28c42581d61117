"""A project of one CSV file, a column to predict and a random split, through the steps of the flow and the gate."""

import io
import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from proveout import settings as project_settings
from proveout.data import features, snapshots, sources
from proveout.errors import ConfigError
from proveout.model.bundle import open_bundle
from proveout.monitoring import monitor
from proveout.project import open_ledger, open_store
from proveout.records.bundle import Bundle
from proveout.records.train_config import RandomSplit
from proveout.records.verdict import Verdict
from proveout.settings import Settings
from proveout.training import ingest_steps, train_steps
from proveout.training.config import parse_config

PYPROJECT = """
[tool.proveout]
model = "churn"
target = "left"
source = "customers.csv"
request_schema = "schemas.py:Customer"
notebook = "pilot.ipynb"
"""
SCHEMAS = """
import pandera.pandas as pa


class Customer(pa.DataFrameModel):
    tenure: float = pa.Field(ge=0, nullable=True)
    calls: int = pa.Field(ge=0)

    class Config:
        strict = True
        coerce = True
"""
CONFIG = """
[split]
kind = "random"
holdout_share = 0.25
stratify = true

[evaluation]
auc_at_least = 0.6
"""
CELLS = (
    ("parameters", 'features_path = "features.parquet"'),
    ("", "import pandas as pd\nfrom sklearn.ensemble import HistGradientBoostingClassifier\n"
         "from sklearn.metrics import roc_auc_score\nrows = pd.read_parquet(features_path)"),
    ("", "train, test = (rows[rows['split'] == side] for side in ('train', 'holdout'))"),
    ("", "asked = ['tenure', 'calls']\n"
         "model = HistGradientBoostingClassifier(max_iter=20).fit(train[asked], train['left'])"),
    ("", "metrics = {'auc': roc_auc_score(test['left'], model.predict_proba(test[asked])[:, 1])}"),
)  # fmt: skip
CHECKS = """
from proveout.evaluation import ablation, completeness, leakage, metrics


def test_auc(candidate, holdout, criteria, evidence):
    scores = candidate.predict(holdout.records)
    evidence(metrics.auc(holdout.labels, scores), at_least=criteria["auc_at_least"])


def test_rows(training, holdout, profiles):
    assert (training.rows, holdout.rows) == (451, 149)  # of each class a quarter, to the row
    assert abs(training.labels.mean() - holdout.labels.mean()) < 0.01
    assert profiles.holdout["calls"].rows == 149 and profiles.training["customers"]["calls"].rows == 451


def test_nothing_leaks(candidate, training, holdout, project, evidence):
    evidence(leakage.time_travel(candidate, training, holdout, project=project))
    evidence(leakage.duplicates(training, holdout, key=project.event_key, share_at_most=0.05))
    evidence(leakage.pure_label(holdout, project=project))


def test_what_is_asked_of_time_alone_is_not_asked(candidate, training, holdout, snapshot, evidence):
    asked = (*ablation.staleness(candidate, training, holdout), *completeness.as_usual(snapshot, training, holdout))
    evidence(asked)
    assert [one.decision for one in asked] == ["nothing to ask", "nothing to ask"]
"""


def customers(count: int, *, seed: int = 0) -> pd.DataFrame:
    """Rows as the file has them: what a request says, the outcome as 0 and 1, and who the customer belongs to."""
    random = np.random.default_rng(seed)
    rows = pd.DataFrame({"tenure": random.gamma(2, 20, count).round(2), "calls": random.integers(0, 50, count)})
    rows["left"] = (rows["calls"] / 10 - rows["tenure"] / 20 + random.logistic(size=count) > 0).astype(int)
    rows["household"] = random.integers(0, count // 4, count)
    rows.loc[::20, "tenure"] = np.nan
    return rows


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Settings]:
    """A project with this table and this configuration."""

    def build(rows: pd.DataFrame, *, config: str = CONFIG, source: str = "customers.csv") -> Settings:
        root = tmp_path_factory.mktemp("one table")
        for folder in ("flows", "checks"):
            (root / folder).mkdir()
        cells = [
            {"cell_type": "code", "execution_count": None, "id": f"c{place}", "outputs": [], "source": text,
             "metadata": {"tags": [tag] if tag else []}}
            for place, (tag, text) in enumerate(CELLS)
        ]  # fmt: skip
        notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        for name, text in {
            "pyproject.toml": PYPROJECT.replace("customers.csv", source),
            "schemas.py": SCHEMAS,
            "pilot.ipynb": json.dumps(notebook),
            "flows/train.toml": config,
            "checks/test_churn.py": CHECKS,
        }.items():
            (root / name).write_text(text)
        rows.to_csv(root / "customers.csv", index=False)
        return project_settings.load(root)

    return build


def ingest(project: Settings) -> None:
    names = sources.names(project)
    ingest_steps.take_snapshot(project, ingest_steps.take_batches(project, names), onto_latest=False)


def begin(project: Settings):
    return train_steps.begin(project, parse_config((project.root / project.train_config).read_text()))


def given(project: Settings) -> pd.DataFrame:
    """What the notebook is given."""
    return pd.read_parquet(io.BytesIO(train_steps.make_features(project, begin(project)).parquet))


@pytest.fixture(scope="module")
def trained(made) -> tuple[Settings, Bundle, Verdict]:
    """One candidate, judged as the flow judges it."""
    project = made(customers(600))
    ingest(project)
    inputs = begin(project)
    table = train_steps.make_features(project, inputs)
    packed = train_steps.pack_bundle(
        project, inputs, table, train_steps.run_notebook(project, inputs, table), run="TrainFlow/1"
    )
    return project, packed, train_steps.judge(project, inputs, packed)


def test_a_table_in_one_file_comes_to_an_approved_bundle(trained):
    """Six settings, a schema, a notebook and a check are all that stands in the project."""
    _, packed, verdict = trained

    assert (verdict.outcome, verdict.passed) == ("approved", 4), verdict
    assert packed.split == RandomSplit(holdout_share=0.25, stratify=True)


def test_the_bundle_knows_on_which_side_each_row_stands(trained):
    """Whatever becomes of the settings, it is judged on the rows that it has not learned from."""
    project, packed, _ = trained
    opened = open_bundle(open_store(project).folder("bundles", packed.digest))

    kept = opened.membership()

    assert kept["split"].value_counts().to_dict() == {"train": 451, "holdout": 149}
    assert set(kept["batch"]) == {"customers"}
    rows = snapshots.read(open_store(project), packed.snapshot)
    assert (rows["left"][(kept["split"] == "holdout").to_numpy()].mean() - rows["left"].mean()) < 0.01


def test_the_model_is_given_the_request_as_it_is(trained):
    """Without features of its own, and with a null where the table has one."""
    project, packed, _ = trained
    opened = open_bundle(open_store(project).folder("bundles", packed.digest))
    asked = customers(20)[["tenure", "calls"]]

    assert list(opened.model_columns(asked)) == ["tenure", "calls"] == list(opened.request_columns)
    assert opened.predict(asked).shape == (20,)
    assert opened.direct == "on"


def test_outcomes_are_looked_up_in_rows_that_the_model_has_not_learned_from(trained):
    """Held-out ones and new ones, by the event: here all that a request says."""
    project, packed, _ = trained
    opened = open_bundle(open_store(project).folder("bundles", packed.digest))
    with open_ledger(project) as ledger:
        newest = ingest_steps.latest_snapshot(ledger)

    found = monitor.unseen(project, opened, newest)

    kept = opened.membership()
    held_out = snapshots.read(open_store(project), packed.snapshot)[(kept["split"] == "holdout").to_numpy()]
    assert found["calls"].tolist() == held_out["calls"].tolist()


def test_rows_added_to_the_file_leave_held_out_rows_held_out(made):
    """The next candidate is judged on rows that the champion has not learned from."""
    config = CONFIG.replace("stratify = true", "")
    project, rows = made(customers(300), config=config), customers(300)
    ingest(project)
    before = given(project)
    pd.concat([customers(200, seed=1), rows]).to_csv(project.root / "customers.csv", index=False)
    ingest(project)

    after = given(project)

    assert len(after) == 500 and list(after["split"][200:]) == list(before["split"])


def test_whole_groups_are_held_out(made):
    """A household that was learned from tells of its other members. The column is no field of a request."""
    project = made(customers(300), config='[split]\nkind = "group"\ncolumn = "household"\n')
    ingest(project)

    table = given(project)

    rows = snapshots.read(open_store(project), begin(project).snapshot.digest)
    assert (table["split"].groupby(rows["household"]).nunique() == 1).all()
    assert list(table.columns) == ["tenure", "calls", "left", "batch", "split"]


def test_a_row_without_an_outcome_is_on_neither_side(made):
    """It waits for its outcome, which is null in the file."""
    rows = customers(100).astype({"left": "object"})
    rows.loc[:9, "left"] = None
    project = made(rows)
    ingest(project)

    assert len(given(project)) == 90
    assert features.labels(project, rows).isna().sum() == 10


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"target": "gone"}, r"the rows have no column gone; they have tenure, calls, left, household, batch"),
        ({"target": "household"}, r"target household: gives no outcomes of a binary task"),
    ],
)
def test_a_target_that_is_no_outcome_is_refused(made, change, problem):
    """Before the notebook is run."""
    project = made(customers(50))
    ingest(project)

    with pytest.raises(ConfigError, match=problem):
        given(project.model_copy(update=change))


def test_a_target_that_a_request_would_say_is_refused(made):
    """Whoever asks does not know it, and the model would learn to repeat it."""
    project = made(customers(50)).model_copy(update={"target": "calls"})

    with pytest.raises(ConfigError, match="calls is also a field of the request"):
        ingest(project)
