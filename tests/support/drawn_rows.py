"""Rows drawn at random, labels that some of their columns tell, and models for them."""

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from proveout.evaluation.context import LabelledRows

FEATURES = """
def features(rows):
    return rows[["a", "b", "kind"]].assign(c=rows["a"] * 0.5, kind=(rows["kind"] == "x") * 1.0)
"""


def labelled(rows, labels):
    return LabelledRows(raw=rows, records=rows[["a", "b", "kind"]], labels=np.asarray(labels))


def drawn(seed, rows=3_000, batch="1"):
    """Records without a label: `b` and `kind` mean nothing unless a test says so."""
    random = np.random.default_rng(seed)
    made = pd.DataFrame({"a": random.normal(size=rows), "b": random.normal(size=rows)})
    return made.assign(kind=random.choice(["x", "y"], size=rows), batch=batch)


def crossed(rows, seed=9):
    """A label that no sum of a and b tells: whether they have the same sign; with noise."""
    return (rows["a"] * rows["b"] + np.random.default_rng(seed).normal(scale=0.3, size=len(rows)) > 0).to_numpy()


def straight(rows, seed=9):
    """A label that rests on a alone, with noise."""
    return (rows["a"] + np.random.default_rng(seed).normal(size=len(rows)) > 0.3).to_numpy()


def boosted():
    return HistGradientBoostingClassifier(max_iter=40, random_state=0)


def linear():
    return make_pipeline(StandardScaler(), LogisticRegression())
