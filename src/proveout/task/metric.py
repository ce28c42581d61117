"""A metric: how one number of a model is computed from outcomes and scores, and which way it is better."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from proveout.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Metric:
    """`compute` takes outcomes and scores of the same rows, as the task has them, and gives a number."""

    compute: Callable[[Any, Any], float]
    better: Literal["higher", "lower", "neither"]
    of_labels: bool = False  # of what is answered, and so of the threshold too, not of the scores alone


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
