"""How much each of the model's columns contributes, measured by shuffling it.

Input: the candidate and the held-out rows. Output: `Evidence` for each column. Models predict with one thread, so that
numbers are the same on every machine and parallel checks do not compete for cores.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proveout.evaluation import metrics, task_metric
from proveout.evaluation.baselines import simpler_model
from proveout.evaluation.model_age import staleness
from proveout.evaluation.progress import reported
from proveout.evaluation.stats.row_sample import sample
from proveout.model import threads
from proveout.records.verdict import Evidence

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from proveout.evaluation.context import LabelledRows
    from proveout.model.bundle import OpenBundle

__all__ = ["features_benefit", "simpler_model", "staleness"]  # the last two for checks that have them from here


def features_benefit(
    candidate: "OpenBundle",
    holdout: "LabelledRows",
    *,
    idle_at_most: float | None = None,
    rows: int = 6_000,
    permutations: int = 5,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
    seed: int = 0,
) -> tuple[Evidence, ...]:
    """How much each model column contributes: the increase of the loss if the column is shuffled.

    evidence(ablation.features_benefit(candidate, holdout, idle_at_most=criteria["idle_columns_at_most"]))

    Args:
        idle_at_most: how many columns may have no significant benefit.
        rows: most held-out rows to use; a random sample if there are more.
        permutations: per column; a row's loss is the mean over them.
        clusters: of the held-out rows, such as their days: see `metrics.mean`.
    Returns: evidence for each column: the loss that it saves, with interval (log loss; absolute error for a regression,
        Brier score for several classes); and the number of columns with no benefit shown. A column that another one
        can replace saves little, so of two idle columns one may still be needed.
    Source: L. Breiman, Random Forests, Machine Learning 45 (2001), section 10.
    """
    import numpy as np

    taken = sample(holdout.rows, rows, seed=seed)
    labels = holdout.labels[taken]
    groups = None if clusters is None else np.asarray(clusters)[taken]
    columns = candidate.model_columns(holdout.records.iloc[taken]).reset_index(drop=True)
    random = np.random.default_rng(seed)
    found, task = [], candidate.task
    # For a binary task, the log loss is the most sensitive to a missing feature.
    loss = "log_loss" if task.name == "binary" else None
    saves = f"{task_metric.loss_name(task, loss)} that a feature saves"
    with threads.limited():
        before = _losses(candidate, columns, labels, loss)
        for name in reported("features shuffled", [str(name) for name in columns]):
            after = np.mean(
                [_losses(candidate, _shuffled(columns, name, random), labels, loss) for _ in range(permutations)],
                axis=0,
            )
            one = metrics.mean(after - before, name=saves, level=level, clusters=groups)
            shown = one.low is not None and one.low > 0
            decision = "of benefit" if shown else "no benefit shown"
            found.append(replace(one, slice=name, decision=decision, covers=("data-2",)))
    idle = [one.slice or "" for one in found if one.decision != "of benefit"]
    return (
        *found,
        Evidence(
            name="features with no benefit shown",
            value=len(idle),
            at_most=idle_at_most,
            rows=len(taken),
            decision=", ".join(idle),
            covers=("data-2",),
        ),
    )


def _shuffled(columns: "pd.DataFrame", name: str, random: "np.random.Generator") -> "pd.DataFrame":
    """The columns, with the values of `name` shuffled over the rows."""
    moved = columns[name].take(random.permutation(len(columns))).set_axis(columns.index)
    return columns.assign(**{name: moved})


def _losses(
    candidate: "OpenBundle", columns: "pd.DataFrame", labels: "NDArray[Any]", loss: str | None
) -> "NDArray[np.float64]":
    """The loss of each row: the one called `loss`, or that of `task_metric`."""
    scores = candidate.predict_model_columns(columns)
    if loss is None:
        return task_metric.losses(candidate.task, labels, scores)
    return candidate.task.losses(labels, scores, name=loss)
