"""Which package an import needs, and what a repository declares."""

from pathlib import Path

import pytest

from proveout.pilot.audit.distributions import declared, distribution_of, normalised


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn.svm", "scikit-learn"),
        ("cv2", "opencv-python"),
        ("PIL.Image", "pillow"),
        ("yaml", "pyyaml"),
        ("bs4", "beautifulsoup4"),
        ("pandas", "pandas"),
        ("google.cloud.bigquery", "google-cloud-bigquery"),
        ("os", None),
        ("json.decoder", None),
        ("google.colab", None),
    ],
)
def test_an_import_leads_to_its_distribution(tmp_path: Path, module: str, name: str | None) -> None:
    """Who writes `pip install sklearn` installs another package."""
    assert distribution_of(module, tmp_path) == name


def test_names_are_compared_as_the_index_compares_them() -> None:
    """Scikit_Learn and scikit-learn are one."""
    assert normalised("Scikit_Learn") == normalised("scikit.learn") == "scikit-learn"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("requirements.txt", "pandas==2.0  # frames\n-r other.txt\nscikit_learn>=1.0\n"),
        ("environment.yml", "dependencies:\n  - pandas=2.0\n  - conda-forge::scikit-learn\n"),
        ("pyproject.toml", "[project]\ndependencies = ['pandas>=2', 'scikit-learn[x]']\n"),
    ],
)
def test_what_a_repository_declares_is_read(tmp_path: Path, file: str, text: str) -> None:
    """A package that is declared anywhere is no hidden dependency."""
    (tmp_path / file).write_text(text)

    assert {"pandas", "scikit-learn"} <= declared(tmp_path).names


def test_requirements_of_the_root_count_for_a_notebook_below_it(tmp_path: Path) -> None:
    """Notebooks lie in a folder of their own."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "requirements.txt").write_text("pandas\n")
    folder = tmp_path / "notebooks"
    folder.mkdir()

    assert "pandas" in declared(folder).names


def test_a_broken_file_declares_nothing(tmp_path: Path) -> None:
    """The audit goes on without it."""
    (tmp_path / "pyproject.toml").write_text("[project\n")
    (tmp_path / "requirements.txt").write_bytes(b"\xff\xfe==\n")

    assert "pandas" not in declared(tmp_path).names
