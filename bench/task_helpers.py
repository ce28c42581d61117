"""What the gate asks of the candidate itself, tried on data drawn anew: where nothing is, and where something is.

Takes a task and the number of a trial. Gives, for each question, whether it found something.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd
import stand_in
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from stand_in import Rows, StandIn
from threadpoolctl import threadpool_limits

from proveout.evaluation import ablation, baselines, leakage, learnability, model_age, task_metric, tuning

ROWS, ALL = 800, 20_000  # of a hold-out, and of the rows that stand for all there are
CLASSES = np.array(["high", "low", "middle"])
TREE = {"regression": DecisionTreeRegressor, "multi-class": DecisionTreeClassifier}
LINEAR = {"regression": Ridge, "multi-class": LogisticRegression}
DUMMY = {"regression": DummyRegressor, "multi-class": DummyClassifier}


def straight(frame: pd.DataFrame) -> pd.Series:
    return frame["a"] + 0.15 * frame["b"]


def bent(frame: pd.DataFrame) -> pd.Series:
    """Nothing that a line could tell."""
    return frame["a"].abs() + 0.15 * frame["b"]


def drawn(
    task: str,
    rng: np.random.Generator,
    rule: Callable[[pd.DataFrame], pd.Series],
    *,
    rows: int = ROWS,
    batch: str = "1",
) -> Rows:
    """Rows whose outcome is `rule` of the columns with noise: a number, or one of three classes by it."""
    frame = pd.DataFrame({name: rng.normal(size=rows) for name in ("a", "b", "idle")})
    value = rule(frame).to_numpy() + rng.gamma(2, 0.4, size=rows)
    labels = 10 * value if task == "regression" else CLASSES[[1, 2, 0]][np.digitize(value, [0.3, 1.3])]
    return Rows(raw=frame.assign(batch=batch), records=frame, labels=labels)


def joined(*parts: Rows) -> Rows:
    raw, records = (pd.concat([getattr(one, form) for one in parts], ignore_index=True) for form in ("raw", "records"))
    return Rows(raw=raw, records=records, labels=np.concatenate([one.labels for one in parts]))


def trial(task: str, number: int) -> Iterator[tuple[str, str, bool]]:
    """One trial of each question: what, `alarm` or `power`, and whether it found something.

    Two models that were fitted to other rows are never equal. So what is asked of them, for an alarm, is exactly what
    is true of them on all rows there are: more than that is found in 5 % of trials, if the test is right.
    """
    name = {"regression": "regression", "multi-class": "multiclass"}[task]
    rng = np.random.default_rng([number, 3])
    draw = partial(drawn, task, rng)

    def tree(rows: Rows) -> StandIn:
        return stand_in.fitted(TREE[task](max_depth=4, min_samples_leaf=20), rows, task=name)

    def line(rows: Rows, **settings: float) -> StandIn:
        return stand_in.fitted(LINEAR[task](**settings), rows, task=name)

    with threadpool_limits(1):
        rows, later, everything = draw(straight), draw(straight), draw(straight, rows=ALL)
        curve, after, all_curve = draw(bent), draw(bent), draw(bent, rows=ALL)
        noise, other = (Rows(one.raw, one.records, rng.permutation(one.labels)) for one in (rows, later))

        candidate = tree(curve)
        ahead = baselines.simpler_model(candidate, curve, all_curve)[1].value
        for kind, least in (("alarm", ahead), ("power", 0.0)):
            found = baselines.simpler_model(candidate, curve, after, gain_at_least=least)[1]
            yield "better than a simpler model", kind, found.holds
        yield "better than a naive answer", "alarm", baselines.simpler_model(tree(noise), noise, other)[2].holds
        yield "better than a naive answer", "power", baselines.simpler_model(tree(rows), rows, later)[2].holds

        benefit = {one.slice: one.decision for one in ablation.features_benefit(line(rows), later, permutations=2)}
        yield "a column is of benefit", "alarm", benefit["idle"] == "of benefit"
        yield "a column is of benefit", "power", benefit["b"] == "of benefit"

        old = draw(lambda frame: 0.7 * straight(frame), batch="0")
        both = joined(old, rows)
        now, before = (_true_loss(one, everything) for one in (line(rows), line(old)))
        for kind, margin in (("alarm", max(before - now, 0.0)), ("power", 0.0)):
            yield "older training is stale", kind, _first(both, line(rows), later, margin)

        told = rows.records.assign(told=pd.factorize(rows.labels, sort=True)[0] + 0.0)
        for kind, records in (("alarm", rows.records), ("power", told)):
            alone = leakage.columns(line(rows), Rows(rows.raw, records, rows.labels), lead_at_most=1.0)
            yield "a column gives the outcome away", kind, not all(one.holds for one in alone)
        for kind, candidate in (("alarm", tree(rows)), ("power", stand_in.fitted(DUMMY[task](), rows, task=name))):
            yield "steps cannot learn", kind, not learnability.learns(candidate, rows)[0].holds

        setting, bound, free = {"regression": ("alpha", 200.0, 1.0), "multi-class": ("C", 0.01, 1.0)}[task]
        worse, better = (_true_loss(line(rows, **{setting: value}), everything) for value in (bound, free))
        for kind, margin in (("alarm", max(worse - better, 0.0)), ("power", 0.0)):
            [found] = tuning.neighbours(
                line(rows, **{setting: bound}),
                joined(rows, later),
                grid={setting: [free]},
                margin=margin,
                batches=np.repeat(["1", "2"], ROWS),
            )
            yield "a neighbour is better", kind, not found.holds


def _true_loss(candidate: StandIn, everything: Rows) -> float:
    """What `task_metric.quality` is over all rows."""
    scores = candidate.predict_model_columns(everything.records)
    return float(task_metric.losses(candidate.task, everything.labels, scores).mean())


def _first(training: Rows, candidate: StandIn, holdout: Rows, margin: float) -> bool:
    """Whether the batch before the newest makes a stale model."""
    return model_age.staleness(candidate, training, holdout, margin=margin, window=1)[1].decision == "stale"
