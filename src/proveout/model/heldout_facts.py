"""Facts about a model from its answers to held-out rows: the width of intervals, the share of right answers.

Input: scores, outcomes and the task. Output: the parts that a bundle stores.
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proveout.model.manifest import LABEL, REFERENCE_ROWS
from proveout.records.answer import TaskFacts
from proveout.task import conformal
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

CONFIDENCE_BINS = 20


def measured_facts(facts: TaskFacts, scores: "NDArray[np.float64]", outcomes: "NDArray[Any]") -> TaskFacts:
    """The facts of the task, completed from held-out rows: for a regression, the half width of its interval.

    No half width if there are too few rows.
    """
    if facts.task != "regression":
        return facts
    coverage = conformal.COVERAGE if facts.coverage is None else facts.coverage
    width = conformal.half_width(outcomes - scores, coverage=coverage)
    return replace(facts, half_width=width, coverage=coverage) if math.isfinite(width) else TaskFacts(task=facts.task)


def confidence_table(scores: "NDArray[np.float64]", outcomes: "NDArray[Any]", task: Task) -> dict[str, list[float]]:
    """The share of right answers by score on held-out rows: `right[i]` between `edges[i-1]` and `edges[i]`.

    At most 20 bins with equally many rows each. Empty for a task without confidence.
    """
    import numpy as np

    sure = task.certainty(scores)
    if sure is None:
        return {"edges": [], "right": []}
    edges = np.unique(np.quantile(sure, np.linspace(0, 1, CONFIDENCE_BINS + 1)[1:-1]))
    place = np.searchsorted(edges, sure, side="right")
    right = task.right(outcomes, scores)
    everywhere = float(right.mean())  # for a bin that is empty because of ties
    shares = [float(right[place == i].mean()) if (place == i).any() else everywhere for i in range(len(edges) + 1)]
    return {"edges": [float(edge) for edge in edges], "right": shares}


def heldout_answers(scores: "NDArray[np.float64]", outcomes: "NDArray[Any]", task: Task) -> "pd.DataFrame":
    """A random sample of the answers to held-out rows, with which later answers are compared."""
    import pandas as pd

    answers = pd.DataFrame({task.watched: task.watch(scores), LABEL: outcomes})
    return answers.sample(min(REFERENCE_ROWS, len(answers)), random_state=0).reset_index(drop=True)
