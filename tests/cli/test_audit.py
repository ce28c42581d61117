"""`proveout audit`: what it prints, writes and exits with. Each report says the same thing in its own form."""

import json
from pathlib import Path

import pytest
from command_line import complained, invoke, said

PILOT = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python", "version": "3.11.2"},
    },
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": ["# A pilot"]},
        {
            "cell_type": "code",
            "execution_count": 1,
            "metadata": {},
            "outputs": [],
            "source": ["import json\n", "rows = json.load(open('/home/ann/rows.json'))"],
        },
    ],
}


@pytest.fixture
def pilot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notebook with one absolute path, in a folder with a space in its name, which is the working folder."""
    folder = tmp_path / "my pilots"
    folder.mkdir()
    file = folder / "pilot.ipynb"
    file.write_text(json.dumps(PILOT, indent=1))
    monkeypatch.chdir(folder)
    return file


def test_a_person_reads_what_to_do_first_with_the_code(pilot: Path) -> None:
    """A list of codes sends people to a manual; the line itself, the reason and the fix do not."""
    shown = said(0, "audit", "pilot.ipynb")

    assert shown.startswith("pilot.ipynb   score ")
    assert "PA101 absolute-path: Absolute path" in shown
    assert "cell 1, line 2: '/home/ann/rows.json' is a path of one machine" in shown
    assert "| rows = json.load(open('/home/ann/rows.json'))" in shown
    assert shown.splitlines()[-1] == "next: proveout audit pilot.ipynb --all"


def test_the_json_has_the_form_that_tools_read(pilot: Path) -> None:
    """Members that are renamed break the scripts of others."""
    report = json.loads(said(0, "audit", "pilot.ipynb", "--json"))

    assert {"notebook", "findings", "counts", "score"} <= report.keys()
    assert report["notebook"] == "pilot.ipynb"
    [found] = report["findings"]
    assert {"kind", "severity", "cell_index", "line", "evidence", "fix", "adopt"} <= found.keys()
    assert (found["kind"], found["cell_index"], found["line"]) == ("absolute-path", 1, 2)
    assert report["counts"] == {"absolute-path": 1}


def test_sarif_points_to_the_line_of_the_file(pilot: Path) -> None:
    """A code host shows the finding at this line; line 1 for all of them would help nobody."""
    [run] = json.loads(said(0, "audit", "pilot.ipynb", "--sarif"))["runs"]
    [result] = run["results"]
    [place] = result["locations"]

    assert place["physicalLocation"]["artifactLocation"]["uri"] == "pilot.ipynb"
    line = place["physicalLocation"]["region"]["startLine"]
    assert "/home/ann/rows.json" in pilot.read_text().splitlines()[line - 1]
    assert place["logicalLocations"] == [{"fullyQualifiedName": "cell 1, line 2"}]
    assert result["ruleId"] in {rule["id"] for rule in run["tool"]["driver"]["rules"]}


def test_the_page_shows_the_code_and_escapes_it(pilot: Path) -> None:
    """A cell may hold markup; on the page it is text."""
    document = json.loads(pilot.read_text())
    document["cells"][1]["source"] = ["page = '<script>x</script>' + open('/home/ann/a.txt').read()"]
    pilot.write_text(json.dumps(document))

    invoke("audit", "pilot.ipynb", "--html", "audit.html")

    text = (pilot.parent / "audit.html").read_text()
    assert "&lt;script&gt;x&lt;/script&gt;" in text
    assert "<script" not in text
    assert "http" not in text  # nothing is loaded from elsewhere


@pytest.mark.parametrize(("severity", "code"), [("high", 1), ("info", 1)])
def test_ci_fails_on_what_is_severe_enough(pilot: Path, severity: str, code: int) -> None:
    """An absolute path is severe."""
    assert invoke("audit", "pilot.ipynb", "--fail-on", severity).exit_code == code


def test_ci_passes_where_nothing_is_severe_enough(pilot: Path) -> None:
    """A notebook with an unnamed number alone fails on `info` and passes on `high`."""
    document = json.loads(pilot.read_text())
    document["cells"][1]["source"] = ["share = 0.25"]
    pilot.write_text(json.dumps(document))

    assert invoke("audit", "pilot.ipynb", "--fail-on", "high").exit_code == 0
    assert invoke("audit", "pilot.ipynb", "--fail-on", "info").exit_code == 1


def test_a_folder_is_read_whole_and_what_is_no_notebook_is_named(pilot: Path) -> None:
    """One broken file does not hide what the others have."""
    (pilot.parent / "broken.ipynb").write_text("{")
    (pilot.parent / "script.py").write_text("# %%\nopen('/home/ann/b.txt')\n")
    (pilot.parent / "module.py").write_text("open('/home/ann/c.txt')\n")

    result = invoke("audit", ".", "--json")

    assert [Path(report["notebook"]).name for report in json.loads(result.stdout)] == ["pilot.ipynb", "script.py"]
    assert "skipped: broken.ipynb is no notebook: it is not JSON" in result.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nowhere.ipynb",), "nowhere.ipynb: there is no such file. Name a notebook (.ipynb, .py) or a folder"),
        (("pilot.ipynb", "--json", "--sarif"), "--json and --sarif both print: choose one."),
        (("pilot.ipynb", "--html", "missing/audit.html"), "missing/audit.html cannot be written: No such file"),
        (("empty.ipynb",), "empty.ipynb is no notebook: it is empty. Save it again in Jupyter."),
        (("r.ipynb",), "r.ipynb is written in r. The audit reads notebooks in Python."),
        (("nothing",), "nothing: no notebook is in this folder"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence(pilot: Path, words: tuple[str, ...], sentence: str) -> None:
    """With what to do, and exit code 2."""
    (pilot.parent / "empty.ipynb").write_text("")
    (pilot.parent / "nothing").mkdir()
    r = PILOT | {"metadata": {"kernelspec": {"name": "ir", "language": "R"}}}
    (pilot.parent / "r.ipynb").write_text(json.dumps(r))

    assert sentence in complained(2, "audit", *words)
