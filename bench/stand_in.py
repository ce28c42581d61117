"""A candidate without a bundle: a fitted estimator that answers what the helpers of the gate ask of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from proveout.records.answer import TaskFacts
from proveout.records.train_config import TimeSplit
from proveout.task import task as tasks
from proveout.task.task import Task


@dataclass(frozen=True)
class StandIn:
    """The model columns are the records; scores are those of the task."""

    model: Any  # fitted
    task: Task

    @property
    def bundle(self) -> Any:
        """Its batches are in order of time."""
        return SimpleNamespace(split=TimeSplit(train_through="1", holdout="2"))

    def parameters(self) -> Mapping[str, Any]:
        return self.model.get_params()

    def model_columns(self, records: pd.DataFrame) -> pd.DataFrame:
        return records

    def fit_again(self, columns: pd.DataFrame, labels: np.ndarray, *, changes: Mapping[str, Any] | None = None) -> Any:
        return clone(self.model).set_params(**(changes or {})).fit(columns, labels)

    def predict_model_columns(self, columns: pd.DataFrame) -> np.ndarray:
        return self.ask(self.model, columns)

    def ask(self, model: Any, columns: pd.DataFrame) -> np.ndarray:
        if self.task.name == "regression":
            return model.predict(columns)
        said = model.predict_proba(columns)
        if self.task.name == "binary":
            return said[:, 1]
        found = np.zeros((len(columns), self.task.width))
        found[:, [self.task.facts.classes.index(one) for one in model.classes_.tolist()]] = said
        return found


@dataclass(frozen=True)
class Rows:
    """Rows with a known outcome, in the three forms that helpers ask for."""

    raw: pd.DataFrame
    records: pd.DataFrame
    labels: np.ndarray

    @property
    def rows(self) -> int:
        return len(self.labels)


def fitted(model: Any, rows: Rows, *, task: str) -> StandIn:
    """A candidate that has learned from `rows`."""
    classes = tuple(sorted(set(rows.labels.tolist()))) if task == "multiclass" else ()
    return StandIn(model=model.fit(rows.records, rows.labels), task=tasks.of(TaskFacts(task=task, classes=classes)))
