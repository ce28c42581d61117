"""An environment is made of what can be had, and each thing that cannot is said. No test but one asks an index."""

import importlib.util
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas
import pytest
from packaging.requirements import Requirement
from small_notebooks import write_notebook

from proveout.pilot.adopt import environment, virtual_environment
from proveout.pilot.adopt.package_bounds import own_requirements
from proveout.pilot.adopt.virtual_environment import EnvironmentFailed, UvOrPip, relaxed
from proveout.pilot.audit import notebook_text
from proveout.pilot.audit.analysis import Analysis

UV_CONFLICT = """error: No solution found when resolving dependencies
  cause: Because shap==0.40 depends on numpy<1.23 and you require shap==0.40, we can conclude
         that you require numpy<1.23.
         And because you require numpy>=1.26, we can conclude that your requirements are unsatisfiable."""
UV_UNKNOWN = "Because nosuch was not found in the package registry and you require nosuch, we can conclude that your"
UV_NO_VERSION = "cause: Because there is no version of shap==99 and you require shap==99, we can conclude that your"
UV_UNBUILT = "  × Failed to build `fbprophet==0.7.1`\n  ├─▶ The build backend returned an error"
UV_UNREACHABLE = "error sending request for url (https://index.example/simple/six/)\n cause: client error (Connect)"
PIP_CONFLICT = "ERROR: Cannot install numpy==1.21.0 and shap==0.40 because these package versions have conflicting"
PIP_UNKNOWN = "ERROR: No matching distribution found for nosuch==3"
PIP_UNBUILT = (
    "Collecting shap\nCollecting fbprophet\n  Using cached fbprophet-0.7.1.tar.gz\n"
    "error: subprocess-exited-with-error\n× Getting requirements to build wheel did not run.\n╰─> See above for output."
)
PIP_UNBUILT_FOR = "Collecting pystan (from fbprophet)\nerror: subprocess-exited-with-error"


@pytest.mark.parametrize(
    ("problem", "wanted", "left"),
    [
        (UV_CONFLICT, ("numpy>=1.26", "shap==0.40"), ("numpy>=1.26", "shap")),
        (UV_UNKNOWN, ("nosuch==3", "numpy"), ("nosuch", "numpy")),
        (UV_UNKNOWN, ("nosuch", "numpy"), ("numpy",)),
        (UV_NO_VERSION, ("shap==99",), ("shap",)),
        (UV_UNBUILT, ("fbprophet", "shap==1"), ("shap==1",)),
        (PIP_CONFLICT, ("numpy==1.21.0", "shap==0.40"), ("numpy==1.21.0", "shap")),
        (PIP_UNKNOWN, ("nosuch==3",), ("nosuch",)),
        (PIP_UNBUILT, ("fbprophet", "shap"), ("shap",)),
        (PIP_UNBUILT_FOR, ("fbprophet", "shap"), ("shap",)),
        ("conflict of scikit_learn", ("scikit-learn==1.2",), ("scikit-learn",)),
    ],
)
def test_the_requirement_that_a_message_is_about_asks_for_less(problem, wanted, left):
    """First any version, then none. The messages are those of uv and pip."""
    found = relaxed(wanted, problem)

    assert found is not None
    assert found.requirements == left
    assert found.sentence


def test_a_message_about_something_else_changes_nothing():
    """numpy comes with proveout: it cannot be left out."""
    assert relaxed(("numpy", "shap"), "No space left on device") is None
    assert relaxed(("numpy",), "numpy conflicts with proveout") is None


