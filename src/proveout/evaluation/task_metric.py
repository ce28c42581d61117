"""How good a model is by the usual measure of its task, and how much better than another: one call for every task.

Takes a task, outcomes and scores as a bundle gives them. Gives `Evidence`: the AUC of a binary task, the mean absolute
error of a regression, the Brier score of a multi-class one. Not its log loss: a model that once gives what happens the
probability 0 is then judged by that one row, and no interval knows of such a row before it comes.

    evidence(task_metric.quality(candidate.task, holdout.labels, candidate.predict(holdout.records)), at_least=0.70)
"""

from typing import TYPE_CHECKING

from proveout.evaluation import compare, metrics
from proveout.records.verdict import Evidence
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

BOUNDED = "brier"  # of the losses of a multi-class task, the one that no single row can outweigh
SHOWN = {"absolute": "mae", "squared": "mse", "log_loss": "log loss"}  # the mean of a loss, where it has another name


def quality(
    task: Task,
    outcomes: "NDArray[np.generic]",
    scores: "NDArray[np.float64]",
    *,
    level: float = 0.95,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """The AUC of a binary task; of another one the mean of a loss, the lower the better. With interval.

    Args:
        outcomes: known ones, as the task has them (`holdout.labels`), shape (rows,).
        scores: as a bundle's `predict` gives them, shape (rows,), or (rows, classes).
        clusters: shape (rows,), such as the day of each flight.

    >>> import numpy as np
    >>> from proveout.task.regression import Regression
    >>> found = quality(Regression(), np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.0, 2.0]))
    >>> found.name, found.value
    ('mae', 0.5)
    """
    if task.name == "binary":
        return metrics.auc(outcomes, scores, level=level, clusters=clusters)
    return metrics.mean(losses(task, outcomes, scores), name=loss_name(task), level=level, clusters=clusters)


def gain(
    task: Task,
    outcomes: "NDArray[np.generic]",
    scores: "NDArray[np.float64]",
    others: "NDArray[np.float64] | None",
    *,
    margin: float,
    better: bool = False,
    level: float = 0.95,
    spread: float = 0.0,
    clusters: "ArrayLike | None" = None,
) -> Evidence:
    """What `scores` are ahead of those of another model, by the same measure, paired row by row: above 0 is better.

    Args:
        others: of the champion; None without one.
        margin: in the measure's unit: AUC of a binary task, the target's unit of a regression, of a multi-class one the
            Brier score, 0 to 2. The other arguments and the decision are those of `compare.auc` and `compare.rows`.

    >>> import numpy as np
    >>> from proveout.task.regression import Regression
    >>> outcomes = np.arange(50.0)
    >>> found = gain(Regression(), outcomes, outcomes + 1, outcomes - 2, margin=0.5)
    >>> found.name, found.value, found.decision.partition(";")[0]
    ('mae, gain on the champion', 1.0, 'better')
    """
    if task.name == "binary":
        return compare.auc(
            outcomes, scores, others, margin=margin, better=better, level=level, spread=spread, clusters=clusters
        )
    return compare.rows(
        losses(task, outcomes, scores),
        None if others is None else losses(task, outcomes, others),
        margin=margin,
        name=loss_name(task),
        better=better,
        level=level,
        spread=spread,
        clusters=clusters,
    )


def losses(task: Task, outcomes: "NDArray[np.generic]", scores: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The loss of each row that `quality` is the mean of; of a binary task the Brier score. Shape (rows,)."""
    return task.losses(outcomes, scores, name=_loss(task))


def _loss(task: Task) -> str:
    return BOUNDED if task.name == "multiclass" else task.default_loss


def metric_name(task: Task) -> str:
    """What `quality` is called."""
    return "auc" if task.name == "binary" else loss_name(task)


def loss_name(task: Task, loss: str | None = None) -> str:
    """What the mean of a loss is called; by default of the one that `losses` gives.

    >>> from proveout.task.regression import Regression
    >>> loss_name(Regression()), loss_name(Regression(), "pinball_90")
    ('mae', 'pinball 90')
    """
    loss = loss or _loss(task)
    return SHOWN.get(loss, loss.replace("_", " "))
