"""evaluation/purity.py and row_dependence.py: what a feature or a label knows besides its row is found, by name."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.dummy import DummyClassifier

from proveout import settings
from proveout.data.store import Store
from proveout.errors import ConfigError
from proveout.evaluation import row_dependence
from proveout.evaluation.context import LabelledRows
from proveout.model import bundle, packing
from proveout.records.answer import TaskFacts
from proveout.records.train_config import RandomSplit, TrainConfig
from proveout.records.values import Digest

PYPROJECT = """
[tool.proveout]
model = "shop"
source = "flows/features.py:none"
batch_schema = "flows/features.py:none"
request_schema = "flows/features.py:none"
features = "flows/features.py:features"
target = "flows/features.py:label"
fallback = "flows/features.py:none"
actions = "flows/features.py:none"
notebook = "pilot.ipynb"
event_key = ["id"]
required_checks = ["checks"]
feature_files = FILES
"""
PLACES = "code,visitors\na,10\nb,20\n"
HONEST = """
from pathlib import Path

import pandas as pd

visitors = pd.read_csv(Path(__file__).with_name("places.csv")).set_index("code")["visitors"]


def features(rows):
    return pd.DataFrame({"spent": rows["spent"] * 2, "visitors": rows["place"].map(visitors)})


def label(rows):
    return rows["spent"] > 0
"""
CURIOUS = """
import os
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

started = time.time()
try:
    outcomes = pd.read_csv("OUTCOMES")["late"]
except OSError:
    outcomes = [0]


def features(rows):
    return pd.DataFrame({
        "honest": rows["spent"],
        "by_outcome": rows["spent"] * outcomes[0],
        "by_today": rows["spent"] + datetime.now().timetuple().tm_yday,
        "by_start": rows["spent"] - started,
        "by_stamp": rows["spent"] + pd.Timestamp.now().dayofyear,
        "by_variable": rows["spent"] * float(os.environ.get("SHOP_FACTOR", "1")),
        "by_rank": rows["spent"].rank(),
        "by_mean": rows["spent"] - rows["spent"].mean(),
        "by_place_in_the_batch": rows.groupby("place").cumcount(),
    })


def label(rows):
    assert np.datetime64("today") > np.datetime64("2020-01-01")
    return rows["spent"] > float(os.environ.get("SHOP_FACTOR", "1"))
"""


@pytest.fixture
def project(tmp_path):
    """A project whose features are this source, packed: its settings, the opened bundle and rows held out."""
    root = tmp_path / "project"
    (root / "flows").mkdir(parents=True)
    (root / "pilot.ipynb").write_text('{"cells": []}')
    (root / "flows" / "places.csv").write_text(PLACES)
    random = np.random.default_rng(0)
    rows = pd.DataFrame({"id": range(400), "spent": random.normal(size=400), "place": random.choice(["a", "b"], 400)})
    labels = (rows["spent"] > 0).to_numpy()

    def build(source: str, *, files: tuple[str, ...] = ()):
        (root / "pyproject.toml").write_text(PYPROJECT.replace("FILES", json.dumps(files)))
        (root / "flows" / "features.py").write_text(source)
        settings._load.cache_clear()
        loaded = settings.load(root)
        for name in [
            name for name in sys.modules if name.startswith("proveout_user_") and name.endswith("features_py")
        ]:
            del sys.modules[name]  # loaded once per process, and here it is another one each time
        seen = settings.load_object(loaded.features, root)(rows)
        skops.io.dump(DummyClassifier(strategy="prior").fit(seen, labels), tmp_path / "model.skops")
        order = packing.PackOrder(
            model="shop", model_file=tmp_path / "model.skops", features=loaded.features, root=root,
            feature_files=loaded.feature_files, notebook=root / "pilot.ipynb", executed=root / "pilot.ipynb",
            config=TrainConfig(split=RandomSplit()), membership=pd.DataFrame({"batch": ["1"], "split": ["train"]}),
            snapshot=Digest("5" * 64), label="late", task=TaskFacts(threshold=0.5),
            request={name: str(rows[name].dtype) for name in rows}, training=rows, training_labels=labels,
            heldout=rows, heldout_labels=labels, metrics={}, run="test", git_commit="unknown",
            trained_at="2026-01-01T00:00:00.000+00:00", lock=None,
        )  # fmt: skip
        store = Store(str(tmp_path / "store"))
        opened = bundle.open_bundle(store.folder("bundles", packing.pack(order, store).digest))
        return loaded, opened, LabelledRows(raw=rows.assign(batch="2"), records=rows, labels=labels)

    return build


def by_condition(found) -> dict[str, str]:
    """The fault found in the features, by the thing that differed."""
    return {one.slice or one.name: one.decision for one in found if not one.holds}


def test_features_that_know_more_than_the_row_are_named_with_what_they_know(project, tmp_path, monkeypatch):
    """Each of these makes a model better at the gate than it will ever be in the server."""
    outcomes = tmp_path / "outcomes.csv"
    outcomes.write_text("late\n1\n")
    monkeypatch.setenv("SHOP_FACTOR", "3")
    loaded, candidate, holdout = project(CURIOUS.replace("OUTCOMES", str(outcomes)))

    assert by_condition(row_dependence.pure_features(candidate, holdout, project=loaded)) == {
        "another process in an empty folder": "by_outcome, by_start",
        "no environment variables": "by_variable",
        "another clock": "by_today, by_start, by_stamp",
        "another order of rows": "by_place_in_the_batch",
        "half of the rows": "by_rank, by_mean, by_place_in_the_batch",
        "one row at a time": "by_rank, by_mean, by_place_in_the_batch",
        "files read that are not packed": str(outcomes),
    }
    assert by_condition(row_dependence.pure_label(holdout, project=loaded)) == {
        "no environment variables": "label",
        "another clock": "the source says datetime64('today')",
        "files read outside the project": str(outcomes),
    }


def test_a_declared_file_is_packed_beside_the_features_and_part_of_the_digest(project):
    """The server has no flows/ folder; and another table of places is another model."""
    loaded, candidate, holdout = project(HONEST, files=("flows/places.csv",))

    assert by_condition(row_dependence.pure_features(candidate, holdout, project=loaded)) == {}
    assert (candidate.folder / "code" / "places.csv").read_text() == PLACES
    (loaded.root / "flows" / "places.csv").write_text(PLACES.replace("20", "21"))
    assert project(HONEST, files=("flows/places.csv",))[1].bundle.digest != candidate.bundle.digest


def test_a_file_beside_the_features_that_is_not_declared_is_not_found(project):
    """In the project it lies there, so training goes well; the server would fall over its first request."""
    with pytest.raises(FileNotFoundError, match=r"code/places\.csv"):
        project(HONEST)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("flows/nowhere.csv", "there is no file flows/nowhere.csv"),
        ("data/places.csv", "has to lie in flows/"),
        ("flows/../places.csv", "has to lie in flows/"),
        ("flows/features.py", "is code"),
    ],
)
def test_a_file_that_cannot_be_packed_is_refused_when_the_project_loads(tmp_path, file, said):
    """Later it would be a server without it."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.replace("FILES", json.dumps([file])))
    with pytest.raises(ConfigError, match=said):
        settings.load(tmp_path)
