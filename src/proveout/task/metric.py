"""A metric: how one number of a model is computed from outcomes and scores, and which way it is better."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from proveout.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Metric:
    """`compute` takes outcomes and scores of the same rows, as the task has them, and gives a number."""

    compute: Callable[[Any, Any], float]
    better: Literal["higher", "lower", "neither"]
    of_labels: bool = False  # of what is answered, and so of the threshold too, not of the scores alone
    compares: bool = False  # rows of one outcome with those of another: of one outcome alone there is no such number


def usual(name: str, metrics: Mapping[str, Metric], aliases: Mapping[str, str]) -> str | None:
    """The name in `metrics` that `name` stands for; None where it stands for none of them.

    >>> usual("ROC AUC", {"auc": Metric(compute=max, better="higher")}, {"roc_auc": "auc"})
    'auc'
    """
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    known = aliases.get(plain, plain)
    return known if known in metrics else None


def named(name: str, metrics: Mapping[str, Metric], aliases: Mapping[str, str], *, task: str) -> Metric:
    """The metric called `name`. Raises: UsageError, naming those that the task has."""
    known = usual(name, metrics, aliases)
    if known is None:
        raise UsageError(f"{name!r} is no metric of a {task} task. It has: {', '.join(metrics)}.")
    return metrics[known]


def allowance(metric: Metric, promised: float) -> float:
    """How far a metric may move from what was promised before that means something, chance aside.

    Of shares, where more is better, 0.05; of errors, which have a unit, a tenth.
    """
    return 0.05 if metric.better == "higher" else 0.1 * abs(promised)


def measured(
    names: Sequence[str], metrics: Mapping[str, Metric], aliases: Mapping[str, str], outcomes: Any, scores: Any
) -> dict[str, float]:
    """Those of `names` that are metrics and have a value on these rows, under the names given."""
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