class Shelf:
    """An installer without an index: what it has, by name and version; modules are called like their packages."""

    def __init__(self, **has: str) -> None:
        self.has, self.installs, self.there, self.below = has, [], (), set()

    def create(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        return folder / "bin" / "python"

    def create_on_top(self, folder: Path) -> Path:
        self.below = {"pandas"}
        return self.create(folder)

    def install(self, python, arguments):
        own = len(own_requirements())
        assert tuple(arguments[:own]) == own_requirements()
        return self._taken(arguments, arguments[own:])

    def add(self, python, arguments):
        return self._taken(arguments, arguments)

    def _taken(self, arguments, wanted):
        self.installs.append(tuple(arguments))
        for one in map(Requirement, wanted):
            if one.name not in self.has:
                return f"Because {one.name} was not found in the package registry and you require it"
            if self.has[one.name] not in one.specifier:
                return f"Because there is no version of {one} and you require {one}"
        self.there = tuple(Requirement(one).name for one in wanted)
        return ""

    def missing(self, python, modules):
        return tuple(module for module in modules if module not in {*self.there, *self.below})


def test_what_cannot_be_had_is_left_out_and_said(tmp_path):
    shelf = Shelf(pandas="2.2.3", shap="0.46")

    made = virtual_environment.make(
        tmp_path / ".venv", ["pandas", "shap==0.40", "nosuch"], ["pandas", "shap", "nosuch"], installer=shelf
    )

    assert (made.requirements, made.missing) == (("pandas", "shap"), ("nosuch",))
    assert [change.partition(":")[0] for change in made.changes] == [
        "shap==0.40 is not in the package index",
        "nosuch is not in the package index",
    ]


def test_an_environment_that_was_made_alike_is_used_again(tmp_path):
    """A second run of the command does not wait; other requirements make it anew."""
    first, second, third = Shelf(pandas="2"), Shelf(pandas="2"), Shelf(pandas="2")

    made = [
        virtual_environment.make(tmp_path / ".venv", wanted, ["pandas"], installer=shelf)
        for shelf, wanted in ((first, ["pandas"]), (second, ["pandas"]), (third, ["pandas>=1"]))
    ]

    assert made[0] == made[1] != made[2]
    assert (len(first.installs), len(second.installs), len(third.installs)) == (1, 0, 1)


def test_an_environment_that_somebody_else_made_is_not_touched(tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "mine").touch()

    with pytest.raises(EnvironmentFailed, match="proveout did not make"):
        virtual_environment.make(tmp_path / ".venv", ["pandas"], [], installer=Shelf(pandas="2"))

    assert (tmp_path / ".venv" / "mine").exists()


class Broken(Shelf):
    """An installer that always says the same."""

    def __init__(self, said: str) -> None:
        super().__init__()
        self.said = said

    def install(self, python, arguments):
        return self.said

    def add(self, python, arguments):
        return self.said


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (UV_UNREACHABLE, "the package index cannot be reached"),
        ("ERROR: No space left on device", "No space left on device"),
        ("because you require proveout and pandas", "could not be installed beside proveout"),
    ],
)
def test_what_goes_wrong_is_a_sentence_with_the_way_on(tmp_path, said, sentence):
    """And it does not name an address of an index."""
    with pytest.raises(EnvironmentFailed, match=sentence) as failed:
        virtual_environment.make(tmp_path / ".venv", ["pandas"], ["pandas"], installer=Broken(said))

    assert "://" not in str(failed.value)
    assert not (tmp_path / ".venv").exists()


def notebook(folder, *cells):
    return Analysis(notebook_text.read(write_notebook(folder / "pilot.ipynb", cells)))


def test_without_an_index_the_run_goes_on_in_the_running_interpreter(tmp_path):
    """The cell that imports what is not there will say so; most of the notebook may not need it."""
    found = environment.environment_for(
        notebook(tmp_path, "import theano\ntheano.f()"), tmp_path / "project", installer=Broken(UV_UNREACHABLE)
    )

    assert (found.python, found.made, found.left_out) == (Path(sys.executable), False, ("theano",))
    assert "It goes on in the running interpreter, which lacks theano." in found.why


def test_an_environment_of_the_project_is_told_with_all_that_changed(tmp_path):
    found = environment.environment_for(
        notebook(tmp_path, "import theano, shap\nshap.f(theano)"), tmp_path / "project", installer=Shelf(theano="1")
    )

    assert (found.made, found.left_out) == (True, ("shap",))
    assert found.python == tmp_path / "project" / ".venv" / "bin" / "python"
    assert any("lacks theano, shap" in line for line in found.why)
    assert "shap is not in the package index: it is left out." in found.why


def test_what_is_only_missing_is_added_on_top(tmp_path):
    """All together takes minutes; the notebook has pandas already."""
    shelf = Shelf(theano="1")

    found = environment.environment_for(
        notebook(tmp_path, "import theano, pandas\ntheano.f(pandas)"), tmp_path / "project", installer=shelf
    )

    assert shelf.installs == [("theano",)]
    assert (found.made, found.requirements, found.left_out) == (True, ("theano",), ())
    assert "It lies on top of the running interpreter, where nothing is changed, and adds theano." in found.why


