"""`monitoring/drift_tests/answers.py`: what a column that moved did to the answers."""

import numpy as np
import pandas as pd
import pytest

from proveout.monitoring.drift_tests import answers


def test_a_column_that_the_model_does_not_read_did_nothing():
    """Both moved alike; only one of them matters, and by how much is in the unit of the answer."""
    rng = np.random.default_rng(0)
    reference = pd.DataFrame(rng.normal(size=(500, 2)), columns=["read", "ignored"])
    window = pd.DataFrame(rng.normal(2, 1, size=(400, 2)), columns=["read", "ignored"])

    found = answers.changes(window, reference, ["ignored", "read"], lambda rows: 3 * rows["read"].to_numpy(dtype=float))

    assert found["ignored"] == 0.0
    assert found["read"] == pytest.approx(6, abs=0.5)


def test_classes_that_change_are_counted():
    """Of classes there is no difference but another class."""
    window, reference = pd.DataFrame({"hour": [20] * 30}), pd.DataFrame({"hour": [8, 20] * 20})

    found = answers.changes(window, reference, ["hour"], lambda rows: np.where(rows["hour"] > 12, "late", "early"))

    assert found == {"hour": 0.5}


def test_setting_back_changes_as_few_rows_as_it_can():
    """A row that needs no change keeps its value, and a high number stays high."""
    numbers = answers.set_back(pd.Series([11, 13, 12, 14]), pd.Series([1, 2, 3, 4]))
    texts = answers.set_back(pd.Series(["UA"] * 8 + ["B6"] * 2), pd.Series(["UA", "B6"] * 5))
    holes = answers.set_back(pd.Series([5.0, None, None, None]), pd.Series([1.0, 2.0, None, 4.0]))

    assert numbers.tolist() == [1, 3, 2, 4]
    assert numbers.dtype.kind == "i"
    assert texts.value_counts().to_dict() == {"UA": 5, "B6": 5}
    assert texts.tolist()[8:] == ["B6", "B6"]
    assert holes.isna().sum() == 1


def test_a_model_that_cannot_be_asked_leaves_the_rest_known():
    """Rows that nobody sent may be refused by the project's own code: the monitor does not fail of it."""

    def ask(rows: pd.DataFrame) -> np.ndarray:
        if (rows["hour"] < 12).any():
            raise ValueError("no morning")
        return rows["wind"].to_numpy(dtype=float)

    window, reference = pd.DataFrame({"hour": [20] * 30, "wind": 2.0}), pd.DataFrame({"hour": [8] * 30, "wind": 1.0})

    assert answers.changes(window, reference, ["hour", "wind"], ask) == {"wind": 1.0}
