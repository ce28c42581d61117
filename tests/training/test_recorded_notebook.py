"""training/recorded_notebook.py: an adopted notebook runs unedited, on the snapshot's rows, and its model is packed."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from recorded_notebook import last_model, recorded
from small_pilots import IMPORTS

from proveout import settings as project_settings
from proveout.errors import BundleError, ConfigError, NotebookFailed
from proveout.model.bundle import OpenBundle
from proveout.project import open_store
from proveout.records.adopted_notebook import AdoptedNotebook
from proveout.records.json_form import to_json
from proveout.recovery import handover
from proveout.recovery.places import place_of
from proveout.recovery.recovery_report import PilotMetric
from proveout.training import ingest_steps, recorded_notebook, train_steps
from proveout.training.config import parse_config

CELLS = [
    IMPORTS,
    "df = pd.read_csv('/home/ann/rows.csv')",
    "df['age'] = df['age'].fillna(df['age'].mean())\ndf = df[df['income'] > 25_000]",
    "oops",
    "X = df[['age', 'income']]\ny = df['left']\nX_train, X_test, y_train, y_test = train_test_split(X, y)",
    "model = LogisticRegression(C=strength).fit(X_train, y_train)\npredicted = model.predict(X_test)",
    "print(accuracy_score(y_test, predicted))",
    "rows_by_month.plot()",  # of a table that the cell made that is skipped
]
PYPROJECT = """
[tool.proveout]
model = "pilot"
source = "data/*.parquet"
batch_schema = "schemas.py:Batch"
request_schema = "schemas.py:Request"
features = "flows/features.py:features"
feature_files = ["flows/state/state.json"]
target = "label.py:left"
notebook = "notebooks/pilot.ipynb"
adopted = "flows/adopted.json"
max_rejected_share = 0.1
"""
SCHEMAS = """
import pandera.pandas as pa


class Request(pa.DataFrameModel):
    age: float = pa.Field(nullable=True)
    income: float


class Batch(Request):
    left: int
"""
TRAIN = '[split]\nkind = "notebook"\n[parameters]\nstrength = 0.5\n[infrastructure]\ntimeout_s = 60\n[evaluation]\n'


def _rows(seed: int, size: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": rng.integers(18, 80, size).astype(float), "income": rng.normal(40_000, 9_000, size)})
    frame["left"] = ((frame.age > 50) ^ (rng.random(size) < 0.1)).astype(int)
    frame.loc[::9, "age"] = np.nan
    return frame


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as adopt writes it, of a pilot that reads a file that is not there and splits without a seed."""
    root = tmp_path / "a project"
    for folder in ("data", "flows", "notebooks"):
        (root / folder).mkdir(parents=True)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "schemas.py").write_text(SCHEMAS)
    (root / "label.py").write_text("def left(rows):\n    return rows['left'].astype('boolean')\n")
    (root / "flows/train.toml").write_text(TRAIN)
    _rows(0, 300).to_parquet(root / "data/first.parquet", index=False)
    _rows(0, 300).to_csv(tmp_path / "rows.csv", index=False)
    cells = [cell.replace("/home/ann", str(tmp_path)).replace("strength", "0.5") for cell in CELLS]
    with recorded(cells) as tape:
        one, found = last_model(tape)
        handed = handover.hand_over(tape, one, found, root / "flows")
        assert found.primary is not None
        adopted = AdoptedNotebook(
            prediction=place_of(tape, one.prediction.key),
            source=place_of(tape, found.primary.key),
            source_form=handed.source_form,
            columns=handed.columns,
            skipped_cells=(3,),
            idle_cells=(7,),
        )
    (root / "flows/adopted.json").write_text(to_json(adopted))
    _write_notebook(root, CELLS)
    (tmp_path / "rows.csv").unlink()
    monkeypatch.chdir(root)
    return root


def _write_notebook(root: Path, cells: list[str]) -> None:
    parameters = nbformat.v4.new_code_cell("strength = 1.0", metadata={"tags": ["parameters"]})
    own = [nbformat.v4.new_code_cell(cell, metadata={"proveout": {"cell": place}}) for place, cell in enumerate(cells)]
    nbformat.write(nbformat.v4.new_notebook(cells=[parameters, *own]), root / "notebooks/pilot.ipynb")


def _trained(root: Path, *batches: str) -> tuple[Any, OpenBundle]:
    settings = project_settings.load(root)
    ingest_steps.take_snapshot(settings, ingest_steps.take_batches(settings, batches), onto_latest=False)
    inputs = train_steps.begin(settings, parse_config(TRAIN))
    table = train_steps.make_features(settings, inputs)
    trained = train_steps.run_notebook(settings, inputs, table)
    packed = train_steps.pack_bundle(settings, inputs, table, trained, run="1")
    return trained, OpenBundle(open_store(settings).folder("bundles", packed.digest))


