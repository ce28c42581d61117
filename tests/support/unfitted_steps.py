"""What a check is given of a candidate that is fitted again: its steps, and rows."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from proveout.task.binary import Binary


@dataclass
class Candidate:
    """What a bundle gives of its model before it was fitted."""

    steps: Any = field(default_factory=lambda: make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=4)))
    lock: str | None = None

    task = Binary()

    def parameters(self):
        return self.steps.get_params()

    def fit_again(self, columns, labels, *, changes=None):
        return clone(self.steps).set_params(**(changes or {})).fit(columns, labels)

    def ask(self, model, columns):
        return model.predict_proba(columns)[:, 1]

    def model_columns(self, records):
        return records

    def requirements(self):
        return self.lock


@dataclass
class Rows:
    records: pd.DataFrame
    labels: np.ndarray

    @property
    def rows(self):
        return len(self.labels)
