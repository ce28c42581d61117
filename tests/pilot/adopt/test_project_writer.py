"""A pilot becomes a project: its files load and hang together, and the pilot itself is as it was."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import adopted_pilots
import nbformat
import numpy as np
import pandas as pd
import pytest

from proveout.data import features, guard, request_columns
from proveout.errors import UsageError
from proveout.pilot.adopt import pilot_run, plan, plan_choices, project_writer
from proveout.pilot.adopt.plan import Plan
from proveout.records.adopted_notebook import AdoptedNotebook
from proveout.records.json_form import from_json
from proveout.recovery.tables import equal_rows
from proveout.schema import request_schema
from proveout.settings import load_object, read_bounds, said_in_file
from proveout.training.config import parse_config

TODAY = "2026-11-27"


@dataclass(frozen=True)
class Made:
    """A pilot, its plan, and the project."""

    folder: Path
    before: dict[str, bytes]
    plan: Plan
    root: Path


def adopted(folder: Path, write: Callable[[Path], Path]) -> Made:
    own, found = folder / "pilot", folder / "found"
    own.mkdir()
    found.mkdir()
    notebook = write(own)
    before = {file.name: file.read_bytes() for file in own.iterdir()}
    run = pilot_run.run(notebook, into=found)
    [model] = [one for one in run.recovered.models if one.folder][-1:]
    data = {one.args[0].value: own / Path(one.args[0].value).name for one in _reads(notebook)}
    made = plan.propose(notebook, model, found / model.folder, files=data, raised=[one.index for one in run.raised])
    project_writer.write(made, folder / "project", today=TODAY)
    return Made(own, before, made, folder / "project")


def _reads(notebook: Path) -> Iterator[ast.Call]:
    for cell in nbformat.read(notebook, as_version=4).cells:
        calls = (node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call))
        yield from (call for call in calls if getattr(call.func, "attr", "") == "read_csv")


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """One project of each task, by the pilot's name."""
    pilots = (adopted_pilots.titanic, adopted_pilots.houses, adopted_pilots.flowers)
    return {one.__name__: adopted(tmp_path_factory.mktemp(one.__name__), one) for one in pilots}


NAMES = ["titanic", "houses", "flowers"]


@pytest.mark.parametrize("name", NAMES)
def test_the_files_hang_together(projects: dict[str, Made], name: str) -> None:
    """Settings load, code compiles, each bound is asked for, and the notebook declares what train.toml sets."""
    root = projects[name].root
    settings = said_in_file(root)

    assert settings.task == {"titanic": "binary", "houses": "regression", "flowers": "multiclass"}[name]
    for file in root.rglob("*.py"):
        ast.parse(file.read_text())
    config = parse_config((root / "flows/train.toml").read_text())
    assert config["split"] == {"kind": "notebook"}
    notebook = nbformat.read(root / settings.notebook, as_version=4)
    nbformat.validate(notebook)
    [first] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    values = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(first.source).body}
    assert values == config["parameters"]
    asked = {one for file in (root / "checks").glob("*.py") for one in _criteria(file)}
    assert asked == set(read_bounds(settings)), "each bound is asked, and each that is asked stands there"
    assert settings.adopted is not None
    record = from_json(AdoptedNotebook, (root / settings.adopted).read_text())
    assert [str(one.name) for one in record.columns] == list(pd.read_parquet(root / settings.source))


def _criteria(file: Path) -> set[str]:
    return {
        node.slice.value
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Subscript) and getattr(node.value, "id", "") == "criteria"
    }


@pytest.mark.parametrize("name", NAMES)
def test_requests_made_of_held_out_rows_give_what_the_pilot_had(projects: dict[str, Made], name: str) -> None:
    """Through JSON and the schema, one row alone as well; and the guard takes every raw row."""
    made = projects[name]
    settings, opened = said_in_file(made.root), made.plan.opened
    dtypes = {one.name: one.dtype for one in request_schema.load(settings).fields}
    rows = opened.raw.iloc[opened.held_out["row"]][list(dtypes)]
    records = json.loads(json.dumps(request_columns.plain_records(rows)))
    table = request_columns.table(request_columns.arrays_of_records(records, dtypes), dtypes)
    compute = features.load(settings)

    together = opened.model.predict(features.compute(compute, table, list(dtypes), name=name))
    alone = opened.model.predict(features.compute(compute, table.iloc[[3]], list(dtypes), name=name))

    assert equal_rows(together, opened.held_out["answer"]).all()
    assert equal_rows(alone, opened.held_out["answer"].iloc[[3]]).all()
    schema = load_object(settings.batch_schema or settings.request_schema, settings.root)
    assert not len(guard.check(opened.raw[list(dtypes)], schema, name=name).refused)


@pytest.mark.parametrize("name", NAMES)
def test_the_outcome_is_what_the_model_learned(projects: dict[str, Made], name: str) -> None:
    """For each held-out row, in the names that a caller reads."""
    made = projects[name]
    opened, settings = made.plan.opened, said_in_file(made.root)
    names = {one.was: one.now for one in made.plan.outcome.renamed}

    known = features.labels(settings, opened.raw).iloc[opened.held_out["row"]]

    wanted = [names.get(one, one) for one in opened.held_out["truth"].tolist()]
    if made.plan.outcome.task == "regression":
        assert np.allclose(known.to_numpy(dtype=float), wanted)
    else:
        assert known.tolist() == wanted


