"""training/notebook.py: strict parameters, exports without a pickle, named failures, hidden secrets."""

import json
import os
import time
from pathlib import Path

import nbformat
import pytest
from reference_project import ROOT

from proveout.errors import ConfigError, NotebookFailed, ParametersRefused
from proveout.model import notebook_file
from proveout.training import cell_output, notebook


@pytest.fixture
def run(tmp_path: Path):
    """Run a notebook of the given cells; the first one is tagged `parameters`."""

    def run(*cells: str, parameters=None, exports=(), kernelspec=None, timeout_s=280.0, cell_timeout_s=280.0, **named):
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


def test_a_search_hands_over_the_best_that_it_found_and_says_so(run):
    """A search holds scorers and splits, which no server needs, and was told not to be of scikit-learn's own parts."""
    from proveout.model import model_io

    ran = run(
        "n = 3",
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.model_selection import GridSearchCV\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import StandardScaler\n"
        "rows, late = [[x] for x in range(40)], [x > 20 for x in range(40)]\n"
        "search = GridSearchCV(LogisticRegression(), {'C': [1e-9, 1.0]}, cv=2)\n"
        "model = make_pipeline(StandardScaler(), search).fit(rows, late)",
        parameters={"n": 4},
        exports=("model",),
    )

    assert model_io.load(ran.exports["model"])[-1].C == 1.0
    assert ran.notes == ("the best estimator of GridSearchCV is handed over, {'C': 1.0}",)


def test_objects_come_out_by_name_and_the_author_imports_nothing(run, tmp_path):
    """An estimator as skops, a table as parquet, plain values (numpy's too) as JSON; the notebook stays as written."""
    import pandas as pd

    from proveout.model import model_io

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

    assert model_io.load(ran.exports["model"]).predict([[1]]).tolist() == [1]
    assert len(pd.read_parquet(ran.exports["frame"])) == 4
    assert json.loads(ran.exports["metrics"].read_text()) == {"auc": 0.5, "rows": 4}
    assert "proveout" not in "".join(cell.source for cell in nbformat.read(ran.executed, 4).cells)
    assert not list(tmp_path.glob("*.pkl"))


def test_a_notebook_may_use_the_names_of_builtins(run):
    """Pilots call a column `type` and a file `dir`: what takes the objects out ran among those names."""
    ran = run(
        "x = 1",
        "list = dict = type = str = open = globals = hasattr = 'taken'",
        "y = [x]",
        parameters={"x": 2},
        exports=["y"],
    )

    assert json.loads(ran.exports["y"].read_text()) == [2]


def test_a_kernelspec_nobody_registered_does_not_matter(run):
    """papermill alone stops with NoSuchKernel: a pilot comes from another machine."""
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
            "NOT_SET_ANYWHERE, but that variable is not set",
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


@pytest.mark.parametrize(
    ("cell", "limits", "said"),
    [
        (
            "while True: print('x' * 10_000, flush=True)",
            {"cell_timeout_s": 3.0},  # the others take a hundredth of it
            "stopped in cell 2: the cell exceeded its limit (cell_timeout_s = 3)",
        ),
        (
            "import time\ntime.sleep(60)",
            {"timeout_s": 200.0},
            "stopped in cell 2: the notebook exceeded its limit (timeout_s = 200)",
        ),
    ],
    ids=["one cell, talkative", "the whole, silent"],
)
def test_a_notebook_that_does_not_end_is_stopped_whatever_it_prints(run, cell, limits, said):
    """nbclient looks at the clock only when no output waits to be read: a talkative cell ran on for ever."""
    passed_s = [0.0]

    def one_second_is_left(begins):
        passed_s[0] = 199.0 * (begins.cell == 2)

    with pytest.raises(NotebookFailed) as failed:
        run("x = 1", cell, parameters={"x": 1}, clock=lambda: passed_s[0], progress=one_second_is_left, **limits)

    assert said in str(failed.value)
    assert failed.value.source == cell
    kept = nbformat.read(failed.value.executed, 4)
    assert any(said.partition(": ")[2] in one.source for one in kept.cells if one.cell_type == "markdown")
    if "cell_timeout_s" in limits:
        assert kept.cells[-1].outputs[0].text.startswith("x" * 10_000)
        assert len(kept.cells[-1].outputs[0].text) < 250_000


