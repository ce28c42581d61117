"""Whether the model's steps can learn: fitted to a planted rule, and to noise.

Input: the candidate and its training rows. Output: `Evidence`. The candidate's own steps are fitted again on a sample
of rows, which takes seconds. They use one thread, because on a busy machine several threads that wait for each other
take ten times as long.
"""

import re
from typing import TYPE_CHECKING, Any

from proveout.errors import UsageError
from proveout.evaluation.tuning import neighbours
from proveout.model import threads
from proveout.records.answer import TaskName
from proveout.records.verdict import Evidence
from proveout.task.task import Task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.evaluation.context import LabelledRows
    from proveout.model.bundle import OpenBundle

__all__ = ["FEWEST_VALUES", "learns", "neighbours"]  # the last for checks that have it from here

_FOUND_BY: dict[TaskName, str] = {"binary": "auc", "regression": "r2", "multiclass": "auc"}
_LEAST_FOUND: dict[TaskName, float] = {"binary": 0.95, "regression": 0.9, "multiclass": 0.95}
_LEAST_BY_WORD = 0.5  # R²; lower, because a text's weight for a word depends on its other words
_MOST_IN_NOISE: dict[TaskName, float] = {"binary": 0.6, "regression": 0.1, "multiclass": 0.6}
_BANDS = 3  # classes of a planted rule
_WORD = re.compile(r"(?u)\b\w\w+\b")
_LEAST_SHARE = 0.05  # least share of rows with the word of a planted rule, and of rows without it
FEWEST_VALUES = 20  # a numeric column needs this many distinct values for a planted rule


def learns(
    candidate: "OpenBundle",
    training: "LabelledRows",
    *,
    rows: int = 4_000,
    at_least: float | None = None,
    seed: int = 0,
) -> tuple[Evidence, ...]:
    """Whether the model's steps can learn a planted rule, and do not learn from noise.

    evidence(learnability.learns(candidate, training))

    The rule depends on the numeric column with the fewest nulls, or if there is none, on a word that about half of the
    texts have. Binary: true above the column's median. Regression: an outcome that increases with the column, with
    values from the real outcomes. Multi-class: one class for each third of the rows. A working specification, fitted to
    half of `rows`, predicts the rule on the other half. Fitted to the same outcomes in random order, it must not
    predict them; if it does, outcomes leak into the columns.

    Args:
        at_least: bound for the planted rule on the other half: by default an AUC of 0.95 (for several classes, the mean
            of each class against the rest); for a regression an R² of 0.9, or 0.5 with a word. On noise, at most an
            AUC of 0.6 or an R² of 0.1.
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


def _sample(
    candidate: "OpenBundle", training: "LabelledRows", *, rows: int, seed: int
) -> "tuple[pd.DataFrame, NDArray[Any]]":
    import numpy as np

    chosen = np.random.default_rng(seed).permutation(training.rows)[: min(rows, training.rows)]
    return candidate.model_columns(training.records.iloc[chosen].reset_index(drop=True)), training.labels[chosen]


def _planted(ground: "pd.Series[Any]", task: Task, outcomes: "NDArray[Any]") -> "NDArray[Any]":
    """Outcomes that depend on one column alone, shape (rows,)."""
    import numpy as np

    if task.name == "binary":
        # If more than half of the rows have the largest value (such as a word), no row is above the median.
        middle = ground.median() if ground.median() < ground.max() else ground.mean()
        above: NDArray[np.bool_] = (ground > middle).to_numpy()
        return above
    rank = ground.rank(pct=True).fillna(0.5).to_numpy(dtype=float)
    if task.name == "regression":
        # Values from the real outcomes, because a model of logarithms does not accept negative ones. No extreme
        # outcomes, because R² would depend on them alone.
        return np.asarray(np.quantile(outcomes, 0.05 + 0.9 * rank))
    classes = np.unique(outcomes.astype(str))[:_BANDS]
    by_name = {str(one): one for one in outcomes}
    named = np.empty(len(classes), dtype=outcomes.dtype)
    named[:] = [by_name[one] for one in classes]
    place = np.minimum((rank * len(classes)).astype(int), len(classes) - 1)
    return np.asarray(named[place])


def _ground(columns: "pd.DataFrame") -> "pd.Series[Any]":
    """A number for each row for the rule: the numeric column with the fewest nulls, else whether a text has a word."""
    numbers = {str(name): column for name, column in columns.select_dtypes("number").items()}
    rich = [name for name, column in numbers.items() if column.nunique() >= FEWEST_VALUES]
    if rich:
        # With equally few nulls, the one with the most distinct values, because its median halves the rows most evenly.
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
    """1 for texts with the word that halves the rows most evenly, else 0; None if all words are too rare or frequent.

    Words are found like in scikit-learn's vectorizers, without words that these may leave out.
    """
    from collections import Counter

    import pandas as pd
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    found = [set(_WORD.findall(text.lower())) for text in texts.fillna("").astype(str)]
    counted = Counter(word for words in found for word in words if word not in ENGLISH_STOP_WORDS)
    halving = {word: abs(count / len(found) - 0.5) for word, count in counted.items()}
    # Of equally good words the first in alphabetical order, because a set has no order.
    best = min(halving, key=lambda word: (halving[word], word), default=None)
    if best is None or halving[best] > 0.5 - _LEAST_SHARE:
        return None
    return pd.Series([float(best in words) for words in found], index=texts.index)


def _found(candidate: "OpenBundle", columns: "pd.DataFrame", outcomes: "NDArray[Any]", half: int) -> float:
    """How well a model fitted to the first half of the rows predicts the outcomes of the second."""

    task = candidate.task
    metric = task.metric({"binary": "auc", "regression": "r2", "multiclass": "auc_ovr"}[task.name])
    with threads.limited():
        model = candidate.fit_again(columns.iloc[:half], outcomes[:half])
        return float(metric.compute(outcomes[half:], candidate.ask(model, columns.iloc[half:])))
