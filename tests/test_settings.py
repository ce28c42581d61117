"""settings.py: `[tool.proveout]`, read strictly, and the user's own objects by path."""

from pathlib import Path

import pytest
from reference_project import ROOT

from proveout import settings
from proveout.errors import ConfigError


@pytest.fixture
def project(tmp_path: Path):
    """A project whose [tool.proveout] is the reference project's, with lines added or replaced."""
    text = (ROOT / "pyproject.toml").read_text()
    table = text[text.index("[tool.proveout]") : text.index("[tool.pytest.ini_options]")]

    def build(old="", new=""):
        assert old in table
        (tmp_path / "pyproject.toml").write_text(table.replace(old, new, 1) if old else table + new)
        return tmp_path

    return build


def test_the_nearest_project_above_is_found(project):
    """Flows run from flows/, notebooks from notebooks/: all of them are in one project."""
    root = project()
    (root / "flows" / "deep").mkdir(parents=True)

    assert settings.load(root / "flows" / "deep").root == root.resolve()


def test_outside_a_project_the_error_says_how_to_make_one(tmp_path, monkeypatch):
    """Not a KeyError."""
    monkeypatch.delenv("PROVEOUT_ROOT", raising=False)
    with pytest.raises(ConfigError, match="proveout init"):
        settings.load(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("max_rejected_share = 0.02", "max_rejected_share = 2", "max_rejected_share"),
        ("", "\ntypo = 1\n", "typo"),
        ('model = "flight-delay"', 'model = "Flight Delay"', "model"),
        ('source = "flows/source.py:read_batch"', 'source = "read_batch"', "source"),
        ('fallback = "serve/fallback.py:rules"', 'fallback = "rules"', "fallback"),
    ],
)
def test_a_wrong_setting_is_named(project, old, new, problem):
    """A typo that is passed over leaves the default in force, unseen."""
    with pytest.raises(ConfigError, match=problem):
        settings.load(project(old, new))


@pytest.mark.parametrize(
    "line",
    [
        "approval_days = 10_000_000",
        "approval_days = 732",
        "max_newer_batches = 1_000_000_000",
        "canary_alpha = 1e-300",
        "drift_alpha = 1e-300",
        "worker_timeout_s = inf",
        "cache_ttl_s = nan",
        "stale_if_error_s = 1e12",
        "breaker_reset_s = 1e9",
        "max_batch_rows = 1_000_000_000",
        "cache_size = 1_000_000_000_000",
    ],
)
def test_a_number_that_crashes_later_or_switches_a_guard_off_is_refused(project, line):
    """Ten million days are no date; a billion batches after the held-out one, and no hold-out is ever stale."""
    with pytest.raises(ConfigError, match=line.partition(" ")[0]):
        settings.load(project("", f"\n{line}\n"))


def test_every_number_has_both_bounds():
    """One that lacks the upper one is the next that crashes where nobody looks for it."""
    bounded = {
        name: {type(rule).__name__[0] for rule in field.metadata if hasattr(rule, "__slots__")}
        for name, field in settings.Settings.model_fields.items()
        if field.annotation in {int, float}
    }

    assert {name: bounds for name, bounds in bounded.items() if bounds != {"G", "L"}} == {}


def test_broken_toml_names_the_file(tmp_path):
    """The line is in the message of the parser."""
    (tmp_path / "pyproject.toml").write_text("[tool.proveout\n")
    with pytest.raises(ConfigError, match="is not TOML"):
        settings.load(tmp_path)


def test_the_environment_overrides_the_file_and_is_read_again_when_it_changes(project, monkeypatch):
    """`PROVEOUT_PORT=8081 python serve/app.py`, and state on another disk."""
    root = project()
    before = settings.load(root)
    monkeypatch.setenv("PROVEOUT_PORT", "8081")
    monkeypatch.setenv("PROVEOUT_STATE", "/somewhere")
    monkeypatch.setenv("PROVEOUT_ALERT_URLS", '["json://127.0.0.1"]')

    after = settings.load(root)

    assert (before.port, after.port) == (8080, 8081)
    assert after.ledger == Path("/somewhere/ledger.db")
    assert after.alert_urls == ("json://127.0.0.1",)


@pytest.mark.parametrize("below", ["", "flows"])
def test_a_relative_place_is_the_same_from_every_working_directory(project, monkeypatch, below):
    """From `flows/`, `state = "var/state"` was another folder, with a new and empty ledger in it."""
    root = project(new='\nstate = "var/state"\nledger_url = "sqlite:///var/the%20ledger.db"\nstore_url = "var/store"\n')
    (root / "flows").mkdir()
    monkeypatch.chdir(root / below)

    found = settings.load()

    assert found.state_dir == root / "var" / "state"
    assert found.ledger == root / "var" / "the ledger.db"
    assert found.store == str(root / "var" / "store")


def test_a_place_that_is_not_relative_is_as_it_was_given(project, monkeypatch):
    """Also where the variable is empty: CI hands on a secret that nobody has set in this way."""
    root = project()
    for given in ("sqlite:////var/ledger.db", "postgresql://ada@db/flights"):
        monkeypatch.setenv("PROVEOUT_LEDGER_URL", given)
        assert settings.load(root).ledger == given
    monkeypatch.setenv("PROVEOUT_STORE_URL", "s3://flights/store")
    assert settings.load(root).store == "s3://flights/store"
    for name in ("STATE", "LEDGER_URL", "STORE_URL"):
        monkeypatch.setenv(f"PROVEOUT_{name}", "")
    assert settings.load(root).ledger == root / ".proveout" / "ledger.db"
    assert settings.load(root).store == str(root / ".proveout" / "store")


def test_an_object_is_loaded_by_path_and_once(tmp_path):
    """Two projects' `schemas.py` are two modules; one project's is one."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "schemas.py").write_text(f"who = [{name!r}]")
    a = settings.load_object("schemas.py:who", tmp_path / "a")

    assert a is settings.load_object("schemas.py:who", tmp_path / "a")
    assert (a, settings.load_object("schemas.py:who", tmp_path / "b")) == (["a"], ["b"])
    with pytest.raises(ConfigError, match="has no `nobody`"):
        settings.load_object("schemas.py:nobody", tmp_path / "a")
    with pytest.raises(ConfigError, match="is not there"):
        settings.load_object("nowhere.py:x", tmp_path)


def test_every_setting_is_documented_with_its_default():
    """The error message of a wrong setting refers to docs/settings.md."""
    page = (ROOT / "docs" / "settings.md").read_text()
    for name, field in settings.Settings.model_fields.items():
        default = "" if field.is_required() else f"`{field.default}`" if field.default not in {None, ()} else "none"
        assert f"| `{name}` | {field.description} | {default} |" in page, name


def test_a_file_that_was_edited_is_read_again(project):
    """A server reads, weeks after its start, the settings that judge a canary now."""
    root = project("max_rejected_share = 0.02", "max_rejected_share = 0.5")
    before = settings.load(root).max_rejected_share
    project()

    assert (before, settings.load(root).max_rejected_share) == (0.5, 0.02)
