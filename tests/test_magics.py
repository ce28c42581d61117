"""`%load_ext proveout`: an audit of the cell at hand, the gate on a named object, records as tables."""

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from proveout import magics
from proveout.errors import UsageError
from proveout.records.answer import Answer
from proveout.settings import Settings
from proveout.training import object_run


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A shell with the extension, as `%load_ext proveout` leaves it."""
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    made.run_line_magic("load_ext", "proveout")
    yield made
    InteractiveShell.clear_instance()


def test_a_cell_is_audited_and_run(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """With the finding's line in that cell, and nothing about the notebook as a whole."""
    shell.run_cell_magic("audit", "", "import os\nfolder = '/home/ann/data/x.csv'\nb = 2")

    said = capsys.readouterr().out
    assert shell.user_ns["b"] == 2
    assert "absolute-path" in said
    assert "/home/ann/data/x.csv" in said


def test_a_cell_is_read_behind_those_that_ran(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """What they bind is no missing name, and what is wrong in them was said when they ran."""
    shell.run_cell("rows, folder = [1], '/home/ann/x.csv'", store_history=True)
    shell.run_cell("%%audit\nmore = rows + rows", store_history=True)
    clean = capsys.readouterr().out
    shell.run_cell("%%audit\nprint(more, nowhere)", store_history=True)

    assert "nothing found" in clean
    said = capsys.readouterr().out
    assert "cell 3, line 1: 'nowhere'" in said
    assert "'more'" not in said
    assert "next:" not in said, "no command reads a notebook that is in no file"


def test_all_cells_that_ran_are_audited(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    """What one defines another may use."""
    shell.run_cell("path = '/home/ann/x.csv'", store_history=True)
    shell.run_line_magic("audit", "")

    assert "/home/ann/x.csv" in capsys.readouterr().out


def test_a_record_is_a_table(shell: InteractiveShell) -> None:
    """Text from users is no HTML."""
    shown, _ = shell.display_formatter.format(Answer(value="<b>yes</b>", probability=0.25))

    assert "<th style='text-align: left'>probability</th><td style='text-align: left'>0.25</td>" in shown["text/html"]
    assert "&lt;b&gt;yes" in shown["text/html"]


def test_prove_hands_the_object_and_the_metrics_to_the_gate(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project is the one that the notebook lies in."""
    seen: list[Any] = []
    monkeypatch.setattr(object_run, "judge", lambda project, model, metrics: seen.append((project, model, metrics)))
    monkeypatch.setattr("proveout.settings.load", lambda: "the project")
    shell.user_ns.update(model="a model", metrics={"auc": 0.7})

    shell.run_line_magic("prove", "model")

    assert seen == [("the project", "a model", {"auc": 0.7})]
    with pytest.raises(UsageError, match=r"%prove other: the notebook has no such name"):
        magics.prove("other")


def test_what_is_no_estimator_is_told() -> None:
    """Before anything is read."""
    with pytest.raises(UsageError, match="dict is no estimator"):
        object_run.judge(Settings.model_construct(), {}, {})