def test_output_is_kept_or_cut_and_never_a_failure(run):
    """Read by nbclient, one line of 3 MB took an hour, and 20,000 flushed lines were "longer than it may"."""
    ran = run(
        "x = 1",
        "print('x' * 3_000_000)",
        "import sys\nfor i in range(1_000): print(f'\\r{i}', end='', flush=True)\nprint('!', file=sys.stderr)",
        "for i in range(600): display(i, display_id='the same')\n'the value'",
        "from IPython.display import clear_output\n"
        "for i in range(99):\n    clear_output(wait=True); display(i); print(i)",
        "import threading, time\n"
        "def talk():\n"
        "    while not finished: time.sleep(0.01)\n"
        "    print('from a thread', flush=True)\n"
        "finished = False\nthread = threading.Thread(target=talk); thread.start()",
        "finished = True; thread.join(); print('last')",
        parameters={"x": 1},
    )
    cells = [cell.outputs for cell in nbformat.read(ran.executed, 4).cells if cell.execution_count]

    assert cells[1][0].text == f"{'x' * 100_000}\n[2,800,001 characters left out]\n{'x' * 99_999}\n"
    assert [output.text for output in cells[2]] == ["999", "!\n"]
    assert [output.output_type for output in cells[3]] == ["display_data"] * 500 + ["execute_result", "stream"]
    assert cells[3][-1].text == "[100 outputs left out: of one cell, 500 and 20 MB are kept]\n"
    assert [one.get("text", one.get("data", {}).get("text/plain")) for one in cells[4]] == ["98", "98\n"]
    assert "".join(one.text for one in cells[5] + cells[6]) == "from a thread\nlast\n"
    assert nbformat.validator.isvalid(nbformat.read(ran.executed, 4))


def test_no_output_is_lost_when_it_comes_faster_than_it_is_read(run, tmp_path, monkeypatch):
    """libzmq keeps 1,000 messages and drops the rest without a word, the one that says "done" among them."""
    from proveout.training import kernel

    printed, real = tmp_path / "printed", kernel._Outputs.process_message

    def late(self, message, *rest):
        while "print" in rest[0].source and not printed.exists():
            time.sleep(0.01)
        return real(self, message, *rest)

    monkeypatch.setattr(kernel._Outputs, "process_message", late)
    cell = f"for i in range(3_000): print(str(i).rjust(3_999), flush=True)\nopen({str(printed)!r}, 'w').close()"
    ran = run("x = 1", cell, parameters={"x": 1})

    text = nbformat.read(ran.executed, 4).cells[2].outputs[0].text
    assert f"\n[{3_000 * 4_000 - cell_output.TEXT_CHARS:,} characters left out]\n" in text
    assert text.endswith("2998\n" + "2999".rjust(3_999) + "\n")


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("import sys\nsys.exit(0)", "it ended the notebook (SystemExit: 0): what comes after it did not run"),
        ("quit()", "it ended the notebook (exit or quit): what comes after it did not run"),
        ("import os\nos._exit(0)", "it ended the notebook: the kernel's process is gone, with exit code 0"),
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
            "the kernel died of SIGKILL (out of memory, or killed by somebody)",
        ),
    ],
)
def test_a_notebook_that_ends_itself_has_failed(run, cell, problem):
    """papermill takes SystemExit with 0 for a success; then `model` was missing, as a TypeError two steps later."""
    with pytest.raises(NotebookFailed) as failed:
        run("x = 1", "print('so far')", cell, "model = 1", parameters={"x": 1}, exports=["model"])

    assert (failed.value.cell, failed.value.source, failed.value.problem) == (3, cell, problem)
    kept = nbformat.read(failed.value.executed, 4)
    assert kept.cells[2].outputs[0].text == "so far\n"
    assert problem in kept.cells[3].source


def test_an_error_of_ten_megabytes_is_told_in_a_page():
    """A frame in an error's text would fill the log of the run, and bury the cell that raised it."""
    from proveout.training import kernel

    text = "x" * 10_000_000
    reply = {"status": "error", "ename": "ValueError", "evalue": text, "traceback": ["first\n", text, "last"]}
    with pytest.raises(kernel.CellFailed) as failed:
        kernel._judge(reply, nbformat.v4.new_code_cell("f()"), "")

    assert failed.value.problem.startswith("ValueError: xxx")
    assert "[9,999,000 characters left out]" in failed.value.problem
    assert failed.value.traceback.startswith("first\n")
    assert failed.value.traceback.endswith("x\nlast")
    assert len(str(failed.value)) < 12_000


def test_a_kernel_that_does_not_start_says_why(run, tmp_path):
    """The reason is what its process wrote last; "died before replying to kernel_info" alone helps nobody."""
    (tmp_path / "ipykernel_launcher.py").write_text("raise SystemExit('broken environment')")

    with pytest.raises(NotebookFailed, match=r"pilot.ipynb failed: its kernel did not start") as failed:
        run("x = 1", parameters={"x": 1})
    assert failed.value.traceback == "broken environment"


