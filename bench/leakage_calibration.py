"""How often the check that a candidate saw held-out rows is wrong: it accuses an honest one, or lets a leak through.

    python bench/leakage_calibration.py                    200 trials of each kind, 1,650 s of CPU
    python bench/leakage_calibration.py --trials 1000

Rows are drawn anew in each trial: five columns, of which one tells something of two classes. An honest candidate has
learned from the training rows, three times as many as are held out; the luckiest too, as the best of ten fits on the
held-out rows; another one has learned from all rows. Each is judged by `leakage.holdout_learned`, and beside it by its
bound alone: one refit, without further draws and without an allowance for their chance.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import stand_in
import trials as of_trials
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier
from trials import summed, tell

from proveout.evaluation import leakage

MODELS: dict[str, Callable[[int], object]] = {
    "forest without a seed": lambda _: RandomForestClassifier(30),
    "forest with a seed": lambda trial: RandomForestClassifier(30, random_state=trial),
    "tree of random columns": lambda _: DecisionTreeClassifier(max_depth=4, max_features=3),
    "boosting of random rows": lambda _: GradientBoostingClassifier(n_estimators=30, subsample=0.7),
    "logistic regression": lambda _: LogisticRegression(),
}
HELD_OUT = (30, 60, 150)
BOUND = 0.02  # of the helper, in AUC
KINDS = ("honest", "luckiest", "saw them")
DRAWS = 10  # that the luckiest is chosen from


@dataclass
class Count(of_trials.Share):
    """Of so many trials of one kind, those that were refused."""

    model: str
    held_out: int
    kind: str
    judge: str
    trials: int = 0
    hits: int = 0
    stated: float = 0.0

    @property
    def key(self) -> tuple[str, ...]:
        return self.model, str(self.held_out), self.kind, self.judge


def rows(count: int, random: np.random.Generator) -> stand_in.Rows:
    """Newly drawn rows: what the first column tells is half of the outcome."""
    columns = pd.DataFrame(random.normal(size=(count, 5)), columns=list("abcde"))
    labels = columns["a"].to_numpy() + random.normal(size=count) > 0
    return stand_in.Rows(raw=columns, records=columns, labels=labels)


def counted(name: str, held_out: int, numbers: range) -> list[Count]:
    """Some numbered trials of one kind of model."""
    return summed(count for number in numbers for count in trial(name, held_out, number))


def trial(name: str, held_out: int, number: int) -> Iterator[Count]:
    """An honest candidate, the luckiest of several and one that saw the held-out rows, each judged in both ways."""
    random = np.random.default_rng([number, held_out])
    training, holdout = rows(3 * held_out, random), rows(held_out, random)
    both = stand_in.Rows(
        raw=pd.concat([training.raw, holdout.raw], ignore_index=True),
        records=pd.concat([training.records, holdout.records], ignore_index=True),
        labels=np.concatenate([training.labels, holdout.labels]),
    )
    honest = [stand_in.fitted(MODELS[name](number + draw), training, task="binary") for draw in range(DRAWS)]
    of_kind = {
        "honest": honest[0],
        "luckiest": max(
            honest, key=lambda one: roc_auc_score(holdout.labels, one.predict_model_columns(holdout.records))
        ),
        "saw them": stand_in.fitted(MODELS[name](number), both, task="binary"),
    }
    for kind, candidate in of_kind.items():
        found = leakage.holdout_learned(candidate, training, holdout)
        once = leakage.holdout_learned(candidate, training, holdout, gain_at_most=BOUND)
        refused = {"as it is": not found.holds, "bound alone": not once.holds}
        for judge, hit in refused.items():
            yield Count(model=name, held_out=held_out, kind=kind, judge=judge, trials=1, hits=int(hit))


def main() -> None:
    """Print a table, and write the figures."""
    parser = of_trials.options(__doc__.partition("\n")[0], trials=200, out="leakage_calibration.json", worlds=False)
    asked = parser.parse_args()
    counts: list[Count] = []
    wanted = "".join(f"{one:>22}" for one in ("honest, accused", "luckiest, accused", "saw them, found"))
    print(f"{'model':<24}{'held out':>9}{wanted}   (with the bound alone)")
    for name in MODELS:
        for held_out in HELD_OUT:
            tell(f"{name}, {held_out} rows held out")
            found = of_trials.in_parts(
                partial(counted, name, held_out), asked.trials, name=f"{name}, {held_out}", processes=asked.processes
            )
            share = {(one.kind, one.judge): f"{100 * one.share:.1f} %" for one in found}
            told = (f"{share[kind, 'as it is']} ({share[kind, 'bound alone']})" for kind in KINDS)
            print(f"{name:<24}{held_out:>9}" + "".join(f"{one:>22}" for one in told), flush=True)
            counts += found
    of_trials.write(asked.out, {"trials": asked.trials}, counts)


if __name__ == "__main__":
    sys.exit(main())