def test_cells_that_take_long_are_skipped_until_they_are_needed_after_all(
    projects: dict[str, Made], tmp_path: Path
) -> None:
    """What a run reads and what a person reads say the same."""
    skipping = replace(projects["titanic"].plan, slow=(5, 2))

    root = project_writer.write(skipping, tmp_path / "project", today=TODAY).root

    written = from_json(AdoptedNotebook, (root / project_writer.ADOPTED).read_text())
    assert written.skipped_cells == (2, 5)
    assert {metric.cell for metric in skipping.metrics} - {*skipping.recovered.cells} <= {*written.idle_cells}, (
        "what measures the model may read what a skipped cell made"
    )
    assert "the model needs none of them: 5, 2" in (root / project_writer.PLAN).read_text()

    project_writer.write_again(replace(skipping, slow=()), root)

    assert from_json(AdoptedNotebook, (root / project_writer.ADOPTED).read_text()).skipped_cells == ()
    assert "a run skips" not in (root / project_writer.PLAN).read_text()


def test_the_pilot_is_not_touched_and_its_files_are_there(projects: dict[str, Made]) -> None:
    """Its data lies in the project, whatever the path was that it asked for."""
    made = projects["titanic"]

    assert {file.name: file.read_bytes() for file in made.folder.iterdir()} == made.before
    assert (made.root / "data/train.csv").read_bytes() == made.before["train.csv"]
    notebook = nbformat.read(made.root / "notebooks/titanic.ipynb", as_version=4)
    assert "train_path = '../data/train.csv'" in notebook.cells[0].source
    assert notebook.cells[2].source == "df = pd.read_csv(train_path)\ndf.head()"


def test_only_what_the_model_needs_is_asked_for(projects: dict[str, Made]) -> None:
    """Names and numbers of rows are not; what may be missing is what the pilot filled; texts are those it knew."""
    schema = load_object("checks/schemas.py:Request", projects["titanic"].root).to_schema()

    assert {name: column.nullable for name, column in schema.columns.items()} == {
        "Pclass": False,
        "Sex": False,
        "Age": True,
        "Fare": False,
        "Embarked": False,
    }
    [check] = schema.columns["Embarked"].checks
    assert sorted(check.statistics["allowed_values"]) == ["C", "Q", "S"]
    batch = load_object("checks/schemas.py:Batch", projects["titanic"].root).to_schema()
    assert all(column.nullable and not column.checks for column in batch.columns.values())


def test_the_plan_says_what_was_decided_and_its_choices_are_read_again(projects: dict[str, Made]) -> None:
    """An unchanged page changes nothing; the unit of an answer and what only a person knows stand on it."""
    page = (projects["houses"].root / "plan.md").read_text()
    proposal = projects["houses"].plan.proposal

    assert "An answer is the natural logarithm of 1 + Sale Price" in page
    assert "-X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3)" in page
    assert "which fields name it" in page
    assert "have no outcome" not in page, "all houses were sold"
    found = plan_choices.read(page)
    assert found.target == "log_sale_price"
    assert found.applied(proposal.columns) == proposal.columns
    assert "natural logarithm" in (projects["houses"].root / "README.md").read_text()


def test_old_words_of_the_pilot_do_not_hide_what_the_gate_says(projects: dict[str, Made], tmp_path: Path) -> None:
    """Each of a thousand requests would say again that a keyword goes in pandas 4."""
    root = next(iter(projects.values())).root
    (tmp_path / "pyproject.toml").write_bytes((root / "pyproject.toml").read_bytes())
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "test_old.py").write_text(
        "import warnings\ndef test_old():\n    for kind in (DeprecationWarning, FutureWarning, UserWarning):\n"
        "        warnings.warn(kind.__name__, kind)\n"
    )

    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:proveout", "-p", "no:cacheprovider"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert "1 passed, 1 warning" in said
    assert "UserWarning" in said


def test_a_folder_that_is_not_empty_is_left_alone(projects: dict[str, Made], tmp_path: Path) -> None:
    """Completely or not at all."""
    (tmp_path / "mine.txt").write_text("x")

    with pytest.raises(UsageError, match="not an empty folder"):
        project_writer.write(projects["flowers"].plan, tmp_path, today=TODAY)

    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("request_ms", "asked"), [(3.0, []), (40.0, ["calls=400,", "within_s=32,"])])
def test_steps_that_take_long_get_the_time_for_enough_calls(
    projects: dict[str, Made], tmp_path: Path, request_ms: float, asked: list[str]
) -> None:
    """The gate refuses a model of which it could not make enough calls to judge the slowest one in a hundred."""
    made = projects["houses"].plan
    slow = replace(made, quality=replace(made.quality, request_ms=request_ms))

    project_writer.write(slow, tmp_path / "made", today=TODAY)

    text = (tmp_path / "made/checks/test_served.py").read_text()
    ast.parse(text)
    assert [line.strip() for line in text.splitlines() if line.strip().startswith(("calls=", "within_s="))] == asked
