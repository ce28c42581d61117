"""The performance of logged answers with known outcomes, and whether it is worse than promised.

Input: predictions, outcomes by request id, and the task. Output: `Performance`. Pure; without outcomes, nothing is
estimated.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from proveout.evaluation.stats import jackknife
from proveout.records.drift_report import Performance
from proveout.records.prediction import Prediction
from proveout.records.values import TargetValue
from proveout.task.metric import allowance
from proveout.task.task import Task

_OF_CHANCE = 2.33  # standard errors, for one false alarm in a hundred windows
_GROUPS = 25  # groups of rows for the jackknife
_LOSSES = {"brier": "brier", "log_loss": "log_loss", "mae": "absolute", "mse": "squared"}
"""Metrics that are a mean loss per row."""


def measure(predictions: Sequence[Prediction], outcomes: Mapping[str, TargetValue], task: Task) -> Performance | None:
    """The performance on those `predictions` that have scores and an outcome; None if there are none.

    An outcome that is invalid for the task is left out: it was recorded when the target was another one.
    """
    scores: list[tuple[float, ...]] = []
    happened: list[TargetValue] = []
    for prediction in predictions:
        said = task.scores(prediction.answer)
        if said is None or len(said) != task.width or prediction.request_id not in outcomes:
            continue
        try:
            outcome = task.outcome(outcomes[prediction.request_id])
        except ValueError:
            continue
        if outcome is not None:
            scores.append(said)
            happened.append(outcome)
    if not scores:
        return None
    truth, said_all = task.outcomes(happened), np.array(scores, dtype=float).reshape(task.shape(len(scores)))
    metrics = task.measure(task.metric_names, truth, said_all)
    return Performance(rows=len(scores), metrics=metrics, errors=_errors(task, metrics, truth, said_all))


def _errors(
    task: Task, metrics: Mapping[str, float], outcomes: npt.NDArray[Any], scores: npt.NDArray[np.float64]
) -> dict[str, float]:
    """The standard error of each metric: by its formula, else by the grouped jackknife."""
    found = {}
    if len(outcomes) < 2:
        return {}
    if "auc" in metrics:
        found["auc"] = auc_error(metrics["auc"], true=int(outcomes.sum()), false=int((~outcomes).sum()))
    if "accuracy" in metrics:
        found["accuracy"] = _mean_error(task.right(outcomes, scores).astype(float))
    for name, loss in _LOSSES.items():
        if name in metrics:
            found[name] = _mean_error(task.losses(outcomes, scores, name=loss))
    if metrics.get("rmse"):
        # The delta method: from the error of the mean square to that of its root.
        found["rmse"] = _mean_error(task.losses(outcomes, scores, name="squared")) / (2 * metrics["rmse"])
    found |= _left_out(task, tuple(name for name in metrics if name not in found), outcomes, scores)
    return {name: error for name, error in found.items() if math.isfinite(error)}


def _left_out(
    task: Task, names: Sequence[str], outcomes: npt.NDArray[Any], scores: npt.NDArray[np.float64]
) -> dict[str, float]:
    """The grouped jackknife error of each metric, from its values without each group of rows.

    With few rows, each row is a group. A metric that has no value without some group is left out.
    Source: J. Shao and C. F. J. Wu, A general theory for jackknife variance estimation, Annals of Statistics 17 (1989).
    """
    groups = min(_GROUPS, len(outcomes))
    group = np.random.default_rng(0).permutation(len(outcomes)) % groups
    rest = [task.measure(names, outcomes[group != one], scores[group != one]) for one in range(groups)]
    measured = [name for name in names if all(name in one for one in rest)]
    return {name: jackknife.error(np.array([one[name] for one in rest])) for name in measured}


def _mean_error(values: npt.NDArray[np.float64]) -> float:
    return float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.inf


def auc_error(auc: float, *, true: int, false: int) -> float:
    """The standard error of an AUC with this many true and false rows. Source: Hanley and McNeil (1982), equation 1."""
    both_true, both_false = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (true - 1) * (both_true - auc**2) + (false - 1) * (both_false - auc**2)
    # The formula gives 0 for an AUC of 0 or 1, so use an AUC that is half a pair away.
    return max(math.sqrt(max(variance, 0.0) / (true * false)), 0.5 / (true * false))


def fell(performance: Performance | None, task: Task, *, name: str, promised: float, by: float | None = None) -> bool:
    """Whether the metric `name` is worse than promised by more than allowed, and significantly so.

    The limit is 2.33 standard errors of the metric on these rows, for one false result in a hundred. A metric without a
    standard error (few rows, or one class alone) never counts as fallen.

    Args:
        by: how much worse it may be; default: `metric.allowance`.
    """
    if performance is None or name not in performance.metrics or name not in performance.errors:
        return False
    metric = task.metric(name)
    sign = {"higher": 1, "lower": -1, "neither": 0}[metric.better]
    worse = sign * (promised - performance.metrics[name])
    return worse > max(allowance(metric, promised) if by is None else by, _OF_CHANCE * performance.errors[name])
