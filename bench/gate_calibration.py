"""How often the gate is wrong: it refuses a model that is as good as the champion, or lets one through that is worse.

    python bench/gate_calibration.py                      400 trials of each world, 600 s of CPU
    python bench/gate_calibration.py --trials 1000
    python bench/gate_calibration.py --days 60            hold-outs of twice as many days

Hold-outs are drawn from worlds whose truth is known (`worlds`): a made-up one, and the real flights of May to December.
In each trial a champion is compared with a repetition of its training (the same rows and settings, another seed); with
one of a training that stops early; with the same training on other rows; with a model that is exactly as good (both
have noise of their own, which costs them as much); with one that is worse by exactly the margin, or twice (noise is
added to the champion's scores until the whole world's metric has fallen so far); and with a model that lacks columns,
at a margin that is exactly what it loses. Beside ours stands what gates usually do: the candidate's number is held
against the champion's less the margin. Hold-outs of whole days are judged twice: as if rows were independent, and with
the days as clusters.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import trials as of_trials
import worlds
from sklearn.metrics import roc_auc_score
from trials import cpu_s, stated, summed, tell
from worlds import World

from proveout.evaluation import compare as comparison
from proveout.evaluation import metrics
from proveout.records.verdict import Evidence

MODELS = 6
NOISES = 3
AS_GOOD = ("same", "early", "elsewhere", "equal")  # kinds that are not to be refused
CALLED = 0.3  # a flight is called late from this probability on
RESAMPLES = 400


def f1(labels: np.ndarray, scores: np.ndarray) -> float:
    """The F1 score of the calls: stands for any metric that has no theory of its own."""
    called = scores >= CALLED
    both = np.count_nonzero(labels & called)
    return 2 * both / (np.count_nonzero(labels) + np.count_nonzero(called)) if both else 0.0


def brier(labels: np.ndarray, scores: np.ndarray) -> float:
    return float(np.square(scores - labels).mean())


def accuracy(labels: np.ndarray, scores: np.ndarray) -> float:
    return float(((scores >= CALLED) == labels).mean())


@dataclass(frozen=True)
class Metric:
    """A metric, its margin, and how the gate compares two models and judges one by it."""

    name: str
    margin: float
    sign: int  # -1: the lower the better
    measure: Callable[[np.ndarray, np.ndarray], float]
    compare: Callable[..., Evidence]
    judge: Callable[..., Evidence]

    def gain(self, labels: np.ndarray, new: np.ndarray, old: np.ndarray) -> float:
        """What the new model has on the old one; positive is better."""
        return self.sign * (self.measure(labels, new) - self.measure(labels, old))


def _errors(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return np.square(scores - labels)


METRICS = (
    Metric("auc (DeLong)", 0.02, 1, roc_auc_score, comparison.auc, metrics.auc),
    Metric(
        "accuracy (McNemar)",
        0.015,
        1,
        accuracy,
        lambda y, new, old, **more: comparison.labels(y, new, old, threshold=CALLED, **more),
        lambda y, s, clusters=None: (
            metrics.share(int(((s >= CALLED) == y).sum()), len(y))
            if clusters is None
            else metrics.mean((s >= CALLED) == y, clusters=clusters)
        ),
    ),
    Metric(
        "brier (paired mean)",
        0.004,
        -1,
        brier,
        lambda y, new, old, **more: comparison.rows(_errors(y, new), _errors(y, old), name="brier", **more),
        lambda y, s, clusters=None: metrics.mean(_errors(y, s), clusters=clusters),
    ),
    Metric(
        "F1 (bootstrap)",
        0.04,
        1,
        f1,
        lambda y, new, old, **more: comparison.metric(f1, y, new, old, resamples=RESAMPLES, **more),
        lambda y, s, clusters=None: metrics.metric(f1, y, s, clusters=clusters, resamples=RESAMPLES),
    ),
)


@dataclass(frozen=True)
class Rival:
    """A candidate and its champion, with what is true of the two in the whole world."""

    kind: str  # of KINDS
    metric: int
    drawn: tuple[str, ...]  # in hold-outs of rows, of days
    candidate: np.ndarray
    champion: np.ndarray
    margin: float
    spread: float = 0.0  # of the metric over the models of the family, as a user would have measured it


@dataclass
class Count(of_trials.Share):
    """What became of one kind of trial."""

    world: str
    drawn: str  # rows or days
    metric: str
    kind: str  # of KINDS
    test: str  # two numbers, rows, clusters
    trials: int = 0
    hits: int = 0  # passed; of coverage: the truth lies within
    stated: float = 0.0  # the sum of the shares of models as good that are said to be refused

    @property
    def key(self) -> tuple[str, ...]:
        return self.world, self.drawn, self.metric, self.kind, self.test

    @property
    def counted(self) -> int:
        """The errors, or what is to be right: of a model as good those refused, of others those passed."""
        return self.trials - self.hits if self.kind in AS_GOOD else self.hits


def rivals(world: World, seed: int = 0) -> list[Rival]:
    """The pairs of models that trials choose from."""
    rng = np.random.default_rng([seed, 1])
    found = []
    spread = spread_of_seeds(world)
    for number, metric in enumerate(METRICS):
        lost = partial(_lost, metric, world.labels)
        for kind, family in _families(world).items():
            for index, old in enumerate(family):
                apart = spread[kind][metric.name]
                found.append(Rival(kind, number, ("rows", "days"), family[index - 1], old, metric.margin, apart))
        for old in world.models:
            if lost(world.weaker, old) > 0:
                found.append(Rival("weaker", number, ("rows", "days"), world.weaker, old, lost(world.weaker, old)))
        for index in range(2 * NOISES):
            old = world.models[index % len(world.models)]
            noise = rng.normal(size=len(old))
            drawn = "rows" if index < NOISES else "days"
            if drawn == "days":  # of a day all rows are wrong together
                noise = noise / 4 + rng.normal(size=world.days.max() + 1)[world.days]
            other = worsened(old, rng.permutation(noise), partial(lost, old=old), metric.margin)
            worse = worsened(old, noise, partial(lost, old=old), metric.margin)
            found.append(Rival("equal", number, (drawn,), worse, other, metric.margin))
            for kind, times in (("margin", 1), ("twice", 2)):
                new = worsened(old, noise, partial(lost, old=old), times * metric.margin)
                # The margin is what the noise took, to the last digit: calls are counted, and a count moves in steps.
                found.append(Rival(kind, number, (drawn,), new, old, lost(new, old) / times))
    return found


def _families(world: World) -> dict[str, tuple[np.ndarray, ...]]:
    """Models that a user would call the same."""
    return {"same": world.models, "early": world.early, "elsewhere": world.elsewhere}


def spread_of_seeds(world: World) -> dict[str, dict[str, float]]:
    """The standard deviation of each metric over models, measured on all rows there are: how far they truly differ."""
    return {
        kind: {
            one.name: float(np.std([one.measure(world.labels, scores) for scores in family], ddof=1)) for one in METRICS
        }
        for kind, family in _families(world).items()
        if family
    }


def _lost(metric: Metric, labels: np.ndarray, new: np.ndarray, old: np.ndarray) -> float:
    return -metric.gain(labels, new, old)


def worsened(scores: np.ndarray, noise: np.ndarray, lost: Callable[[np.ndarray], float], target: float) -> np.ndarray:
    """`scores` with so much of `noise` on the logit scale that they have lost `target`."""
    logits = np.log(scores / (1 - scores))

    def noisy(scale: float) -> np.ndarray:
        return 1 / (1 + np.exp(-(logits + scale * noise)))

    low, high = 0.0, 8.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if lost(noisy(middle)) < target else (low, middle)
    return noisy(high)


# --- trials -----------------------------------------------------------------------------------------------------------


def trial(world: World, pairs: Sequence[Rival], number: int, size: "Size") -> Iterator[Count]:
    """One hold-out of rows and one of days, and what the gate says of a model of each kind, by each metric."""
    rng = np.random.default_rng([number, 2])
    independent, (by_day, days) = world.rows(rng, size.rows), world.whole_days(rng, size.days)
    for drawn, here, tests in (
        ("rows", independent, {"rows": None}),
        ("days", by_day, {"rows": None, "clusters": days}),
    ):
        labels = world.labels[here]
        for index, metric in enumerate(METRICS):
            for kind in (*AS_GOOD, "weaker", "margin", "twice"):
                fitting = [one for one in pairs if (one.metric, one.kind) == (index, kind) and drawn in one.drawn]
                if fitting:
                    pair = fitting[number % len(fitting)]
                    new, old = pair.candidate[here], pair.champion[here]
                    gain = metric.gain(labels, new, old)
                    told = {"world": world.name, "drawn": drawn, "metric": metric.name, "kind": kind, "trials": 1}
                    yield Count(**told, test="two numbers", hits=int(gain >= -pair.margin))
                    for test, groups in tests.items():
                        found = metric.compare(
                            labels, new, old, margin=pair.margin, spread=pair.spread, clusters=groups
                        )
                        yield Count(**told, test=test, hits=int(found.holds), stated=stated(found))
            scores = world.models[number % len(world.models)]
            truth = metric.measure(world.labels, scores)
            for test, groups in tests.items():
                found = metric.judge(labels, scores[here], clusters=groups)
                hits = int(found.low <= truth <= found.high)
                yield Count(world.name, drawn, metric.name, "coverage", test, trials=1, hits=hits)


@dataclass(frozen=True)
class Size:
    """How much a hold-out holds."""

    rows: int
    days: int


_shared: tuple[World, Sequence[Rival], Size] | None = None  # what the processes of the pool have from their parent


def _of_trials(numbers: range) -> list[Count]:
    world, pairs, size = _shared
    return summed(count for number in numbers for count in trial(world, pairs, number, size))


def run(world: World, pairs: Sequence[Rival], size: Size, trials: int, *, processes: int = 2) -> list[Count]:
    """All trials of a world, over as many processes."""
    global _shared  # noqa: PLW0603  # inherited by the forked processes: pickling a world for each trial takes longer
    _shared = (world, pairs, size)
    return of_trials.in_parts(_of_trials, trials, name=world.name, processes=processes)


# --- the table --------------------------------------------------------------------------------------------------------

KINDS = {
    "same": "same rows and settings, another seed: refused",
    "early": "same rows and settings, another seed, stops early: refused",
    "elsewhere": "same settings, another half of the rows: refused",
    "equal": "another model that is exactly as good: refused",
    "margin": "worse by the margin: passed",
    "weaker": "fewer columns, the margin is what it loses: passed",
    "twice": "worse by twice the margin: passed",
    "coverage": "95 % intervals: the truth lies within",
}


def table(counts: Sequence[Count]) -> str:
    """Markdown: a row for each world, way of drawing, kind and metric; two numbers beside ours."""
    found = {one.key: one for one in counts}
    lines = [
        "| hold-out of | metric | two numbers | ours | ours, clusters | said by ours |",
        "|---|---|---|---|---|---|",
    ]
    for kind, words in KINDS.items():
        rows = dict.fromkeys((one.world, one.drawn, one.metric) for one in counts if one.kind == kind)
        lines += [f"| **{words}** | | | | | |"] if rows else []
        for world, drawn, metric in rows:
            cells = [
                _cell(found.get((world, drawn, metric, kind, test))) for test in ("two numbers", "rows", "clusters")
            ]
            best = found.get((world, drawn, metric, kind, "clusters" if drawn == "days" else "rows"))
            said = f"{best.stated / best.trials:.0%}" if kind in AS_GOOD else ""
            lines.append(f"| {world}, {drawn} | {metric} | {' | '.join(cells)} | {said} |")
    return "\n".join(lines)


def _cell(one: Count | None) -> str:
    if one is None:
        return ""
    low, high = one.between
    return f"{one.share:.1%} ({low:.0%} to {high:.0%})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report."""
    asked = parse(arguments)
    counts, spread, seconds = [], {}, {}
    for make, rows in ((worlds.made_up, 2_000), (worlds.flights, 5_000)):
        if make.__name__ in asked.without:
            continue
        begun = cpu_s()
        world = make(MODELS)
        spread[world.name] = spread_of_seeds(world)
        seconds[f"{world.name}: models"] = round(cpu_s() - begun, 1)
        tell(f"{world.name}: {len(world.labels):,} rows, {world.days.max() + 1} days; making models that are worse")
        pairs = rivals(world)
        made = cpu_s()
        counts += run(world, pairs, Size(rows=rows, days=asked.days), asked.trials, processes=asked.processes)
        seconds[f"{world.name}: trials"] = round(cpu_s() - made, 1)
    print(table(counts))
    about = {
        "trials": asked.trials,
        "days": asked.days,
        "cpu_seconds": seconds,
        "margins": {m.name: m.margin for m in METRICS},
        "spread_of_seeds": spread,
    }
    of_trials.write(asked.out, about, counts)
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    said = "how often the gate is wrong, beside two numbers side by side"
    parser = of_trials.options(said, trials=400, out="gate_calibration.json")
    parser.add_argument("--days", type=int, default=30, help="in a hold-out of whole days (30)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
