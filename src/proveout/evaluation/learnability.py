"""Questions to the model before it was fitted: whether its specification can learn, and whether it is well tuned.

Input: the candidate and the rows it was trained on. Output: `Evidence`. Both fit the candidate's own steps again,
on a sample of rows, so that they cost seconds; with one thread: two that wait for each other on a core that somebody
else has take ten times as long.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proveout.errors import UsageError
from proveout.evaluation.stats import array_checks
from proveout.records.answer import TaskName
from proveout.records.verdict import Evidence
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from proveout.evaluation.context import LabelledRows
    from proveout.model.bundle import OpenBundle

_FOUND_BY: dict[TaskName, str] = {"binary": "auc", "regression": "r2", "multiclass": "auc"}
_LEAST_FOUND: dict[TaskName, float] = {"binary": 0.95, "regression": 0.9, "multiclass": 0.95}
_LEAST_BY_WORD = 0.5  # R²: a text weighs a word by the others that it has
_MOST_IN_NOISE: dict[TaskName, float] = {"binary": 0.6, "regression": 0.1, "multiclass": 0.6}
_BANDS = 3  # classes of a planted rule
_JUDGED_OF = 5  # without batches, one row or cluster in so many is judged on
_WORD = re.compile(r"(?u)\b\w\w+\b")
_LEAST_SHARE = 0.05  # of the rows that have a word to plant a rule in, and of those that have not
FEWEST_VALUES = 20  # a column with fewer is no number that a rule could be planted in


def learns(
    candidate: "OpenBundle",
    training: "LabelledRows",
    *,
    rows: int = 4_000,
    at_least: float | None = None,
    seed: int = 0,
) -> tuple[Evidence, ...]:
    """Whether the model's steps, fitted to a rule that was planted, find it; and whether they find one in noise.

    evidence(learnability.learns(candidate, training))

    The rule rests on the number that is known most often, or, where there is none, on a word that about half of the
    texts have: true above its median; of a regression an outcome that rises with it, from the values that outcomes
    have; of several classes one class for each third of its rows. Fitted to half
    of `rows` and asked about the other half, a specification that works finds it. Fitted to the same outcomes in
    another order it finds nothing: where it does, an answer leaks into the columns.

    Args:
        at_least: of the planted rule on rows not fitted to: by default an AUC of 0.95 (of several classes the mean of
            each against the rest), of a regression an R² of 0.9, by a word of 0.5. The noise may reach an AUC of 0.6,
            an R² of 0.1.
    Raises: UsageError if no model column is a number with many values, or a text with words.
    """
    import numpy as np

    task, rng = candidate.task, np.random.default_rng(seed)
    columns, outcomes = _sample(candidate, training, rows=rows, seed=seed)
    ground = _ground(columns)
    planted = _planted(ground, task, outcomes)
    least = _LEAST_BY_WORD if task.name == "regression" and ground.nunique() == 2 else _LEAST_FOUND[task.name]
    noise = rng.random(len(columns)) < 0.5 if task.name == "binary" else rng.permutation(planted)
    half, name = len(columns) // 2, _FOUND_BY[task.name]
    covers = ("infra-2",)
    return (
        Evidence(
            name=f"{name} of a planted rule",
            value=_found(candidate, columns, planted, half),
            at_least=at_least if at_least is not None else least,
            rows=half,
            covers=covers,
        ),
        Evidence(
            name=f"{name} of outcomes drawn at random" if task.name != "binary" else "auc of labels drawn at random",
            value=_found(candidate, columns, noise, half),
            at_most=_MOST_IN_NOISE[task.name],
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
    batches: "Sequence[str] | pd.Series[Any] | None" = None,
    clusters: "ArrayLike | None" = None,
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

    Fitted to the earlier batches and judged on the last one that was trained on; without `batches` judged on a fifth of
    the rows, or of the clusters, drawn at random. The rows held out stay unseen: who tunes on them has none left.

    Args:
        grid: values to try, by the parameter's name as scikit-learn has it: `model__learning_rate`.
        margin: how much a neighbour may surely gain before the candidate counts as badly tuned: AUC, of a regression
            mean absolute error in the target's unit, of several classes Brier score.
        batches: the batch of each training row, shape (rows,), where batches are in order of time.
        clusters: shape (rows,), such as the group of each training row: without `batches`, a group is never parted.
    Returns: one piece of evidence for each value that is not the candidate's own: the gain that is sure, the lower end
        of its 95 % interval, 0 if it is below.
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
    """A fifth of the rows, or of the clusters, and one at least."""
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
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
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


def _sample(
    candidate: "OpenBundle", training: "LabelledRows", *, rows: int, seed: int
) -> "tuple[pd.DataFrame, NDArray[Any]]":
    import numpy as np

    chosen = np.random.default_rng(seed).permutation(training.rows)[: min(rows, training.rows)]
    return candidate.model_columns(training.records.iloc[chosen].reset_index(drop=True)), training.labels[chosen]


def _planted(ground: "pd.Series[Any]", task: Task, outcomes: "NDArray[Any]") -> "NDArray[Any]":
    """Outcomes that rest on one column alone, shape (rows,)."""
    import numpy as np

    if task.name == "binary":
        # Where more than half of the rows have the largest value, such as a word, none is above the median.
        middle = ground.median() if ground.median() < ground.max() else ground.mean()
        above: NDArray[np.bool_] = (ground > middle).to_numpy()
        return above
    rank = ground.rank(pct=True).fillna(0.5).to_numpy(dtype=float)
    if task.name == "regression":
        # From values that outcomes have: a model of logarithms takes none below 0. Not from the farthest of them, which
        # R² would hang on alone.
        return np.asarray(np.quantile(outcomes, 0.05 + 0.9 * rank))
    classes = np.unique(outcomes.astype(str))[:_BANDS]
    by_name = {str(one): one for one in outcomes}
    named = np.empty(len(classes), dtype=outcomes.dtype)
    named[:] = [by_name[one] for one in classes]
    place = np.minimum((rank * len(classes)).astype(int), len(classes) - 1)
    return np.asarray(named[place])


def _ground(columns: "pd.DataFrame") -> "pd.Series[Any]":
    """What a rule can rest on, a number for each row: the number known most often, else whether a text has a word."""
    numbers = {str(name): column for name, column in columns.select_dtypes("number").items()}
    rich = [name for name, column in numbers.items() if column.nunique() >= FEWEST_VALUES]
    if rich:
        # Of those known as often, the one with most values: its median halves the rows most evenly.
        return numbers[max(rich, key=lambda name: (numbers[name].notna().mean(), numbers[name].nunique()))]
    words = [_has_word(column) for _, column in columns.select_dtypes(exclude="number").items()]
    known = [one for one in words if one is not None]
    if not known:
        raise UsageError(
            "No model column is a number with 20 values or more, or a text with a word that many rows have and many "
            "have not: there is nowhere to plant a rule."
        )
    return min(known, key=lambda one: abs(float(one.mean()) - 0.5))


def _has_word(texts: "pd.Series[Any]") -> "pd.Series[Any] | None":
    """1 where a text has the word that halves the rows most evenly, 0 elsewhere; None where each is rare or everywhere.

    Words as scikit-learn's vectorizers find them, without those that they may leave out.
    """
    from collections import Counter

    import pandas as pd
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    found = [set(_WORD.findall(text.lower())) for text in texts.fillna("").astype(str)]
    counted = Counter(word for words in found for word in words if word not in ENGLISH_STOP_WORDS)
    halving = {word: abs(count / len(found) - 0.5) for word, count in counted.items()}
    # Of words that halve the rows alike the first one, whatever order a set has.
    best = min(halving, key=lambda word: (halving[word], word), default=None)
    if best is None or halving[best] > 0.5 - _LEAST_SHARE:
        return None
    return pd.Series([float(best in words) for words in found], index=texts.index)


def _found(candidate: "OpenBundle", columns: "pd.DataFrame", outcomes: "NDArray[Any]", half: int) -> float:
    """How well the first half of the rows teaches the outcomes of the second."""
    from threadpoolctl import threadpool_limits

    task = candidate.task
    metric = task.metric({"binary": "auc", "regression": "r2", "multiclass": "auc_ovr"}[task.name])
    with threadpool_limits(1):
        model = candidate.fit_again(columns.iloc[:half], outcomes[:half])
        return float(metric.compute(outcomes[half:], candidate.ask(model, columns.iloc[half:])))
