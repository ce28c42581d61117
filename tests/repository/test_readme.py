"""README.md: every command in it is run, in its order, in a project that `proveout init` laid out.

Those that train a model are run in the fixtures `adopted_pilot` and `trained_by_commands`, once for all tests.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Collection
from pathlib import Path

import doc_blocks
import pytest
from doc_blocks import ADOPT, TRAIN, not_printed
from patience import PATIENCE_S
from reference_project import FEW_CHECKS, ROOT, terminal, typed

from proveout.demo import live_server

pytestmark = pytest.mark.long

# All of checks/ takes a minute of processor time. They are asked in tests/line/test_reference_checks.py; here some
# of each kind are, and all of them in `make chaos`.
ONLY = "test_auc or guard or locked or calm-evening"
PATIENT = {"PROVEOUT_DEADLINE_S": "3"}  # the model shall answer also on a machine that is busy with other tests
README = (ROOT / "README.md").read_text()
SHOWN = re.search(r"proveout verdict (\w{12})", README)[1]  # the digest of the bundle, as the README has it
# Blocks of other places: tests/repository/test_doc_blocks.py.
COMMANDS = [
    command
    for block in doc_blocks.read("README.md", README).blocks
    if block.language == "console" and not block.not_run and not block.place
    for command in block.commands
]


class Shell:
    """A person at a terminal: one command after the other, in the project."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, live_server.free_port()
        self.server: subprocess.Popen[bytes] | None = None

    def run(self, command: str, *, returns: Collection[int] = (0,), **environment: str) -> str:
        ran = typed(command, self.home, PROVEOUT_PORT=str(self.port), **environment)
        assert ran.returncode in returns, f"$ {command}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def serve(self, command: str) -> None:
        log = (self.home / "server.log").open("wb")
        environment = terminal(PROVEOUT_PORT=str(self.port), **PATIENT)
        self.server = subprocess.Popen(shlex.split(command), cwd=self.home, env=environment, stdout=log, stderr=log)
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE_S:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=PATIENCE_S)
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise AssertionError((self.home / "server.log").read_text())


@pytest.fixture
def shell(trained_by_commands, tmp_path):
    shell = Shell(trained_by_commands.copy(tmp_path / "readme").root)
    yield shell
    if shell.server is not None:
        shell.server.send_signal(signal.SIGTERM)
        assert shell.server.wait(timeout=PATIENCE_S) == 0


@pytest.mark.timeout(1_800)
def test_every_command_of_the_readme_does_what_it_says(shell, adopted_pilot, trained_by_commands):
    """A README that nothing backs sends a new user away at the third line."""
    assert len(COMMANDS) >= 10
    done = {ADOPT: adopted_pilot[1], **trained_by_commands.printed}  # in fixtures, for the tests that go on from there
    first = [command.text for command in COMMANDS[: len(done)]]
    assert first == [*done]
    said = {"digest": re.search(r"next: proveout release (\w{12})", done[TRAIN])[1]}
    for written in COMMANDS:
        command = written.text
        if command in done:
            assert not_printed(written.shown, done[command]) == []
            continue
        command = command.replace(SHOWN, said["digest"])
        command = command.replace("127.0.0.1:8080", f"127.0.0.1:{shell.port}")
        if command.endswith(" &"):
            shell.serve(command.removesuffix(" &"))
            continue
        # Some of the checks are never an approval. A drill ends with 1 where an answer came late, which a machine
        # that is busy with other tests may bring; that none was lost is asked below.
        program = " ".join(command.split(" ")[:2])
        returns, environment = {
            "pytest checks/": ((1,), {"PYTEST_ADDOPTS": f"{os.environ['PYTEST_ADDOPTS']} -k '{ONLY}'"}),
            "proveout drill": ((0, 1), PATIENT),
        }.get(program, ((0,), {}))
        by = f" --checks {FEW_CHECKS}" if program == "proveout release" else ""
        printed = shell.run(command + by, returns=returns, **environment)
        assert not_printed(written.shown, printed) == [], printed
        said[program] = printed
    answer = json.loads(said["curl -s"])
    assert list(answer) == list(json.loads(re.search(r"```json\n(.*?)```", README, flags=re.S)[1]))
    assert answer["answered_by"] == "model"
    assert answer["release"] == f"flight-delay@{said['digest']}"
    assert answer["reasons"]
    assert said["digest"] in said["proveout status"]
    assert "intact" in said["proveout verify"]
    assert re.search(r" requests, 0 failed, ", said["proveout drill"]), said["proveout drill"]
    assert "checks/test_model.py" in said["pytest checks/"]  # of the project's own, not the few
    assert "incomplete" in said["pytest checks/"]


@pytest.mark.chaos
@pytest.mark.timeout(1_800)
def test_all_checks_hold_in_a_project_that_was_laid_out(shell):
    assert "approved" in shell.run("pytest checks/")


def test_the_cron_line_holds_a_lock_and_stays_in_the_project():
    """The line is for one machine: twice at once would deliver alerts twice, from / the cards would be lost."""
    line = re.search(r"^0 6 \* \* \* (.*)$", README, flags=re.M)[1]

    assert line.startswith("cd /path/to/project && flock -n .metaflow/")
    assert "flows/monitor.py run" in line


def test_each_make_target_the_readme_names_exists():
    """`make` answers "no rule" to a target that only the README has."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))

    assert set(re.findall(r"make ([a-z]+)", README)) <= targets
