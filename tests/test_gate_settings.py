"""gate_settings.py and gate/file_reads.py: what judges is in the file, on the command line or in the verdict."""

import hashlib
import os

import pytest
from gate_toy import CHECKS, PYPROJECT

from proveout import gate_settings, settings
from proveout.errors import ConfigError, NotApproved, UsageError
from proveout.gate import fingerprint
from proveout.gate.current_fingerprint import current_fingerprint
from proveout.gate.file_reads import FileReads
from proveout.model.manifest import verify
from proveout.records.values import now
from proveout.rollout import admission, status
from proveout.trust import authorization

pytest_plugins = "pytester"

RULES = """
def rules(record):
    return LEVEL


LEVEL = 0.2


def action(answer):
    return "wait"
"""
CONFTEST = """
import json
from pathlib import Path

import pytest

BOUNDS = json.loads(Path("bounds.json").read_text())


@pytest.fixture
def bounds():
    return BOUNDS
"""
READS = """
def test_range(candidate, holdout, bounds, evidence):
    names = open("names.txt").read().split()
    evidence(names[0], candidate.predict(holdout.records).max(), at_most=bounds["at_most"])
"""


def candidate_of(root):
    (folder,) = (root / ".proveout" / "store" / "bundles").iterdir()
    return verify(folder)


def test_a_file_that_a_check_reads_is_part_of_the_verdict_and_edited_it_refuses_the_release(gate, pytester):
    """A bound in JSON beside the project was in no digest: raised for the gate, put back for who looks."""
    root = pytester.path
    read = {"bounds.json": '{"at_most": 1.0}', "names.txt": "largest"}
    for name, text in {**read, "conftest.py": CONFTEST}.items():
        (root / name).write_text(text)
    verdict = gate({"test_toy.py": READS}).verdict

    assert verdict.outcome == "approved"
    assert dict(verdict.read) == {name: hashlib.sha256(text.encode()).hexdigest() for name, text in read.items()}
    project = settings.load(root)
    admission.refuse_edited(verdict, candidate_of(root), current_fingerprint(project))
    (root / "bounds.json").write_text('{"at_most": 0.5}')
    with pytest.raises(NotApproved, match=r"what its checks read was edited since .* \(bounds.json\)"):
        admission.refuse_edited(verdict, candidate_of(root), current_fingerprint(project))


def test_another_folder_of_checks_is_named_and_covers_no_refusal_by_the_projects_own(gate, pytester):
    """A small folder of checks is quick but weak, so it must be named, and does not replace the others."""
    root = pytester.path
    (root / "few").mkdir()
    (root / "few" / "test_few.py").write_text("def test_it(candidate, evidence):\n    evidence('one', 1, at_least=1)\n")

    run = gate(None, "--checks", "few")

    assert (run.verdict.outcome, run.verdict.checks_folder) == ("approved", "few")
    run.result.stdout.fnmatch_lines(
        [
            "*checks      not the project's own, but those in few",
            "next: proveout release * --checks few",
        ]
    )
    packed, project = candidate_of(root), settings.load(root)
    with pytest.raises(NotApproved, match=r"the checks in few approved it, not the project's own .* --checks few"):
        admission.refuse_edited(run.verdict, packed, current_fingerprint(project))
    few = gate_settings.with_checks(project, "few")
    admission.refuse_edited(run.verdict, packed, current_fingerprint(few))

    assert gate(CHECKS.replace('criteria["auc_at_least"]', "0.99")).verdict.outcome == "refused"
    assert gate(None, "--checks", "few").verdict.outcome == "approved"
    refused = r"own checks refused it on .*test_auc, and the checks in few do not cover"
    with run.ledger() as ledger:
        assert [one.state for one in status.packed(ledger, "toy", at=now())] == ["refused"]
        with pytest.raises(NotApproved, match=refused):
            authorization.entered(ledger, packed.digest)


def test_a_variable_that_names_another_folder_of_checks_is_refused_by_name(gate, monkeypatch):
    """The gate ran the other folder, or no gate at all: exit code 0 and no verdict."""
    monkeypatch.setenv("PROVEOUT_CHECKS", "few")
    run = gate(None, "checks")

    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.verdict.failed == ("gate::options[PROVEOUT_CHECKS]",)


@pytest.mark.parametrize("name", gate_settings.JUDGING)
def test_no_setting_that_judges_comes_from_the_environment(tmp_path, monkeypatch, name):
    """A variable is not reviewed, and no verdict shows it."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    monkeypatch.setenv(f"PROVEOUT_{name.upper()}", "1")
    with pytest.raises(ConfigError, match=f"PROVEOUT_{name.upper()} in the environment"):
        gate_settings.refuse_overrides()


def test_settings_that_judge_are_those_of_the_file_and_others_those_of_the_environment(tmp_path, monkeypatch):
    """State and ports belong to a machine, checks to the project."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    monkeypatch.setenv("PROVEOUT_FALLBACK", "lenient.py:rules")
    monkeypatch.setenv("PROVEOUT_PORT", "8081")
    found = gate_settings.of_the_file(settings.load(tmp_path))

    assert (found.fallback, found.port) == ("toy.py:rules", 8081)
    with pytest.raises(UsageError, match="--checks nowhere names no folder"):
        gate_settings.with_checks(found, "nowhere")


def test_rules_actions_cost_and_what_the_label_imports_are_what_judges(tmp_path):
    """Rules made weaker for the time of a gate run make any model look better than them."""
    (tmp_path / "checks").mkdir()
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "toy.py").write_text(RULES + "from levels import HIGH\ndef late(rows): return rows['y'] > HIGH\n")
    (tmp_path / "levels.py").write_text("HIGH = 3\n")
    project = settings.load(tmp_path)
    before = fingerprint.content(project)

    def moved(file, old, new):
        text = (tmp_path / file).read_text()
        (tmp_path / file).write_text(text.replace(old, new))
        now = fingerprint.content(project)
        (tmp_path / file).write_text(text)
        return {name for name in before if before[name] != now[name]}

    assert moved("toy.py", "LEVEL = 0.2", "LEVEL = 0.9") == {"toy.py:rules"}
    assert moved("toy.py", '"wait"', '"go"') == {"toy.py:action"}
    assert moved("levels.py", "3", "4") == {"levels.py"}


def test_what_is_counted_as_read_is_what_the_projects_own_code_opens(tmp_path, monkeypatch):
    """Not what proveout, pytest or a library reads for itself, nor what is written, nor caches and state."""
    monkeypatch.chdir(tmp_path)
    for name in ("bound.json", "by_json.json", "ours.json", ".pytest_cache/x", "state/x", "written.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    source = """
import json
from pathlib import Path

open("bound.json").read()
with Path("by_json.json").open() as file:
    json.load(file)
open(".pytest_cache/x").read()
open("state/x").read()
open("written.txt", "w").close()
os.stat("ours.json")
"""
    (tmp_path / "checks.py").write_text(source)
    reads = FileReads(tmp_path)
    reads.start()
    try:
        (tmp_path / "ours.json").read_text()
        exec(compile(source, str(tmp_path / "checks.py"), "exec"), {"os": os})
    finally:
        reads.stop()
    reads.leave_out(tmp_path / "state")
    exec(compile("open('ours.json').read()", str(tmp_path / "checks.py"), "exec"), {})

    assert reads.found == dict.fromkeys(("bound.json", "by_json.json"), hashlib.sha256(b"{}").hexdigest())
