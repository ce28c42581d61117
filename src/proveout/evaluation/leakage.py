"""Leakage: information in training that is not known at prediction time, or that comes from the held-out rows.

Input: the candidate, the training rows, the held-out rows. Output: `Evidence`. A leak makes all other measurements of
the gate look better, so these functions do not measure how good the model is, but where its information comes from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proveout.data.splits import BATCH, HOLDOUT
from proveout.evaluation import compare, metrics, near_duplicates, task_metric
from proveout.evaluation.row_dependence import pure_features, pure_label
from proveout.evaluation.stats import univariate
from proveout.evaluation.stats.row_sample import sample
from proveout.evaluation.stats.univariate import each_column, say_the_same
from proveout.model import threads
from proveout.model.bundle import rows_on
from proveout.project import open_store
from proveout.records.answer import TaskName
from proveout.records.train_config import Split, TimeSplit
from proveout.records.verdict import NOTHING_TO_ASK, Evidence

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.evaluation.context import LabelledRows
    from proveout.model.bundle import OpenBundle
    from proveout.settings import Settings
    from proveout.task.task import Task

__all__ = [
    "columns",
    "duplicates",
    "holdout_learned",
    "like_a_later_one",
    "missing_with_outcome",
    "of_columns",
    "pure_features",  # this and the next for checks that have them from here
    "pure_label",
    "time_travel",
]
_PRIOR = 10.0  # strength, in rows, of shrinking a value's rate towards the overall rate
SHOWN = 3  # columns to state even if they are within the bounds
_MOST_ALONE: dict[TaskName, float] = {"binary": 0.95, "regression": 0.98, "multiclass": 0.98}
_MOST_LEAD: dict[TaskName, float] = {"binary": 0.25}  # no bound for numeric targets
_MOST_LEARNED: dict[TaskName, float] = {"binary": 0.02, "regression": 0.05, "multiclass": 0.05}
_FEWEST_UNKNOWN = 20  # rows without an outcome


def columns(
    candidate: "OpenBundle",
    training: "LabelledRows",
    *,
    at_most: float | None = None,
    lead_at_most: float | None = None,
    rows: int = 20_000,
    seed: int = 0,
) -> tuple[Evidence, ...]:
    """How well each column alone predicts the outcome. Columns known before the outcome seldom predict it alone.

    evidence(leakage.columns(candidate, training))

    This covers every request column and every model column: numbers, text and null. Its values, or at most 64 bins of
    them, are scored by the mean outcome in the other half of the rows, so that a value seen once predicts nothing.

    Args:
        at_most: bound for one column alone: by default an AUC of 0.95; for a regression or several classes, 0.98 of the
            explained variance (of the outcome's rank, or of the classes). For comparison: the weight of a diamond
            explains 0.93 of its price, and is no leak.
        lead_at_most: bound for the strongest column's lead over the next one with other information: by default 0.25
            in AUC; no bound for explained variance.
        rows: most training rows; a random sample if there are more.
    Returns: the strongest columns and all that break the bound; then the lead of the strongest.
    """
    taken = sample(training.rows, rows, seed=seed)
    records = training.records.iloc[taken].reset_index(drop=True)
    return of_columns(
        candidate.task.name,
        dict(each_column(candidate, records)),
        training.labels[taken],
        at_most=at_most,
        lead_at_most=lead_at_most,
        seed=seed,
    )


def of_columns(
    task: TaskName,
    named: "Mapping[str, pd.Series[Any]]",
    outcomes: "NDArray[Any]",
    *,
    at_most: float | None = None,
    lead_at_most: float | None = None,
    seed: int = 0,
) -> tuple[Evidence, ...]:
    """The same as `columns`, for columns without a bundle.

    Args:
        named: columns by name, shape (rows,) each.
        outcomes: known outcomes in the task's form, shape (rows,).
    """
    at_most = at_most if at_most is not None else _MOST_ALONE[task]
    lead_at_most = lead_at_most if lead_at_most is not None else _MOST_LEAD.get(task)
    told = univariate.targets(task, outcomes)
    # Shrinking the means hardly changes their order (AUC), but strongly changes the variance that they explain.
    prior = _PRIOR if task == "binary" else 1.0
    said = {name: univariate.means(values, told, prior=prior, seed=seed) for name, values in named.items()}
    found = [replace(_tells(task, told, one, seed=seed), slice=name, at_most=at_most) for name, one in said.items()]
    found.sort(key=lambda one: -(one.value or 0))
    strongest, least = found[0], 0.5 if task == "binary" else 0.0
    others = [one for one in found if not say_the_same(said[one.slice or ""], said[strongest.slice or ""])]
    lead = (strongest.value or 0) - max((one.value or least for one in others), default=least)
    after = f", then {others[0].slice}" if others else ""
    return (
        *(one for place, one in enumerate(found) if place < SHOWN or not one.holds),
        Evidence(
            name=f"{'auc' if task == 'binary' else 'variance explained'}, lead of the strongest column",
            value=lead,
            at_most=lead_at_most,
            rows=len(outcomes),
            decision=f"{strongest.slice}{after}",
        ),
    )


def _tells(task: TaskName, told: "NDArray[np.float64]", said: "NDArray[np.float64]", *, seed: int) -> Evidence:
    """How well the means of one column predict the targets."""
    import numpy as np

    if task == "binary":
        return replace(metrics.auc(told[:, 0], said[:, 0]), name="auc of one column alone")
    nothing = univariate.naive(told, univariate.halves(len(told), seed=seed))
    lost, naive = (np.square(told - one).sum(axis=1) for one in (said, nothing))
    return metrics.skill(lost, naive, name="variance explained by one column alone")


def time_travel(
    candidate: "OpenBundle",
    training: "LabelledRows",
    holdout: "LabelledRows",
    *,
    project: "Settings",
    later: Sequence[str] = (),
    missing_at_most: float = 0.5,
    likeness_at_most: float = 0.999,
) -> tuple[Evidence, ...]:
    """Whether the request has columns that are known only later, or training used rows from after its end.

    evidence(leakage.time_travel(candidate, training, holdout, project=project, later=["dep_delay", "air_time"]))

    Args:
        project: the settings, to read held-out rows without an outcome.
        later: names of columns that are known only later.
        missing_at_most: bound for the share of rows that lack both, among rows that lack the column or the outcome.
        likeness_at_most: bound for the similarity to a raw column outside the request: correlation of numbers, share of
            equal texts.
    Returns: request columns named in `later`; for a split by time, training rows from after the end of training; the
        column whose missing values agree most with missing outcomes; the column most similar to one outside the
        request.
    """
    from proveout.data import features

    asked = list(candidate.request_columns)
    model = list(candidate.model_columns(holdout.records.head(1)))
    named = sorted({*later} & {*asked, *map(str, model)})
    everything = rows_on(candidate, open_store(project), HOLDOUT)
    return (
        Evidence(name="columns known only later", value=len(named), at_most=0, decision=", ".join(named)),
        *_too_late(training, candidate.bundle.split),
        missing_with_outcome(
            everything[asked], features.labels(project, everything).isna().to_numpy(), at_most=missing_at_most
        ),
        like_a_later_one(holdout.raw[asked], holdout.raw.drop(columns=[*asked, BATCH]), at_most=likeness_at_most),
    )


def _too_late(training: "LabelledRows", split: Split) -> Iterator[Evidence]:
    """Training rows from after the end of training; only for a split by time."""
    if isinstance(split, TimeSplit):
        late = int((training.raw[BATCH] > split.train_through).sum())
        yield Evidence(
            name="rows trained on from after training ended",
            value=late if split.train_through < split.holdout else training.rows,
            at_most=0,
            rows=training.rows,
            decision=f"up to {split.train_through}, judged on {split.holdout}",
        )


def missing_with_outcome(rows: "pd.DataFrame", unknown: "NDArray[np.bool_]", *, at_most: float = 0.5) -> Evidence:
    """The column whose missing values agree most with missing outcomes: it may be recorded together with the outcome.

    Args:
        rows: the request columns, including rows without an outcome.
        unknown: shape (rows,), true for rows without an outcome.
    Returns: among rows that lack the column or the outcome, the largest share that lacks both.

    >>> import numpy as np
    >>> import pandas as pd
    >>> cancelled = np.array([True] * 30 + [False] * 970)
    >>> rows = pd.DataFrame({"wheels_off": np.where(cancelled, np.nan, 1.0), "gust": [np.nan, 20.0] * 500})
    >>> found = missing_with_outcome(rows, cancelled)
    >>> found.slice, found.value, found.holds
    ('wheels_off', 1.0, False)
    """
    import numpy as np

    name = "missing when the outcome is"
    if int(unknown.sum()) < _FEWEST_UNKNOWN:
        why = f"{int(unknown.sum())} rows have no outcome"
        return Evidence(name=name, value=None, rows=len(rows), unjudged=why, decision=NOTHING_TO_ASK)

    def share(column: str) -> float:
        missing = rows[column].isna().to_numpy()
        return float((missing & unknown).sum() / np.count_nonzero(missing | unknown))

    worst = max(rows.columns, key=share)
    return Evidence(name=name, value=share(worst), slice=worst, at_most=at_most, rows=len(rows))


def like_a_later_one(asked: "pd.DataFrame", others: "pd.DataFrame", *, at_most: float = 0.999) -> Evidence:
    """The request column most similar to a column outside the request, such as the same column in another unit.

    Returns: the largest correlation of two numeric columns or share of equal texts.

    >>> import pandas as pd
    >>> asked = pd.DataFrame({"gust": [20.0, 35.0, 15.0, 30.0], "late_h": [0.5, 0.0, 2.0, 1.0]})
    >>> found = like_a_later_one(asked, pd.DataFrame({"delay_min": [30.0, 0.0, 120.0, 60.0]}))
    >>> found.slice, round(found.value, 3), found.holds
    ('late_h and delay_min', 1.0, False)
    """
    import numpy as np

    name = "likeness of a request column to another one"
    found: tuple[float, str] = (0.0, "")
    ours, theirs = asked.select_dtypes("number"), others.select_dtypes("number")
    for column in map(str, ours):
        for other in map(str, theirs):
            both = (ours[column].notna() & theirs[other].notna()).to_numpy()
            one, two = ours[column].to_numpy(float)[both], theirs[other].to_numpy(float)[both]
            if len(one) > 2 and one.std() > 0 and two.std() > 0:
                found = max(found, (abs(float(np.corrcoef(one, two)[0, 1])), f"{column} and {other}"))
    for column in map(str, asked.columns.difference(ours.columns)):
        for other in map(str, others.columns.difference(theirs.columns)):
            equal = float((asked[column] == others[other]).mean())
            found = max(found, (equal, f"{column} and {other}"))
    if not found[1]:
        why = "the raw rows have no other column"
        return Evidence(name=name, value=None, rows=len(asked), unjudged=why, decision=NOTHING_TO_ASK)
    return Evidence(name=name, value=found[0], slice=found[1], at_most=at_most, rows=len(asked))


_LEAST_LOSS = 0.01  # of the loss of one answer for all
_DRAWS = 4  # of an estimator that draws at random, beside the first
_ROUNDED = 1e-3  # of the scores' spread: a solver may stop that far from where it stops for other rows


def holdout_learned(
    candidate: "OpenBundle", training: "LabelledRows", holdout: "LabelledRows", *, gain_at_most: float | None = None
) -> Evidence:
    """How much better the candidate is on the held-out rows than its own estimator refitted to the training rows alone.

    evidence(leakage.holdout_learned(candidate, training, holdout))

    The gain should be about zero. The notebook also gets the held-out rows, to measure its metrics; if it trains on
    them, the gain shows it. An estimator that draws at random is refitted up to five times and compared with the best
    of them, for a notebook may have chosen a lucky draw among many. What is left of the gain is chance where it is no
    larger than the draws differ among themselves, or where its interval reaches down to 0.

    Args:
        gain_at_most: of any gain on the first refit, chance or not. Default: 0.02 in AUC, 0.05 as a share of the loss
            for a regression or several classes; more where another draw may give it.
    """
    task, columns = candidate.task, candidate.model_columns(training.records)
    at_most = gain_at_most if gain_at_most is not None else _MOST_LEARNED[task.name]
    with threads.limited():
        asked = candidate.model_columns(holdout.records)
        ours = candidate.predict_model_columns(asked)
        theirs = candidate.ask(candidate.fit_again(columns, training.labels), asked)
        found = _gain(task, training, holdout, ours=ours, theirs=theirs)
        if gain_at_most is None and (found.value or 0.0) > at_most:
            gains = [found]
            for drawn in _drawn(candidate, columns, training.labels, asked, theirs):
                gains.append(_gain(task, training, holdout, ours=ours, theirs=drawn))
                most, *_, found = sorted(gains, key=lambda one: -(one.value or 0.0))
                value, low = found.value or 0.0, found.low or 0.0
                at_most = max(at_most, (most.value or 0.0) - value, value - low if low <= 0 else 0.0)
                if value <= at_most:
                    break
    return replace(found, at_least=None, at_most=at_most, surely=False, champion=None, decision="", covers=())


def _drawn(
    candidate: "OpenBundle",
    columns: "pd.DataFrame",
    labels: "NDArray[Any]",
    asked: "pd.DataFrame",
    theirs: "NDArray[Any]",
) -> "Iterator[NDArray[Any]]":
    """Scores of the estimator with other draws; nothing if it draws none."""
    import numpy as np

    seeds = [name for name in candidate.parameters() if name.rpartition("__")[2] == "random_state"]
    order = np.arange(len(labels))[::-1]
    for number in range(_DRAWS):
        # Also where the seed is hidden, in another order of the rows a forest draws others; a sum is rounded otherwise.
        changes = dict.fromkeys(seeds, number)
        drawn = candidate.ask(candidate.fit_again(columns.iloc[order], labels[order], changes=changes), asked)
        if number == 0 and np.abs(drawn - theirs).mean() <= _ROUNDED * np.std(theirs):
            return
        yield drawn
        order = np.random.default_rng(number).permutation(len(labels))


def _gain(
    task: "Task", training: "LabelledRows", holdout: "LabelledRows", *, ours: "NDArray[Any]", theirs: "NDArray[Any]"
) -> Evidence:
    """What the candidate's scores are better than those of its estimator fitted again."""
    import numpy as np

    fitted = "itself fitted to the training rows alone"
    if task.name == "binary":
        return replace(compare.auc(holdout.labels, ours, theirs, margin=0.0), name=f"auc, gain on {fitted}")
    name = f"share of the loss saved on {fitted}"
    if np.array_equal(ours, theirs):
        return Evidence(name=name, value=0.0, low=0.0, high=0.0, rows=holdout.rows)
    said = (ours, theirs, task.naive(training.labels, holdout.rows))
    lost, before, naive = (task_metric.losses(task, holdout.labels, one) for one in said)
    # Of a loss that is hardly one a share says nothing: two fits that are all but right differ by half of it.
    more = max(0.0, _LEAST_LOSS * naive.mean() - before.mean())
    return metrics.skill(lost + more, before + more, name=name)


def duplicates(
    training: "LabelledRows", holdout: "LabelledRows", *, key: Sequence[str], share_at_most: float = 0.0
) -> tuple[Evidence, ...]:
    """Held-out rows that are also training rows: by key, by full content, and by nearly full content.

    evidence(leakage.duplicates(training, holdout, key=project.event_key))

    Args:
        key: columns that name one event; if empty, a row is identified by its content.
        share_at_most: bound for the share of held-out rows that equal, or nearly equal, a training row. Rows with few
            columns and few values can be equal by chance.
    Returns: three pieces of evidence. Nearly equal rows differ in one request column, or in the key alone.
    """
    import pandas as pd

    twice = 0
    if key:
        known = pd.MultiIndex.from_frame(training.raw[list(key)])
        twice = int(pd.MultiIndex.from_frame(holdout.raw[list(key)]).isin(known).sum())
    found = near_duplicates.find(training, holdout, key=key)
    name = "share of held-out rows all but equal to a training row"
    few = f"{found.varying} columns vary, too few for rows to be alike in all but one"
    return (
        Evidence(name="held-out rows with the key of a training row", value=twice, at_most=0, rows=holdout.rows),
        replace(
            metrics.share(found.equal, holdout.rows, name="share of held-out rows equal to a training row"),
            at_most=share_at_most,
        ),
        replace(
            metrics.share(found.nearly or 0, holdout.rows, name=name),
            at_most=share_at_most,
            unjudged=few if found.nearly is None else "",
        ),
    )
