"""support/warm_python.py: a forked script is what a started one would be."""

import os
import signal
import subprocess

import pytest
from warm_python import warm

SCRIPT = """
import json, os, signal, sys
from pathlib import Path

print(json.dumps([sys.argv, sys.path[0], os.getcwd(), dict(os.environ), os.getsid(0) == os.getpid(), __name__]))
sys.stdout.flush()
if len(sys.argv) > 1:
    signal.pause()
sys.exit(7)
"""


def test_a_script_has_its_own_arguments_folder_environment_and_session(tmp_path):
    """A server would else find the settings of the test before it."""
    (tmp_path / "script.py").write_text(SCRIPT)
    output = tmp_path / "output"
    run = warm().run(tmp_path / "script.py", env={"ONLY": "this"}, cwd=tmp_path, output=output)

    assert run.wait(60) == run.returncode == 7
    script, folder = str(tmp_path / "script.py"), os.path.realpath(tmp_path)
    told = f'[["{script}"], "{tmp_path}", "{folder}", {{"ONLY": "this"}}, true, "__main__"]\n'
    assert output.read_text() == told


def test_a_script_that_runs_has_no_exit_code_and_ends_by_a_signal(tmp_path):
    """What `subprocess.Popen` says, too."""
    (tmp_path / "script.py").write_text(SCRIPT)
    run = warm().run(tmp_path / "script.py", "wait", env={}, cwd=tmp_path, output=tmp_path / "output")

    assert run.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(0.1)
    run.terminate()
    assert run.wait(60) == -signal.SIGTERM
    run.kill()  # nothing more to end


def test_what_a_script_raises_is_in_its_output(tmp_path):
    """A test shows it, as the reason why its server ended."""
    (tmp_path / "script.py").write_text("raise ValueError('of the script')")
    run = warm().run(tmp_path / "script.py", env={}, cwd=tmp_path, output=tmp_path / "output")

    assert run.wait(60) == 1
    assert "ValueError: of the script" in (tmp_path / "output").read_text()
