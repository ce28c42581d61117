"""A small project that the doctor finds nothing wrong with, for each test to spoil."""

from collections.abc import Callable
from pathlib import Path

import pytest
from run_project import FILES
from small_notebooks import write_notebook

from proveout.settings import Settings, load


@pytest.fixture
def project(tmp_path: Path, no_signing_key: None) -> Callable[..., Settings]:
    """Writes the project; what is given takes the place of a file, or, by `settings`, adds lines to the settings."""

    def write(changed: dict[str, str | None] | None = None, *, settings: str = "", cell: str = "") -> Settings:
        root = tmp_path / "project"
        said = FILES["pyproject.toml"] + f'batches = ["1", "2"]\n{settings}'
        for name, text in {**FILES, "pyproject.toml": said, "checks/test_none.py": "", **(changed or {})}.items():
            if text is not None:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
        file = write_notebook(root / "pilot.ipynb", ["features_path = ''", cell or "import pandas\npandas.DataFrame()"])
        tagged = '"metadata": {"tags": ["parameters"]}, "outputs"'
        file.write_text(file.read_text().replace('"metadata": {}, "outputs"', tagged, 1))
        return load(root)

    return write
