"""`monitoring/profile_drift.py`: where rows are not kept, profiles are compared, and their error is stated."""

import numpy as np
import pandas as pd
import pytest

from proveout.data import profiles
from proveout.errors import DriftError
from proveout.monitoring import profile_drift


def rows(number: int, seed: int, *, late: float = 0.0, gone: float = 0.1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "delay": np.where(rng.random(number) < gone, np.nan, rng.gamma(2, 10, number) + late),
            "hour": rng.integers(5, 24, number),
            "carrier": rng.choice(["UA", "B6", "EV", "OO"], number, p=[0.4, 0.35, 0.2, 0.05]),
        }
    )


def compared(before: pd.DataFrame, after: pd.DataFrame):
    middle = len(before) // 2
    parts = [profiles.profile(part) for part in (before[:middle], before[middle:])]
    tests = profile_drift.compare(parts, [profiles.profile(after)], list(before), drift_alpha=0.05)
    return {(test.column, test.test): test for test in tests}


def test_merged_profiles_find_what_moved_and_say_their_error():
    """The rows of last year are gone; their profiles are a few kilobytes, and still tell."""
    found = compared(rows(4_000, 1), rows(3_000, 2, late=4.0, gone=0.2))

    assert {name for name, test in found.items() if test.alarmed} == {("delay", "ks"), ("delay", "nulls")}
    assert found["delay", "nulls"].effect == pytest.approx(0.1, abs=0.03)
    assert "(from profiles, ± 0." in found["delay", "ks"].verdict
    assert found["delay", "nulls"].verdict.endswith("(counted exactly)")
    assert found["carrier", "chi2"].reference_rows == 4_000


def test_profiles_of_the_same_rows_are_calm_where_a_sketch_by_itself_is_not():
    """The error of a sketch does not shrink with the rows: taken for the truth, it alarms once the rows are many."""
    alarms = sum(
        any(test.alarmed for test in compared(rows(20_000, 2 * seed), rows(20_000, 2 * seed + 1)).values())
        for seed in range(12)
    )

    assert alarms <= 3


def test_a_batch_is_compared_by_what_the_store_has_of_it(tmp_path):
    """A column that no profile has is said."""
    one = profiles.profile(rows(100, 1))

    with pytest.raises(DriftError, match="no such column"):
        profile_drift.compare([one], [one], ["wind"], drift_alpha=0.05)
    with pytest.raises(DriftError, match="fewer than 20 rows"):
        profile_drift.compare([one], [profiles.profile(rows(10, 1))], ["delay"], drift_alpha=0.05)


def test_the_command_reads_profiles_and_no_row(ingested):
    """`proveout drift profiles`: May beside the months before it, from a few kilobytes each."""
    for rows_file in (ingested.state / "store" / "batches").glob("*/rows.parquet"):
        rows_file.rename(rows_file.with_suffix(".away"))
    try:
        ran = ingested.run("-m", "proveout", "drift", "profiles")
        unknown = ingested.run("-m", "proveout", "drift", "profiles", "2014-01")
    finally:
        for away in (ingested.state / "store" / "batches").glob("*/rows.away"):
            away.rename(away.with_suffix(".parquet"))

    assert ran.returncode == 0, ran.stderr
    assert "tests alarm   2013-05, by profiles" in ran.stdout
    assert "temp" in ran.stdout and "(from profiles, ± 0." in ran.stdout
    assert unknown.returncode != 0 and "2013-01, 2013-02" in unknown.stderr
