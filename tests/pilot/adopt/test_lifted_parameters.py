"""Literals become parameters, and the notebook computes exactly what it did."""

import ast
from pathlib import Path
from typing import Any

import nbformat
from small_notebooks import write_notebook

from proveout.model import notebook_file
from proveout.pilot.adopt import lifted_parameters
from proveout.pilot.adopt.lifted_parameters import LiftedNotebook
from proveout.pilot.audit import notebook_text
from proveout.pilot.audit.analysis import Analysis
from proveout.training import parameters


def lifted(folder: Path, cells: list[str], **asked: Any) -> LiftedNotebook:
    file = write_notebook(folder / "pilot.ipynb", cells)
    analysis = Analysis(notebook_text.read(file))
    cells_of_model = asked.pop("of", range(len(cells)))
    return lifted_parameters.lift(notebook_file.read(file), cells_of_model, analysis=analysis, **asked)


def test_paths_sizes_seeds_and_numbers_of_models_are_lifted(tmp_path: Path) -> None:
    """The same seed is one parameter wherever it stands; the same keyword of two models is two."""
    cells = [
        "df = pd.read_csv('data/Titanic Train.csv', sep=';')",
        "a, b = train_test_split(df, test_size=0.20, random_state=42)",
        "m = Pipeline([('s', StandardScaler()), ('f', RandomForestClassifier(n_estimators=1_00, random_state=42))])\n"
        "x = XGBClassifier(n_estimators=300, booster='gbtree', n_jobs=-1, verbosity=0, use_label_encoder=False)",
    ]

    found = lifted(tmp_path, cells, paths={"data/Titanic Train.csv": "../data/Titanic Train.csv"})

    assert {one.name: one.value for one in found.parameters} == {
        "titanic_train_path": "../data/Titanic Train.csv",
        "test_size": 0.2,
        "random_state": 42,
        "random_forest_classifier_n_estimators": 100,
        "xgb_classifier_n_estimators": 300,
        "booster": "gbtree",
    }
    first, *rest = found.document.cells
    assert first.metadata["tags"] == ["parameters"]
    [said] = [line for line in first.source.splitlines() if line.startswith("random_forest")]
    assert said == "random_forest_classifier_n_estimators = 1_00  # n_estimators of random_forest_classifier, cell 2"
    names = [one.name for statement in parameters.declared(first.source) for one in statement.sets]
    assert names == [one.name for one in found.parameters]
    assert rest[0].source == "df = pd.read_csv(titanic_train_path, sep=';')"
    assert "n_jobs=-1, verbosity=0, use_label_encoder=False" in rest[2].source
    assert "-a, b = train_test_split(df, test_size=0.20, random_state=42)" in found.diff.splitlines()


def test_what_may_run_often_or_not_at_all_stays(tmp_path: Path) -> None:
    """In loops, functions, branches and cells that the model does not need, literals are the author's own."""
    cells = [
        "for k in range(9):\n    m = KNeighborsClassifier(n_neighbors=5)",
        "def f():\n    return Ridge(alpha=2.0)",
        "if big:\n    m = Lasso(alpha=1.0)",
        "ms = [Ridge(alpha=1.0) for _ in range(3)]",
        "%timeit SVC(C=1.0)",
        "shown = SVC(C=3.0)",
    ]

    found = lifted(tmp_path, cells, of=range(5))

    assert found.parameters == ()
    assert [cell.source for cell in found.document.cells[1:]] == cells
    assert found.document.cells[0].source == "# nothing to set"


def test_a_parameter_never_has_a_name_that_the_notebook_uses(tmp_path: Path) -> None:
    """Else the notebook would set it, or it the notebook's."""
    cells = ["test_size = 3\nfrom somewhere import C", "a, b = train_test_split(x, test_size=0.3)\nm = SVC(C=2)"]

    found = lifted(tmp_path, cells)

    assert [one.name for one in found.parameters] == ["test_size_2", "C_2"]


