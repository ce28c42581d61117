"""What the checks of this question share, beside what stands in the conftest.py of the project."""

import pytest


@pytest.fixture(scope="session")
def days(holdout):
    """The day of each held-out row. Flights of one day are late together, so a month is 30 draws, not 28,000."""
    return holdout.records["month"].to_numpy() * 100 + holdout.records["day"].to_numpy()
