"""A pilot in a kernel of its own: unedited, in a copy of its folder, and all of its models looked at."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_notebooks import write_notebook

from proveout.pilot.adopt import pilot_run
from proveout.pilot.adopt.pilot_run import PilotFailed, RunLimits

CELLS = [
    "%matplotlib inline\nimport numpy as np\nimport pandas as pd\n"
    "from sklearn.linear_model import LogisticRegression\n"
    "from sklearn.metrics import accuracy_score\nfrom sklearn.model_selection import train_test_split\n"
    "from sklearn.preprocessing import StandardScaler",
    "df = pd.read_csv('/home/ann/rows.csv')\ndf.to_csv('written.csv')",
    "print(undefined)",
    "X = StandardScaler().fit_transform(df[['a', 'b']])\n"
    "X_train, X_test, y_train, y_test = train_test_split(X, df['y'])",
    "models = {'plain': LogisticRegression(), 'strict': LogisticRegression(C=0.01)}\n"
    "for name, model in models.items():\n"
    "    model.fit(X_train, y_train)\n    print(name, accuracy_score(y_test, model.predict(X_test)))",
]


def test_a_pilot_is_run_in_a_copy_and_its_models_are_recovered(tmp_path: Path) -> None:
    """A foreign path is found beside the notebook, a raising cell that nothing needs is told, both models are found."""
    folder, into = tmp_path / "a pilot", tmp_path / "found"
    folder.mkdir()
    into.mkdir()
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120)})
    frame.assign(y=(frame.a > 0).astype(int)).to_csv(folder / "rows.csv", index=False)
    notebook = folder / "pilot.ipynb"
    write_notebook(notebook, CELLS)
    before = sorted(file.name for file in folder.iterdir())

    found = pilot_run.run(notebook, into=into)

    assert [one.index for one in found.raised] == [2]
    assert "NameError" in found.raised[0].problem
    assert [(model.level, model.task, model.target) for model in found.recovered.models] == [("raw", "binary", "y")] * 2
    assert all(model.cells == (0, 1, 3, 4) and not model.raised_cells for model in found.recovered.models)
    assert [metric.name for model in found.recovered.models for metric in model.metrics] == ["accuracy_score"] * 2
    [asked, read] = found.recovered.redirected[0]
    assert (asked, Path(read).name) == ("/home/ann/rows.csv", "rows.csv")
    assert all((into / model.folder / "features.py").is_file() for model in found.recovered.models)
    assert sorted(file.name for file in folder.iterdir()) == before


START = "import numpy as np\nimport pandas as pd\nfrom sklearn.linear_model import LogisticRegression"
MODEL = """from sklearn.model_selection import train_test_split
X_train, X_test, y_train, y_test = train_test_split(df[['a', 'b']], df['y'])
model = LogisticRegression().fit(X_train, y_train)
model.score(X_test, y_test)"""


@pytest.fixture
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120)})
    return frame.assign(y=(frame.a > 0).astype(int))


def run_cells(folder: Path, *cells: str, limits: RunLimits | None = None, **given) -> pilot_run.PilotRun:
    """What a notebook of these cells in `folder` gives."""
    folder.mkdir(parents=True, exist_ok=True)
    write_notebook(folder / "pilot.ipynb", cells)
    return pilot_run.run(folder / "pilot.ipynb", into=folder.parent, limits=limits, **given)


def test_a_cell_over_its_time_is_interrupted_and_the_run_goes_on(tmp_path, rows):
    """A search over thousands of grids must not cost what was reached before it."""
    (tmp_path / "p").mkdir()
    rows.to_csv(tmp_path / "p" / "rows.csv", index=False)

    found = run_cells(
        tmp_path / "p", START, "while True: pass", "df = pd.read_csv('rows.csv')", MODEL, limits=RunLimits(cell_s=5)
    )

    assert [(one.index, one.problem) for one in found.raised] == [(1, "it took longer than 5 s")]
    assert [model.level for model in found.recovered.models] == ["raw"]


def test_a_cell_that_ignores_the_interrupt_ends_the_kernel(tmp_path, monkeypatch):
    """The second limit holds whatever the cell does."""
    monkeypatch.setattr(pilot_run, "_GRACE_S", 1.0)
    stubborn = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(0.1)"

    with pytest.raises(PilotFailed, match="it took longer than 2 s"):
        run_cells(tmp_path / "p", stubborn, limits=RunLimits(cell_s=2))


def test_more_memory_than_allowed_is_an_error_of_the_cell(tmp_path, rows):
    """The machine must not be brought down, and what does not need the memory goes on."""
    (tmp_path / "p").mkdir()
    rows.to_csv(tmp_path / "p" / "rows.csv", index=False)
    limits = RunLimits(memory_bytes=2_000_000_000)

    found = run_cells(
        tmp_path / "p", START, "a = np.ones(400_000_000)", "df = pd.read_csv('rows.csv')", MODEL, limits=limits
    )

    assert [one.index for one in found.raised] == [1]
    assert "MemoryError" in found.raised[0].problem
    assert [model.level for model in found.recovered.models] == ["raw"]


def test_the_default_cap_is_a_share_of_the_memory():
    """Without any setting there is one."""
    assert 0 < pilot_run.machine_memory_limit() < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_a_question_to_the_user_is_the_error_of_its_cell_alone(tmp_path, rows):
    """`input()` stands mostly in a last cell that tries the model."""
    (tmp_path / "p").mkdir()
    rows.to_csv(tmp_path / "p" / "rows.csv", index=False)

    found = run_cells(tmp_path / "p", START, "df = pd.read_csv('rows.csv')", MODEL, "a = float(input('a? '))")

    assert [one.index for one in found.raised] == [3]
    assert [(model.level, model.raised_cells) for model in found.recovered.models] == [("raw", ())]


@pytest.mark.parametrize("asked", ["https://nowhere.invalid/rows.csv", "/content/drive/other.csv"])
def test_a_named_file_is_read_in_the_place_of_what_the_notebook_asks_for(tmp_path, rows, asked):
    """The user says once where the rows of an address or of a lost path are."""
    elsewhere = tmp_path / "elsewhere" / "mine.csv"
    elsewhere.parent.mkdir()
    rows.to_csv(elsewhere, index=False)

    cells = (START, f"df = pd.read_csv(filepath_or_buffer={asked!r})", MODEL)
    found = run_cells(tmp_path / "p", *cells, files={asked: elsewhere})

    assert [model.level for model in found.recovered.models] == ["raw"]
    assert found.recovered.redirected == ((asked, str(elsewhere)),)
    assert found.raised == ()


def test_without_a_named_file_the_reading_cell_raises(tmp_path, rows):
    """A file outside the project is a stranger's, and is not taken."""
    rows.to_csv(tmp_path / "other.csv", index=False)

    found = run_cells(tmp_path / "p", START, "df = pd.read_csv('/content/drive/other.csv')", MODEL)

    assert [one.index for one in found.raised] == [1, 2]
    assert found.recovered.models == ()


