"""Which environment a notebook asks for, and when the running interpreter does."""

import os
import subprocess
import tomllib
from datetime import datetime

import pytest
from packaging.requirements import Requirement
from reference_project import ROOT
from small_notebooks import write_notebook

from proveout.pilot.adopt.environment_plan import Interpreter, plan
from proveout.pilot.audit import notebook_text
from proveout.pilot.audit.analysis import Analysis

HAS = {"pandas": "3.1.1", "numpy": "2.4.6", "scikit-learn": "1.9.1", "ipython": "9.1"}
MODULES = {"pandas", "numpy", "sklearn", "IPython"}
BOUNDS = {"pandas": ">=2.2", "numpy": ">=1.26", "scikit-learn": ">=1.5,<1.10"}
IMPORTS = "import pandas as pd\nfrom sklearn.svm import SVC"
OF_PANDAS_2 = "df['a'].fillna(0, inplace=True)"
PYTHON_3_8 = {"language_info": {"name": "python", "version": "3.8.2"}}


def planned(folder, *cells, metadata=None, has=HAS, modules=MODULES, bounds=BOUNDS, cell_raised=False):
    file = write_notebook(folder / "pilot.ipynb", cells, metadata=metadata)
    interpreter = Interpreter(has=lambda module: module in modules, version=lambda name: has.get(name, ""))
    analysis = Analysis(notebook_text.read(file))
    return plan(analysis, cell_raised=cell_raised, interpreter=interpreter, bounds=bounds)


def test_an_interpreter_that_has_every_import_is_used_as_it_is(tmp_path):
    """Nothing is installed for somebody who runs proveout where the notebook runs."""
    found = planned(tmp_path, IMPORTS)

    assert found.reason == ""
    assert "has all of it" in found.why[-1]


def test_a_missing_import_asks_for_an_environment(tmp_path):
    """The distribution of cv2 has another name; numpy is not imported and not asked for."""
    found = planned(tmp_path, IMPORTS, "import cv2, os, json\ncv2.imread('a')")

    assert found.missing == ("cv2",)
    assert "lacks cv2" in found.reason
    assert found.requirements == ("pandas", "scikit-learn", "opencv-python")
    assert found.additions == ("opencv-python",)


@pytest.mark.parametrize(
    ("locked", "suits"),
    [
        ("pandas==3.1.0", True),
        ("pandas==2.2.3", False),
        ("pandas>=3", True),
        ("pandas<3", False),
        ("pandas==3.1.*", True),
    ],
)
def test_a_lock_may_speak_against_the_running_interpreter(tmp_path, locked, suits):
    """Another fix of the same minor release is the same to a notebook."""
    (tmp_path / "requirements.lock").write_text(f"{locked}\nunrelated==1\n")

    found = planned(tmp_path, IMPORTS)

    assert (found.reason == "") is suits
    assert "requirements.lock names 1 of the 2" in found.why[0]
    assert not any("unrelated" in one for one in found.requirements)


def test_a_requirement_outside_of_what_proveout_works_with_drops_to_its_bound(tmp_path):
    (tmp_path / "requirements.txt").write_text("pandas==1.3.5\nsklearn\n")

    found = planned(tmp_path, IMPORTS)

    assert found.requirements == ("pandas<2.3,>=2.2", "scikit-learn")
    assert found.why[1].startswith(
        "pandas==1.3.5 (requirements.txt) is outside of what proveout works with, pandas>=2.2"
    )


def test_code_of_pandas_2_gets_the_releases_of_its_time(tmp_path):
    """With today's it would run to another end, at times without an error."""
    found = planned(tmp_path, IMPORTS, OF_PANDAS_2, metadata=PYTHON_3_8)

    assert "gone or means something else today (cell 1, line 1" in found.reason
    assert {"pandas>=2.2,<2.3", "numpy>=1.26,<2", "scikit-learn>=1.5,<1.6"} <= set(found.requirements)
    assert "Python 3.8.2, which has no pandas 3" in found.why[0]


