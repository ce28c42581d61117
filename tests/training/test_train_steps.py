"""training/train_steps.py: each step goes on with what the run began with, or stops."""

import io

import numpy as np
import pandas as pd
import pytest
from run_project import FILES, NOTHING

from proveout import settings as project_settings
from proveout.errors import BundleError, InputsChanged, UsageError
from proveout.training import ingest_steps, notebook_table, train_steps
from proveout.training.config import parse_config

TRAINED = train_steps.Trained(model=b"", metrics="{}", notebook=b"", seconds=0)


@pytest.mark.parametrize(
    "step",
    [
        lambda settings, began: train_steps.make_features(settings, began),
        lambda settings, began: train_steps.run_notebook(settings, began, notebook_table.Table(parquet=b"", rows=0)),
        lambda settings, began: train_steps.pack_bundle(
            settings, began, notebook_table.Table(parquet=b"", rows=0), None, run="1"
        ),
        lambda settings, began: train_steps.judge(settings, began, None),
    ],
    ids=["features", "fit", "pack", "judge"],
)
def test_each_step_looks_before_it_reads(root, began, step):
    """Whichever step comes after the edit, that one stops."""
    (root / "features.py").write_text(FILES["features.py"].replace("* units", "+ units"))

    with pytest.raises(InputsChanged, match=r"features\.py changed"):
        step(project_settings.load(root), began)


def test_features_that_come_out_otherwise_are_not_packed(root):
    """A file or a clock that features read is in no digest: the model's columns themselves are compared."""
    settings = project_settings.load(root)
    ingest_steps.take_snapshot(settings, ingest_steps.take_batches(settings, ("1", "2")), onto_latest=False)
    inputs = train_steps.begin(settings, parse_config(FILES["flows/train.toml"]))
    given = pd.read_parquet(io.BytesIO(train_steps.make_features(settings, inputs).parquet))
    assert given["x"].tolist() == pytest.approx([2.0, np.nan, 6.0, 2.0, np.nan, 6.0], nan_ok=True)
    assert notebook_table.table_differences(notebook_table.as_parquet(given), notebook_table.as_parquet(given)) == {}

    given.loc[[0, 4], "x"] = [2.5, 0.0]  # another value, and one for a null
    other = io.BytesIO()
    given.to_parquet(other, index=False)
    table = notebook_table.Table(parquet=other.getvalue(), rows=6)

    with pytest.raises(BundleError, match="differ from those that the notebook got: x in 2 cells"):
        train_steps.pack_bundle(settings, inputs, table, TRAINED, run="1")


def test_a_resumed_run_says_whose_configuration_it_has(root, began, monkeypatch, capsys):
    """Metaflow hands it the values of the run that it resumes, whatever train.toml says by now."""
    monkeypatch.setattr(train_steps, "_resumed", lambda: "17")

    train_steps._same_inputs(project_settings.load(root), began)

    assert "continues with the code and configuration of run 17" in capsys.readouterr().out

    (root / "flows" / "train.toml").write_text(FILES["flows/train.toml"].replace("threads = 1", "threads = 2"))
    with pytest.raises(InputsChanged, match=r"flows/train\.toml changed"):
        train_steps._same_inputs(project_settings.load(root), began)


def test_a_run_that_never_began_is_not_resumed(root, monkeypatch):
    """It would use the old configuration, and has no finished step to continue from."""
    monkeypatch.setattr(train_steps, "_resumed", lambda: "17")

    with pytest.raises(UsageError, match="Start a new one"):
        train_steps.begin(project_settings.load(root), parse_config(FILES["flows/train.toml"]))


def test_a_file_with_other_values_is_not_taken_for_the_configuration(root, monkeypatch):
    """Values can come from elsewhere too, as from a notebook that starts the flow."""
    monkeypatch.setattr(train_steps, "choose_data", lambda *_: NOTHING)
    config = parse_config(FILES["flows/train.toml"])
    settings = project_settings.load(root)

    assert train_steps.begin(settings, config).config_file == "flows/train.toml"
    assert train_steps.begin(settings, {**config, "parameters": {"depth": 3}}).config_file is None
