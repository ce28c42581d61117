"""evaluation/dependency_diff.py: a package that changed since the champion is named."""

from unfitted_steps import Candidate

from proveout.evaluation import dependency_diff

LOCK = "numpy==2.4.6 \\\n    --hash=sha256:00\nskops==0.16 \\\n    --hash=sha256:01\n"


def test_a_package_that_changed_since_the_champion_is_named():
    """A library that came with an update of another is nobody's decision until somebody sees it."""
    before, now = Candidate(lock=LOCK), Candidate(lock=LOCK.replace("2.4.6", "2.5.0"))

    found = dependency_diff.changed(now, before)

    assert found.value == 1
    assert found.decision == "numpy 2.4.6 to 2.5.0"
    assert dependency_diff.changed(before, before).value == 0


def test_the_first_model_of_a_project_has_no_champion_to_differ_from():
    """Were it not judged, a check with a bound would hold the first one back for ever."""
    found = dependency_diff.changed(Candidate(lock=LOCK), None)

    assert (found.value, found.unjudged) == (0, "")
    assert found.decision == "there is no champion yet"


def test_without_a_lock_nothing_is_said_to_be_alike():
    """Not judged is not the same as unchanged."""
    assert dependency_diff.changed(Candidate(), Candidate(lock=LOCK)).unjudged == "no requirements.lock is packed"