def test_a_notebook_in_a_folder_of_a_repository_reads_beside_it(tmp_path, rows):
    """`../data/rows.csv` is there in the copy, too; and of two files of a name the nearer one is taken."""
    root = tmp_path / "repository"
    for folder in (".git", "data", "a_first", "work"):
        (root / folder).mkdir(parents=True)
    rows.to_csv(root / "data" / "rows.csv", index=False)
    rows.to_csv(root / "work" / "near.csv", index=False)
    rows.head(30).to_csv(root / "a_first" / "near.csv", index=False)

    found = run_cells(
        root / "work", START, "df = pd.read_csv('../data/rows.csv')\nn = len(pd.read_csv('/gone/NEAR.csv'))", MODEL
    )

    assert found.raised == ()
    assert Path(found.recovered.redirected[0][1]).parent.name == "work"


def test_a_file_that_is_written_is_not_looked_for(tmp_path):
    """`open(path, 'w')` in a folder that is not there must not write over another file of that name."""
    found = run_cells(
        tmp_path / "p", "with open('kept.txt', 'w') as f: f.write('a')", "f = open('/gone/kept.txt', 'w')"
    )

    assert [one.index for one in found.raised] == [1]
    assert found.recovered.redirected == ()


def test_an_import_that_fails_loses_its_own_name_and_not_its_cell(tmp_path, rows):
    """What draws is imported beside what trains. Where the lost name is used, that line raises."""
    (tmp_path / "p").mkdir()
    rows.to_csv(tmp_path / "p" / "rows.csv", index=False)
    imports = f"import nosuchplots as ns, sys\nfrom sklearn.externals import joblib\n{START}"

    found = run_cells(tmp_path / "p", imports, "df = pd.read_csv('rows.csv')", MODEL, "ns.draw(df)\nsys.path")

    assert [(one.index, one.problem.partition(":")[0]) for one in found.raised] == [
        (0, "ModuleNotFoundError"),
        (0, "ImportError"),
        (3, "NameError"),
    ]
    assert found.raised[0].problem.endswith("(the rest of the cell ran)")
    assert [(model.level, model.raised_cells) for model in found.recovered.models] == [("raw", ())]


def test_a_model_that_needs_a_lost_import_is_not_found(tmp_path, rows):
    """Going on is for what nothing needs."""
    (tmp_path / "p").mkdir()
    rows.to_csv(tmp_path / "p" / "rows.csv", index=False)
    scaled = "df['a'] = nosuchscaler.scale(df['a'])"

    found = run_cells(
        tmp_path / "p", f"import nosuchscaler\n{START}", "df = pd.read_csv('rows.csv')", f"{scaled}\n{MODEL}"
    )

    assert found.recovered.models == ()


def test_a_line_that_installs_does_nothing(tmp_path):
    """The environment is chosen before the run, and proveout is in it."""
    ran = tmp_path / "ran.txt"

    found = run_cells(tmp_path / "p", f"!echo ran > {ran}; pip install nosuchpackage", "x = 1")

    assert found.raised == ()
    assert not ran.exists()


def test_progress_is_told_with_seconds(tmp_path, monkeypatch):
    """Somebody who waits sees which cell runs and that time passes, also within a cell."""
    monkeypatch.setattr(pilot_run, "_TICK_S", 0.5)
    lines: list[str] = []

    run_cells(tmp_path / "p", "import time\ntime.sleep(3)", tell=lines.append)

    assert all(re.search(r"\(\d+ s\)$", line) for line in lines)
    assert sum(line.startswith("cell 0 of 1") for line in lines) >= 2