def test_a_cell_that_is_meant_to_raise_is_no_failure_and_takes_no_blame(tmp_path, run):
    """papermill ran on to the end and then blamed the last cell that had raised; of a magic it kept no reason."""
    document = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in ("x = 1", "1 / 0", "done = x", "", "%nosuch")]
    )
    document.cells[0].metadata["tags"] = ["parameters"]
    document.cells[1].metadata["tags"] = ["raises-exception"]
    nbformat.write(document, tmp_path / "pilot.ipynb")
    named = {"exports": ["done"], "into": tmp_path, "timeout_s": 60, "cell_timeout_s": 60}

    with pytest.raises(NotebookFailed) as failed:
        notebook.run(tmp_path / "pilot.ipynb", parameters={"x": 5}, **named)
    assert failed.value.cell == 4
    assert failed.value.problem == "UsageError: Line magic function `%nosuch` not found."

    document.cells.pop()
    nbformat.write(document, tmp_path / "pilot.ipynb")
    ran = notebook.run(tmp_path / "pilot.ipynb", parameters={"x": 5}, **named)
    assert json.loads(ran.exports["done"].read_text()) == 5


def test_the_number_of_a_cell_is_the_one_that_its_traceback_names(run):
    """Text, empty cells and the cell that hands parameters in have none: `In [n]` of a fresh run."""
    with pytest.raises(NotebookFailed) as failed:
        run("x = 1", "", "y = x", "y.nothing", parameters={"x": 2})

    assert failed.value.cell == 3
    assert "Cell In[3], line 1" in failed.value.traceback


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
def test_a_secret_reaches_the_kernel_and_never_the_saved_notebook(run, tmp_path, monkeypatch, capfd, ending):
    """Printed whole, printed in pieces, by a child, in a table, in the environment, in a traceback."""
    monkeypatch.setenv("DB_PASSWORD", "hunter2-canary")
    cell = (
        "import os, sys\nprint(password)\nfor c in password: print(c, end='', flush=True)\n"
        "length = len(password)\nprint(dict(os.environ))\ndisplay({'login': password})\npassword"
    )
    child = "import os\nos.system('echo $DB_PASSWORD; echo $DB_PASSWORD >&2')"
    try:
        ran = run(
            "password = 'x'", child, cell + ending, parameters={"password": "env:DB_PASSWORD"}, exports=["length"]
        )
        assert json.loads(ran.exports["length"].read_text()) == len("hunter2-canary")
    except NotebookFailed as failed:
        assert ending
        assert "hunter2-canary" not in str(failed)

    saved = (tmp_path / "executed.ipynb").read_text()
    assert "hunter2-canary" not in "".join(capfd.readouterr())
    assert "hunter2-canary" not in saved
    assert "env:DB_PASSWORD" in saved
    assert notebook.HIDDEN in saved


@pytest.mark.parametrize(("outside", "inside"), [(None, "passive"), ("active", "active")])
def test_threads_of_the_kernel_do_not_spin_while_they_wait_unless_they_are_told_to(run, monkeypatch, outside, inside):
    """Beside a busy process a fit in two threads took minutes, and seconds in one."""
    monkeypatch.delenv("OMP_WAIT_POLICY")
    if outside is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", outside)
    ran = run(
        "n = 3",
        "import os\nmetrics = {name: os.environ[name] for name in ('OMP_WAIT_POLICY', 'OMP_NUM_THREADS')}",
        exports=("metrics",),
        parameters={"n": 4},
        threads=2,
    )

    given = json.loads(ran.exports["metrics"].read_text())

    assert given == {"OMP_WAIT_POLICY": inside, "OMP_NUM_THREADS": "2"}


def test_a_kernel_ends_without_a_last_search_and_what_a_cell_left_open_is_written(run, tmp_path):
    """The search takes a second of each training, and everybody waits for it. No name of ours is in the namespace."""
    ran = run(
        "n = 3",
        f"file = open({str(tmp_path / 'left_open')!r}, 'w')\n"
        "file.write('to the end')\n"
        "class Told:\n"
        f"    def __del__(self): open({str(tmp_path / 'collected')!r}, 'w').close()\n"
        "cycle = Told()\n"
        "cycle.itself = cycle\n"
        "metrics = {'ours': sum('proveout' in name or 'interpreter' in name for name in dir())}",
        parameters={"n": 4},
        exports=("metrics",),
    )

    assert (tmp_path / "left_open").read_text() == "to the end"
    assert not (tmp_path / "collected").exists()
    assert json.loads(ran.exports["metrics"].read_text()) == {"ours": 0}


