"""reproduction.py: the same configuration and data give the same bundle; a notebook without a seed does not."""

import json
import shutil
from functools import cache

import pytest

from proveout import settings as project_settings
from proveout.evaluation import reproducibility
from proveout.evaluation.context import EvaluationContext
from proveout.evaluation.reproducibility import Retraining
from proveout.project import open_store
from proveout.training import ingest_steps, train_steps

FILES = {
    "pyproject.toml": """
[tool.proveout]
model = "tiny"
source = "data.py:source"
batch_schema = "data.py:Batch"
request_schema = "data.py:Request"
features = "features.py:features"
target = "data.py:late"
fallback = "data.py:late"
actions = "data.py:late"
notebook = "pilot.ipynb"
event_key = ["id"]
required_checks = ["checks/"]
""",
    "data.py": """
import numpy as np
import pandas as pd
import pandera.pandas as pa


class Request(pa.DataFrameModel):
    id: int
    x: float

    class Config:
        strict = True


class Batch(Request):
    y: float


def source(name, tables):
    random = np.random.default_rng(int(name))
    x = random.normal(size=200)
    return pd.DataFrame({"id": np.arange(200) + 1000 * int(name), "x": x, "y": x + random.normal(size=200)})


def late(rows):
    return (rows["y"] > 0).astype("boolean")
""",
    "features.py": """
def features(rows):
    return rows[["x"]]
""",
}
CELLS = (
    ("parameters", 'features_path = "features.parquet"'),
    ("", "import pandas as pd\nfrom sklearn.linear_model import SGDClassifier\nrows = pd.read_parquet(features_path)"),
    ("", "train = rows[rows['split'] == 'train']"),
    ("", "model = SGDClassifier(loss='log_loss', alpha=0.01, random_state=SEED).fit(train[['x']], train['late'])"),
    ("", "metrics = {'score': float(model.score(train[['x']], train['late']))}"),
)
CONFIG = {
    "split": {"kind": "time", "train_through": "1", "holdout": "2"},
    "parameters": {},
    "infrastructure": {"threads": 1, "timeout_s": 120, "cell_timeout_s": 120},
    "decision": {"threshold": 0.5},
}


@pytest.fixture(scope="module")
def trained_with(tmp_path_factory):
    """A project trained by its own notebook: `trained_with("0")`, or without a seed `trained_with("None")`."""

    @cache
    def build(seed: str) -> EvaluationContext:
        root = tmp_path_factory.mktemp("project")
        for name, text in FILES.items():
            (root / name).write_text(text)
        cells = [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"c{place}",
                "metadata": {"tags": [tag] if tag else []},
                "outputs": [],
                "source": text.replace("SEED", seed),
            }
            for place, (tag, text) in enumerate(CELLS)
        ]
        notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (root / "pilot.ipynb").write_text(json.dumps(notebook))
        settings = project_settings.load(root)
        ingest_steps.take_snapshot(settings, ingest_steps.take_batches(settings, ("1", "2")), onto_latest=False)
        inputs = train_steps.begin(settings, CONFIG)
        table = train_steps.make_features(settings, inputs)
        made = train_steps.run_notebook(settings, inputs, table)
        packed = train_steps.pack_bundle(settings, inputs, table, made, run="TrainFlow/1")
        return EvaluationContext(settings, open_store(settings).folder("bundles", packed.digest))

    return build


@pytest.fixture
def again():
    """`again(made)`: what training again of `made` showed. Whatever it wrote is gone at the end."""
    begun = []

    def asked(made, *, project=None, timeout_s=None, **bounds):
        begun.append(Retraining(made.folder, project or made.settings, timeout_s=timeout_s))
        return reproducibility.again(made.candidate, made.holdout, begun[-1], **bounds)

    yield asked
    for one in begun:
        one.close()
        assert not one.into.exists()


def everything_in(folder):
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.chaos  # that it does is in each run of all checks, such as that of tests/line/test_reference_checks.py
def test_a_notebook_with_a_seed_makes_the_same_bundle_again(trained_with, again):
    """And asking leaves nothing behind: the store has no second bundle, the ledger no second entry."""
    made = trained_with("0")
    before = everything_in(made.settings.state_dir)

    files, seconds = again(made)

    assert files.holds
    assert files.decision == "the same digest"
    assert files.covers == ("infra-1",)
    assert seconds.value > 0
    assert everything_in(made.settings.state_dir) == before


def test_a_notebook_without_a_seed_is_caught(trained_with, again):
    """Nobody can say which of its models was judged."""
    made = trained_with("None")

    files, apart, _ = again(made, apart_at_most=1e-6)

    assert files.decision == "model.skops"
    assert apart.breaks
    assert apart.value > 1e-6


def test_training_that_no_longer_runs_is_no_reproduction(trained_with, again, tmp_path):
    """A bundle whose training cannot be run again cannot be mended either."""
    made = trained_with("0")
    shutil.copytree(made.settings.root, tmp_path / "now")
    (tmp_path / "now" / "features.py").write_text("def features(rows):\n    raise OSError('the disk is gone')\n")

    [files] = again(made, project=project_settings.load(tmp_path / "now"))

    assert files.breaks
    assert "the disk is gone" in files.decision


def test_training_that_takes_too_long_is_no_reproduction(trained_with, again):
    """A notebook that hangs would hold the gate for ever."""
    [files] = again(trained_with("0"), timeout_s=0.5)

    assert files.breaks
    assert "not done after 0.5 s" in files.decision


def test_closed_early_it_leaves_no_process(trained_with):
    """A gate that stops at its first failure has begun it all the same."""
    made = trained_with("0")

    begun = Retraining(made.folder, made.settings)
    begun.close()

    assert begun.end() == (None, "it was closed")
    assert not begun.into.exists()


def test_the_cause_is_named_before_what_it_brought_about():
    """Other features make another model: whoever reads "model.skops" looks in the wrong place."""
    one = {"model.skops": "1", "code/features.py": "1", "config.json": "1"}

    differing = reproducibility._differing(one, {"model.skops": "2", "code/features.py": "2", "config.json": "1"})

    assert differing == ["code/features.py", "model.skops"]
