"""checks/ of the reference project, all of them, before a candidate that was trained for them."""

import pytest
from reference_project import Project

from proveout.records.json_form import from_json
from proveout.records.verdict import Verdict

pytestmark = pytest.mark.long


@pytest.mark.timeout(1800)
def test_a_fresh_candidate_is_approved_by_all_checks(trained: Project, tmp_path):
    """The reference project is what a new user starts from: trained as it stands, it passes its own gate."""
    project = trained.copy(tmp_path / "state")

    ran = project.run("-m", "proveout", "gate", timeout_s=1500)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    verdict = from_json(Verdict, project.newest("verdict").body)
    assert (verdict.outcome, verdict.failed, verdict.unproven) == ("approved", (), ())
    assert {result.check.split("::")[0] for result in verdict.results} >= {
        "checks/test_data.py",
        "checks/test_model.py",
    }
    again = [one for one in verdict.evidence if one.name.startswith("files of the bundle that differ")]
    assert [one.decision for one in again] == [
        "the same digest"
    ]  # `trained` was trained in a project that was laid out
    assert f"next: proveout release {verdict.candidate[:12]}" in ran.stdout
