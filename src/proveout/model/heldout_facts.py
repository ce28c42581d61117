"""What the answers to held-out rows tell of a model: how wide its intervals are, how often it is right.

Input: scores, outcomes and the task. Output: what a bundle keeps of them.
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
    """The facts of the task with what held-out rows tell: of a regression, how wide its interval is.

    Without a half width where there are too few rows for any.
    """
    if facts.task != "regression":
        return facts
    coverage = conformal.COVERAGE if facts.coverage is None else facts.coverage
    width = conformal.half_width(outcomes - scores, coverage=coverage)
    return replace(facts, half_width=width, coverage=coverage) if math.isfinite(width) else TaskFacts(task=facts.task)


def confidence_table(scores: "NDArray[np.float64]", outcomes: "NDArray[Any]", task: Task) -> dict[str, list[float]]:
    """How often scores like these were right on held-out rows: `right[i]` between `edges[i-1]` and `edges[i]`.

    Bins hold equally many rows each (20 at most), so each share rests on as many rows as any other. Empty for a task
    whose answers have no confidence.
    """
    import numpy as np

    sure = task.certainty(scores)
    if sure is None:
        return {"edges": [], "right": []}
    edges = np.unique(np.quantile(sure, np.linspace(0, 1, CONFIDENCE_BINS + 1)[1:-1]))
    place = np.searchsorted(edges, sure, side="right")
    right = task.right(outcomes, scores)
    everywhere = float(right.mean())  # of a bin that ties in the scores left empty
    shares = [float(right[place == i].mean()) if (place == i).any() else everywhere for i in range(len(edges) + 1)]
    return {"edges": [float(edge) for edge in edges], "right": shares}


def heldout_answers(scores: "NDArray[np.float64]", outcomes: "NDArray[Any]", task: Task) -> "pd.DataFrame":
    """A sample of the answers to held-out rows, in no order: what later answers are compared with."""
    import pandas as pd

    answers = pd.DataFrame({task.watched: task.watch(scores), LABEL: outcomes})
    return answers.sample(min(REFERENCE_ROWS, len(answers)), random_state=0).reset_index(drop=True)
