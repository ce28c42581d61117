"""What of an estimator the scores of a task are: asked alike by the pipeline and by the fast path."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Question:
    """A method of the estimator, and of the columns of its result one or all."""

    method: Literal["predict_proba", "predict"]
    column: int | None = None  # None for all of it
