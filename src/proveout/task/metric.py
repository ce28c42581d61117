"""Metrics: how a measure of quality is computed from outcomes and scores, and which direction is better."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from proveout.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Metric:
    """`compute` takes outcomes and scores of the same rows, in the task's form, and returns a number."""

    compute: Callable[[Any, Any], float]
    better: Literal["higher", "lower", "neither"]
    of_labels: bool = False  # depends on the answered labels, and so on the threshold, not only on scores
    compares: bool = False  # compares rows with different outcomes, so it needs more than one outcome


def usual(name: str, metrics: Mapping[str, Metric], aliases: Mapping[str, str]) -> str | None:
    """The name in `metrics` that `name` means; None if it means none of them.

    >>> usual("ROC AUC", {"auc": Metric(compute=max, better="higher")}, {"roc_auc": "auc"})
    'auc'
    """
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    known = aliases.get(plain, plain)
    return known if known in metrics else None


def named(name: str, metrics: Mapping[str, Metric], aliases: Mapping[str, str], *, task: str) -> Metric:
    """The metric called `name`. Raises: UsageError, which lists the task's metrics."""
    known = usual(name, metrics, aliases)
    if known is None:
        raise UsageError(f"{name!r} is not a metric of a {task} task. It has: {', '.join(metrics)}.")
    return metrics[known]


def allowance(metric: Metric, promised: float) -> float:
    """How far a metric may differ from the promised value before it matters, apart from chance.

    0.05 for shares, where more is better; a tenth of the value for errors, which have a unit.
    """
    return 0.05 if metric.better == "higher" else 0.1 * abs(promised)


def measured(
    names: Sequence[str], metrics: Mapping[str, Metric], aliases: Mapping[str, str], outcomes: Any, scores: Any
) -> dict[str, float]:
    """The value of each of `names` that is a metric and can be computed on these rows."""
    import numpy as np

    if not len(outcomes) or not np.isfinite(scores).all():
        return {}
    alone = len(np.unique(outcomes)) < 2
    found = {}
    for name in names:
        known = usual(name, metrics, aliases)
        if known is None or (alone and metrics[known].compares):
            continue
        value = metrics[known].compute(outcomes, scores)
        if math.isfinite(value):
            found[name] = value
    return found
