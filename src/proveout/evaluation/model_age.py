"""How long a model stays good: its estimator, fitted to older and older batches.

Input: the candidate, the training rows, the held-out rows. Output: `Evidence` for each age. Models are fitted with one
thread, so that numbers are the same on every machine and parallel checks do not compete for cores.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from proveout.data.splits import BATCH
from proveout.evaluation import task_metric
from proveout.evaluation.progress import reported
from proveout.evaluation.stats.row_sample import sample
from proveout.model import threads
from proveout.records.train_config import TimeSplit
from proveout.records.verdict import NOTHING_TO_ASK, Evidence

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from proveout.evaluation.context import LabelledRows
    from proveout.model.bundle import OpenBundle


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
    """How good the candidate's own estimator is on the held-out rows if it is trained on older and older batches.

    evidence(model_age.staleness(candidate, training, holdout, margin=0.01, fresh_for=1))

    Args:
        margin: a model that is significantly worse than the newest by more than this is stale: in AUC; for a regression
            in mean absolute error (the target's unit), for several classes in Brier score.
        fresh_for: how many batches old a model must at least become without being stale.
        window: batches that each model is fitted on; default: half of them. All models get the same number of rows, at
            most `rows`.
        clusters: of the held-out rows, such as their days: see `metrics.mean`.
    Returns: the AUC or the mean loss at each age, with interval and comparison to the newest; then the age in batches
        up to which no model was stale. Not judged with fewer than two windows; does not apply unless rows are split by
        time.
    """
    import numpy as np

    batches = sorted(set(training.raw[BATCH]))
    length = window or max(1, len(batches) // 2)
    windows = [batches[last - length : last] for last in range(len(batches), length - 1, -1)]
    name = "batches that a model stays fresh"
    if not isinstance(candidate.bundle.split, TimeSplit):
        why = f"no row is later than another: {candidate.bundle.split.words}"
        return (
            Evidence(name=name, value=None, unjudged=why, decision=NOTHING_TO_ASK, covers=("model-4", "monitor-4")),
        )
    if len(windows) < 2:
        why = f"{len(batches)} batches make {len(windows)} windows of {length}"
        decision = "nothing to ask yet"  # the project has too few batches yet
        return (Evidence(name=name, value=None, unjudged=why, decision=decision, covers=("model-4", "monitor-4")),)
    belongs = [np.flatnonzero(training.raw[BATCH].isin(names)) for names in windows]
    most = min(rows, *map(len, belongs))
    task, found = candidate.task, list[Evidence]()
    with threads.limited():
        asked = candidate.model_columns(holdout.records)
        newest = None
        for age, (names, places) in enumerate(reported("windows fitted", list(zip(windows, belongs, strict=True)))):
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
