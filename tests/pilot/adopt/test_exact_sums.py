"""An outcome that the columns asked add up to is told, with the columns; with any noise in it, it is none."""

import numpy as np
import pandas as pd
import pytest

from proveout.evaluation.context import LabelledRows
from proveout.pilot.adopt import exact_sums

RNG = np.random.default_rng(5)
PARTS = pd.DataFrame(
    {
        "guests": RNG.integers(0, 90, 400),
        "members": RNG.integers(0, 300, 400),
        "hour": RNG.integers(0, 24, 400),
        "one": 1.0,
        "day": "Mon",
    }
)


def found(outcome: "pd.Series[float]", records: pd.DataFrame = PARTS) -> str:
    """What is said of rows of which three quarters were learned from."""
    sides = [
        LabelledRows(raw=records[rows], records=records[rows], labels=outcome[rows].to_numpy())
        for rows in (slice(0, 300), slice(300, 400))
    ]
    return exact_sums.found(*sides, "rides")


@pytest.mark.parametrize("change", [lambda rides: rides, lambda rides: rides / 181.4 - 1.04], ids=["plain", "scaled"])
def test_parts_of_the_outcome_are_named(change: "object") -> None:
    """The columns that add nothing are not among them."""
    assert callable(change)

    said = found(change((PARTS.guests + PARTS.members).astype(float)))

    assert said == "guests, members add up to rides, exactly and with the same factors, in all 100 held-out rows"


def test_the_outcome_in_another_unit_is_named() -> None:
    assert found(PARTS.guests * 2.5 + 3).startswith("rides is guests times a factor, exactly")


def test_a_sum_with_noise_is_none() -> None:
    """Nor is one with a hole for most rows, or one that few rows would tell of any columns."""
    rides = (PARTS.guests + PARTS.members).astype(float)
    holes = PARTS.assign(guests=PARTS.guests.where(PARTS.index % 10 == 0))

    assert not found(rides + RNG.normal(0, 1e-3, 400))
    assert not found(rides, holes)
    assert not found(rides, PARTS[["hour", "members", "day"]])
    assert not found(rides, PARTS[["day"]])
