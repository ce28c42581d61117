"""What the numbers of a booster mean, and which objectives have no such meaning."""

import numpy as np

from proveout.model import native_boosters


def test_answers_are_the_most_probable_classes() -> None:
    """The estimators of both libraries choose the second of two classes above one half."""

    class Booster:
        def model_to_string(self, **asked: int) -> str:
            return f"tree\nobjective={self.objective} sigmoid:1\n"

    Booster.__module__ = "lightgbm.basic"
    booster = Booster()
    booster.objective = "binary"  # type: ignore[attr-defined]  # of the stand-in
    assert native_boosters.answers_of(booster, np.array([0.2, 0.5, 0.7])).tolist() == [0, 0, 1]
    booster.objective = "multiclass"  # type: ignore[attr-defined]
    assert native_boosters.answers_of(booster, np.array([[0.2, 0.5, 0.3]])).tolist() == [1]
