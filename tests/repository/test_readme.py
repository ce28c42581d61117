"""README.md: every command in it is run, in its order, in a project that `proveout init` laid out."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection
from pathlib import Path

import doc_blocks
import pytest
from doc_blocks import ADOPT, not_printed
from patience import PATIENCE_S
from reference_project import ROOT

from proveout.demo import live_server

pytestmark = pytest.mark.long

# All of checks/ takes a minute of processor time. They are asked in tests/line/test_reference_checks.py; here some
# of each kind are, and all of them in `make chaos`.
FEW = "few_checks"
JUDGED = ("python flows/train.py run", "proveout release ")  # commands that say by which checks
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
    """A person at a terminal: one command after the other, in the folder that the last `cd` led to."""

    only = "test_auc or guard or locked or calm-evening"  # of checks/

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, live_server.free_port()
        self.server: subprocess.Popen[bytes] | None = None
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PROVEOUT_", "METAFLOW_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**environment, "PATH": path, "PROVEOUT_PORT": str(self.port)}

    def run(self, command: str, *, returns: Collection[int] = (0,)) -> subprocess.CompletedProcess[str]:
        few = (
            {"PYTEST_ADDOPTS": f"{os.environ['PYTEST_ADDOPTS']} -k '{self.only}'"}
            if command.startswith("pytest")
            else {}
        )
        command += f" --checks {FEW}" if command.startswith(JUDGED) else ""
        ran = subprocess.run(
            ["bash", "-c", command],
            cwd=self.home,
            env={**self.environment, **few, **(PATIENT if command.startswith("proveout drill") else {})},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert ran.returncode in returns, f"$ {command}\n{ran.stdout}\n{ran.stderr}"
        return ran

    def serve(self, command: str) -> None:
        log = (self.home / "server.log").open("wb")
        self.server = subprocess.Popen(
            shlex.split(command), cwd=self.home, env=self.environment | PATIENT, stdout=log, stderr=log
        )
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE_S:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=PATIENCE_S)
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise AssertionError((self.home / "server.log").read_text())


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp("readme"))
    yield shell
    if shell.server is not None:
        shell.server.send_signal(signal.SIGTERM)
        assert shell.server.wait(timeout=PATIENCE_S) == 0


@pytest.mark.timeout(1_800)
def test_every_command_of_the_readme_does_what_it_says(shell, adopted_pilot):
    """A README that nothing backs sends a new user away at the third line."""
    assert len(COMMANDS) >= 10
    (shell.home / "examples").symlink_to(ROOT / "examples")
    said = {}
    for written in COMMANDS:
        command = written.text
        if command == ADOPT:
            assert not_printed(written.shown, adopted_pilot[1]) == []
            continue
        if said.get("digest"):
            command = command.replace(SHOWN, said["digest"])
        command = command.replace("127.0.0.1:8080", f"127.0.0.1:{shell.port}")
        if command.endswith(" &"):
            shell.serve(command.removesuffix(" &"))
            continue
        # Some of the checks are never an approval. A drill ends with 1 where an answer came late, which a machine
        # that is busy with other tests may bring; that none was lost is asked below.
        allowed = {"pytest checks/": (1,), "proveout drill": (0, 1)}
        ran = shell.run(command, returns=next((codes for c, codes in allowed.items() if command.startswith(c)), (0,)))
        assert not_printed(written.shown, ran.stdout) == [], ran.stdout
        said[command.split(" ")[0] + " " + command.split(" ")[1]] = ran.stdout
        if "cd my-flights" in command:
            shell.home = shell.home / "my-flights"
            shutil.copytree(ROOT / "tests" / FEW, shell.home / FEW, ignore=shutil.ignore_patterns("__pycache__"))
        if "train.py" in command:
            said["digest"] = re.search(r"next: proveout release (\w{12})", ran.stdout)[1]
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
def test_all_checks_hold_in_a_project_that_was_laid_out(shell, monkeypatch):
    monkeypatch.setattr(Shell, "only", "test")
    commands = [command.text for command in COMMANDS if command.text != ADOPT]
    trained = next(place for place, command in enumerate(commands) if "train.py" in command)
    for command in [*commands[: trained + 1], "pytest checks/"]:
        ran = shell.run(command)
        if "cd my-flights" in command:
            shell.home = shell.home / "my-flights"
            shutil.copytree(ROOT / "tests" / FEW, shell.home / FEW, ignore=shutil.ignore_patterns("__pycache__"))

    assert "approved" in ran.stdout


def test_the_cron_line_holds_a_lock_and_stays_in_the_project():
    """The line is for one machine: twice at once would deliver alerts twice, from / the cards would be lost."""
    line = re.search(r"^0 6 \* \* \* (.*)$", README, flags=re.M)[1]

    assert line.startswith("cd /path/to/project && flock -n .metaflow/")
    assert "flows/monitor.py run" in line


def test_each_make_target_the_readme_names_exists():
    """`make` answers "no rule" to a target that only the README has."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))

    assert set(re.findall(r"make ([a-z]+)", README)) <= targets
