"""training/notebook.py: strict parameters, exports without a pickle, named failures, hidden secrets."""

import json
import os
import time
from pathlib import Path

import nbformat
import pytest

from proveout.errors import ConfigError, NotebookFailed, ParametersRefused
from proveout.training import notebook


@pytest.fixture
def run(tmp_path: Path):
    """Run a notebook of the given cells; the first one is tagged `parameters`."""

    def run(*cells: str, parameters=None, exports=(), kernelspec=None, timeout_s=60.0, cell_timeout_s=60.0, **named):
        document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        document.cells[0].metadata["tags"] = ["parameters"]
        if kernelspec:
            document.metadata["kernelspec"] = {"name": kernelspec, "display_name": kernelspec, "language": "python"}
        file = tmp_path / "pilot.ipynb"
        nbformat.write(document, file)
        return notebook.run(
            file,
            parameters=parameters or {},
            exports=exports,
            into=tmp_path,
            timeout_s=timeout_s,
            cell_timeout_s=cell_timeout_s,
            **named,
        )

    return run


def test_objects_come_out_by_name_and_the_author_imports_nothing(run, tmp_path):
    """An estimator as skops, a table as parquet, plain values (numpy's too) as JSON; the notebook stays as written."""
    import pandas as pd

    from proveout.training import skopsfile

    ran = run(
        "n = 3",
        "import numpy as np, pandas as pd\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "model = LogisticRegression().fit([[0], [1]], [0, 1])\n"
        "frame = pd.DataFrame({'x': range(n)})\n"
        "metrics = {'auc': np.float64(0.5), 'rows': np.int64(n)}",
        parameters={"n": 4},
        exports=("model", "frame", "metrics"),
    )

    assert skopsfile.load(ran.exports["model"]).predict([[1]]).tolist() == [1]
    assert len(pd.read_parquet(ran.exports["frame"])) == 4
    assert json.loads(ran.exports["metrics"].read_text()) == {"auc": 0.5, "rows": 4}
    assert "proveout" not in "".join(cell.source for cell in nbformat.read(ran.executed, 4).cells)
    assert not list(tmp_path.glob("*.pkl"))


def test_a_kernelspec_nobody_registered_does_not_matter(run):
    """papermill alone stops with NoSuchKernel (facts/metaflow.md, section 2): a pilot comes from another machine."""
    import sys

    ran = run(
        "x = 1", "import sys\nwhere = sys.executable", parameters={"x": 1}, exports=["where"], kernelspec="my-env"
    )

    assert json.loads(ran.exports["where"].read_text()) == sys.executable


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"rate": 0.1, "name": "a", "deep": False, "typo": 1}, "`typo` is unknown"),
        ({"rate": 0.1, "name": "a"}, "`deep` is missing"),
        ({"rate": "0.1", "name": "a", "deep": False}, "`rate` is '0.1', a str; float was declared"),
        ({"rate": True, "name": "a", "deep": False}, "`rate` is True, a bool"),
        ({"rate": 0.1, "name": "a", "deep": 0}, "`deep` is 0, a int; bool was declared"),
        ({"rate": float("nan"), "name": "a", "deep": False}, "only JSON values"),
        ({"rate": 0.1, "name": Path("a"), "deep": False}, "only JSON values"),
        (
            {"rate": 0.1, "name": "env:NOT_SET_ANYWHERE", "deep": False},
            "NOT_SET_ANYWHERE, and that variable is not set",
        ),
    ],
)
def test_parameters_that_do_not_fit_are_refused_before_the_kernel_starts(run, tmp_path, given, problem):
    """papermill logs a line for an unknown name and fails on a wrong type after the whole notebook has run."""
    with pytest.raises(ParametersRefused, match="was not started") as refused:
        run("rate = 0.5\nname = 'x'\ndeep = True", parameters=given)

    assert any(problem in found for found in refused.value.problems)
    assert not (tmp_path / "executed.ipynb").exists()


def test_a_whole_number_fits_where_a_fraction_was_declared(run):
    """`learning_rate = 1` in a TOML file is no mistake."""
    ran = run("rate = 0.5", "seen = rate", parameters={"rate": 1}, exports=["seen"])

    assert json.loads(ran.exports["seen"].read_text()) == 1


