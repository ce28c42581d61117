"""`monitoring/drift_tests/joint.py`: what no column shows by itself."""

import numpy as np
import pandas as pd
import pytest

from proveout.monitoring.drift_tests import joint


def rows(number: int, seed: int, *, together: float = 0.0) -> pd.DataFrame:
    """Two numbers that are normal each, with this correlation; a text, and holes."""
    rng = np.random.default_rng(seed)
    first, noise = rng.normal(size=(2, number))
    second = together * first + np.sqrt(1 - together**2) * noise
    return pd.DataFrame(
        {
            "first": np.where(rng.random(number) < 0.05, np.nan, first),
            "second": second,
            "carrier": rng.choice(["UA", "B6", None], number),
        }
    )


def found(test: str, before: pd.DataFrame, after: pd.DataFrame):
    table, first = joint.matrix(before, after, rows=400)
    return joint.mmd(table, first, level=0.01) if test == "mmd" else joint.domain_classifier(table, first)


@pytest.mark.parametrize("test", ["mmd", "domain_classifier"])
def test_a_changed_dependence_is_found_and_chance_is_not(test):
    """Each column keeps its distribution: only rows as a whole differ."""
    calm = sum(found(test, rows(400, 2 * seed), rows(300, 2 * seed + 1)).p_value <= 0.05 for seed in range(60))
    moved = found(test, rows(600, 1), rows(600, 2, together=0.95))

    assert calm <= 9  # what a true rate of 0.05 exceeds in one of a thousand such tests
    assert moved.p_value < 0.005


def test_the_result_is_the_same_each_time():
    """A monitor that alarms at the second look only is not believed."""
    sides = rows(300, 1), rows(300, 2)

    assert found("mmd", *sides) == found("mmd", *sides)
    assert found("domain_classifier", *sides) == found("domain_classifier", *sides)
