"""What the candidate is worth: more than a plain model, each feature more than noise, and for how long.

Input: the candidate, the rows it learned from, the rows held out. Output: `Evidence`. Models are fitted with one
thread: the same numbers on every machine, and nobody waits for a core that a check beside it has.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from proveout.data.splits import BATCH
from proveout.evaluation import metrics, task_metric
from proveout.records.answer import TaskName
from proveout.records.train_config import TimeSplit
from proveout.records.verdict import Evidence

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from proveout.evaluation.context import LabelledRows
    from proveout.model.bundle import OpenBundle

T = TypeVar("T")
_SILENT_S = 2.0
_RARE = 20  # rows of a category below which the plain model takes it for "other"
_NAIVE: dict[TaskName, str] = {
    "binary": "the base rate", "regression": "the median", "multiclass": "the shares of the classes"
}  # fmt: skip


# --- more than a plain model ------------------------------------------------------------------------------------------


def simpler_model(
    candidate: "OpenBundle",
    training: "LabelledRows",
    holdout: "LabelledRows",
    *,
    gain_at_least: float = 0.0,
    rows: int = 100_000,
    clusters: "ArrayLike | None" = None,
    seed: int = 0,
) -> tuple[Evidence, ...]:
    """Whether the candidate is surely better than a linear model on its own features, and than a naive answer.

    evidence(ablation.simpler_model(candidate, training, holdout, gain_at_least=0.01))

    The linear model is a logistic regression, of a regression a ridge regression whose errors have the median 0. The
    naive answer is the base rate, the median, or the shares of the classes.

    Args:
        gain_at_least: what the candidate must be ahead by, at the lower end of the paired interval: AUC; of a
            regression mean absolute error in the target's unit, of several classes Brier score.
        rows: of training, at most; drawn at random where there are more.
        clusters: of the held-out rows, such as their days: see `metrics.mean`.
    Returns: the plain model's measure; the gain on it; the gain on the naive answer, in the task's loss.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    task, outcomes = candidate.task, holdout.labels
    taken = sample(training.rows, rows, seed=seed)
    with threadpool_limits(1):
        columns = candidate.model_columns(training.records.iloc[taken])
        plain = _plain_model(columns, task.name).fit(columns, training.labels[taken])
        asked = candidate.model_columns(holdout.records)
        theirs = candidate.ask(plain, asked)
        ours = candidate.predict_model_columns(asked)
        if task.name == "regression":  # it was fitted to squares, and is judged by absolute errors
            theirs = theirs + np.median(training.labels[taken] - candidate.ask(plain, columns))
    naive = task.naive(training.labels, holdout.rows)
    saved = task_metric.losses(task, outcomes, naive) - task_metric.losses(task, outcomes, ours)
    learned = f"it learned from {len(taken):,} of {training.rows:,} rows" if len(taken) < training.rows else ""
    measure = task_metric.metric_name(task)
    return (
        replace(
            task_metric.quality(task, outcomes, theirs, clusters=clusters),
            name=f"{measure} of a simpler model",
            decision=learned,
        ),
        replace(
            task_metric.gain(task, outcomes, ours, theirs, margin=0.0, better=True, clusters=clusters),
            name=f"{measure}, gain on a simpler model",
            at_least=gain_at_least,
            surely=True,
            champion=None,
            covers=("model-5",),
        ),
        replace(
            metrics.mean(saved, name=f"{task_metric.loss_name(task)}, gain on {_NAIVE[task.name]}", clusters=clusters),
            at_least=0.0,
            surely=True,
            covers=("model-5",),
        ),
    )


def _plain_model(columns: "pd.DataFrame", task: TaskName) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [name for name in columns if columns[name].dtype.kind in "iufb"]
    texts = [name for name in columns if name not in numbers]
    filled = make_pipeline(SimpleImputer(add_indicator=True, keep_empty_features=True), StandardScaler())
    coded = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=_RARE)
    linear = Ridge() if task == "regression" else LogisticRegression(max_iter=300, C=1.0)
    return make_pipeline(make_column_transformer((filled, numbers), (coded, texts)), linear)


