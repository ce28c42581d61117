"""Questions to the model before it was fitted: whether its specification can learn, and whether it is well tuned.

Comes in: the candidate and the rows it was trained on. Goes out: `Evidence`. Both fit the candidate's own steps again,
on a sample of rows, so that they cost seconds.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from proveout.errors import UsageError
from proveout.records import Evidence

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.evaluation.context import LabelledRows
    from proveout.model.bundle import OpenBundle

FEWEST_VALUES = 20  # a column with fewer is no number that a rule could be planted in


def learns(
    candidate: "OpenBundle", training: "LabelledRows", *, rows: int = 4_000, at_least: float = 0.95, seed: int = 0
) -> tuple[Evidence, ...]:
    """Whether the model's steps, fitted to a rule that was planted, find it; and whether they find one in noise.

    evidence(learnability.learns(candidate, training))

    The rule: the number that is known most often is above its median. Fitted to half of `rows` and asked about the
    other half, a specification that works ranks them nearly all; fitted to labels drawn at random, none: where it
    does, an answer leaks into the columns.

    Args:
        at_least: AUC of the planted rule on rows not fitted to. The noise may reach 0.6.
    Raises: UsageError if no model column is a number.
    """
    import numpy as np

    columns, _ = _sample(candidate, training, rows=rows, seed=seed)
    rng = np.random.default_rng(seed)
    planted, noise = _planted(columns), rng.random(len(columns)) < 0.5
    half, name = len(columns) // 2, "auc of a planted rule"
    covers = ("infra-2",)
    return (
        Evidence(name=name, value=_auc(candidate, columns, planted, half), at_least=at_least, rows=half, covers=covers),
        Evidence(
            name="auc of labels drawn at random",
            value=_auc(candidate, columns, noise, half),
            at_most=0.6,
            rows=half,
            covers=covers,
        ),
    )


def neighbours(
    candidate: "OpenBundle",
    training: "LabelledRows",
    *,
    grid: Mapping[str, Sequence[Any]],
    margin: float,
    batches: "Sequence[str] | pd.Series[Any]",
    rows: int = 40_000,
    seed: int = 0,
) -> tuple[Evidence, ...]:
    """Whether a setting beside the candidate's own would have been surely better, one change at a time.

    evidence(
        learnability.neighbours(
            candidate,
            training,
            grid={"histgradientboostingclassifier__learning_rate": [0.025, 0.1]},
            margin=0.01,
            batches=training.raw["batch"],
        )
    )

    Fitted to the earlier batches and judged on the last one that was trained on: the rows held out stay unseen, for
    who tunes on them has no hold-out left.

    Args:
        grid: values to try, by the parameter's name as scikit-learn has it: `model__learning_rate`.
        margin: how much AUC a neighbour may surely gain before the candidate counts as badly tuned.
        batches: the batch of each training row, shape (rows,).
    Returns: one piece of evidence for each value that is not the candidate's own: the gain that is sure, the lower end
        of its 95 % interval, 0 if it is below.
    Raises: UsageError for a parameter that the model does not have, a grid without another value, or a single batch.
    """
    import numpy as np
    import pandas as pd

    own = candidate.parameters()
    _refuse_strange(grid, own)
    named = pd.Series(np.asarray(batches, dtype=object))
    last = (named == named.max()).to_numpy()
    if last.all():
        raise UsageError("The training rows are of one batch: there is no later one to judge a neighbour on.")
    chosen = np.sort(np.random.default_rng(seed).permutation(training.rows)[: min(rows, training.rows)])
    columns = candidate.model_columns(training.records.iloc[chosen].reset_index(drop=True))
    labels, later = training.labels[chosen], last[chosen]
    before = _fitted(candidate, {}, columns, labels, later)
    return tuple(
        _against(candidate, name, value, own[name], before, columns, labels, later, margin=margin)
        for name, value in _changes(grid, own)
    )


def _against(  # noqa: PLR0917  # the rows in four parts, fitted alike
    candidate: "OpenBundle",
    name: str,
    value: Any,
    own: Any,
    before: "NDArray[np.float64]",
    columns: "pd.DataFrame",
    labels: "NDArray[np.bool_]",
    later: "NDArray[np.bool_]",
    *,
    margin: float,
) -> Evidence:
    from proveout.evaluation import compare

    scores = _fitted(candidate, {name: value}, columns, labels, later)
    gain = compare.auc(labels[later], scores, before, margin=margin)
    sure = max(gain.low or 0.0, 0.0)
    return Evidence(
        name="auc surely gained by a neighbour",
        value=sure,
        at_most=margin,
        slice=f"{name.rpartition('__')[2]} {value} for {own}",
        rows=int(later.sum()),
        decision="" if sure <= margin else f"better by {gain.value:.4g}",
        covers=("model-3",),
    )


def _fitted(
    candidate: "OpenBundle",
    changes: Mapping[str, Any],
    columns: "pd.DataFrame",
    labels: "NDArray[np.bool_]",
    later: "NDArray[np.bool_]",
) -> "NDArray[np.float64]":
    model = candidate.fit_again(columns[~later], labels[~later], changes=changes)
    return candidate.ask(model, columns[later])


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


def _sample(
    candidate: "OpenBundle", training: "LabelledRows", *, rows: int, seed: int
) -> "tuple[pd.DataFrame, NDArray[np.bool_]]":
    import numpy as np

    chosen = np.random.default_rng(seed).permutation(training.rows)[: min(rows, training.rows)]
    return candidate.model_columns(training.records.iloc[chosen].reset_index(drop=True)), training.labels[chosen]


def _planted(columns: "pd.DataFrame") -> "NDArray[np.bool_]":
    numbers = {str(name): column for name, column in columns.select_dtypes("number").items()}
    rich = [name for name, column in numbers.items() if column.nunique() >= FEWEST_VALUES]
    if not rich:
        raise UsageError("No model column is a number with 20 values or more: there is nowhere to plant a rule.")
    # Of those known as often, the one with most values: its median halves the rows most evenly.
    best = numbers[max(rich, key=lambda name: (numbers[name].notna().mean(), numbers[name].nunique()))]
    above: NDArray[np.bool_] = (best > best.median()).to_numpy()
    return above


def _auc(candidate: "OpenBundle", columns: "pd.DataFrame", labels: "NDArray[np.bool_]", half: int) -> float:
    from sklearn.metrics import roc_auc_score

    model = candidate.fit_again(columns.iloc[:half], labels[:half])
    return float(roc_auc_score(labels[half:], candidate.ask(model, columns.iloc[half:])))
