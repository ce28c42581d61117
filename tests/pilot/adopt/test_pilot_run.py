"""A pilot in a kernel of its own: unedited, in a copy of its folder, and all of its models looked at."""

import os
import re
import resource
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_notebooks import write_notebook

from proveout.pilot.adopt import pilot_run
from proveout.pilot.adopt.pilot_run import PilotFailed, RunLimits
from proveout.records.adopted_notebook import CallPlace
from proveout.recovery.recovery_report import RecoveredNotebook

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


def drawn() -> pd.DataFrame:
    """Rows of which the sign of `a` tells `y`."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": rng.normal(size=120), "b": rng.normal(size=120)})
    return frame.assign(y=(frame.a > 0).astype(int))


@pytest.fixture
def rows() -> pd.DataFrame:
    return drawn()


def run_cells(folder: Path, *cells: str, limits: RunLimits | None = None, **given) -> pilot_run.PilotRun:
    """What a notebook of these cells in `folder` gives."""
    folder.mkdir(parents=True, exist_ok=True)
    write_notebook(folder / "pilot.ipynb", cells)
    return pilot_run.run(folder / "pilot.ipynb", into=folder.parent, limits=limits, **given)


def test_a_cell_that_ends_the_kernel_is_left_out_of_a_second_run(tmp_path, rows, monkeypatch):
    """One ignores the interrupt and is killed, the other exits: what comes before and after is not lost."""
    monkeypatch.setattr(pilot_run, "_GRACE_S", 1.0)
    (tmp_path / "p").mkdir()
    rows.to_csv(tmp_path / "p" / "rows.csv", index=False)
    stubborn = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(0.1)"

    found = run_cells(
        tmp_path / "p", START, "df = pd.read_csv('rows.csv')", stubborn, "exit()", MODEL, limits=RunLimits(cell_s=4)
    )

    assert [(one.index, one.problem.partition(" (")[0]) for one in found.raised] == [
        (2, "it took longer than 4 s"),
        (3, "it ended the notebook"),
    ]
    assert [(model.level, model.raised_cells) for model in found.recovered.models] == [("raw", ())]


def test_a_notebook_that_ends_its_kernel_again_and_again_is_given_up(tmp_path):
    with pytest.raises(PilotFailed, match="the kernel died of SIGKILL"):
        run_cells(tmp_path / "p", *["import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"] * 3)


def test_the_default_cap_is_a_share_of_the_memory():
    """Without any setting there is one."""
    assert 0 < pilot_run.machine_memory_limit() < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


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


def test_a_model_that_needs_a_lost_import_is_not_found(tmp_path, rows):
    """Going on is for what nothing needs."""
    (tmp_path / "p").mkdir()
    rows.to_csv(tmp_path / "p" / "rows.csv", index=False)
    scaled = "df['a'] = nosuchscaler.scale(df['a'])"

    found = run_cells(
        tmp_path / "p", f"import nosuchscaler\n{START}", "df = pd.read_csv('rows.csv')", f"{scaled}\n{MODEL}"
    )

    assert found.recovered.models == ()


def test_a_statement_that_only_shows_something_does_not_end_its_cell(tmp_path, rows):
    """What draws is the first to break with other releases, and stands between what the model needs."""
    (tmp_path / "p").mkdir()
    rows.to_csv(tmp_path / "p" / "rows.csv", index=False)
    draws = "df.a.plott()\nfor name in df:\n    df[name].plott()\ndf['a'] = df['a'] * 2"

    found = run_cells(tmp_path / "p", START, "df = pd.read_csv('rows.csv')", draws, MODEL)

    assert [(one.index, one.problem.partition(":")[0]) for one in found.raised] == [(2, "AttributeError")]
    assert found.raised[0].problem.endswith("(the rest of the cell ran)")
    [model] = found.recovered.models
    assert (model.level, model.raised_cells) == ("raw", ())


def test_a_statement_that_changes_something_ends_its_cell(tmp_path, rows):
    """Without what it did, the model would be another one."""
    (tmp_path / "p").mkdir()
    rows.to_csv(tmp_path / "p" / "rows.csv", index=False)
    changes = "df.dropna(inplace=True, nosuchword=1)\ndf['a'] = df['a'] * 2"

    found = run_cells(tmp_path / "p", START, "df = pd.read_csv('rows.csv')", changes, MODEL)

    assert [(one.index, one.problem.partition(":")[0]) for one in found.raised] == [(2, "TypeError")]
    assert [one.raised_cells for one in found.recovered.models] == [(2,)]


EVENTS = {
    "imports": f"import nosuchplots as ns, sys\nfrom sklearn.externals import joblib\n{START}",
    "endless": "while True: pass",
    "greedy": "a = np.ones(400_000_000)",
    "installs": "!echo ran > $PILOT_TEST_FOLDER/ran.txt; pip install nosuchpackage",
    "reads": "df = pd.read_csv('rows.csv')",
    "model": MODEL,
    "draws": "ns.draw(df)\nsys.path",
    "asks": "a = float(input('a? '))",
    "writes": "f = open('/gone/kept.txt', 'w')",
    "waits": "import time\ntime.sleep(3)",
}


@dataclass(frozen=True)
class Eventful:
    """What came of a notebook in which almost everything goes wrong."""

    run: pilot_run.PilotRun
    folder: Path
    lines: tuple[str, ...]

    def problems(self, cell: str) -> list[str]:
        return [one.problem for one in self.run.raised if one.index == list(EVENTS).index(cell)]


@pytest.fixture(scope="module")
def eventful(tmp_path_factory) -> Eventful:
    folder, lines = tmp_path_factory.mktemp("eventful") / "p", list[str]()
    folder.mkdir()
    drawn().to_csv(folder / "rows.csv", index=False)
    (folder / "kept.txt").write_text("mine")
    limits = RunLimits(cell_s=6, memory_bytes=2_000_000_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pilot_run, "_TICK_S", 0.5)
        patch.setenv("PILOT_TEST_FOLDER", str(folder))
        run = run_cells(folder, *EVENTS.values(), limits=limits, tell=lines.append)
    return Eventful(run, folder, tuple(lines))


def test_whatever_happens_beside_it_the_model_is_recovered(eventful):
    """A pilot is a notebook in which something always fails."""
    [model] = eventful.run.recovered.models

    assert (model.level, model.raised_cells) == ("raw", ())
    assert eventful.problems("reads") == eventful.problems("model") == eventful.problems("waits") == []


def test_a_cell_over_its_time_is_interrupted_and_the_run_goes_on(eventful):
    """A search over thousands of grids must not cost what was reached before it."""
    assert eventful.problems("endless") == ["it took longer than 6 s"]


def test_more_memory_than_allowed_is_an_error_of_the_cell(eventful):
    """The machine must not be brought down, and what does not need the memory goes on."""
    [problem] = eventful.problems("greedy")

    assert "MemoryError" in problem


def test_an_import_that_fails_loses_its_own_name_and_not_its_cell(eventful):
    """What draws is imported beside what trains. Where the lost name is used, that line raises."""
    absent, moved = eventful.problems("imports")

    assert absent == "ModuleNotFoundError: No module named 'nosuchplots' (the rest of the cell ran)"
    assert moved.startswith("ImportError: cannot import name 'joblib'")
    assert [problem.partition(":")[0] for problem in eventful.problems("draws")] == ["NameError"]


def test_a_line_that_installs_does_nothing(eventful):
    """The environment is chosen before the run, and proveout is in it."""
    assert eventful.problems("installs") == []
    assert not (eventful.folder / "ran.txt").exists()


def test_a_question_to_the_user_is_the_error_of_its_cell_alone(eventful):
    """`input()` stands mostly in a last cell that tries the model."""
    [problem] = eventful.problems("asks")

    assert problem.startswith("StdinNotImplementedError")


def test_a_file_that_is_written_is_not_looked_for(eventful):
    """`open(path, 'w')` in a folder that is not there must not write over another file of that name."""
    [problem] = eventful.problems("writes")

    assert problem.startswith("FileNotFoundError")
    assert eventful.run.recovered.redirected == ()


def test_progress_is_told_with_seconds(eventful):
    """Somebody who waits sees which cell runs and that time passes, also within a cell."""
    waited = [line for line in eventful.lines if line.startswith("cell 9 of 10")]

    assert all(re.search(r"\(\d+ s\)$", line) for line in eventful.lines)
    assert len(waited) >= 2


def test_a_named_file_is_read_in_the_place_of_what_the_notebook_asks_for(tmp_path, rows):
    """The user says once where the rows of an address or of a lost path are."""
    asked = ("https://nowhere.invalid/rows.csv", "/content/drive/other.csv")
    files = {asked[0]: tmp_path / "elsewhere" / "mine.csv", asked[1]: tmp_path / "elsewhere" / "names.csv"}
    (tmp_path / "elsewhere").mkdir()
    for file in files.values():
        rows.to_csv(file, index=False)
    reads = f"df = pd.read_csv(filepath_or_buffer={asked[0]!r})\nnames = pd.read_csv({asked[1]!r})"

    found = run_cells(tmp_path / "p", START, reads, MODEL, files=files)

    assert [model.level for model in found.recovered.models] == ["raw"]
    assert found.recovered.redirected == tuple((one, str(file)) for one, file in files.items())
    assert found.raised == ()


def test_columns_in_the_order_of_a_set_are_the_same_in_each_run(tmp_path, rows):
    """A set of names has the order of their hashes, which Python draws anew for each process; the flow fixes them."""
    shown = "assert os.environ['PYTHONHASHSEED'] == '0'\nassert os.environ['OMP_NUM_THREADS'] == '1'"

    assert run_cells(tmp_path, f"import os\n{shown}").raised == ()


def test_what_takes_all_memory_ends_with_a_sentence(monkeypatch):
    """The system would kill the command without a word, and whatever else needs memory."""
    [used] = re.findall(r"VmData:\s+(\d+) kB", Path("/proc/self/status").read_text())
    monkeypatch.setattr(pilot_run, "machine_memory_limit", lambda: 1_000 * int(used) + 1_000_000_000)
    before = resource.getrlimit(resource.RLIMIT_DATA)

    with (
        pytest.raises(PilotFailed, match=r"^pilot.ipynb: .* GB of memory. Read fewer rows"),
        pilot_run.within_memory(Path("pilot.ipynb")),
    ):
        np.ones(1_000_000_000)

    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_a_notebook_whose_rows_cannot_be_held_back_runs_no_third_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the second run does not reach, no other one would: the runs went on until their time was over."""
    asked: list[object] = []
    place = CallPlace(cell=0, statement=1, call=0, turn=0)
    found = RecoveredNotebook(models=(), unsplit=place, fits=1, predictions=0, redirected=(), seconds=0.0)

    def recorded(*args: object, unsplit: object, **named: object) -> object:
        asked.append(unsplit)
        return found, [], {}, 0.0

    monkeypatch.setattr(pilot_run, "_recorded", recorded)

    pilot_run.run(tmp_path / "pilot.ipynb", into=tmp_path)

    assert asked == [None, place]
