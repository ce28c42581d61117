"""training/object_run.py: an object that a notebook has fitted is a candidate like any other."""

import io

import pandas as pd
import pytest
from run_project import FILES
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from proveout import settings as project_settings
from proveout.errors import BundleError
from proveout.model.bundle import OpenBundle
from proveout.project import open_store
from proveout.training import ingest_steps, object_run, train_steps
from proveout.training.config import parse_config


@pytest.fixture
def fitted(root):
    """Settings of a project with a snapshot, and a model that was fitted to its table."""
    # The outcome of the toy's batches is false, true, true; the gate is not asked here.
    settings = project_settings.load(root)
    ingest_steps.take_snapshot(settings, ingest_steps.take_batches(settings, ("1", "2")), onto_latest=False)
    inputs = train_steps.begin(settings, parse_config(FILES["flows/train.toml"]))
    table = pd.read_parquet(io.BytesIO(train_steps.make_features(settings, inputs).parquet))
    train = table[table["split"] == "train"]
    return settings, make_pipeline(SimpleImputer(), LogisticRegression()).fit(train[["x"]], train["late"])


def test_an_object_is_packed_and_judged(fitted, monkeypatch):
    """On the held-out rows of train.toml, with the project's features."""
    settings, model = fitted
    judged = []
    monkeypatch.setattr(train_steps, "judge", lambda settings, inputs, packed: judged.append(packed) or "a verdict")

    assert object_run.judge(settings, model, {"own_number": 0.5}) == "a verdict"

    [packed] = judged
    assert packed.run == object_run.RUN
    bundle = OpenBundle(open_store(settings).folder("bundles", packed.digest))
    rows = pd.DataFrame({"id": [7], "x": [3.0]})
    assert bundle.predict(rows)[0] == pytest.approx(model.predict_proba(pd.DataFrame({"x": [6.0]}))[0, 1])


def test_a_number_that_the_object_does_not_have_is_refused(fitted):
    """As for a notebook: stated metrics are measured again."""
    settings, model = fitted

    with pytest.raises(BundleError, match=r"they are not those of the model on the held-out rows: auc 0\.123"):
        object_run.judge(settings, model, {"auc": 0.123})
