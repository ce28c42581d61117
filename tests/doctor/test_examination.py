"""The examination as a whole: nothing is left out, and one fault hides no other."""

from proveout.doctor.examination import examine

ALL = (
    "python", "packages", "project", "extras", "environment", "files", "code", "schema", "train.toml", "source",
    "notebook", "imports", "kernel", "disk", "state", "metaflow", "ledger", "clock", "keys", "champion", "port",
)  # fmt: skip


def test_everything_is_looked_at_and_nothing_written(project, monkeypatch):
    """Of a project that has not begun, two things are still to do: a ledger and a champion."""
    monkeypatch.setenv("PROVEOUT_PORT", "0")
    settings = project()
    before = sorted(settings.root.rglob("*"))
    told = []

    found = examine(settings.root, tell=told.append)

    assert tuple(finding.name for finding in found.findings) == ALL == tuple(told)
    assert [one.name for one in found.findings if one.state == "note"] == ["ledger", "champion"]
    assert (found.well, found.model) == (True, "tiny"), found
    assert [path for path in sorted(settings.root.rglob("*")) if "__pycache__" not in path.parts] == before


def test_a_fault_hides_no_other(project, monkeypatch):
    """Whoever mends the first should know of the second."""
    monkeypatch.setenv("PROVEOUT_CHECKS", "checks")
    monkeypatch.setenv("PROVEOUT_ALERT_URLS", '["mailto://ada@example.org"]')
    monkeypatch.setenv("PROVEOUT_PORT", "80")
    settings = project({"label.py": None, "flows/train.toml": "nothing"})

    found = examine(settings.root)

    assert not found.well
    broken = [one.name for one in found.findings if one.state == "fault"]
    assert broken == ["environment", "files", "code", "train.toml", "notebook", "port"]


def test_outside_a_project_the_machine_is_looked_at(tmp_path):
    """And what is missing is said."""
    found = examine(tmp_path)

    assert [finding.name for finding in found.findings] == ["python", "packages", "project"]
    assert (found.well, found.model, found.root) == (False, None, None)
    assert "proveout init DIR" in found.findings[-1].remedy


def test_settings_that_cannot_be_read_are_named(project):
    """The rest of the project cannot be looked at without them."""
    settings = project()
    file = settings.root / "pyproject.toml"
    file.write_text(file.read_text() + "prot = 8080\n")

    found = examine(settings.root)

    assert "prot: Extra inputs are not permitted" in found.findings[-1].said
    assert found.findings[-1].state == "fault"
