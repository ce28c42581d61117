"""How often the check that a candidate saw held-out rows is wrong: it accuses an honest one, or lets a leak through.

    python bench/leakage_calibration.py                    200 trials of each kind, 300 s of CPU
    python bench/leakage_calibration.py --trials 1000

Rows are drawn anew in each trial: five columns, of which one tells something of two classes. An honest candidate has
learned from the training rows, three times as many as are held out; the other one from all rows. Both are judged by
`leakage.holdout_learned`, and beside it by its bound alone, without its allowance for the chance of another draw.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import stand_in
import trials as of_trials
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from trials import summed, tell

from proveout.evaluation import leakage

MODELS: dict[str, Callable[[int], object]] = {
    "forest without a seed": lambda _: RandomForestClassifier(30),
    "forest with a seed": lambda trial: RandomForestClassifier(30, random_state=trial),
    "tree without a seed": lambda _: DecisionTreeClassifier(max_depth=4),
    "logistic regression": lambda _: LogisticRegression(),
}
HELD_OUT = (30, 60, 150)
BOUND = 0.02  # of the helper, in AUC


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
    """One honest candidate and one that saw the held-out rows, each judged with the allowance and without."""
    random = np.random.default_rng([number, held_out])
    training, holdout = rows(3 * held_out, random), rows(held_out, random)
    both = stand_in.Rows(
        raw=pd.concat([training.raw, holdout.raw], ignore_index=True),
        records=pd.concat([training.records, holdout.records], ignore_index=True),
        labels=np.concatenate([training.labels, holdout.labels]),
    )
    for kind, learned in (("honest", training), ("saw them", both)):
        candidate = stand_in.fitted(MODELS[name](number), learned, task="binary")
        found = leakage.holdout_learned(candidate, training, holdout)
        refused = {"as it is": not found.holds, "bound alone": found.value is not None and found.value > BOUND}
        for judge, hit in refused.items():
            yield Count(model=name, held_out=held_out, kind=kind, judge=judge, trials=1, hits=int(hit))


def main() -> None:
    """Print a table, and write the figures."""
    parser = of_trials.options(__doc__.partition("\n")[0], trials=200, out="leakage_calibration.json", worlds=False)
    asked = parser.parse_args()
    counts: list[Count] = []
    print(f"{'model':<24}{'held out':>9}{'honest, accused':>22}{'saw them, found':>22}   (with the bound alone)")
    for name in MODELS:
        for held_out in HELD_OUT:
            tell(f"{name}, {held_out} rows held out")
            found = of_trials.in_parts(
                partial(counted, name, held_out), asked.trials, name=f"{name}, {held_out}", processes=asked.processes
            )
            share = {(one.kind, one.judge): f"{100 * one.share:.1f} %" for one in found}
            told = (f"{share[kind, 'as it is']} ({share[kind, 'bound alone']})" for kind in ("honest", "saw them"))
            print(f"{name:<24}{held_out:>9}" + "".join(f"{one:>22}" for one in told), flush=True)
            counts += found
    of_trials.write(asked.out, {"trials": asked.trials}, counts)


if __name__ == "__main__":
    sys.exit(main())
