"""run_inputs.py and the steps of flows/train.py: a run ends with the files it began with, or not at all."""

import io
import os
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from proveout import settings as project_settings
from proveout.errors import BundleError, InputsChanged, UsageError
from proveout.records.snapshot import Snapshot
from proveout.records.values import Digest
from proveout.training import flow_steps, run_inputs
from proveout.training.config import parse_config, read_config

FILES = {
    "pyproject.toml": """
[tool.proveout]
model = "tiny"
source = "data.py:source"
batch_schema = "schemas.py:Batch"
request_schema = "schemas.py:Request"
features = "features.py:features"
target = "label.py:late"
fallback = "serve/fallback.py:rules"
actions = "serve/actions.py:action"
cost_function = "serve/costs.py:cost"
notebook = "pilot.ipynb"
event_key = ["id"]
feature_files = ["airports.csv"]
required_checks = ["checks/"]
""",
    "data.py": """
import pandas as pd


def source(name, tables):
    return pd.DataFrame({"id": [1, 2, 3], "x": [1.0, None, 3.0], "y": [0.0, 1.0, 2.0]})
""",
    "schemas.py": """
import pandera.pandas as pa


class Request(pa.DataFrameModel):
    id: int
    x: float = pa.Field(nullable=True)


class Batch(Request):
    y: float
""",
    "features.py": "import units\n\n\ndef features(rows):\n    return rows[['x']] * units.SCALE\n",
    "units.py": "SCALE = 2\n",
    "label.py": "def late(rows):\n    return (rows['y'] > 0).astype('boolean')\n",
    "serve/fallback.py": "def rules(record):\n    return 0.5\n",
    "serve/actions.py": "def action(answer):\n    return 'wait'\n",
    "serve/costs.py": "def cost(label, probability, outcome):\n    return 0.0\n",
    "pilot.ipynb": '{"cells": [{"cell_type": "code", "source": ["%matplotlib inline\\n", "import steps"]}]}',
    "steps.py": "",
    "idle.py": "",
    "airports.csv": "code,x\n",
    "requirements.lock": "numpy==2\n",
    "flows/train.toml": """
[data]
version = "latest"
[split]
kind = "time"
train_through = "1"
holdout = "2"
[parameters]
[infrastructure]
cpu = 1
memory_mb = 1000
threads = 1
retries = 0
timeout_s = 60
cell_timeout_s = 60
[decision]
threshold = 0.5
[evaluation]
auc_at_least = 0.7
""",
}
READ_AGAIN = sorted(set(FILES) - {"data.py", "idle.py", "pyproject.toml"})
NOTHING = Snapshot(digest=Digest("a" * 64), batches=())


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A small project with a folder for each kind of file."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(flow_steps.CONFIG_FILE, str(tmp_path / "flows" / "train.toml"))
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def began(root):
    """What a run in that project begins with, on data that no test reads."""
    return run_inputs.record(
        project_settings.load(root),
        snapshot=NOTHING,
        config=read_config(parse_config(FILES["flows/train.toml"])),
        config_file=root / "flows" / "train.toml",
    )


def parquet(**columns):
    packed = io.BytesIO()
    pd.DataFrame(columns).to_parquet(packed)
    return packed.getvalue()


@pytest.mark.parametrize("name", READ_AGAIN)
def test_a_file_edited_while_a_run_goes_on_stops_it(root, began, name):
    """Learned from the old features and packed with the new ones, a bundle was approved."""
    settings = project_settings.load(root)
    run_inputs.check(settings, began)

    (root / name).write_text(FILES[name] + ("[extra]" if name.endswith(".toml") else "\n"))

    with pytest.raises(InputsChanged) as refused:
        run_inputs.check(settings, began)
    assert refused.value.names == (name,)
    assert f"{name} changed since it began" in str(refused.value)
    assert "Start a new run: python flows/train.py run" in str(refused.value)


def test_another_bound_does_not_stop_it(root, began):
    """Bounds are the gate's to read, and the verdict says which: no model depends on them."""
    bound = FILES["flows/train.toml"].replace("auc_at_least = 0.7", "auc_at_least = 0.6  # for now")
    (root / "flows" / "train.toml").write_text(bound)

    run_inputs.check(project_settings.load(root), began)


def test_a_file_that_is_gone_stops_it_and_one_that_nothing_reads_does_not(root, began):
    """A checkout of another branch takes files away; notes and other flows may change at any time."""
    (root / "idle.py").write_text("EDITED = 1")
    (root / "data.py").write_text("EDITED = 1")  # the snapshot is there already
    run_inputs.check(project_settings.load(root), began)

    (root / "serve" / "actions.py").unlink()

    with pytest.raises(InputsChanged, match=r"serve/actions\.py changed"):
        run_inputs.check(project_settings.load(root), began)


def test_a_setting_that_names_other_code_stops_it(root, began):
    """Also where a variable names it, and no file was edited."""
    settings = project_settings.load(root).model_copy(update={"target": "label.py:later"})

    with pytest.raises(InputsChanged) as refused:
        run_inputs.check(settings, began)

    assert set(refused.value.names) == {"target in [tool.proveout]"}


