"""A project for one table: what is laid out, what is decided, and that nothing is left behind where it cannot be."""

import ast
import contextlib
import warnings
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import small_tables

from proveout.data import guard
from proveout.errors import UsageError
from proveout.pilot import table_project
from proveout.pilot.table_file import TableRefused
from proveout.schema import request_schema
from proveout.settings import load_object, read_bounds, said_in_file
from proveout.training.config import parse_config

TODAY = "2026-11-27"


def init(folder: Path, rows: pd.DataFrame, target: str, **options) -> table_project.TableProject:
    rows.to_csv(folder / "table.csv", index=False)
    return table_project.init(
        folder / "made", table="table.csv", predicted=target, today=TODAY, folder=folder, **options
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project of each task, by the task."""
    tables = {
        "binary": (small_tables.churn(), "churn"),
        "regression": (small_tables.price(), "price"),
        "multiclass": (small_tables.quality(), "cut"),
    }
    folders = {}
    for task, (rows, target) in tables.items():
        folders[task] = tmp_path_factory.mktemp(task)
        folders[task, "said"] = init(folders[task], rows, target)
    return {
        task: (folders[task] / "made", folders[task, "said"], rows, target) for task, (rows, target) in tables.items()
    }


@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
def test_the_task_is_found_and_the_files_hang_together(made, task):
    """Settings load, code compiles, the configuration is read, and the notebook declares what it sets."""
    root, said, _, _ = made[task]
    settings = said_in_file(root)

    assert settings.task == task
    assert ["since is a time" in line for line in said.warnings] == ([True] if task == "binary" else [])
    for file in root.rglob("*.py"):
        ast.parse(file.read_text())
    config = parse_config((root / "flows/train.toml").read_text())
    notebook = nbformat.read(root / settings.notebook, as_version=4)
    nbformat.validate(notebook)
    [cell] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert _assigned(cell.source) == {"features_path", *config["parameters"]}
    asked = {name for file in (root / "checks").glob("*.py") for name in _criteria(file)}
    assert asked == set(read_bounds(settings)), "each bound is asked, and each that is asked stands there"


def _assigned(source: str) -> set[str]:
    return {node.targets[0].id for node in ast.parse(source).body if isinstance(node, ast.Assign)}


def _criteria(file: Path) -> set[str]:
    """What a check asks of `criteria`, by name."""
    return {
        node.slice.value
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Subscript) and getattr(node.value, "id", "") == "criteria"
    }


@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
def test_the_schema_lets_every_row_of_the_table_in(made, task):
    """A request can be served by it, and what was seen of a column stands beside its field."""
    root, _, rows, target = made[task]
    settings = said_in_file(root)
    schema = request_schema.load(settings)

    accepted = guard.check(
        rows[list(schema.names)], load_object(settings.request_schema, settings.root), name="table"
    ).accepted

    assert len(accepted) == len(rows) and target not in schema.names and "rownames" not in schema.names
    assert (root / "checks/schemas.py").read_text().count("# seen: ") == len(schema.names)


@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
def test_nothing_of_the_reference_project_is_left_in_it(made, task):
    """It is somebody else's question. And the notebook knows nothing of proveout."""
    root, _, _, _ = made[task]
    own = {"data", "__pycache__"}  # the table itself, and what Python leaves where it imported a file
    files = [file for file in root.rglob("*") if file.is_file() and not own & {*file.relative_to(root).parts}]

    said = {
        f"{file.relative_to(root)}: {word}"
        for file in files
        for word in ("flight", "airport", "carrier", "nycflights", "late by")
        if word in file.read_text().lower()
    }
    notebook = nbformat.read(root / said_in_file(root).notebook, as_version=4)

    assert said == set()
    assert not any("proveout" in cell.source for cell in notebook.cells)
    names = {file.relative_to(root).as_posix() for file in files}
    assert {"flows/train.py", "serve/app.py", "Makefile", ".gitignore", "README.md", "checks/edge_cases.yaml"} <= names


def test_a_key_a_date_and_a_flag_are_what_they_are(made):
    """The key is asked and not learned from; a date becomes its parts; a null may be left out."""
    root, said, _, _ = made["binary"]
    settings = said_in_file(root)
    features = load_object(settings.features, root)
    one = pd.DataFrame({
        "customer_id": ["C1"], "plan": ["basic"], "service_calls": [1], "day_minutes": [1.0],
        "night_minutes": [np.nan], "since": [pd.Timestamp("2021-03-05")], "by_card": [True],
    })  # fmt: skip

    with warnings.catch_warnings(action="error"):  # what pandas calls deprecated would be printed by each request
        row = features(one).iloc[0].to_dict()

    assert settings.event_key == ("customer_id",)
    assert (row["since_month"], row["since_weekday"], row["by_card"]) == (3.0, 4.0, 1.0) and "customer_id" not in row
    assert "night_minutes: float = pa.Field(nullable=True" in (root / "checks/schemas.py").read_text()
    assert any(line.startswith("task binary: churn, it has two values; the event is 'yes'") for line in said.decisions)
    assert any(line.startswith("event key: customer_id") for line in said.decisions)


def test_bounds_lie_between_the_model_and_naive_and_say_so(made):
    """Each has a comment with what was measured, and with the interval."""
    root, _, _, _ = made["regression"]
    text, bounds = (root / "flows/train.toml").read_text(), read_bounds(said_in_file(root))
    line = next(line for line in text.splitlines() if line.startswith("# mae: "))
    measured, naive = line.split()[2].replace(",", ""), line.split()[-1].replace(",", "")

    assert float(measured) < bounds["mae_at_most"] < float(naive)
    assert "(95 %: " in line and "always predicting the median" in line


def test_time_cuts_the_table_into_batches_that_say_the_same(tmp_path):
    """A file each, so that the next one is simply put beside them."""
    rows = small_tables.churn(600)
    init(tmp_path, rows, "churn", split="time:since")

    files = sorted((tmp_path / "made/data").glob("*.csv"))
    together = pd.concat([pd.read_csv(file) for file in files])

    settings = said_in_file(tmp_path / "made")
    assert settings.source == "data/*.csv" and len(files) > 2
    assert sorted(together["customer_id"]) == sorted(rows["customer_id"])
    split = parse_config((tmp_path / "made/flows/train.toml").read_text())["split"]
    assert (split["kind"], split["holdout"]) == ("time", files[-1].stem)


def test_groups_are_the_clusters_of_the_checks(tmp_path):
    """Rows of one house hang together, so intervals count houses; free text is counted by its words."""
    rows, random = small_tables.churn(500), np.random.default_rng(1)
    rows["house"] = random.integers(0, 120, len(rows))
    bad, good = "broken again and nobody answers", "all fine with the new plan"
    shuffled = (random.permutation((bad if one == "yes" else good).split()) for one in rows["churn"])
    rows["note"] = [" ".join([*words, f"day {place}"]) for place, words in enumerate(shuffled)]
    rows["note"] = rows["note"].mask(random.random(len(rows)) < 0.5, "the line is what it is today")
    init(tmp_path, rows.drop(columns="customer_id"), "churn", split="group:house")

    root = tmp_path / "made"
    assert 'return holdout.raw["house"].to_numpy()' in (root / "checks/conftest.py").read_text()
    assert "test_no_group_is_on_both_sides" in (root / "checks/test_data.py").read_text()
    assert "house" not in request_schema.load(said_in_file(root)).names
    code = "\n".join(cell.source for cell in nbformat.read(root / "notebooks/made.ipynb", as_version=4).cells)
    assert '(TfidfVectorizer(min_df=2, sublinear_tf=True), "note"),' in code


def test_names_that_python_does_not_allow_are_asked_by_them(tmp_path):
    """A request says "Lot Size", as the table does."""
    rows = small_tables.price(300).rename(columns={"carat": "Lot Size", "depth": "class", "table": "2nd"})

    init(tmp_path, rows, "price")

    assert {"Lot Size", "class", "2nd"} <= set(request_schema.load(said_in_file(tmp_path / "made")).names)


def test_names_that_mean_something_to_python_or_pandas_are_asked_by_them(tmp_path):
    """A field called `str` would take the place of the type of all that follow."""
    rows = small_tables.price(300)
    odd = ["str", "float", "int", "bool", "pd", "pa", "Annotated", "TABLE", "ROWS"]
    odd += ['width in "cm"', "a\\N{b}", "two\nlines"]
    random = np.random.default_rng(3)
    for name in odd:
        rows[name] = random.integers(0, 9, len(rows))
    rows["flag"], rows["word"] = random.random(len(rows)) < 0.5, random.choice(["a", "b"], len(rows))
    rows['price of "this"\n"""one\\'] = rows.pop("price")

    init(tmp_path, rows, 'price of "this"\n"""one\\')

    root = tmp_path / "made"
    for file in root.rglob("*.py"):
        ast.parse(file.read_text())
    parse_config((root / "flows/train.toml").read_text())
    assert set(odd) <= set(request_schema.load(said_in_file(root)).names)
    assert "from table.csv: 300 rows" in (root / "README.md").read_text()


def test_parts_of_a_moment_take_no_other_column_s_place(tmp_path):
    """A table may have the month beside the day already."""
    rows = small_tables.churn(400)
    rows["since_month"] = np.random.default_rng(2).integers(100, 112, len(rows))

    init(tmp_path, rows, "churn")

    root = tmp_path / "made"
    one = rows.head(1).assign(since=pd.Timestamp("2021-03-05"), night_minutes=1.0)
    made = load_object(said_in_file(root).features, root)(one)
    assert made["since_month"].tolist() == rows["since_month"].head(1).tolist()
    assert made["since_month_2"].tolist() == [3.0]


def test_long_texts_are_let_in(tmp_path):
    """A support ticket has more than 1,000 characters, some have 20,000: the schema and the server take them."""
    rows, random = small_tables.churn(400), np.random.default_rng(1)
    words = np.where(rows["churn"] == "yes", "broken again", "works fine")
    rows["note"] = [f"{word} {' '.join(random.choice(['it', 'was', 'said'], 9))}" for word in words]
    rows.loc[3, "note"] = "long " * 4_000

    init(tmp_path, rows, "churn")

    settings = said_in_file(tmp_path / "made")
    [note] = [field for field in request_schema.load(settings).fields if field.name == "note"]
    assert note.holds("long " * 4_000) and not note.holds("long " * 8_001)
    assert settings.max_body_bytes >= 6 * 40_000


def test_a_model_that_learns_nothing_says_so(tmp_path):
    """The project is laid out all the same: the notebook is the place to find out why."""
    random = np.random.default_rng(5)
    rows = pd.DataFrame({"x": random.random(400), "y": random.random(400) < 0.4})

    made = init(tmp_path, rows, "y")

    assert made.warnings == ("the first model is not significantly better than the rules, so the gate will refuse it",)
    assert "NOT SIGNIFICANTLY BETTER" in (tmp_path / "made/flows/train.toml").read_text()


@pytest.mark.parametrize(
    ("change", "options", "problem"),
    [
        ({}, {"predicted": "chrun"}, r"Do you mean churn\?"),
        ({}, {"split": "time:by_card"}, "is not a date or time"),
        ({}, {"task": "multiclass", "predicted": "day_minutes"}, "a class is a text or a whole number"),
        ({"only": ["churn", "customer_id"]}, {}, "no column is left to predict churn from .customer_id: names the row"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(tmp_path, change, options, problem):
    """Not even the folder."""
    rows = small_tables.churn(200)
    (rows[change["only"]] if change else rows).to_csv(tmp_path / "table.csv", index=False)
    given = {"table": "table.csv", "predicted": "churn", "today": TODAY, "folder": tmp_path, **options}

    with pytest.raises(TableRefused, match=problem):
        table_project.init(tmp_path / "made", **given)

    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    """Before the table is read."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made/mine.txt").write_text("mine")

    with contextlib.suppress(FileNotFoundError), pytest.raises(UsageError, match="not an empty folder"):
        table_project.init(tmp_path / "made", table="none.csv", predicted="y", today=TODAY, folder=tmp_path)

    assert [file.name for file in (tmp_path / "made").iterdir()] == ["mine.txt"]
