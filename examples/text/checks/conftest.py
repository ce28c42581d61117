"""What the checks of this question share, beside what stands in the conftest.py of the project."""

import pytest


@pytest.fixture(scope="session")
def services(holdout):
    """The service of each held-out operation: its descriptions are written alike, and read wrongly alike."""
    return holdout.raw["service"]


@pytest.fixture(scope="session")
def harmless(candidate, scores):
    """What is called harmless."""
    return scores >= candidate.task.threshold