def test_proveout_admits_the_releases_of_before_pandas_3(tmp_path):
    """Its own bounds decide: were one of them raised, every old notebook would get the releases of today."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    own = {one.name: str(one.specifier) for one in map(Requirement, declared)}

    found = planned(tmp_path, IMPORTS, OF_PANDAS_2, metadata=PYTHON_3_8, bounds=own)

    assert {"pandas>=2.2,<2.3", "numpy>=1.26,<2", "scikit-learn>=1.5,<1.6", "pyarrow<26"} <= set(found.requirements)


@pytest.mark.parametrize(
    "given",
    [
        {"bounds": {"pandas": ">=3.1"}},
        {"has": {"pandas": "2.2.3", "numpy": "1.26.4", "scikit-learn": "1.5.2"}},
        {"metadata": {"language_info": {"name": "python", "version": "3.12.1"}}},
    ],
)
def test_the_running_interpreter_stays_where_the_old_releases_are_no_way(tmp_path, given):
    """proveout does not work with them, they are here already, or the notebook is of today."""
    found = planned(tmp_path, IMPORTS, OF_PANDAS_2, **{"metadata": PYTHON_3_8, **given})

    assert found.reason == ""


PYTHON_3_12 = {"language_info": {"name": "python", "version": "3.12.1"}}


@pytest.mark.parametrize(
    ("given", "of_its_time"),
    [
        ({}, True),
        ({"bounds": {"pandas": ">=3.1"}}, False),
        ({"has": {"pandas": "2.2.3", "numpy": "1.26.4", "scikit-learn": "1.5.2"}}, False),
        ({"metadata": PYTHON_3_12}, True),
    ],
)
def test_a_notebook_whose_cell_raised_gets_the_releases_from_before_pandas_3(tmp_path, given, of_its_time):
    """No line says that it needs them, and no date that it does not. Where they are no way, nothing is made anew."""
    given = {"metadata": PYTHON_3_8, **given}

    before = planned(tmp_path, IMPORTS, **given)
    after = planned(tmp_path, IMPORTS, **given, cell_raised=True)

    assert (before.of_its_time, after.of_its_time) == (False, of_its_time)
    assert ("pandas>=2.2,<2.3" in after.requirements) is of_its_time
    assert ("a cell that its model needs raised" in after.reason) is of_its_time


def test_a_notebook_whose_cell_raised_is_told_what_it_uses_that_is_gone(tmp_path):
    found = planned(tmp_path, IMPORTS, OF_PANDAS_2, metadata=PYTHON_3_12, cell_raised=True)

    assert found.of_its_time
    assert "gone or means something else today (cell 1, line 1" in found.reason


@pytest.mark.parametrize(
    ("day", "metadata", "said"),
    [
        ("2026-11-28", PYTHON_3_12, "Whether the notebook is from before pandas 3 is not known: it has no times"),
        ("2026-11-28", PYTHON_3_8, "is from before pandas 3: it last ran with Python 3.8.2"),
        ("2019-05-02", PYTHON_3_12, "is from before pandas 3: its file was last changed on 2019-05-02"),
    ],
)
def test_a_fresh_file_does_not_say_that_its_notebook_is_new(tmp_path, day, metadata, said):
    """It was copied or downloaded a moment ago. An old file is old."""
    then = datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()
    file = write_notebook(tmp_path / "pilot.ipynb", [IMPORTS], metadata=metadata)
    os.utime(file, (then, then))
    interpreter = Interpreter(has=lambda module: module in MODULES, version=lambda name: HAS.get(name, ""))

    found = plan(Analysis(notebook_text.read(file)), interpreter=interpreter, bounds=BOUNDS)

    assert said in found.why[0]


def test_an_old_notebook_that_lacks_something_gets_all_of_its_time(tmp_path):
    """Where it uses what is gone. What is here is then in the way of it."""
    found = planned(tmp_path, IMPORTS, OF_PANDAS_2, "import seaborn as sns\nsns.set()", metadata=PYTHON_3_8)

    assert {"pandas>=2.2,<2.3", "seaborn<0.13", "ipython<9"} <= set(found.requirements)
    assert found.requirements[-1] == "pyarrow<26"  # newer ones do not work with NumPy 1
    assert found.additions == ()
    assert found.reason.startswith("The running interpreter lacks seaborn. The notebook uses what is gone or means")


def test_an_old_notebook_that_uses_nothing_that_is_gone_gets_what_it_lacks(tmp_path):
    """That is a matter of seconds."""
    found = planned(tmp_path, IMPORTS, "import seaborn as sns\nsns.set()", metadata=PYTHON_3_8)

    assert (found.missing, found.additions) == (("seaborn",), ("seaborn",))


@pytest.mark.parametrize(("locked", "additions"), [("pandas==2.2.3", ()), ("seaborn==0.11", ("seaborn==0.11",))])
def test_a_lock_may_speak_against_an_addition(tmp_path, locked, additions):
    """Of what is here already another version is asked for."""
    (tmp_path / "requirements.lock").write_text(f"{locked}\n")

    assert planned(tmp_path, IMPORTS, "import seaborn as sns\nsns.set()").additions == additions


def test_what_a_cell_installs_is_a_requirement(tmp_path):
    found = planned(tmp_path, "!pip install seaborn==0.11 pandas==3.1.1 jupyter", IMPORTS, "from seaborn import *")

    assert found.requirements == ("pandas==3.1.1", "scikit-learn", "seaborn==0.11")


def test_a_name_that_nobody_knows_is_not_guessed(tmp_path):
    """Whoever owns that name in the index would run code here."""
    found = planned(tmp_path, IMPORTS, "import sklearnnn\nsklearnnn.f()")

    assert ([one.module for one in found.unknown], found.reason) == (["sklearnnn"], "")
    assert not any("sklearnnn" in one for one in found.requirements)
    assert any("Cell 1 imports sklearnnn, and nobody knows" in line for line in found.why)


def test_a_name_that_the_notebook_itself_installs_is_known(tmp_path):
    found = planned(tmp_path, "!pip install sklearnnn", "import sklearnnn as s\n%timeit s.f()")

    assert (found.requirements, found.missing) == (("sklearnnn",), ("sklearnnn",))


def test_what_no_cell_uses_is_not_installed(tmp_path):
    """Many import TensorFlow and train a forest. What plots may be needed by others, unseen."""
    found = planned(tmp_path, f"import tensorflow as tf\nimport matplotlib.pyplot as plt\n{IMPORTS}")

    assert ([one.module for one in found.idle], found.missing) == (["tensorflow"], ("matplotlib",))
    assert "Cell 0 imports tensorflow and no cell uses it: it is left out." in found.why


def test_imports_that_may_fail_and_modules_of_the_author_are_not_needed(tmp_path):
    (tmp_path / "helpers.py").touch()
    guarded = "try:\n    import shap\nexcept ImportError:\n    shap = None"

    assert planned(tmp_path, IMPORTS, guarded, "import helpers").reason == ""


def test_what_a_module_of_the_author_imports_is_needed_too(tmp_path):
    """Through another one of them, and at the line of the notebook; without the second file's broken neighbour."""
    (tmp_path / "helpers.py").write_text("import json\nfrom cleaning import tidy\n")
    (tmp_path / "cleaning").mkdir()
    (tmp_path / "cleaning" / "__init__.py").write_text("import seaborn\nimport helpers\n")
    (tmp_path / "cleaning" / "broken.py").write_text("def (")

    found = planned(tmp_path, IMPORTS, "from helpers import tidy\ntidy()")

    assert found.missing == ("seaborn",)
    assert found.requirements == ("pandas", "scikit-learn", "seaborn")


