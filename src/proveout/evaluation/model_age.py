"""For how long a model stays good: its estimator, fitted to ever older batches.

Input: the candidate, the rows it learned from, the rows held out. Output: `Evidence` for each age. Models are fitted
with one thread: the same numbers on every machine, and nobody waits for a core that a check beside it has.
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
    """How good the candidate's own estimator is on the held-out rows, learned from ever older batches.

    evidence(model_age.staleness(candidate, training, holdout, margin=0.01, fresh_for=1))

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
        decision = "nothing to ask yet"  # of so young a project
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
