"""Whether the candidate is well tuned: other hyperparameter values, fitted and judged on training rows.

Input: the candidate and its training rows. Output: `Evidence` for each value. The candidate's own steps are fitted
again on a sample of rows, which takes seconds. They use one thread, because on a busy machine several threads that wait
for each other take ten times as long.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proveout.errors import UsageError
from proveout.evaluation.stats import array_checks
from proveout.model import threads
from proveout.records.verdict import Evidence

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from proveout.evaluation.context import LabelledRows
    from proveout.model.bundle import OpenBundle

_JUDGED_OF = 5  # without batches, one of this many rows or clusters is used to judge


def neighbours(
    candidate: "OpenBundle",
    training: "LabelledRows",
    *,
    grid: Mapping[str, Sequence[Any]],
    margin: float,
    batches: "Sequence[str] | pd.Series[Any] | None" = None,
    clusters: "ArrayLike | None" = None,
    rows: int = 40_000,
    seed: int = 0,
) -> tuple[Evidence, ...]:
    """Whether another hyperparameter value would have been significantly better, one change at a time.

    evidence(
        tuning.neighbours(
            candidate,
            training,
            grid={"histgradientboostingclassifier__learning_rate": [0.025, 0.1]},
            margin=0.01,
            batches=training.raw["batch"],
        )
    )

    Models are fitted to the earlier batches and judged on the last training batch; without `batches`, on a random fifth
    of the rows or clusters. The held-out rows are not used, because tuning on them would spoil them.

    Args:
        grid: values to try, by scikit-learn's name of the parameter, such as `model__learning_rate`.
        margin: how much another value may significantly gain: in AUC; for a regression in mean absolute error (the
            target's unit), for several classes in Brier score.
        batches: the batch of each training row, shape (rows,), if batches are ordered by time.
        clusters: shape (rows,), such as the group of each training row; without `batches`, a group stays on one side.
    Returns: evidence for each value other than the candidate's own: the lower end of the gain's 95 % interval, or 0 if
        that is negative.
    Raises: UsageError for a parameter that the model does not have, a grid without another value, or a single batch.
    """
    import numpy as np

    own = candidate.parameters()
    _refuse_strange(grid, own)
    together = array_checks.groups(clusters, training.rows)
    judged = _last(batches) if batches is not None else _drawn(training.rows, together, seed=seed)
    chosen = np.sort(np.random.default_rng(seed).permutation(training.rows)[: min(rows, training.rows)])
    columns = candidate.model_columns(training.records.iloc[chosen].reset_index(drop=True))
    part = _Parted(
        columns=columns,
        labels=training.labels[chosen],
        judged=judged[chosen],
        clusters=None if together is None else together[chosen],
    )
    before = _fitted(candidate, {}, part)
    return tuple(
        _against(candidate, name, value, own=own[name], before=before, part=part, margin=margin)
        for name, value in _changes(grid, own)
    )


@dataclass(frozen=True, kw_only=True)
class _Parted:
    """Rows to fit to, and rows to judge on."""

    columns: "pd.DataFrame"
    labels: "NDArray[Any]"
    judged: "NDArray[np.bool_]"
    clusters: "NDArray[np.intp] | None"


def _last(batches: "Sequence[str] | pd.Series[Any]") -> "NDArray[np.bool_]":
    """The rows of the last batch."""
    import numpy as np
    import pandas as pd

    named = pd.Series(np.asarray(batches, dtype=object))
    last: NDArray[np.bool_] = (named == named.max()).to_numpy()
    if last.all():
        raise UsageError(
            "The training rows are of one batch: there is no later one to judge a neighbour on. Leave out batches= to "
            "judge on a fifth of the rows."
        )
    return last


def _drawn(rows: int, groups: "NDArray[np.intp] | None", *, seed: int) -> "NDArray[np.bool_]":
    """A random fifth of the rows or of the clusters, at least one."""
    import numpy as np

    units = rows if groups is None else int(groups.max(initial=-1)) + 1
    if units < 2:
        raise UsageError(
            f"The training rows are of {units} cluster{'s' * (units != 1)}: two are needed, one to fit to and one to "
            "judge a neighbour on."
        )
    taken = np.zeros(units, dtype=bool)
    taken[np.random.default_rng(seed).permutation(units)[: max(1, units // _JUDGED_OF)]] = True
    return taken if groups is None else taken[groups]


def _against(
    candidate: "OpenBundle",
    name: str,
    value: Any,
    *,
    own: Any,
    before: "NDArray[np.float64]",
    part: _Parted,
    margin: float,
) -> Evidence:
    from proveout.evaluation import task_metric

    scores = _fitted(candidate, {name: value}, part)
    clusters = None if part.clusters is None else part.clusters[part.judged]
    outcomes = part.labels[part.judged]
    gain = task_metric.gain(candidate.task, outcomes, scores, before, margin=margin, clusters=clusters)
    sure = max(gain.low or 0.0, 0.0)
    return Evidence(
        name=f"{task_metric.metric_name(candidate.task)} surely gained by a neighbour",
        value=sure,
        at_most=margin,
        slice=f"{name.rpartition('__')[2]} {value} for {own}",
        rows=int(part.judged.sum()),
        decision="" if sure <= margin else f"better by {gain.value:.4g}",
        unjudged=gain.unjudged,
        covers=("model-3",),
    )


def _fitted(candidate: "OpenBundle", changes: Mapping[str, Any], part: _Parted) -> "NDArray[np.float64]":

    with threads.limited():
        model = candidate.fit_again(part.columns[~part.judged], part.labels[~part.judged], changes=changes)
        return candidate.ask(model, part.columns[part.judged])


def _changes(grid: Mapping[str, Sequence[Any]], own: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, values in grid.items():
        yield from ((name, value) for value in values if value != own[name])


def _refuse_strange(grid: Mapping[str, Sequence[Any]], own: Mapping[str, Any]) -> None:
    strange = sorted(set(grid) - set(own))
    if strange:
        alike = sorted(name for name in own if any(name.endswith(one.rpartition("__")[2]) for one in strange))
        remedy = f"It has {', '.join(alike)}." if alike else f"It has {', '.join(sorted(own))}."
        raise UsageError(f"The candidate's model has no parameter {', '.join(strange)}. {remedy}")
    if not list(_changes(grid, own)):
        raise UsageError("The grid has no value but the candidate's own: there is no neighbour to compare it with.")
