"""`proveout adopt` on whole notebooks, as strangers write them: one command, and an endpoint with the pilot's answers.

The command itself compares the answers: it says "live at" only if the flow's bundle and the running server gave every
held-out row the pilot's own. These run with `make pilots`; with all tests, those that are refused from their code, and
the notebook of the README.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from pilot_corpus import PILOTS, REFUSALS, Pilot, Refusal
from pilot_notebooks import lay_out

SAMPLE = {one.name for one in REFUSALS if one.seen == "code"}
_LIVE = re.compile(r"^live at (?P<url>\S+) .* kill (?P<pid>\d+)$", re.MULTILINE)


def _each(listed: tuple[Pilot, ...] | tuple[Refusal, ...]) -> list[object]:
    return [pytest.param(one, id=one.name, marks=[] if one.name in SAMPLE else pytest.mark.pilots) for one in listed]


def _adopt(notebook: Path, into: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "proveout", "adopt", str(notebook), "--into", str(into), "--yes", "--here", *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=1_500)


@pytest.mark.parametrize("pilot", _each(PILOTS))
def test_one_command_brings_a_notebook_live(pilot: Pilot, tmp_path: Path) -> None:
    """The server goes on after the command, and answers a raw row."""
    notebook = lay_out(pilot.name, tmp_path / "a pilot", data=pilot.data)
    before = {file.name: file.read_bytes() for file in notebook.parent.iterdir()}

    done = _adopt(notebook, tmp_path / "project")

    live = _LIVE.search(done.stdout)
    assert live is not None, done.stdout[-6_000:] + done.stderr[-3_000:]
    try:
        assert done.returncode == 0
        example = json.load(urllib.request.urlopen(f"{live['url']}/openapi.json"))
        body = json.dumps(_example(example)).encode()
        asked = urllib.request.Request(f"{live['url']}/predict", body, {"Content-Type": "application/json"})
        assert json.load(urllib.request.urlopen(asked))["answered_by"] in ("model", "rules")
    finally:
        os.kill(int(live["pid"]), signal.SIGTERM)
    rows = f"{pilot.held_out} of {pilot.held_out} held-out rows are answered as the pilot did"
    assert rows in done.stdout
    assert {file.name: file.read_bytes() for file in notebook.parent.iterdir()} == before
    _wait_for_the_end(int(live["pid"]))


def _example(document: dict[str, object]) -> object:
    """The request that the server's own documentation shows."""
    found = re.search(r'"example":\s*(\{[^{}]*\})', json.dumps(document))
    assert found is not None
    return json.loads(found[1])


def _wait_for_the_end(pid: int) -> None:
    for _ in range(600):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if (
            Path(f"/proc/{pid}/stat").is_file()
            and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        ):
            return
        time.sleep(0.1)
    raise AssertionError(f"the server {pid} did not end on SIGTERM")


@pytest.mark.parametrize("refusal", _each(REFUSALS))
def test_what_cannot_be_adopted_ends_in_a_sentence(refusal: Refusal, tmp_path: Path) -> None:
    """With the cell or the column, and no project that looks whole."""
    notebook = lay_out(refusal.name, tmp_path / "pilot", data=refusal.data)

    done = _adopt(notebook, tmp_path / "project")

    assert done.returncode in (1, 2)
    assert "error: " in done.stderr
    assert refusal.phrase in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "project/pyproject.toml").exists()
