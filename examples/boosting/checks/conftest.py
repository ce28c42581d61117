"""What the checks of this question share, beside what stands in the conftest.py of the project."""

import pytest


@pytest.fixture(scope="session")
def days(holdout):
    """The day of each held-out reading: its hours, and three airports, have the same weather."""
    return holdout.records["month"].to_numpy() * 100 + holdout.records["day"].to_numpy()
