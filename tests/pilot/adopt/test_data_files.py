"""What a notebook reads is looked for before it runs, and never taken from a stranger."""

import pytest
from small_notebooks import write_notebook

from proveout.pilot.adopt import data_files
from proveout.pilot.audit import notebook_text
from proveout.pilot.audit.analysis import Analysis


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with a folder `work` for the notebook."""
    monkeypatch.delenv("SEABORN_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    root = tmp_path / "project"
    for folder in (".git", "work", "data"):
        (root / folder).mkdir(parents=True)
    return root


def found_in(project, *cells):
    notebook = write_notebook(project / "work" / "pilot.ipynb", ("import pandas as pd\nimport seaborn as sns", *cells))
    return data_files.find(Analysis(notebook_text.read(notebook)))


@pytest.mark.parametrize("asked", ["rows.csv", "./rows.csv", "../data/other.csv"])
def test_a_file_that_is_there_is_present(project, asked):
    (project / "work" / "rows.csv").touch()
    (project / "data" / "other.csv").touch()

    [file] = found_in(project, f"df = pd.read_csv({asked!r})")

    assert (file.state, file.needs_answer) == ("present", False)
    assert file.file is not None
    assert file.file.is_file()


@pytest.mark.parametrize("asked", [r"C:\Users\ann\ROWS.csv", "/content/rows.csv", "Rows.CSV", "gone/rows.csv"])
def test_a_file_of_the_same_name_below_the_root_is_read_instead(project, asked):
    """Paths of another machine, and another case: said, but not asked."""
    (project / "data" / "rows.csv").touch()

    [file] = found_in(project, f"df = pd.read_csv({asked!r})")

    assert (file.state, file.file, file.needs_answer) == ("elsewhere", project / "data" / "rows.csv", False)
    assert str(project / "data" / "rows.csv") in file.sentence


def test_a_file_above_the_root_is_a_strangers(project):
    (project.parent / "rows.csv").touch()

    [file] = found_in(project, "df = pd.read_csv('/content/rows.csv')")

    assert (file.state, file.file, file.needs_answer) == ("missing", None, True)


def test_without_a_repository_the_folder_of_the_notebook_is_the_root(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "rows.csv").touch()

    [file] = found_in(tmp_path, "df = pd.read_csv('/content/rows.csv')")

    assert file.state == "missing"


def test_the_question_has_the_line_that_reads(project):
    [file] = found_in(project, "x = 1\nframe = pd.read_csv('lost.csv', sep=';')")

    assert (file.cell, file.line) == (1, 2)
    assert file.sentence == (
        "lost.csv is missing (cell 1, line 2: frame = pd.read_csv('lost.csv', sep=';')). Name the file."
    )


def test_another_extension_is_offered_and_not_taken(project):
    """An .xlsx of that name may hold other rows."""
    (project / "data" / "rows.xlsx").touch()

    [file] = found_in(project, "df = pd.read_csv('rows.csv')")

    assert (file.state, file.file, file.suggestions) == ("missing", None, (project / "data" / "rows.xlsx",))
    assert "is it " in file.sentence


def test_an_address_is_asked_for_and_a_file_of_its_name_is_offered(project):
    (project / "data" / "titanic.csv").touch()

    [file] = found_in(project, "url = 'https://example.org/x/titanic.csv?raw=1'", "df = pd.read_csv(url)")

    assert (file.state, file.cell, file.file) == ("url", 2, None)
    assert file.suggestions == (project / "data" / "titanic.csv",)
    assert "fetched when the notebook runs" in file.sentence


def test_data_sets_that_are_fetched_are_asked_for(project, tmp_path, monkeypatch):
    cells = (
        "from sklearn.datasets import fetch_openml, load_iris",
        "a = sns.load_dataset('tips')",
        "fetch_openml('x')",
    )

    found = found_in(project, *cells)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "tips.csv").touch()
    monkeypatch.setenv("SEABORN_DATA", str(tmp_path / "kept"))

    assert [(file.asked, file.state) for file in found] == [
        ("seaborn:tips", "data set"),
        ("sklearn.datasets.fetch_openml", "data set"),
    ]
    assert found_in(project, *cells)[0].state == "present"


def test_what_is_written_first_shown_or_unknown_is_not_asked_for(project):
    cells = (
        "df.to_csv('made.csv')",
        "pd.read_csv('made.csv')",
        "from IPython.display import Image\nImage('shown.png')",
        "import os\nfor name in os.listdir('/kaggle/input'):\n    pd.read_csv(os.path.join('/kaggle/input', name))",
        "open('out.txt', 'w')",
    )

    assert found_in(project, *cells) == ()


def test_a_path_that_is_given_to_the_notebooks_own_function_is_read(project):
    found = found_in(
        project, "def load(name):\n    return pd.read_csv(name)", "df = load('lost.csv')\ndf = load('lost.csv')"
    )

    assert [(file.asked, file.cell, file.state) for file in found] == [("lost.csv", 2, "missing")]


@pytest.mark.parametrize("repository", [True, False])
def test_a_file_that_a_copy_of_the_project_lacks_is_handed_to_its_run(project, repository):
    """Without a repository the notebook's folder is all that is copied, and the rows lie beside it."""
    (project / "data" / "rows.csv").touch()
    if not repository:
        (project / ".git").rmdir()

    found = found_in(project, "df = pd.read_csv('../data/rows.csv')\nother = pd.read_csv('gone.csv')")

    there = data_files.outside(found, project / "work" / "pilot.ipynb")
    assert there == ({} if repository else {"../data/rows.csv": project / "data" / "rows.csv"})