# --- each feature more than noise -------------------------------------------------------------------------------------


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
    """What each of the model's columns is worth to it: how much loss it takes to shuffle the column.

    evidence(ablation.features_benefit(candidate, holdout, idle_at_most=criteria["idle_columns_at_most"]))

    Args:
        idle_at_most: how many columns may be without a benefit that is surely above zero.
        rows: held-out rows that are shuffled, at most; drawn at random where there are more.
        permutations: of each column; a row's loss is the mean over them.
        clusters: of the held-out rows, such as their days: see `metrics.mean`.
    Returns: a piece of evidence for each column, what it saves with interval, as log loss, of a regression as absolute
        error, of several classes as Brier score; and the number of those with no benefit shown.
        A column that another one can stand in for loses little: two idle ones may not both be idle without the other.
    Source: L. Breiman, Random Forests, Machine Learning 45 (2001), section 10.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    taken = sample(holdout.rows, rows, seed=seed)
    labels = holdout.labels[taken]
    groups = None if clusters is None else np.asarray(clusters)[taken]
    columns = candidate.model_columns(holdout.records.iloc[taken]).reset_index(drop=True)
    random = np.random.default_rng(seed)
    found, task = [], candidate.task
    # Of true and false the log loss tells soonest that a feature is gone.
    loss = "log_loss" if task.name == "binary" else None
    saves = f"{task_metric.loss_name(task, loss)} that a feature saves"
    with threadpool_limits(1):
        before = _losses(candidate, columns, labels, loss)
        for name in _told("features shuffled", [str(name) for name in columns]):
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
    """The columns, each row with the value that another row has in `name`."""
    moved = columns[name].take(random.permutation(len(columns))).set_axis(columns.index)
    return columns.assign(**{name: moved})


def _losses(
    candidate: "OpenBundle", columns: "pd.DataFrame", labels: "NDArray[Any]", loss: str | None
) -> "NDArray[np.float64]":
    """The loss of each row, the one named or that of `task_metric`."""
    scores = candidate.predict_model_columns(columns)
    if loss is None:
        return task_metric.losses(candidate.task, labels, scores)
    return candidate.task.losses(labels, scores, name=loss)


# --- for how long -----------------------------------------------------------------------------------------------------


def staleness(
    candidate: "OpenBundle",
    training: "LabelledRows",
    holdout: "LabelledRows",
    *,
    margin: float = 0.01,
    fresh_for: int | None = None,
    window: int | None = None,
    rows: int = 20_000,
    clusters: "ArrayLike | None" = None,
    seed: int = 0,
) -> tuple[Evidence, ...]:
    """How good the candidate's own estimator is on the held-out rows, learned from ever older batches.

    evidence(ablation.staleness(candidate, training, holdout, margin=0.01, fresh_for=1))

    Args:
        margin: of AUC, of a regression mean absolute error in the target's unit, of several classes Brier score; what
            is surely worse than the newest by more than this is stale.
        fresh_for: how many batches old a model must be without being stale.
        window: batches that each is fitted on; half of those there are. All have as many rows, `rows` at most.
        clusters: of the held-out rows, such as their days: see `metrics.mean`.
    Returns: the AUC, or the mean loss, at each age, with interval and what it is to the newest; then the age, in
        batches, up to which none was stale. With fewer than two windows, not judged; of rows that are not split by
        time, nothing to ask.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    batches = sorted(set(training.raw[BATCH]))
    length = window or max(1, len(batches) // 2)
    windows = [batches[last - length : last] for last in range(len(batches), length - 1, -1)]
    name = "batches that a model stays fresh"
    if not isinstance(candidate.bundle.split, TimeSplit):
        why = f"no row is later than another: {candidate.bundle.split.words}"
        return (
            Evidence(name=name, value=None, unjudged=why, decision="nothing to ask", covers=("model-4", "monitor-4")),
        )
    if len(windows) < 2:
        why = f"{len(batches)} batches make {len(windows)} windows of {length}"
        decision = "nothing to ask yet"  # of so young a project
        return (Evidence(name=name, value=None, unjudged=why, decision=decision, covers=("model-4", "monitor-4")),)
    belongs = [np.flatnonzero(training.raw[BATCH].isin(names)) for names in windows]
    most = min(rows, *map(len, belongs))
    task, found = candidate.task, list[Evidence]()
    with threadpool_limits(1):
        asked = candidate.model_columns(holdout.records)
        newest = None
        for age, (names, places) in enumerate(_told("windows fitted", list(zip(windows, belongs, strict=True)))):
            taken = places[sample(len(places), most, seed=seed)]
            columns = candidate.model_columns(training.records.iloc[taken])
            scores = candidate.ask(candidate.fit_again(columns, training.labels[taken]), asked)
            newest = scores if newest is None else newest
            gain = None
            if age:
                gain = task_metric.gain(task, holdout.labels, scores, newest, margin=margin, clusters=clusters)
            stale = gain is not None and gain.high is not None and gain.high < -margin
            one = task_metric.quality(task, holdout.labels, scores, clusters=clusters)
            where = f"{age} old: {names[0]} to {names[-1]}, {most:,} of {len(places):,} rows"
            decision = "the newest" if gain is None else "stale" if stale else "not surely worse"
            found.append(replace(one, slice=where, decision=decision, covers=("model-4",)))
    fresh = next((age - 1 for age, one in enumerate(found) if one.decision == "stale"), len(found) - 1)
    until = f"stale from {fresh + 1} on" if fresh < len(found) - 1 else "the oldest there is was not stale"
    return (
        *found,
        Evidence(
            name=name,
            value=fresh,
            at_least=fresh_for,
            rows=holdout.rows,
            decision=until,
            covers=("model-4", "monitor-4"),
        ),
    )


def sample(rows: int, most: int, *, seed: int) -> "NDArray[np.intp]":
    """Places of `most` rows in order, drawn at random; of all where there are no more.

    >>> sample(3, 5, seed=0).tolist(), len(sample(1_000, 5, seed=0))
    ([0, 1, 2], 5)
    """
    import numpy as np

    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, size=most, replace=False))


def _told(what: str, items: Sequence[T]) -> Iterator[T]:
    """`items`, and on stderr how many are done, once it has taken some seconds: `pytest -s` shows it."""
    began = said = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - said > _SILENT_S:
            said = time.monotonic()
            print(f"{done} of {len(items)} {what}, {said - began:.0f} s", file=sys.stderr, flush=True)
        yield item
