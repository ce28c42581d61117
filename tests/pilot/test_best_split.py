"""The one question that parts rows best: what the rules of a new project ask."""

import numpy as np
import pandas as pd

from proveout.pilot import best_split


def test_a_text_is_parted_from_the_others():
    """As many of its kinds as part the rows best; what is not known is on the other side."""
    frame = pd.DataFrame({"plan": ["a", "b", "c", None] * 50, "noise": range(200)})

    found = best_split.find(frame, np.array([True, True, False, False] * 50), "binary")

    assert (found.column, found.among, found.here, found.otherwise) == ("plan", ("a", "b"), 1.0, 0.0)


def test_classes_have_their_shares_on_each_side():
    """All of the classes that there are on that side."""
    frame = pd.DataFrame({"size": [1.0, 1.0, 9.0, np.nan] * 50})

    found = best_split.find(frame, np.array(["x", "y", "z", "x"] * 50), "multiclass")

    assert (found.at_least, found.here) == (9.0, {"z": 1.0})
    assert {name: round(share, 3) for name, share in found.otherwise.items()} == {"x": 0.667, "y": 0.333}


def test_columns_that_tell_nothing_make_no_question():
    """One answer for all: the median of a regression."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"noise": random.random(400), "flag": random.random(400) < 0.5})

    found = best_split.find(frame, np.arange(400) % 7 + 0.0, "regression")

    assert (found.column, found.otherwise) == (None, 3.0)