def test_another_version_of_a_library_stops_a_run_that_is_resumed(root, began):
    """Between a run and its `resume` lies a night, or an upgrade."""
    older = {**began.digests, "the installed scikit-learn": "0" * 64}

    with pytest.raises(InputsChanged, match="the installed scikit-learn changed"):
        run_inputs.check(project_settings.load(root), replace(began, digests=older))


@pytest.mark.parametrize(
    "step",
    [
        lambda settings, began: flow_steps.make_features(settings, began),
        lambda settings, began: flow_steps.run_notebook(settings, began, flow_steps.Table(parquet=b"", rows=0)),
        lambda settings, began: flow_steps.pack_bundle(
            settings, began, flow_steps.Table(parquet=b"", rows=0), None, run="1"
        ),
        lambda settings, began: flow_steps.judge(settings, began, None),
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
    flow_steps.take_snapshot(settings, flow_steps.take_batches(settings, ("1", "2")), onto_latest=False)
    inputs = flow_steps.begin(settings, parse_config(FILES["flows/train.toml"]))
    given = pd.read_parquet(io.BytesIO(flow_steps.make_features(settings, inputs).parquet))
    assert given["x"].tolist() == pytest.approx([2.0, np.nan, 6.0, 2.0, np.nan, 6.0], nan_ok=True)
    assert flow_steps.table_differences(parquet(**given), parquet(**given)) == {}

    given.loc[[0, 4], "x"] = [2.5, 0.0]  # another value, and one for a null
    other = io.BytesIO()
    given.to_parquet(other, index=False)

    with pytest.raises(BundleError, match="not those that the notebook was given: x in 2 cells"):
        flow_steps.pack_bundle(settings, inputs, flow_steps.Table(parquet=other.getvalue(), rows=6), None, run="1")


def test_tables_are_compared_cell_by_cell():
    """Exactly: the last bit counts, and nothing that is not known equals itself."""
    table = {"x": [0.1 + 0.2, np.nan], "name": ["a", None], "n": [1, 2]}

    assert flow_steps.table_differences(parquet(**table), parquet(**table)) == {}
    assert flow_steps.table_differences(parquet(**table), parquet(**{**table, "x": [0.3, np.nan]})) == {"x": 1}
    assert flow_steps.table_differences(parquet(**table), parquet(**{**table, "name": ["b", None]})) == {"name": 1}
    assert flow_steps.table_differences(parquet(**table), parquet(**{**table, "n": [1.0, 2.0]})) == {"n": 2}
    assert flow_steps.table_differences(parquet(**table), parquet(x=table["x"], name=table["name"])) == {"n": 2}


def test_a_resumed_run_says_whose_configuration_it_has(root, began, monkeypatch, capsys):
    """Metaflow hands it the values of the run that it resumes, whatever train.toml says by now."""
    monkeypatch.setattr(flow_steps, "_resumed", lambda: "17")

    flow_steps._same_inputs(project_settings.load(root), began)

    assert "goes on with the code and the configuration that run 17 began with" in capsys.readouterr().out

    (root / "flows" / "train.toml").write_text(FILES["flows/train.toml"].replace("threads = 1", "threads = 2"))
    with pytest.raises(InputsChanged, match=r"flows/train\.toml changed"):
        flow_steps._same_inputs(project_settings.load(root), began)


def test_a_run_that_never_began_is_not_resumed(root, monkeypatch):
    """Its configuration would be the old one, and there is nothing to go on with."""
    monkeypatch.setattr(flow_steps, "_resumed", lambda: "17")

    with pytest.raises(UsageError, match="start a new one"):
        flow_steps.begin(project_settings.load(root), parse_config(FILES["flows/train.toml"]))


def test_the_file_of_the_configuration_is_the_one_that_was_named(root, monkeypatch):
    """`--config config other.toml`: what is compared later is that one. A step knows it from its run."""
    (root / "flows" / "train.py").write_text("")
    other = root / "flows" / "other.toml"
    monkeypatch.setenv("METAFLOW_DATASTORE_SYSROOT_LOCAL", str(root))  # what `prepare` sets would stay set
    monkeypatch.setenv("METAFLOW_USER", "ada")
    monkeypatch.setattr(sys, "argv", ["flows/train.py", "--config", "config", str(other), "run"])
    flow_steps.prepare(root / "flows" / "train.py")
    assert os.environ[flow_steps.CONFIG_FILE] == str(other)

    monkeypatch.setattr(sys, "argv", ["flows/train.py", "--config-value", "config", "kv.config", "step", "fit"])
    flow_steps.prepare(root / "flows" / "train.py")
    assert os.environ[flow_steps.CONFIG_FILE] == str(other)

    monkeypatch.setattr(sys, "argv", ["flows/train.py", "run"])
    flow_steps.prepare(root / "flows" / "train.py")
    assert os.environ[flow_steps.CONFIG_FILE] == str(root / "flows" / "train.toml")


def test_a_file_with_other_values_is_not_taken_for_the_configuration(root, monkeypatch):
    """Values can come from elsewhere too, as from a notebook that starts the flow."""
    monkeypatch.setattr(flow_steps, "choose_data", lambda *_: NOTHING)
    config = parse_config(FILES["flows/train.toml"])
    settings = project_settings.load(root)

    assert flow_steps.begin(settings, config).config_file == "flows/train.toml"
    assert flow_steps.begin(settings, {**config, "parameters": {"depth": 3}}).config_file is None
