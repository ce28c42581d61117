"""`training/flow_errors.py`: what a person reads when a flow fails, and what they do not have to."""

import errno
import os
import subprocess
import sys

import pytest
from metaflow import cli
from metaflow.exception import MetaflowException
from reference_project import ROOT

from proveout.errors import NotFound
from proveout.training import flow_errors

OURS = NotFound("batch", "2013-13", "Ingest it")
SENTENCE = "There is no batch 2013-13. Ingest it"


@pytest.fixture
def printed(monkeypatch):
    """What Metaflow itself printed; a run of its own, with nothing of another."""
    shown = []
    monkeypatch.setattr(cli, "print_unknown_exception", shown.append)
    monkeypatch.setattr(cli, "print_metaflow_exception", shown.append)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    for name in (flow_errors.DEBUG, "PROVEOUT_FLOW_SAID"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return shown


def started() -> None:
    flow_errors.in_metaflow(["flows/train.py", "run"])


def test_the_sentence_of_a_step_is_what_its_run_says_last(printed, capsys, monkeypatch):
    """The step is a process of its own: all that the run hears of Metaflow is that it failed."""
    started()
    run = cli.print_metaflow_exception
    # The step.
    flow_errors.in_metaflow(["flows/train.py", "--quiet", "step", "start"])
    cli.print_unknown_exception(OURS)
    assert capsys.readouterr().err == f"{SENTENCE}\n"

    run(MetaflowException("Step start (task-id 1) failed."))

    assert capsys.readouterr().err == f"\n{SENTENCE}\n"
    assert printed == []


def test_what_is_no_error_of_ours_keeps_its_traceback(printed, capsys):
    """A slip in the user's own code is found by its line, and a misuse of Metaflow by what Metaflow says."""
    started()
    slip, misuse = ZeroDivisionError(), MetaflowException("no such step")

    cli.print_unknown_exception(slip)
    cli.print_metaflow_exception(misuse)

    assert printed == [slip, misuse]
    assert capsys.readouterr().err == ""


def test_an_error_before_the_first_step_and_a_full_disk_are_sentences_too(printed, capsys):
    """train.toml is read, and Metaflow keeps its own files, in the process that starts the run."""
    started()

    cli.print_unknown_exception(OURS)
    cli.print_unknown_exception(OSError(errno.ENOSPC, "No space left on device", "/var/.metaflow/x"))

    assert capsys.readouterr().err == (
        f"\n{SENTENCE}\n\n/var/.metaflow/x was not written: the disk is full. Make room there, then do it again.\n"
    )


def test_debug_shows_all_of_it_and_is_no_option_of_metaflow(printed):
    """In each step as well: they have the environment of the run."""
    arguments = ["flows/train.py", "run", "--debug"]
    hook = sys.excepthook

    flow_errors.in_this_process(arguments)
    flow_errors.in_metaflow(arguments)
    cli.print_unknown_exception(OURS)

    assert arguments == ["flows/train.py", "run"]
    assert os.environ[flow_errors.DEBUG]
    assert (printed, sys.excepthook) == ([OURS], hook)


def test_an_error_that_nobody_caught_is_its_sentence_and_a_slip_its_traceback(printed, capsys):
    """`[tool.proveout]` is read before there is a flow."""
    flow_errors.in_this_process(["flows/train.py"])

    sys.excepthook(NotFound, OURS, None)
    assert capsys.readouterr().err == f"\n{SENTENCE}\n"
    sys.excepthook(KeyError, KeyError("a"), None)
    assert capsys.readouterr().err == "KeyError: 'a'\n"


def test_a_flow_keeps_its_configuration_and_says_what_is_wrong_in_it_alone(tmp_path):
    """Metaflow's command line, imported before there is a flow, knows no `--config`: no training could be started."""
    root = ROOT
    wrong = tmp_path / "wrong.toml"
    wrong.write_text((root / "flows" / "train.toml").read_text().replace("timeout_s = 600", 'timeout_s = "600"'))

    command = [sys.executable, "flows/train.py", "--config", "config", str(wrong), "show"]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=600)

    assert ran.returncode != 0
    assert ran.stderr.strip().startswith(
        'train.toml: [infrastructure] timeout_s is "600": a number above 0 is expected.'
    )


def test_a_step_that_fails_is_the_last_word_of_its_flow(tmp_path):
    """From the process of the step to the last line of the run."""
    ran = subprocess.run(
        [sys.executable, str(ROOT / "flows" / "train.py"), "run"],
        cwd=tmp_path,
        env={**os.environ, "PROVEOUT_STATE": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )

    assert ran.returncode == 1
    last = (
        f"The ledger {tmp_path}/state/ledger.db is not there yet. The first data makes it: python flows/ingest.py run"
    )
    assert ran.stderr.splitlines()[-2:] == ["", last]
    assert "Traceback" not in ran.stdout + ran.stderr