def test_where_that_does_not_go_with_what_is_below_all_is_installed_together(tmp_path):
    """The requirement is not given up for what is below by chance."""

    class InTheWay(Shelf):
        def add(self, python, arguments):
            self.installs.append(tuple(arguments))
            return PIP_CONFLICT

    shelf = InTheWay(theano="1", pandas="2")

    found = environment.environment_for(
        notebook(tmp_path, "import theano, pandas\ntheano.f(pandas)"), tmp_path / "project", installer=shelf
    )

    assert [len(one) for one in shelf.installs] == [1, len(own_requirements()) + 2]
    assert (found.made, set(found.requirements)) == (True, {"theano", "pandas"})
    assert any(
        "is not on top of the running interpreter: the packages could not be installed" in one for one in found.why
    )


def test_an_index_that_does_not_answer_is_asked_once(tmp_path):
    """Each time takes as long as its time-out."""

    class Unreachable(Broken):
        def add(self, python, arguments):
            self.installs.append(tuple(arguments))
            return self.said

        install = add

    shelf = Unreachable(UV_UNREACHABLE)

    environment.environment_for(notebook(tmp_path, "import theano\ntheano.f()"), tmp_path / "project", installer=shelf)

    assert shelf.installs == [("theano",)]


def wheel(folder: Path, name: str, *, requires: str = "") -> Path:
    """A package of one module, as pip takes it without an index."""
    file, info = folder / f"{name}-1-py3-none-any.whl", f"{name}-1.dist-info"
    wants = f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(file, "w") as made:
        made.writestr(f"{name}.py", "")
        made.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{wants}")
        made.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: a\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr(f"{info}/RECORD", "")
    return file


def test_an_environment_on_top_sees_what_is_below_and_changes_nothing_there(tmp_path, monkeypatch):
    """Also below a folder with a space. nbconvert finds its templates."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    installer, folder = UvOrPip(), tmp_path / "my project" / ".venv"

    python = installer.create_on_top(folder)
    problem = installer.add(python, [str(wheel(tmp_path, "addedhere", requires="pandas>=1"))])

    code = (
        "import addedhere, pandas, proveout; from nbconvert import HTMLExporter; HTMLExporter(); print(pandas.__file__)"
    )
    said = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert problem == ""
    assert Path(said.stdout.strip()) == Path(pandas.__file__)
    assert importlib.util.find_spec("addedhere") is None
    assert not list(folder.rglob("pandas*"))


def test_what_wants_another_version_than_is_below_is_not_put_on_top(tmp_path, monkeypatch):
    """Two versions of pandas would be seen, by whom nobody could say."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    installer = UvOrPip()
    python = installer.create_on_top(tmp_path / ".venv")

    problem = installer.add(python, [str(wheel(tmp_path, "addedhere", requires="pandas<1"))])

    assert "pandas" in problem
    assert installer.missing(python, ["addedhere"]) == ("addedhere",)


def test_nothing_is_installed_where_nothing_is_missing(tmp_path):
    shelf = Shelf()

    found = environment.environment_for(notebook(tmp_path, "import json\nimport yaml"), tmp_path, installer=shelf)

    assert (found.python, found.made, shelf.installs) == (Path(sys.executable), False, [])
    assert not (tmp_path / ".venv").exists()


def test_an_installer_that_takes_too_long_is_ended(tmp_path, monkeypatch):
    """With lines of progress until then."""
    slow, lines = tmp_path / "uv", []
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(slow.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(virtual_environment, "_TELL_S", 0.5)
    installer = UvOrPip(lines.append, limit_s=2)
    installer._uv = str(slow)

    with pytest.raises(EnvironmentFailed, match="took longer than 2 s"):
        installer.install(tmp_path / ".venv" / "bin" / "python", ["pandas"])

    assert len(lines) >= 2
    assert all("installing 1 packages" in line for line in lines)


def test_modules_are_looked_for_in_the_other_interpreter():
    assert UvOrPip().missing(Path(sys.executable), ["pandas", "nosuchmodule"]) == ("nosuchmodule",)


@pytest.mark.chaos
def test_a_real_environment_has_proveout_in_it(tmp_path):
    """Asks the index that uv or pip is configured with, and takes a minute."""
    made = virtual_environment.make(
        tmp_path / ".venv", ["tabulate", "nosuchpackageatall"], ["tabulate"], installer=UvOrPip()
    )
    said = subprocess.run([made.python, "-m", "proveout", "--version"], capture_output=True, text=True, check=True)

    assert said.stdout.startswith("proveout ")
    assert (made.requirements, made.missing) == (("tabulate",), ())
