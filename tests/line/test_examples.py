"""examples/: each is a project that the same commands run in, laid out by `proveout init --example` and taken whole
through the line. A folder that is added there is found here by itself.
"""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from shutil import ignore_patterns

import pytest
from reference_project import ROOT, SAME_IN_EVERY_PROJECT, terminal, trained_in_a_notebook

from proveout.ledger.ledger import Ledger
from proveout.pilot import scaffold
from proveout.records.json_form import from_json
from proveout.records.verdict import Verdict
from proveout.settings import load

EXAMPLES = scaffold.examples()
IN_A_NOTEBOOK = "regression"  # notebooks/run_flow.ipynb trains it; the others are trained at a terminal
BEHIND = {"boosting", "multiclass", "text"}  # `make chaos`: of tasks that the flights and a table have, too


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=terminal(), capture_output=True, text=True, check=False, timeout=1_800
    )


def lay_out(name: str, into: Path) -> Path:
    laid = run(into, sys.executable, "-m", "proveout", "init", "--example", name, "mine")
    assert laid.returncode == 0, laid.stdout + laid.stderr
    return into / "mine"


@pytest.mark.chaos  # the flights and an adopted project go the whole way in the README's test
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_goes_from_raw_data_to_a_watched_model(name, tmp_path):
    """What `make demo` does: all of its checks pass, the worker is killed, every answer is in the log."""
    project = lay_out(name, tmp_path)

    shown = run(project, sys.executable, "-m", "proveout", "demo")

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert re.search(r"approved +\S+@\w{12} +\d+ of \d+ checks passed, 0 failed, 0 unproven", shown.stdout)
    assert re.search(r"475 held-out rows were asked about and 475 answered: \d+ by model, \d+ by rules", shown.stdout)
    assert "worker    killed" in shown.stdout
    with Ledger(load(project).ledger) as ledger:
        assert ledger.prediction_count() == 475
        assert {"snapshot", "bundle", "verdict", "approval", "release", "drift"} <= {
            entry.kind for entry in ledger.entries()
        }
        ledger.verify_chain()


@pytest.mark.long
@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=[pytest.mark.chaos] if one in BEHIND else []) for one in EXAMPLES]
)
def test_an_example_is_trained_and_approved_by_the_checks_that_are_its_own(name, tmp_path):
    """Its data, notebook, model and edge cases. `make chaos` takes it through the whole line."""
    project = lay_out(name, tmp_path)
    own = ignore_patterns(*SAME_IN_EVERY_PROJECT, "__pycache__")
    shutil.copytree(project / "checks", project / "own_checks", ignore=own)

    if name == IN_A_NOTEBOOK:
        said = json.dumps(trained_in_a_notebook(project, checks="own_checks").cells)
        assert said.count("successful") == 2
        assert "approved" in said
    else:
        for flow in (["flows/ingest.py", "run"], ["flows/train.py", "run", "--checks", "own_checks"]):
            ran = run(project, sys.executable, *flow)
            assert ran.returncode == 0, ran.stdout + ran.stderr

    with Ledger(load(project).ledger) as ledger:
        [entry] = ledger.entries(kind="verdict")
    verdict = from_json(Verdict, entry.body)
    assert (verdict.outcome, verdict.failed, verdict.unproven) == ("approved", (), ())
    asked = {result.check.split("::")[0] for result in verdict.results}
    assert asked == {f"own_checks/test_{part}.py" for part in ("data", "edge_cases", "model")}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_checks_of_how_it_is_served_are_the_one_copy(name):
    """So the whole runs of other projects ask them, too."""
    for file in SAME_IN_EVERY_PROJECT:
        assert (ROOT / "examples" / name / "checks" / file).resolve() == ROOT / "checks" / file


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_every_project_has_is_the_one_copy(name):
    """`make demo` in the folder itself runs the same flows, server and checks as everywhere."""
    folder = ROOT / "examples" / name

    for file in (file for file in scaffold.GENERIC if not file.startswith(".github")):
        assert (folder / file).resolve() == ROOT / file, file
    assert (folder / "Makefile").resolve() == ROOT / "examples" / "Makefile"


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_project_made_from_it_has_its_own_name_and_asks_for_this_version(name):
    """Another version might not read its settings; what else it imports is its own to name."""
    made, ours = (
        tomllib.loads(text)["project"]
        for text in (
            scaffold.project_files(name="mine", example=name)["pyproject.toml"].decode(),
            (ROOT / "examples" / name / "pyproject.toml").read_text(encoding="utf-8"),
        )
    )

    [needed] = [need for need in made["dependencies"] if need.startswith("proveout")]
    assert made["name"] == "mine"
    assert re.fullmatch(r"proveout(\[\w+\])?==\d+\.\d+\.\d+", needed)
    assert len(made["dependencies"]) == len(ours["dependencies"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_author_has_not_heard_of_proveout(name):
    """A pilot is what somebody had before."""
    notebooks = [file for file in (ROOT / "examples" / name / "notebooks").glob("*.ipynb") if not file.is_symlink()]
    code = [
        "".join(cell["source"])
        for file in notebooks
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]

    assert len(notebooks) == 1
    assert len(code) > 4
    assert not [cell for cell in code if "proveout" in cell]


@pytest.mark.parametrize("name", EXAMPLES)
def test_make_demo_in_its_folder_is_the_whole_line(name):
    """With the .venv of the checkout."""
    folder = ROOT / "examples" / name
    planned = run(folder, "make", "--no-print-directory", "--dry-run", "--assume-old=../../.venv/.ready", "demo")
    helped = run(folder, "make", "--no-print-directory")

    assert planned.stdout.splitlines()[-1:] == ["../../.venv/bin/proveout demo"], planned.stdout + planned.stderr
    assert "make demo " in helped.stdout


def test_an_example_that_is_not_there_lists_those_that_are(tmp_path):
    """A name is guessed before it is looked up."""
    asked = run(tmp_path, sys.executable, "-m", "proveout", "init", "--example", "regresion", "mine")

    assert asked.returncode == 2
    assert f"There is no example regresion: choose one of {', '.join(EXAMPLES)}. Nothing was written." in asked.stderr
    assert list(tmp_path.iterdir()) == []
