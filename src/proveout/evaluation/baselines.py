"""Whether the candidate is better than a linear model and than a naive answer.

Input: the candidate, the training rows, the held-out rows. Output: `Evidence`. The linear model is fitted here with
scikit-learn and one thread, so that numbers are the same on every machine and parallel checks do not compete for cores.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proveout.evaluation import metrics, task_metric
from proveout.evaluation.stats.row_sample import sample
from proveout.model import threads
from proveout.records.answer import TaskName
from proveout.records.verdict import Evidence

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

    from proveout.evaluation.context import LabelledRows
    from proveout.model.bundle import OpenBundle

_RARE = 20  # the simple model merges categories with fewer rows into "other"
_NAIVE: dict[TaskName, str] = {
    "binary": "the base rate", "regression": "the median", "multiclass": "the shares of the classes"
}  # fmt: skip


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
    """Whether the candidate is significantly better than a linear model on its own features, and than a naive answer.

    evidence(baselines.simpler_model(candidate, training, holdout, gain_at_least=0.01))

    The linear model is a logistic regression; for a regression task, a ridge regression whose errors have the median 0.
    The naive answer is the base rate, the median, or the class shares.

    Args:
        gain_at_least: the least gain, at the lower end of the paired interval: in AUC; for a regression in mean
            absolute error (the target's unit), for several classes in Brier score.
        rows: most training rows; a random sample if there are more.
        clusters: of the held-out rows, such as their days: see `metrics.mean`.
    Returns: the simple model's measure; the gain over it; the gain over the naive answer, in the task's loss.
    """
    import numpy as np

    task, outcomes = candidate.task, holdout.labels
    taken = sample(training.rows, rows, seed=seed)
    with threads.limited():
        columns = candidate.model_columns(training.records.iloc[taken])
        plain = _plain_model(columns, task.name).fit(columns, training.labels[taken])
        asked = candidate.model_columns(holdout.records)
        theirs = candidate.ask(plain, asked)
        ours = candidate.predict_model_columns(asked)
        if task.name == "regression":  # fitted to squared errors, but judged by absolute errors
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
