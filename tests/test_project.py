"""One place that opens what a project has, and what asking it costs."""

import subprocess
import sys
from pathlib import Path

import pytest

from proveout import project
from proveout.errors import NoLedger
from proveout.settings import Settings, load

PYPROJECT = """
[tool.proveout]
model = "tiny"
source = "code.py:none"
batch_schema = "code.py:none"
request_schema = "code.py:none"
features = "code.py:none"
target = "code.py:none"
fallback = "code.py:none"
actions = "code.py:none"
notebook = "pilot.ipynb"
event_key = ["hour"]
required_checks = ["checks/test_none.py"]
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    return load(tmp_path)


def test_what_is_opened_lies_where_the_settings_say(settings):
    with project.open_ledger(settings, create=True) as ledger:
        assert ledger.last_seq() == 0
    project.open_store(settings).put("bundles", "a" * 64, lambda folder: (folder / "file").touch())

    assert (settings.state_dir / "ledger.db").is_file()
    assert (settings.state_dir / "store" / "bundles" / ("a" * 64) / "file").is_file()
    assert project.open_keyring(settings).folder == settings.keys_dir


def test_a_ledger_is_made_only_for_who_asks_for_that(settings):
    """An empty ledger in a wrong place would answer, and say that nothing is released."""
    with pytest.raises(NoLedger):
        project.open_ledger(settings)

    assert not (settings.state_dir / "ledger.db").exists()


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (lambda: "ada", "ada"),
        (lambda: "root", "uid-0"),
        (lambda: (_ for _ in ()).throw(KeyError("uid not found: 4711")), "uid-4711"),
        (lambda: (_ for _ in ()).throw(OSError("No username set in the environment")), "uid-4711"),
    ],
)
def test_who_acts_has_a_name_even_in_a_container(monkeypatch, found, name):
    """Cron, systemd and containers set no USER, and Metaflow refuses root."""
    monkeypatch.delenv("METAFLOW_USER", raising=False)
    monkeypatch.setattr("getpass.getuser", found)
    monkeypatch.setattr("os.getuid", lambda: 4711)

    assert project.actor() == name


def test_metaflow_says_who_acts_where_it_runs(monkeypatch):
    monkeypatch.setenv("METAFLOW_USER", "grace")

    assert project.actor() == "grace"


def test_an_api_key_is_made_without_the_libraries_that_train(settings):
    """The command that hands out a key is run on machines that serve, in a moment."""
    program = (
        "import sys\n"
        "from proveout.cli import main\n"
        "main(['keys', 'create', 'desk'], standalone_mode=False)\n"
        "heavy = ('pandas', 'sklearn', 'metaflow', 'papermill', 'proveout.training')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=settings.root, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.splitlines()[-1] == "[]"
