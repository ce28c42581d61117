"""`.github/workflows`: valid, safe, and naming only what is there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from reference_project import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GATE = ROOT / ".github" / "workflows" / "_gate.yml"
GUARDED = GATE.with_name("_guarded.yml")
CALLED = {GATE, GUARDED}  # by the other workflows
BIN = Path(sys.executable).parent


def loaded(file: Path) -> dict:
    # YAML 1.1 reads the key `on` as True.
    return {("on" if key is True else key): value for key, value in yaml.safe_load(file.read_text()).items()}


def tool(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_workflows_are_what_github_understands():
    """A workflow with a wrong key does not fail: it does not run."""
    checked = tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS))

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_workflows_give_nobody_a_way_in():
    """Unpinned actions, kept credentials, wide permissions, expressions in scripts: zizmor knows them."""
    checked = tool("zizmor", "--offline", "--no-progress", "--persona", "pedantic", str(ROOT / ".github" / "workflows"))

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "No findings" in checked.stdout + checked.stderr


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_an_action_is_pinned_by_commit_and_says_its_version(file):
    """A tag can be moved to other code; a commit cannot."""
    foreign = [line.strip() for line in file.read_text().splitlines() if re.search(r"uses: [^$.]", line)]

    assert all(re.fullmatch(r"(- )?uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) for line in foreign), (
        foreign
    )


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_job_may_read_and_nothing_else(file):
    """The token of a job that runs other people's pull requests must not be able to write."""
    workflow = loaded(file)

    assert workflow["permissions"] == {}
    assert all(job["permissions"] == {"contents": "read"} for job in workflow["jobs"].values())


@pytest.mark.parametrize("file", [file for file in WORKFLOWS if file not in CALLED], ids=lambda file: file.stem)
def test_a_workflow_asks_the_gate_for_a_target_that_exists(file):
    """`make tset` fails once a week, on a Sunday."""
    written = "".join((ROOT / name).read_text() for name in ("Makefile", "line.mk"))
    targets = set(re.findall(r"^([a-z-]+):", written, re.MULTILINE))
    called = {f"$/.github/workflows/{one.name}": loaded(one)["on"]["workflow_call"]["inputs"] for one in CALLED}

    for job in loaded(file)["jobs"].values():
        assert job["uses"] in called
        assert job["with"]["target"] in targets
        assert set(job["with"]) <= set(called[job["uses"]])


def test_keys_are_in_environments_that_a_pull_request_never_reaches():
    """Whoever opens a pull request must not be able to sign an approval, and no job holds the keys of two."""
    [guarded] = loaded(GUARDED)["jobs"].values()
    named = {file.name for file in WORKFLOWS if "secrets" in file.read_text()}
    jobs = {name: job for file in WORKFLOWS for name, job in loaded(file)["jobs"].items() if "_guarded" in str(job)}

    assert guarded["environment"] == "${{ inputs.environment }}"
    assert named == {"_guarded.yml"}
    assert {name: job["with"]["environment"] for name, job in jobs.items()} == {
        "candidate": "gate",
        "shadow": "production",
    }
    assert {name: job["needs"] for name, job in jobs.items()} == {"candidate": "gate", "shadow": "candidate"}
    assert all("github.event_name != 'pull_request'" in job["if"] for job in jobs.values())


@pytest.mark.parametrize("file", [file for file in WORKFLOWS if file not in CALLED], ids=lambda file: file.stem)
def test_a_path_that_starts_a_workflow_is_there(file):
    """A filter on a file that was renamed never fires again, and nobody is told."""
    events = loaded(file)["on"]

    for event in ("push", "pull_request"):
        for path in events[event]["paths"]:
            assert (ROOT / path.removesuffix("/**")).exists(), path
    assert events["push"]["paths"] == events["pull_request"]["paths"]


JUNIT = """<testsuites><testsuite tests="3" failures="1" errors="0" skipped="1">
<testcase classname="tests.test_gate" name="test_one"/>
<testcase classname="tests.test_gate" name="test_two"><failure message="no"/></testcase>
<testcase classname="tests.test_gate" name="test_three"><skipped/></testcase>
</testsuite></testsuites>"""


@pytest.mark.parametrize("with_results", [True, False])
def test_the_job_summary_says_how_it_ended_and_what_failed(tmp_path, with_results):
    """The script in the workflow is run as GitHub runs it, also where make failed before any test."""
    [script] = [step["run"] for step in loaded(GATE)["jobs"]["gate"]["steps"] if step.get("name") == "summary"]
    if with_results:
        (tmp_path / "reports").mkdir()
        (tmp_path / "reports" / "junit.xml").write_text(JUNIT)
    summary = tmp_path / "summary.md"
    environment = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(summary),
        "TARGET": "test",
        "OUTCOME": "failure",
    }

    subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=environment, check=True)

    text = summary.read_text()
    assert text.startswith("### make test: failure\n")
    assert ("| 3 | 1 | 0 | 1 |" in text) is with_results
    assert ("- `tests.test_gate::test_two`" in text) is with_results


def test_a_commit_runs_the_tools_of_the_lock():
    """pre-commit with tools of its own would format otherwise than `make lint`."""
    checked = tool("pre-commit", "validate-config", ".pre-commit-config.yaml")
    hooks = [hook for repo in loaded(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert {hook["language"] for hook in hooks} == {"system"}
    assert {hook["entry"].split()[0] for hook in hooks} == {
        f".venv/bin/{name}" for name in ("ruff", "mypy", "nbstripout")
    }


def test_a_notebook_is_stored_as_its_author_wrote_it():
    """Outputs in a diff hide what changed, and may hold data that must not be in the repository."""
    notebooks = sorted(str(path) for path in (ROOT / "notebooks").glob("*.ipynb"))

    checked = tool("nbstripout", "--verify", "--keep-id", *notebooks)

    assert notebooks
    assert checked.returncode == 0, checked.stdout + checked.stderr
