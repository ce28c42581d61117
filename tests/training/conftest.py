"""A small project, and what a run in it begins with."""

import pytest
from run_project import FILES, NOTHING

from proveout import settings as project_settings
from proveout.training import flow_setup, run_inputs
from proveout.training.config import parse_config, read_config


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A small project with a folder for each kind of file."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(flow_setup.CONFIG_FILE, str(tmp_path / "flows" / "train.toml"))
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def began(root):
    """What a run in that project begins with, on data that no test reads."""
    return run_inputs.record(
        project_settings.load(root),
        snapshot=NOTHING,
        config=read_config(parse_config(FILES["flows/train.toml"])),
        config_file=root / "flows" / "train.toml",
    )
