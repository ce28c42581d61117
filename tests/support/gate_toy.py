"""A project whose gate runs in a second: two batches of real rows, one small real bundle, three checks."""

import importlib
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from proveout import settings
from proveout.data import snapshots, splits
from proveout.data.guard import Guarded
from proveout.data.store import Store
from proveout.ledger.ledger import Ledger, read
from proveout.model.packing import PackOrder, pack
from proveout.records.answer import TaskFacts
from proveout.records.bundle import Bundle
from proveout.records.snapshot import Batch
from proveout.records.train_config import TimeSplit, TrainConfig
from proveout.records.values import now
from proveout.records.verdict import Verdict

# pytester forgets what a run imported first, and the next run pays for it again: half a second each.
for module in (
    "hypothesis",
    "pandera.accessors.pandas_accessor",
    "pyarrow.dataset",
    "sklearn.metrics",
    "yaml",
    "proveout.edge_cases",
    "proveout.gate.fixtures",
    "proveout.gate.finalize",
    "proveout.training.train_steps",
):
    importlib.import_module(module)

# Plugins of this project's own tests, which a run would load too, take longer than the run itself.
PLUGINS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "proveout.gate.plugin,xdist.plugin"}
PYPROJECT = """
[tool.proveout]
model = "toy"
source = "toy.py:source"
batch_schema = "toy.py:Rows"
request_schema = "toy.py:Request"
features = "toy.py:features"
target = "toy.py:late"
fallback = "toy.py:rules"
actions = "toy.py:action"
notebook = "toy.ipynb"
event_key = ["n"]
required_checks = ["checks/test_toy.py"]
"""
TOY = """
import pandera.pandas as pa

class Request(pa.DataFrameModel):
    n: int
    x: float = pa.Field(nullable=True)
    class Config:
        coerce = True

def features(rows):
    return rows[["x"]]

def late(rows):
    return (rows["y"] > 0).where(rows["y"].notna())
"""
CHECKS = """
from sklearn.metrics import roc_auc_score

def test_auc(candidate, champion, holdout, criteria, evidence):
    scores = candidate.predict(holdout.records)
    evidence("auc", roc_auc_score(holdout.labels, scores), at_least=criteria["auc_at_least"], rows=holdout.rows,
             champion=None if champion is None else roc_auc_score(holdout.labels, champion.predict(holdout.records)))

def test_rows(training, holdout, snapshot, profiles, project):
    assert (training.rows, holdout.rows) == (200, 90)
    assert list(holdout.records.columns) == ["n", "x"]
    assert [batch.name for batch in snapshot.batches] == ["2013-04", "2013-05"]
    assert profiles.holdout["x"].rows == 100 and list(profiles.training) == ["2013-04"]
    assert project.model == "toy"

class TestSound:
    def test_range(self, candidate, holdout):
        assert ((candidate.predict(holdout.records) >= 0)).all()
"""
SPLIT = TimeSplit(train_through="2013-04", holdout="2013-05")
NAMES = ("test_auc", "test_rows", "TestSound::test_range")


def make_project(root: Path, *, c: float = 1.0) -> Bundle:
    """A project with a snapshot of two batches and one packed bundle, as a training run would leave it."""
    (root / "checks").mkdir(parents=True, exist_ok=True)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "toy.py").write_text(TOY)
    (root / "toy.ipynb").write_text('{"cells": []}')
    (root / "flows").mkdir(exist_ok=True)
    (root / "flows" / "train.toml").write_text("[evaluation]\nauc_at_least = 0.6\n")
    (root / "checks" / "test_toy.py").write_text(CHECKS)
    return train(root, make_rows(), c=c)


def make_rows() -> pd.DataFrame:
    """Two batches of rows, the first 200 to be learned, the others held out, outcomes known or not."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame({"n": range(300), "x": random.normal(size=300)})
    rows["y"] = rows["x"] + random.normal(size=300)
    rows.loc[290:, "y"] = np.nan  # outcomes that are not known
    return rows


def train(root: Path, rows: pd.DataFrame, *, c: float = 1.0) -> Bundle:
    """A bundle of these rows, packed and entered as the newest candidate."""
    store = Store(str(root / ".proveout" / "store"))
    batches = [put(store, "2013-04", rows[:200]), put(store, "2013-05", rows[200:])]
    snapshot = snapshots.extend(store, None, batches)
    learned, held = rows[:200], rows[200:290]
    model = LogisticRegression(C=c).fit(learned[["x"]], learned["y"] > 0)
    skops.io.dump(model, root / "model.skops")
    order = PackOrder(
        model="toy",
        model_file=root / "model.skops",
        features="toy.py:features",
        root=root,
        notebook=root / "toy.ipynb",
        executed=root / "toy.ipynb",
        config=TrainConfig(split=SPLIT, parameters={"c": c}),
        snapshot=snapshot.digest,
        membership=membership(["2013-04"] * 200 + ["2013-05"] * (len(rows) - 200)),
        label="late",
        task=TaskFacts(threshold=0.5),
        request={"n": "int64", "x": "float64"},
        training=learned[["n", "x"]],
        training_labels=(learned["y"] > 0).to_numpy(),
        heldout=held[["n", "x"]],
        heldout_labels=(held["y"] > 0).to_numpy(),
        metrics={"auc": float(roc_auc_score(held["y"] > 0, model.predict_proba(held[["x"]])[:, 1]))},
        run="test",
        git_commit="unknown",
        trained_at=now(),
        lock=None,
    )
    bundle = pack(order, store)
    with Ledger(f"sqlite:///{root / '.proveout' / 'ledger.db'}") as ledger:
        ledger.append("bundle", bundle.digest, bundle, actor="ada", reason="test", at=now())
    return bundle


def membership(batches: list[str]) -> pd.DataFrame:
    """On which side each row of these batches stands."""
    rows = pd.DataFrame({splits.BATCH: batches})
    return splits.table(rows[splits.BATCH], splits.assign(SPLIT, rows, event_key=()))


def put(store: Store, name: str, rows: pd.DataFrame) -> Batch:
    guarded = Guarded(accepted=rows.reset_index(drop=True), refused=rows.iloc[:0].assign(refused_by=""), refusals=())
    return snapshots.store_batch(store, name, guarded, {})


@dataclass
class Run:
    """A finished run of pytest and what it left in the ledger."""

    root: Path
    result: pytest.RunResult

    @property
    def text(self) -> str:
        return self.result.stdout.str() + self.result.stderr.str()

    def ledger(self) -> Ledger:
        return Ledger(f"sqlite:///{self.root / '.proveout' / 'ledger.db'}")

    def entries(self, kind: str):
        with self.ledger() as ledger:
            return ledger.entries(kind=kind)

    @property
    def verdict(self) -> Verdict:
        return read(Verdict, self.entries("verdict")[-1])


class Gate:
    """Runs pytest in the folder of a pytester; called with the checks: a text, or a text for each file."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester

    def __call__(self, checks: str | dict[str, str] | None = None, *arguments: str, required: str | None = None) -> Run:
        files = {} if checks is None else {"test_toy.py": checks} if isinstance(checks, str) else checks
        root = self._pytester.path
        for name, text in files.items():
            (root / "checks" / name).write_text(textwrap.dedent(text))
        if required is not None:
            text = PYPROJECT.replace('["checks/test_toy.py"]', required)
            (root / "pyproject.toml").write_text(text)
            settings._load.cache_clear()
        asked = arguments or ("checks",)
        return Run(root, self._pytester.runpytest_inprocess(*asked, no_reraise_ctrlc=True))