def test_the_bundle_is_that_of_the_pilots_own_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows are the snapshot's, split and parameters those of the run, and the answers those of its model.

    A cell that the model does not need may raise: it is noted.
    """
    trained, bundle = _trained(root, "first")

    side, rows = bundle.membership()["split"].astype(object), pd.read_parquet(root / "data/first.parquet")
    left_out = rows["income"] <= 25_000
    assert side.isna().equals(left_out)
    assert side.value_counts(normalize=True)["holdout"] == pytest.approx(0.25, abs=0.01)
    asked = rows[side == "holdout"]
    right = (bundle.predict(asked[["age", "income"]]) > 0.5) == asked["left"].astype(bool)
    assert json.loads(trained.metrics) == {"accuracy": pytest.approx(right.mean())}
    assert bundle.parameters()["C"] == 0.5
    noted = capsys.readouterr().out
    assert "cell 9 raised, where the model needs nothing: NameError: name 'rows_by_month'" in noted


def test_a_run_is_repeated_and_new_rows_are_learned_from(root: Path) -> None:
    """A split without a seed is the same again, and a mean of more rows is another one, in the bundle too."""
    (_, before), (_, again) = _trained(root, "first"), _trained(root, "first")
    assert before.bundle.digest == again.bundle.digest

    _rows(1, 200).assign(age=70.0).to_parquet(root / "data/second.parquet", index=False)
    _, after = _trained(root, "first", "second")

    hole = pd.DataFrame({"age": [np.nan], "income": [40_000.0]})
    assert len(after.membership()) == 500
    assert after.model_columns(hole)["age"].item() > before.model_columns(hole)["age"].item() + 5


def test_an_edit_that_takes_the_prediction_away_is_told(root: Path) -> None:
    """With the cell, and the way on."""
    _write_notebook(root, [*CELLS[:5], "model = LogisticRegression().fit(X_train, y_train)"])

    with pytest.raises(NotebookFailed, match="failed: cell 5, statement 2: there was no prediction of held-out rows"):
        _trained(root, "first")


def test_columns_that_need_other_rows_are_refused(root: Path) -> None:
    """An edit can make of the notebook one that cannot be served."""
    cells = [*CELLS]
    cells[2] = "df['age'] = df['age'].rank().fillna(0)"
    _write_notebook(root, cells)

    with pytest.raises(BundleError, match="cannot be computed from raw rows: one row alone gives other inputs: age"):
        _trained(root, "first")


def test_a_broken_record_is_told(root: Path) -> None:
    """It is not to be written by hand."""
    (root / "flows/adopted.json").write_text("{}")

    with pytest.raises(ConfigError, match=r"flows/adopted\.json.*Restore the file"):
        recorded_notebook.read(project_settings.load(root))


@pytest.mark.parametrize(
    ("adopted", "split", "said"),
    [(True, 'kind = "random"', 'Write kind = "notebook"'), (False, 'kind = "notebook"', 'Choose kind = "random"')],
)
def test_the_split_is_the_notebooks_own_exactly_where_it_is_adopted(
    root: Path, adopted: bool, split: str, said: str
) -> None:
    """Before anything runs."""
    if not adopted:
        (root / "pyproject.toml").write_text(PYPROJECT.replace('adopted = "flows/adopted.json"\n', ""))

    with pytest.raises(ConfigError, match=said):
        train_steps.begin(project_settings.load(root), parse_config(f"[split]\n{split}\n"))


def test_rows_without_an_outcome_are_not_learned_from(root: Path) -> None:
    """A comparison of two scores that nobody knows yet is a draw: the pilot had no such rows."""
    settings, folder = project_settings.load(root), root / "handed"
    folder.mkdir()
    pd.DataFrame({"left": [1.0, None, 0.0, None]}).to_parquet(folder / handover.RAW)
    pd.DataFrame({"split": ["train", "train", "holdout", None]}).to_parquet(folder / handover.SIDES)
    recorded_notebook.check_learned(settings, folder)  # the pilot fills them in

    file = root / "flows/adopted.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "learns_unknown": False}))
    with pytest.raises(ConfigError, match=r"it learned from 1 rows that have no outcome yet by label\.py:left"):
        recorded_notebook.check_learned(settings, folder)


def test_metrics_on_outcomes_that_nobody_knows_keep_names_of_their_own(root: Path) -> None:
    """A notebook that fills the holes of its target measures on what it has filled in: 2 of these 4 rows."""
    settings, folder = project_settings.load(root), root / "handed"
    folder.mkdir()
    pd.DataFrame({"left": [1.0, None, 0.0, None, 1.0]}).to_parquet(folder / handover.RAW)
    pd.DataFrame({"row": [0, 1, 2, 3], "truth": [1, 1, 0, 1], "answer": [1, 1, 1, 0]}).to_parquet(
        folder / handover.HELD_OUT
    )
    assert recorded_notebook.other_outcomes(settings, folder) == 2

    numbers = settings.model_copy(update={"task": "regression", "target": "left"})
    assert recorded_notebook.other_outcomes(numbers, folder) == 2
    pd.DataFrame({"left": [1.0, 1.0, 0.0, 1.0, 1.0]}).to_parquet(folder / handover.RAW)
    assert recorded_notebook.other_outcomes(numbers, folder) == 0


def test_what_a_pilot_measured_with_options_has_a_name_of_its_own():
    """`recall_score(..., average="macro")` is not the recall of the task, and no reason to refuse the model."""
    measured = (
        PilotMetric(name="accuracy_score", value=0.9, cell=3),
        PilotMetric(name="recall_score", value=0.77, cell=3, plain=False),
    )
    found = SimpleNamespace(metrics=measured, found=5, asked=5, task="binary")

    assert recorded_notebook.metrics(found) == {"accuracy": 0.9, "pilot_recall_score": 0.77}