def test_progress_is_told_cell_by_cell(run):
    """A run of minutes must not be silent."""
    told = []
    run("x = 1", "y = 2", parameters={"x": 1}, progress=told.append)

    assert [(p.cell, p.cells) for p in told if p.seconds is not None] == [(1, 2), (2, 2)]
    assert told[-1].title == "y = 2"


def test_parameters_reach_the_notebook_as_declared(run):
    """A tuple, a default computed from another, and None for what TOML cannot say."""
    ran = run(
        "!true\nlayers = (100, 50)\nbase = 10\nhalf = base // 2\ndepth: int | None = None",
        "seen = [type(layers).__name__, layers[0], base, half, depth]",
        parameters={"layers": [7], "base": 100},
        exports=["seen"],
        defaults_allowed=True,
    )

    assert json.loads(ran.exports["seen"].read_text()) == ["tuple", 7, 100, 50, None]
    assert ran.defaults == ("half", "depth")


def code(*sources: str, tag: str = "parameters", **metadata) -> str:
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources], metadata=metadata)
    if sources:
        document.cells[-1].metadata["tags"] = [tag]
    return nbformat.writes(document)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is no notebook that Jupyter could read (Notebook does not appear to be JSON: '')"),
        ("print('a script')", "Notebook does not appear to be JSON"),
        ("[]", "it is no notebook that Jupyter could read"),
        ("{}", "it is no notebook that Jupyter could read"),
        (code().replace('"nbformat": 4', '"nbformat": 9'), "Unsupported nbformat version 9"),
        (code("x <- 1", kernelspec={"name": "ir", "language": "R", "display_name": "R"}), "it is written in R"),
        (code(), "no code cell tagged `parameters`. It has no code at all"),
        (code("x = 1", tag="setup"), "no code cell tagged `parameters`. Tag the cell that sets them"),
        (code("import os", "", "rate = 0.5\ndepth = = 3"), "pilot.ipynb, cell 2, line 2: invalid syntax: depth = = 3"),
    ],
    ids=["empty", "a script", "a list", "no cells", "another format", "R", "no code", "no parameters", "syntax"],
)
def test_a_notebook_that_cannot_be_run_says_what_is_wrong(tmp_path, text, problem):
    """Bare NotJSONError, AttributeError, SyntaxError `<unknown>`: before, none named the notebook."""
    file = tmp_path / "pilot.ipynb"
    file.write_text(text)

    with pytest.raises(ConfigError) as refused:
        notebook.run(file, parameters={}, exports=(), into=tmp_path, timeout_s=9, cell_timeout_s=9)
    assert problem in str(refused.value)
    assert str(file) in str(refused.value)


def test_a_folder_is_no_notebook(tmp_path):
    """An IsADirectoryError would not say which setting to correct."""
    with pytest.raises(ConfigError, match=r"it is a folder\. Correct `notebook`"):
        notebook_file.read(tmp_path)


def test_older_notebooks_and_those_with_a_byte_order_mark_are_read(tmp_path):
    """Format 3 is what IPython 2 saved; its cells stand in worksheets."""
    cell = {"cell_type": "code", "input": ["x = 1\n", "y = 2"], "language": "python", "outputs": [], "metadata": {}}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": [cell]}]}
    file = tmp_path / "pilot.ipynb"
    for text in (json.dumps(old), "\ufeff" + code("x = 1\ny = 2")):
        file.write_text(text, encoding="utf-8")
        assert [cell.source for cell in notebook_file.read(file).cells] == ["x = 1\ny = 2"]


def test_cells_without_an_id_get_one_without_a_word(tmp_path, recwarn):
    """Most notebooks have none, and nobody who reads the warning can do anything about it."""
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")])
    del document.cells[0]["id"]
    file = tmp_path / "pilot.ipynb"
    file.write_text(json.dumps(document), encoding="utf-8")

    assert notebook_file.read(file).cells[0].id
    assert not recwarn.list


def test_the_pilot_is_stored_without_outputs_and_knows_nothing_of_proveout():
    """The author of the notebook imports nothing of ours; outputs would carry data into git."""
    pilot = nbformat.read(ROOT / "notebooks" / "flight_delay.ipynb", 4)
    code = [cell for cell in pilot.cells if cell.cell_type == "code"]

    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert "proveout" not in "".join(cell.source for cell in pilot.cells)
    assert os.sep + "home" not in "".join(cell.source for cell in pilot.cells)
