"""Which method and column of an estimator give a task's scores. The pipeline and the fast path both use it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Question:
    """A method of the estimator, and the column of its result to use."""

    method: Literal["predict_proba", "predict"]
    column: int | None = None  # None: all columns
