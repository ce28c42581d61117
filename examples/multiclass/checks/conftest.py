"""What the checks of this question share, beside what stands in the conftest.py of the project."""

import pytest

from proveout.evaluation import multiclass


@pytest.fixture(scope="session")
def numbers(holdout):
    """The number of each held-out flight: flights of one number are right or wrong together."""
    return holdout.records["number"].to_numpy()


@pytest.fixture(scope="session")
def classes(candidate):
    """The families, in the order of the scores."""
    return candidate.task.classes


@pytest.fixture(scope="session")
def labels(scores, classes):
    """What the candidate answers: the family of the highest probability."""
    return multiclass.labels_of(scores, classes)
