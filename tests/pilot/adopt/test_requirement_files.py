"""The files that people declare packages in."""

import json

import pytest

from proveout.pilot.adopt.requirement_files import declared

CONDA = "dependencies:\n  - python=3.9\n  - pandas=2.2.3=py39_0\n"
FILES = {
    "requirements.lock": ("pandas==2.2.3 ; python_version < '4' \\\n    --hash=sha256:aa\n", "lock"),
    "uv.lock": ('version = 1\n[[package]]\nname = "pandas"\nversion = "2.2.3"\n', "lock"),
    "poetry.lock": ('[[package]]\nname = "pandas"\nversion = "2.2.3"\n', "lock"),
    "Pipfile.lock": (json.dumps({"default": {"pandas": {"version": "==2.2.3"}}}), "lock"),
    "environment.yml": (CONDA, "lock"),
    "environment.yaml": ("dependencies:\n  - numpy\n  - pip:\n    - pandas==2.2.3\n", "requirements"),
    "requirements.txt": ("# all\nPandas==2.2.3  # rows\n-e .\ngit+https://example.org/x\n", "requirements"),
    "requirements-dev.txt": ("pandas==2.2.3\n", "requirements"),
    "pyproject.toml": ('[project]\nname = "a"\ndependencies = ["pandas==2.2.3"]\n', "requirements"),
    "Pipfile": ('[packages]\npandas = "==2.2.3"\nnumpy = "*"\n', "requirements"),
}


@pytest.mark.parametrize("name", FILES)
def test_each_kind_of_file_is_read(tmp_path, name):
    text, kind = FILES[name]
    (tmp_path / name).write_text(text)

    found = declared(tmp_path)

    assert (found.kind, found.file) == (kind, tmp_path / name)
    assert found.requirements["pandas"] == "pandas==2.2.3"


@pytest.mark.parametrize(
    ("table", "requirement"),
    [
        ('pandas = "^2.2"', "pandas<3,>=2.2"),
        ("pandas = {version = '2.2.3'}", "pandas==2.2.3"),
        ('pandas = "*"', "pandas"),
    ],
)
def test_poetry_has_its_own_way_of_writing_versions(tmp_path, table, requirement):
    (tmp_path / "pyproject.toml").write_text(f'[tool.poetry.dependencies]\npython = "^3.9"\n{table}\n')

    assert declared(tmp_path).requirements == {"pandas": requirement}


def test_the_lock_without_another_purpose_is_the_one(tmp_path):
    """`-` sorts before `.`: the oldest releases that a project works with were taken for its own."""
    for name, version in (("requirements-oldest.lock", "2.2.0"), ("requirements.lock", "3.0.4")):
        (tmp_path / name).write_text(f"pandas=={version}\n")

    assert declared(tmp_path).file.name == "requirements.lock"


def test_a_lock_above_goes_before_requirements_beside_the_notebook(tmp_path):
    """Up to the root of the repository, and not above it."""
    work = tmp_path / "repository" / "work"
    work.mkdir(parents=True)
    (tmp_path / "requirements.lock").write_text("pandas==1.0\n")
    (work / "requirements.txt").write_text("pandas==2.0\n")

    without_repository = declared(work)
    (tmp_path / "repository" / ".git").mkdir()
    (tmp_path / "repository" / "uv.lock").write_text('[[package]]\nname = "pandas"\nversion = "2.2.3"\n')

    assert without_repository.requirements == {"pandas": "pandas==2.0"}
    assert declared(work).requirements == {"pandas": "pandas==2.2.3"}


def test_files_that_include_others_and_files_of_windows_are_read(tmp_path):
    (tmp_path / "requirements.txt").write_text("-r more.txt\nnumpy\n")
    (tmp_path / "more.txt").write_text("sklearn==1.5.0\r\n", encoding="utf-16")

    assert declared(tmp_path).requirements == {"scikit-learn": "scikit-learn==1.5.0", "numpy": "numpy"}


@pytest.mark.parametrize("name", ["uv.lock", "Pipfile.lock", "environment.yml", "pyproject.toml", "requirements.txt"])
def test_a_broken_file_declares_nothing(tmp_path, name):
    """It is not ours, and it may not stop the notebook."""
    (tmp_path / name).write_text("[[[ : {\n- a: - b")

    assert declared(tmp_path).kind == "nothing"
