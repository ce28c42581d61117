"""`proveout init`: its questions, at a real terminal, and what it says where there is none."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from command_line import complained, said
from patience import PATIENCE_S

from proveout.cli._init_questions import Start


def at_a_terminal(folder: Path, answers: str, *words: str) -> subprocess.CompletedProcess[str]:
    """`proveout init` in `folder`, whose stdin is a terminal where somebody has typed the answers, one a line."""
    master, terminal = pty.openpty()
    try:
        os.write(master, answers.encode())
        return subprocess.run(
            [sys.executable, "-m", "proveout", "init", *words],
            cwd=folder, stdin=terminal, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    finally:
        os.close(terminal)
        os.close(master)


def table(folder: Path) -> None:
    rows = "".join(f"{hour},{wind},{'yes' if hour > 11 else 'no'}\n" for hour in range(24) for wind in range(10))
    (folder / "delays.csv").write_text(f"hour,wind,late\n{rows}")


def test_who_presses_enter_three_times_has_a_project_that_runs(tmp_path):
    """The reference project, in a folder of its name."""
    made = at_a_terminal(tmp_path, "\n\n\n")

    assert made.returncode == 0, made.stderr
    assert "without questions: proveout init flights\n" in made.stderr
    assert "created   flights   " in made.stdout
    assert (tmp_path / "flights" / "flows" / "train.py").is_file()


def test_a_table_is_named_and_its_target_chosen_of_its_columns(tmp_path):
    """A wrong answer is refused, and the question comes again."""
    table(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine")

    made = at_a_terminal(tmp_path, "2\n\nlatte\nlate\ntaken\n\n")

    assert made.returncode == 0, made.stderr
    assert "its columns: hour, wind, late\n" in made.stderr
    assert "delays.csv has no column latte" in made.stderr
    assert "taken exists and is not an empty folder" in made.stderr
    assert "without questions: proveout init delays --table delays.csv --target late\n" in made.stderr
    assert "created   delays   " in made.stdout
    assert "late" in (tmp_path / "delays" / "pyproject.toml").read_text()


def test_a_notebook_goes_to_adopt(tmp_path):
    """Here one that adopt refuses before it runs anything."""
    cell = nbformat.v4.new_code_cell("from tensorflow import keras\nmodel = keras.Sequential()\nmodel.fit([[1]], [1])")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "pilot.ipynb")

    made = at_a_terminal(tmp_path, "pie\nnotebook\nnone.ipynb\n\n\n")

    assert made.returncode != 0
    assert "answer 1, 2, 3 or notebook, table, example" in made.stderr
    assert "there is no file none.ipynb" in made.stderr
    assert "without questions: proveout init pilot-project --from pilot.ipynb\n" in made.stderr
    assert "error: " in made.stderr
    assert not (tmp_path / "pilot-project" / "pyproject.toml").exists()


def test_an_answer_that_the_command_line_gives_is_not_asked_for(tmp_path):
    """Here the folder is all that is missing."""
    made = at_a_terminal(tmp_path, "mine\n", "--example", "text")

    assert made.returncode == 0, made.stderr
    assert "What do you have" not in made.stderr
    assert (tmp_path / "mine" / "checks").is_dir()


def test_without_a_terminal_the_error_says_how_to_give_the_answers(tmp_path, monkeypatch):
    """A script that waits for an answer would wait for ever."""
    monkeypatch.chdir(tmp_path)

    for words, missing in (
        ([], "DIR not given"),
        (["--table", "a.csv"], "DIR and --target COLUMN not given"),
        (["mine", "--table", "a.csv"], "--target COLUMN not given"),
    ):
        assert complained(2, "init", *words).startswith(f"error: {missing}, and stdin is no terminal to ask at")
    assert list(tmp_path.iterdir()) == []


def test_yes_takes_the_defaults(tmp_path, monkeypatch):
    """The folder has the name of the example; only the column to predict has no default."""
    monkeypatch.chdir(tmp_path)

    assert said(0, "init", "--yes").startswith("created   flights   ")
    assert said(0, "init", "--example", "text", "-y").startswith("created   text   ")
    assert "--table FILE needs --target COLUMN" in complained(2, "init", "--table", "a.csv", "--yes")


@pytest.mark.parametrize(
    ("start", "folder"),
    [
        (Start(), "flights"),
        (Start(notebook=Path("old/pilot.ipynb")), "old/pilot-project"),
        (Start(table="data/churn.csv.gz"), "churn"),
        (Start(table="data/*.csv"), "project"),
        (Start(table="https://example.org/customers.csv"), "customers"),
    ],
)
def test_the_usual_folder_is_called_like_what_the_project_starts_from(start, folder):
    assert start.usual_folder == Path(folder)


def test_the_command_without_questions_can_be_pasted():
    """Also where a name has a space."""
    start = Start(folder=Path("my churn"), table="a b.csv", target="has left")

    assert start.command == "proveout init 'my churn' --table 'a b.csv' --target 'has left'"
