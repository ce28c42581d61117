"""A small real project whose candidate is worth breaking: text, a clock, a measure, three batches, a direct path."""

from pathlib import Path

import numpy as np
import pandas as pd
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from proveout import settings
from proveout.data import features, snapshots
from proveout.data.guard import Guarded
from proveout.data.store import Store
from proveout.ledger.ledger import Ledger
from proveout.model.packing import PackOrder, pack
from proveout.records.answer import TaskFacts, TaskName
from proveout.records.bundle import Bundle
from proveout.records.train_config import TimeSplit, TrainConfig
from proveout.records.values import now
from proveout.settings import Settings

PYPROJECT = """
[tool.proveout]
model = "trips"
source = "trips.py:source"
batch_schema = "trips.py:Rows"
request_schema = "trips.py:Request"
features = "trips.py:features"
task = "{task}"
target = "trips.py:{target}"
fallback = "trips.py:rules"
actions = "trips.py:action"
notebook = "trips.ipynb"
event_key = ["n"]
required_checks = ["checks"]
deadline_s = 0.05
"""
CODE = '''
import pandera.pandas as pa

class Request(pa.DataFrameModel):
    n: int
    company: str
    start_hour: int = pa.Field(ge=0, le=23)
    distance: float = pa.Field(description="miles")
    class Config:
        coerce = True

def features(rows):
    """The model's columns."""
    return rows[["company", "start_hour", "distance"]]

def late(rows):
    return (rows["delay"] > 0).where(rows["delay"].notna())

def delay(rows):
    return rows["delay"]

def when(rows):
    words = rows["delay"].gt(0).map({True: "late", False: "on time"}).mask(rows["delay"] > 2, "very late")
    return words.where(rows["delay"].notna())
'''
TARGETS: dict[TaskName, str] = {"binary": "late", "regression": "delay", "multiclass": "when"}
REQUEST = {"n": "int64", "company": "str", "start_hour": "int64", "distance": "float64"}
BATCHES = ("2013-03", "2013-04", "2013-05")
ROWS = 600


def trips() -> pd.DataFrame:
    """Late in the evening, on long ways, and with company C; in the first batch more so."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "n": range(3 * ROWS),
            "company": pd.Series(random.choice(["A", "B", "C"], 3 * ROWS), dtype="str"),
            "start_hour": random.integers(0, 24, 3 * ROWS),
            "distance": random.gamma(4, 25, 3 * ROWS),
        }
    )
    weight = np.where(rows["n"] < ROWS, 2.0, 1.0)
    signal = weight * (rows["start_hour"] - 12) / 6 + (rows["distance"] - 100) / 50 + (rows["company"] == "C") * 1.5 - 2
    rows["delay"] = signal + random.logistic(size=3 * ROWS)
    return rows


def make(root: Path, checks: str, *, task: TaskName = "binary") -> tuple[Settings, Bundle]:
    """The project in `root`, with a packed candidate of a task in its store and ledger."""
    (root / "checks").mkdir()
    pyproject = PYPROJECT.format(task=task, target=TARGETS[task])
    for name, text in {"pyproject.toml": pyproject, "trips.py": CODE, "checks/test_trips.py": checks}.items():
        (root / name).write_text(text)
    (root / "trips.ipynb").write_text('{"cells": []}')
    project = settings.load(root)
    store, rows = Store(project.store), trips()
    batches = []
    for place, name in enumerate(BATCHES):
        part = rows[place * ROWS : (place + 1) * ROWS].reset_index(drop=True)
        guarded = Guarded(accepted=part, refused=part.iloc[:0].assign(refused_by=""), refusals=())
        batches.append(snapshots.store_batch(store, name, guarded, {}))
    learned, held = rows[: 2 * ROWS], rows[2 * ROWS :]
    wanted = [features.labels(project, part).to_numpy() for part in (learned, held)]
    wanted = [part.astype({"binary": bool, "regression": float, "multiclass": object}[task]) for part in wanted]
    model = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["company"]), (StandardScaler(), ["start_hour", "distance"])
        ),
        Ridge() if task == "regression" else LogisticRegression(),
    ).fit(learned[["company", "start_hour", "distance"]], wanted[0])
    skops.io.dump(model, root / "model.skops")
    metrics = {"cost": 3.0}
    if task == "binary":
        scores = model.predict_proba(held[["company", "start_hour", "distance"]])[:, 1]
        metrics["auc"] = float(roc_auc_score(wanted[1], scores))
    columns = list(REQUEST)
    bundle = pack(
        PackOrder(
            model="trips",
            model_file=root / "model.skops",
            features="trips.py:features",
            root=root,
            notebook=root / "trips.ipynb",
            executed=root / "trips.ipynb",
            config=TrainConfig(split=TimeSplit(train_through="2013-04", holdout="2013-05")),
            snapshot=snapshots.extend(store, None, batches).digest,
            membership=pd.DataFrame(
                {
                    "batch": np.repeat(BATCHES, ROWS),
                    "split": np.repeat(["train", "train", "holdout"], ROWS),
                }
            ),
            label=TARGETS[task],
            task=TaskFacts(task=task, threshold=0.5 if task == "binary" else None),
            request=REQUEST,
            training=learned[columns],
            training_labels=wanted[0],
            heldout=held[columns],
            heldout_labels=wanted[1],
            metrics=metrics,
            run="test",
            git_commit="unknown",
            trained_at=now(),
            lock=None,
        ),
        store,
    )
    with Ledger(project.ledger) as ledger:
        ledger.append("bundle", bundle.digest, bundle, actor="ada", reason="test", at=now())
    return project, bundle
