"""cli/adopt.py: what is asked of a person, and what a wrong answer gets."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import PATIENCE_S
from small_notebooks import write_notebook
from typer.testing import CliRunner

from proveout.cli import adopt, main
from proveout.errors import UsageError
from proveout.pilot.adopt import environment
from proveout.pilot.adopt.data_files import DataFile
from proveout.pilot.adopt.environment import Environment

MISSING = DataFile(asked="/content/x.csv", cell=2, line=1, code="pd.read_csv('/content/x.csv')", state="missing")
FOUND = DataFile(asked="y.csv", cell=3, line=1, code="pd.read_csv('y.csv')", state="elsewhere", file=Path("data/y.csv"))


def test_a_missing_file_is_asked_for_once_with_the_line_that_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that was found is not asked for, and neither is one that was given."""
    (tmp_path / "rows.csv").write_text("a\n1\n")
    monkeypatch.setattr(adopt.typer, "prompt", lambda *_, **__: str(tmp_path / "rows.csv"))

    assert adopt._files((MISSING, FOUND), [], yes=False) == {"/content/x.csv": tmp_path / "rows.csv"}
    assert "cell 2, line 1: pd.read_csv" in capsys.readouterr().out

    monkeypatch.setattr(adopt.typer, "prompt", lambda *_, **__: pytest.fail("it was asked"))
    given = [f"/content/x.csv={tmp_path / 'rows.csv'}"]
    assert adopt._files((MISSING, FOUND), given, yes=False) == {"/content/x.csv": tmp_path / "rows.csv"}
    assert adopt._files((MISSING,), [], yes=True) == {}


def test_a_run_in_another_interpreter_ends_its_kernel_before_it_is_killed(tmp_path: Path) -> None:
    """SIGTERM reaches only the first process. Killed at once, the second one leaves its kernel's workers behind."""
    other = tmp_path / "python"
    other.write_text(
        f"#!/bin/sh\ntrap 'echo ended > {tmp_path}/ended; exit 3' TERM\necho begun > {tmp_path}/begun\n"
        "while true; do sleep 0.1; done\n"
    )
    other.chmod(0o755)
    code = (
        "import pathlib, signal, sys\nfrom proveout.cli import adopt\n"
        f"adopt._ALONE_S, adopt._ENDS_S = 0, {PATIENCE_S}\n"
        "signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))\n"
        f"adopt._run(pathlib.Path({str(other)!r}), [])"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        while not (tmp_path / "begun").exists():
            time.sleep(0.05)
        process.terminate()
        assert process.wait(timeout=2 * PATIENCE_S) == 128 + signal.SIGTERM

    assert (tmp_path / "ended").exists()


@pytest.mark.parametrize("given", ["rows.csv", "x=/nowhere/rows.csv"])
def test_a_wrong_answer_is_told(given: str) -> None:
    """Before anything runs."""
    with pytest.raises(UsageError, match=r"expected ASKED=FILE, with a file that exists"):
        adopt._files((MISSING,), [given], yes=True)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: None, "no such file"),
        (lambda folder: (folder / "p.ipynb").write_text("{"), "p.ipynb"),
        (lambda folder: (folder / "p.ipynb").mkdir(), "p.ipynb"),
    ],
    ids=["no file", "no notebook", "a folder"],
)
def test_what_is_no_notebook_is_told(make: object, said: str, tmp_path: Path) -> None:
    """In one sentence, and nothing is written."""
    assert callable(make)
    make(tmp_path)

    result = CliRunner().invoke(main, ["adopt", str(tmp_path / "p.ipynb"), "--into", str(tmp_path / "made"), "--yes"])

    assert result.exit_code in (1, 2)
    assert said in result.output.lower()
    assert "Traceback" not in result.output
    assert "unexpected" not in result.output
    assert not (tmp_path / "made").exists()


def test_a_folder_with_files_is_not_written_into(tmp_path: Path) -> None:
    """Neither is anything run for it."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "own.txt").write_text("mine")

    result = CliRunner().invoke(main, ["adopt", "p.ipynb", "--into", str(tmp_path / "made"), "--yes"])

    assert result.exit_code == 2
    assert "is not an empty folder: name another one" in result.output


@pytest.mark.parametrize("made_first", [True, False], ids=["in an environment", "in the running interpreter"])
def test_a_notebook_whose_cell_raised_runs_once_more_with_the_releases_of_its_time(
    made_first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its answer is that of the second run."""
    notebook = write_notebook(tmp_path / "p.ipynb", ["import pandas\nfrom sklearn.svm import SVC\nSVC().fit(pandas.x)"])
    today = Environment(python=Path("today"), why=(), requirements=(), left_out=(), made=made_first)
    then = Environment(python=Path("then"), why=("of its time",), requirements=(), left_out=(), made=True)
    monkeypatch.setattr(environment, "environment_for", lambda *_, **__: today)
    monkeypatch.setattr(environment, "in_its_time", lambda *_, **__: then)
    ran = []

    def run(python: Path, again: list[str]) -> int:
        ran.append((python.name, again))
        if python.name == "then":
            return 0
        return CliRunner().invoke(main, ["adopt", *again, "--here"]).exit_code

    monkeypatch.setattr(adopt, "_run", run)

    result = CliRunner().invoke(main, ["adopt", str(notebook), "--into", str(tmp_path / "made"), "--yes"])

    assert result.exit_code == 0, result.output
    assert [name for name, _ in ran] == (["today", "then"] if made_first else ["then"])
    assert "has no attribute 'x'" in result.output
    assert "environment: of its time" in result.output


def test_a_notebook_that_is_refused_for_another_reason_does_not_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other releases would not help it."""
    notebook = write_notebook(tmp_path / "p.ipynb", ["from sklearn.svm import SVC\nSVC"])
    monkeypatch.setattr(environment, "in_its_time", lambda *_, **__: pytest.fail("an environment was made"))

    result = CliRunner().invoke(main, ["adopt", str(notebook), "--into", str(tmp_path / "made"), "--yes"])

    assert result.exit_code == 1
    assert "no cell fits a model" in result.output


def test_init_from_a_notebook_is_the_same_command(tmp_path: Path) -> None:
    """With the same refusal; and only one way to start a project at a time."""
    folder, notebook = str(tmp_path / "made"), str(tmp_path / "p.ipynb")

    refused = CliRunner().invoke(main, ["init", folder, "--from", notebook, "--yes"])
    both = CliRunner().invoke(main, ["init", folder, "--from", notebook, "--example", "text"])

    assert refused.exit_code == 2
    assert f"{notebook}: there is no such file" in refused.output
    assert both.exit_code == 2
    assert "exclude each other: give one of them" in both.output
