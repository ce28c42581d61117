"""What the doctor says of the machine, each against the fault that it is for."""

from importlib.metadata import metadata, requires
from pathlib import Path

from proveout.doctor import machine


def test_a_python_that_proveout_has_no_packages_for_is_a_fault():
    """whylogs has wheels for no newer one, and says so only while it is installed."""
    asked = metadata("proveout")["Requires-Python"]

    assert machine.python("3.13.0", asked=asked).state == "fault"
    assert machine.python("3.10.9", asked=asked).state == "fault"
    assert {machine.python(one, asked=asked).state for one in ("3.11.0", "3.12.9")} == {"ok"}


def test_a_package_that_is_missing_or_out_of_bounds_is_a_fault_with_the_command():
    """`pip install` of another package may have moved it since."""
    asked = ["litserve==0.2.19", "pandas>=3.1", "whylogs==1.6.4", "apprise>=1.9; extra == 'alerts'"]
    here = {"litserve": "0.2.20", "pandas": "3.1.0"}

    found = machine.dependencies(asked, installed=here.get)

    assert (found.state, found.name) == ("fault", "packages")
    assert found.said == "litserve is 0.2.20, asked for: ==0.2.19; whylogs is missing, asked for: ==1.6.4"
    assert found.remedy == "python -m pip install litserve==0.2.19 whylogs==1.6.4"
    assert machine.dependencies(asked, installed={**here, "litserve": "0.2.19", "whylogs": "1.6.4"}.get).state == "ok"


def test_the_packages_here_are_within_the_bounds():
    """Read as pip wrote them, extras left out."""
    found = machine.dependencies(requires("proveout") or (), installed=machine.installed)

    assert found.state == "ok", found
    assert machine.installed("no-package-has-this-name") is None


def test_an_extra_that_a_setting_needs_is_named():
    """A ledger on PostgreSQL fails at the first command; an alert only when it is needed."""
    needed = [("postgres", "psycopg", "the ledger's address"), ("alerts", "apprise", "alert_urls")]

    found = machine.extras(needed, found=lambda module: module == "psycopg")

    assert (found.state, found.said) == ("fault", "alert_urls needs the extra alerts")
    assert found.remedy == "pip install 'proveout[alerts]'"
    assert machine.extras(needed, found=lambda _: True).state == "ok"
    assert machine.extras((), found=lambda _: False).state == "ok"


def test_a_full_disk_is_a_fault_and_a_nearly_full_one_a_note():
    """A run that fills the disk ends in the middle of the notebook."""
    said = {size: machine.disk(size, folder=Path("/state")).state for size in (10**8, 10**9, 10**11)}

    assert said == {10**8: "fault", 10**9: "note", 10**11: "ok"}
    assert machine.free_bytes(Path("/no/such/folder")) > 0


def test_a_clock_that_is_behind_the_ledger_is_a_fault():
    """An approval would begin in the future, and a release before the one that it replaces."""
    at = 1_700_000_000.0

    behind = machine.clock(at, newest_s=at + 3_600, file_s=at)
    other_disk = machine.clock(at, newest_s=None, file_s=at - 3_600)

    assert (behind.state, other_disk.state) == ("fault", "fault")
    assert "the newest entry of the ledger is of 2023-11-14T23:13:20Z" in behind.said
    assert "2023-11-14T21:13:20Z on the disk" in other_disk.said
    assert machine.clock(at, newest_s=at - 3_600, file_s=at + 1).state == "ok"
    assert machine.clock(at, newest_s=None, file_s=None).state == "ok"


def test_a_folder_that_cannot_be_written_to_is_a_fault(tmp_path):
    """One that is missing is made later: then the folder above it counts. Nothing is left behind."""
    (tmp_path / "file").write_text("")

    broken = machine.writable("state", tmp_path / "file" / "inside", said="here", remedy="change it")
    missing = machine.writable("state", tmp_path / "new" / "inside", said="here", remedy="change it")

    assert (broken.state, broken.said) == ("fault", f"{tmp_path / 'file'} is no folder")
    assert (missing.state, missing.said) == ("ok", "here")
    assert machine.writable("state", Path("/proc/self"), said="here", remedy="-").state == "fault"
    assert machine.file_clock(Path("/proc/self")) is None
    assert abs((machine.file_clock(tmp_path / "new") or 0) - (tmp_path / "file").stat().st_mtime) < 3_600
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_kernel_that_does_not_start_is_a_fault_with_what_it_said(tmp_path, monkeypatch):
    """Another package in the environment may have broken ipykernel: a run would say so only after the features."""
    (tmp_path / "ipykernel_launcher.py").write_text("raise SystemExit('ipykernel is broken')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    found = machine.kernel(tmp_path)

    assert found.state == "fault"
    assert "its kernel did not start" in found.said
    assert found.said.endswith("ipykernel is broken")


def test_a_kernel_that_starts_is_well(tmp_path):
    """It is asked something, and ended."""
    assert machine.kernel(tmp_path).said.startswith("it starts and answers, in ")
