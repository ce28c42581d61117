"""`Makefile` and `line.mk`, in folders with names that people give their folders."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from reference_project import ROOT

MAKEFILES = {"of proveout": ROOT / "Makefile", "of a new project": ROOT / "src/proveout/pilot/templates/Makefile"}
# Says what it was called with, and in which state folder; anything installed is newer than what it is installed from.
PYTHON = '#!/bin/sh\necho "ran $* with <$PROVEOUT_STATE>"\n'
HANDED_DOWN = {"MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "PYTHON", "VENV"}


def project(folder: Path, makefile: Path) -> Path:
    folder.mkdir(parents=True)
    shutil.copy(makefile, folder / "Makefile")
    for name in ("line.mk", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    for name in ("bin", ".ready"):
        (folder / ".venv" / name).mkdir(parents=True)
    for name in ("python", "proveout"):
        command = folder / ".venv" / "bin" / name
        command.write_text(PYTHON)
        command.chmod(0o755)
    (folder / ".proveout-test").mkdir()
    (folder / ".proveout-test" / "of the last run").touch()
    return folder


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Without what `make test PYTHON=...` hands down: there the virtual environment has another name.
    environment = {name: value for name, value in os.environ.items() if name not in HANDED_DOWN}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("makefile", MAKEFILES.values(), ids=MAKEFILES)
def test_make_test_in_a_folder_with_a_space_deletes_nothing_of_a_neighbour(tmp_path, makefile):
    """`rm -rf /home/ada/my flights/.proveout-test` is two folders, and one of them is somebody's work."""
    here = project(tmp_path / "my flights", makefile)
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "thesis.txt").write_text("mine")

    made = make(here, "test")

    assert made.returncode == 0, made.stdout + made.stderr
    assert (tmp_path / "my" / "thesis.txt").read_text() == "mine"
    if makefile == MAKEFILES["of a new project"]:
        assert not (here / ".proveout-test").exists()  # what the last run left is gone
        assert "ran flows/train.py run with <.proveout-test>" in made.stdout


def test_a_proveout_that_is_on_no_index_is_installed_from_its_folder(tmp_path):
    """Its version alone would be looked for where it is not; nothing else is asked of that folder."""
    here = project(tmp_path / "flights", MAKEFILES["of a new project"])
    (here / ".venv" / ".ready").rmdir()
    python = here / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\n[ "$1" = -c ] && printf "proveout==0.1.0\\nproveout-more\\n" || echo "ran [$7]"\n')

    made = make(here, "demo", f"PROVEOUT={tmp_path / 'my clones'}")

    assert made.returncode == 0, made.stdout + made.stderr
    assert (here / ".venv" / "wanted.txt").read_text() == "proveout-more\n"
    assert f"ran [{tmp_path / 'my clones'}]" in made.stdout


@pytest.mark.parametrize("name", ["a:b", 'a"b', "a$HOME", "a`id`", "a\\b", "a\nb"])
def test_make_in_a_folder_it_cannot_carry_stops_before_it_touches_anything(tmp_path, name):
    """A virtual environment refuses a colon, and pip's scripts are shell lines: better now than half-way."""
    here = project(tmp_path / name, MAKEFILES["of a new project"])

    made = make(here, "test")

    assert made.returncode == 2
    assert "Nothing was done: the path of this folder has a colon" in made.stderr
    assert (here / ".proveout-test" / "of the last run").is_file()


def test_a_python_in_a_folder_with_a_space_makes_a_virtual_environment_named_for_it(tmp_path):
    """`make install PYTHON="/opt/my pythons/python3.12"` made targets of the words of that path."""
    here = project(tmp_path / "flights", ROOT / "Makefile")
    python = tmp_path / "my pythons" / "python3.12"
    python.parent.mkdir()
    # As `-m venv FOLDER` makes one.
    python.write_text('#!/bin/sh\n[ "$2" != venv ] || { mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; }\n')
    python.chmod(0o755)

    made = make(here, "install", f"PYTHON={python}")

    assert made.returncode == 0, made.stdout + made.stderr
    assert (here / ".venv-python3.12" / ".ready").is_file()
