"""code_files.py: which files of the project a piece of its code is made of."""

import hashlib
import json

import pytest

from proveout import code_files


@pytest.fixture
def lay(tmp_path):
    """Write files by their names from the root, and return the root."""

    def write(**files):
        for name, text in files.items():
            file = tmp_path / name.replace("__", "/").replace("_py", ".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


def test_a_file_that_is_imported_two_steps_away_is_part_of_it(lay):
    """Edited there, the function computes something else."""
    root = lay(
        flows__features_py="import clock\ndef features(rows): return clock.minutes(rows)",
        flows__clock_py="from shared.units import MINUTES",
        shared__units_py="MINUTES = 60",
        shared__idle_py="",
    )

    found = code_files.of_object("flows/features.py:features", root)

    assert list(found) == ["flows/features.py", "flows/clock.py", "shared/units.py"]
    assert found["shared/units.py"] == hashlib.sha256(b"MINUTES = 60").hexdigest()


@pytest.mark.parametrize(
    "statement",
    [
        "import helper",
        "import helper as h",
        "from helper import BOUND",
        "def f():\n    import helper",
        "try:\n    import helper\nexcept ImportError:\n    helper = None",
        "import importlib\nhelper = importlib.import_module('helper')",
        "helper = __import__('helper')",
    ],
)
def test_an_import_counts_however_it_is_written(lay, statement):
    """Also inside a function, where nothing is loaded until it is called."""
    root = lay(one_py=statement, helper_py="BOUND = 1")

    assert set(code_files.of_object("one.py:f", root)) == {"one.py", "helper.py"}


def test_what_a_notebook_imports_is_part_of_it(lay):
    """Cell by cell, magics and slips left aside: a helper beside the notebook is code like any other."""
    cells = [
        {"cell_type": "code", "source": ["%load_ext autoreload\n", "import helper\n", "!ls"]},
        {"cell_type": "code", "source": "this is no Python"},
        {"cell_type": "markdown", "source": "import idle"},
    ]
    root = lay(helper_py="import deeper", deeper_py="", idle_py="")
    (root / "pilot.ipynb").write_text(json.dumps({"cells": cells}))
    (root / "broken.ipynb").write_text("{")

    files = code_files.with_imported([root / "pilot.ipynb", root / "broken.ipynb"], root)

    assert [file.name for file in files] == ["pilot.ipynb", "broken.ipynb", "helper.py", "deeper.py"]


def test_what_is_installed_is_no_part_of_the_project(lay):
    """A virtual environment may lie below the root: its libraries have versions, and no digests here."""
    root = lay(one_py="import lib, json")
    installed = root / ".venv" / "site-packages" / "lib.py"
    installed.parent.mkdir(parents=True)
    installed.write_text("")

    assert set(code_files.of_object("one.py:f", root, places=[installed.parent])) == {"one.py"}


def test_two_files_that_import_each_other_are_each_there_once(lay):
    """Read without an end, a flow would never begin."""
    root = lay(one_py="import two", two_py="import one")

    assert list(code_files.of_object("one.py:f", root)) == ["one.py", "two.py"]