def test_everything_but_the_literals_stays_as_it_was_written(tmp_path: Path) -> None:
    """Magics, comments, letters of two bytes before the literal, and odd spaces."""
    source = "%matplotlib inline\n# größe\nm = (  'ä',SVC( C = 2 ,kernel='rbf')  )  # done\n!ls\n"

    found = lifted(tmp_path, [source])

    assert found.document.cells[1].source == (
        "%matplotlib inline\n# größe\nm = (  'ä',SVC( C = C ,kernel=kernel)  )  # done\n!ls\n"
    )
    assert [one.written for one in found.parameters] == ["2", "'rbf'"]


def test_cells_keep_their_number_and_lose_their_outputs(tmp_path: Path) -> None:
    """An adopted run finds its calls by these numbers; a tag of the author's own is not ours."""
    file = write_notebook(tmp_path / "pilot.ipynb", ["x = 1", "print(x)"])
    document = nbformat.read(file, as_version=4)
    document.cells.insert(1, nbformat.v4.new_markdown_cell("words"))
    document.cells[0].metadata["tags"] = ["parameters", "mine"]
    document.cells[2].outputs = [nbformat.v4.new_output("stream", text="1")]

    found = lifted_parameters.lift(document, [0, 2]).document

    nbformat.validate(found)
    assert [cell.metadata.get("proveout") for cell in found.cells] == [None, {"cell": 0}, {"cell": 1}, {"cell": 2}]
    assert [cell.metadata.get("tags") for cell in found.cells] == [["parameters"], ["mine"], None, None]
    assert found.cells[3].outputs == []
    assert document.cells[2].outputs, "the pilot itself is not changed"
    assert all(ast.parse(cell.source) for cell in found.cells if cell.cell_type == "code")


def test_a_line_that_installs_is_left_out_and_shown(tmp_path: Path) -> None:
    """The project has an environment, which a training run may not change."""
    found = lifted(tmp_path, ["!pip install xgboost\nimport xgboost", "x = 1\n"])

    assert [cell.source for cell in found.document.cells[1:]] == ["pass\nimport xgboost", "x = 1\n"]
    assert found.diff.splitlines() == ["cell 0", "-!pip install xgboost", "+pass"]


def test_a_path_is_lifted_wherever_the_notebook_makes_it(tmp_path: Path) -> None:
    """Of variables, joined, in a function, in a loop, or handed to a function: it is the same path each time.

    Calls stay: a run finds those of the pilot by their number in the cell.
    """
    cells = [
        "import os\nimport pandas as pd\nfrom pathlib import Path\nDATA = '../input/'\n"
        "name = f'{DATA}train.csv'\nfolder = Path('raw')",
        "def load(file):\n    return pd.read_csv(file)\ndef more():\n    return pd.read_csv('more.csv')",
        "a = pd.read_csv(name)\nb = pd.read_csv(os.path.join(DATA, 'test.csv'), sep=';')\nc = load('own.csv')",
        "for k in range(2):\n    d = pd.read_csv(DATA + 'train.csv')\ne = pd.read_csv(folder / 'x.csv')",
        "f = pd.read_csv(DATA + 'gone.csv')\ng = pd.read_csv(names[0])\nh = show('own.csv')",
    ]
    asked = ("../input/train.csv", "../input/test.csv", "own.csv", "more.csv", "raw/x.csv")

    found = lifted(tmp_path, cells, paths={one: f"../data/{Path(one).name}" for one in asked})

    assert {one.name: one.value for one in found.parameters} == {
        f"{Path(one).stem}_path": f"../data/{Path(one).name}" for one in asked
    }
    assert [cell.source for cell in found.document.cells[1:]] == [
        cells[0],
        "def load(file):\n    return pd.read_csv(file)\ndef more():\n    return pd.read_csv(more_path)",
        "a = pd.read_csv(train_path)\nb = pd.read_csv(os.path.join(test_path), sep=';')\nc = load(own_path)",
        "for k in range(2):\n    d = pd.read_csv(train_path)\ne = pd.read_csv(x_path)",
        cells[4],
    ]


def test_a_path_whose_variable_changes_stays(tmp_path: Path) -> None:
    """Which of its texts is meant cannot be told."""
    cells = ["name = 'a.csv'\na = pd.read_csv(name)", "name = 'b.csv'\nb = pd.read_csv(name)"]

    assert lifted(tmp_path, cells, paths={"a.csv": "../data/a.csv", "b.csv": "../data/b.csv"}).parameters == ()