def test_a_call_may_need_a_package_that_no_line_imports(tmp_path):
    found = planned(tmp_path, IMPORTS, "df = pd.read_excel('a.xlsx')")

    assert found.missing == ("openpyxl",)


def test_the_time_of_a_notebook_is_that_of_its_last_commit(tmp_path):
    """Its file is as young as the clone."""
    file = write_notebook(tmp_path / "pilot.ipynb", [IMPORTS, OF_PANDAS_2])
    day = "2021-03-04T12:00:00"
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", file.name], [*who, "commit", "-qm", "a"]):
        environment = {**os.environ, "GIT_AUTHOR_DATE": day, "GIT_COMMITTER_DATE": day}
        subprocess.run(["git", *command], cwd=tmp_path, check=True, env=environment)

    found = planned(tmp_path, IMPORTS, OF_PANDAS_2)

    assert "last changed on 2021-03-04 (in git)" in found.why[0]
    assert found.reason != ""


@pytest.mark.parametrize(("year", "old"), [(2020, True), (2026, False)])
def test_without_a_repository_the_file_has_a_time(tmp_path, year, old):
    file = write_notebook(tmp_path / "pilot.ipynb", [IMPORTS, OF_PANDAS_2])
    seconds = (year - 1970) * 365.25 * 86400 + 30 * 86400
    os.utime(file, (seconds, seconds))
    interpreter = Interpreter(has=lambda module: module in MODULES, version=lambda name: HAS.get(name, ""))

    found = plan(Analysis(notebook_text.read(file)), interpreter=interpreter, bounds=BOUNDS)

    assert (found.reason != "") is old