def test_a_failing_cell_names_itself_and_the_half_executed_notebook_is_kept(run, tmp_path):
    """The data scientist must see which cell, its source and the traceback, without opening anything."""
    with pytest.raises(NotebookFailed) as failed:
        run("x = 1", "print('so far')", "table = {}\ntable['price']", "never = 1", parameters={"x": 1})

    said = str(failed.value)
    assert "KeyError" in said
    assert "table['price']" in said
    assert "Traceback" in said
    assert "\x1b[" not in said
    kept = nbformat.read(failed.value.executed, 4)
    assert any(output.get("text") == "so far\n" for cell in kept.cells for output in cell.get("outputs", []))


@pytest.mark.parametrize("limits", [{"cell_timeout_s": 1.0}, {"timeout_s": 4.0}], ids=["one cell", "the whole"])
def test_a_notebook_that_hangs_is_stopped(run, limits):
    """papermill marks the cells after a time-out as completed and raises an error without a cell."""
    begun = time.monotonic()
    with pytest.raises(NotebookFailed, match="ran longer than it may") as failed:
        run("x = 1", "import time\ntime.sleep(60)", parameters={"x": 1}, **limits)

    assert "time.sleep(60)" in failed.value.source
    assert time.monotonic() - begun < 30


def test_a_kernel_that_dies_is_said_to_have_died(run):
    """Out of memory looks like this, and like nothing else."""
    with pytest.raises(NotebookFailed, match="the kernel died"):
        run("x = 1", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", parameters={"x": 1})


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("y = 1", "defines no such name"),
        ("model = lambda: 1", "cannot be handed over"),
        ("model = float('nan')", "cannot"),
    ],
)
def test_an_object_that_cannot_be_handed_over_is_named(run, cell, problem):
    """Not a KeyError three steps later."""
    with pytest.raises(NotebookFailed, match=problem):
        run("x = 1", cell, parameters={"x": 1}, exports=["model"])


@pytest.mark.parametrize("ending", ["", "\nraise ValueError('bad login ' + password)"], ids=["success", "failure"])
def test_a_secret_reaches_the_kernel_and_never_the_saved_notebook(run, tmp_path, monkeypatch, ending):
    """Printed whole, printed in pieces, in a table, in the environment, in a traceback."""
    monkeypatch.setenv("DB_PASSWORD", "hunter2-canary")
    cell = (
        "import os, sys\nprint(password)\nfor c in password: print(c, end='', flush=True)\n"
        "length = len(password)\nprint(dict(os.environ))\ndisplay({'login': password})\npassword"
    )
    try:
        ran = run("password = 'x'", cell + ending, parameters={"password": "env:DB_PASSWORD"}, exports=["length"])
        assert json.loads(ran.exports["length"].read_text()) == len("hunter2-canary")
    except NotebookFailed as failed:
        assert ending
        assert "hunter2-canary" not in str(failed)

    saved = (tmp_path / "executed.ipynb").read_text()
    assert "hunter2-canary" not in saved
    assert "env:DB_PASSWORD" in saved
    assert notebook.HIDDEN in saved


def test_progress_is_told_cell_by_cell(run):
    """A run of minutes must not be silent."""
    told = []
    run("x = 1", "y = 2", parameters={"x": 1}, progress=told.append)

    assert [(p.cell, p.cells) for p in told if p.seconds is not None] == [(1, 3), (2, 3), (3, 3)]
    assert told[-1].title == "y = 2"


def test_a_notebook_without_a_parameters_cell_says_so(tmp_path):
    """It would run with whatever its author left in it."""
    file = tmp_path / "pilot.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")]), file)

    with pytest.raises(ConfigError, match="no code cell tagged `parameters`"):
        notebook.run(file, parameters={}, exports=(), into=tmp_path, timeout_s=9, cell_timeout_s=9)


def test_the_pilot_is_stored_without_outputs_and_knows_nothing_of_proveout():
    """The author of the notebook imports nothing of ours; outputs would carry data into git."""
    pilot = nbformat.read(Path(__file__).parents[1] / "notebooks" / "flight_delay.ipynb", 4)
    code = [cell for cell in pilot.cells if cell.cell_type == "code"]

    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert "proveout" not in "".join(cell.source for cell in pilot.cells)
    assert os.sep + "home" not in "".join(cell.source for cell in pilot.cells)
