"""How often the gate is wrong about regressions and multi-class models: level and power of every measure and test.

    python bench/task_calibration.py                      200 trials of each world, about 10 minutes of CPU
    python bench/task_calibration.py --trials 1000
    python bench/task_calibration.py --without flights    the made-up worlds alone

Hold-outs are drawn from worlds whose truth is known (`task_worlds`), as independent rows, and as whole days with the
days as clusters. Counted are:
- how often a 95 % interval holds the truth;
- how often a candidate passes that is worse than the champion by exactly the margin (5 %, if the test is right), or by
  twice the margin; how often an equal one is refused, and how often the decision says that it is;
- how often a search or test finds something where nothing is, and where something is.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import task_helpers
import task_worlds
import trials as of_trials
from task_worlds import TaskWorld
from trials import cpu_s, in_parts, stated, summed, tell

from proveout.evaluation import calibration, compare_classes, fairness, multiclass, regression, slice_search
from proveout.evaluation import compare as comparison
from proveout.records.verdict import Evidence

MODELS = 2
ROWS, DAYS = 2_000, 60
RESAMPLES, DEALS = 300, 199
MARGIN = 0.03  # of the champion's own loss
WORSE = 0.25  # standard deviations that a weak slice loses more
OVERDONE = 0.015  # share of rows that are given a class of their own
SHARPER = 1.2  # the power that probabilities which are too sure are raised to


@dataclass(frozen=True)
class Measured:
    """A measure whose interval is tried: `(outcomes, said, clusters)` to evidence."""

    name: str
    judge: Callable[..., Evidence]


@dataclass(frozen=True)
class Compared:
    """A comparison with the champion: a loss over all rows, and the test of two models."""

    name: str
    loss: Callable[[np.ndarray, np.ndarray], float]
    compare: Callable[..., Evidence]


@dataclass(frozen=True)
class Rival:
    """Two models of a world, and what is true of them."""

    number: int  # of the comparison
    kind: str
    drawn: str  # rows or days
    candidate: np.ndarray
    champion: np.ndarray
    margin: float


@dataclass
class Count(of_trials.Share):
    """What became of one kind of trial."""

    task: str
    world: str
    drawn: str
    what: str
    kind: str  # of KINDS
    trials: int = 0
    hits: int = 0
    stated: float = 0.0  # the sum of the shares of equal models that are said to be refused

    @property
    def key(self) -> tuple[str, ...]:
        return self.task, self.world, self.drawn, self.what, self.kind


KINDS = {
    "coverage": "95 % intervals: the truth lies within",
    "margin": "worse by the margin: passed (5 % if the test is right)",
    "twice": "worse by twice the margin: passed",
    "equal": "exactly as good: refused",
    "alarm": "nothing is there: found (5 % at most)",
    "power": "something is there: found",
}

# --- what is asked ----------------------------------------------------------------------------------------------------


def measures(world: TaskWorld) -> list[Measured]:
    """Every measure of the world's task."""
    if world.classes:
        classes = world.classes
        rarest = min(classes, key=lambda one: int((world.outcomes == one).sum()))

        def of_labels(function: Callable[..., Evidence]) -> Callable[..., Evidence]:
            return lambda y, p, clusters=None: function(y, multiclass.labels_of(p, classes), clusters=clusters)

        def of_rarest(y: np.ndarray, labels: np.ndarray, *, of: str, clusters: Any = None) -> Evidence:
            found = multiclass.each_class(y, labels, of=of, fewest=1, clusters=clusters)
            return next(one for one in found if one.slice == f"class={rarest}")

        return [
            Measured("log loss", partial(multiclass.log_loss, classes=classes)),
            Measured("top-2", partial(multiclass.top_k, classes=classes, k=2)),
            Measured("accuracy", of_labels(multiclass.accuracy)),
            Measured("balanced accuracy", of_labels(multiclass.balanced_accuracy)),
            Measured("macro precision", of_labels(partial(multiclass.macro, of="precision"))),
            Measured("macro F1", of_labels(multiclass.macro)),
            Measured("recall, rarest class", of_labels(partial(of_rarest, of="recall"))),
            Measured("precision, rarest class", of_labels(partial(of_rarest, of="precision"))),
            Measured("F1, rarest class", of_labels(partial(of_rarest, of="f1"))),
            Measured("lowest recall", of_labels(multiclass.worst_class)),
        ]
    naive = float(np.median(world.outcomes))
    half = float(np.quantile(np.abs(world.outcomes - world.models[0]), 0.9))

    def ranges(said: np.ndarray) -> np.ndarray:
        wide = half * (0.8 + 0.4 * (said > np.median(world.models[0])))
        return np.column_stack([said - wide, said + wide])

    return [
        Measured("MAE", regression.mae),
        Measured("RMSE", regression.rmse),
        Measured("R²", regression.r2),
        Measured("skill, MAE", partial(regression.skill, naive=naive)),
        Measured("p90 of the error", regression.error_quantile),
        Measured("bias", regression.bias),
        Measured(
            "pinball 0.9", lambda y, p, clusters=None: regression.pinball(y, p + half, quantile=0.9, clusters=clusters)
        ),
        Measured("coverage", lambda y, p, clusters=None: regression.coverage(y, ranges(p), clusters=clusters)),
        Measured("width", lambda y, p, clusters=None: regression.width(ranges(p), clusters=clusters)),
    ]


def comparisons(world: TaskWorld) -> list[Compared]:
    """Every comparison of the world's task."""
    if world.classes:
        classes = world.classes
        labels = partial(multiclass.labels_of, classes=classes)

        def lost(y: np.ndarray, p: np.ndarray) -> np.ndarray:
            return multiclass.log_losses(y, p, classes=classes)

        def macro(y: np.ndarray, p: np.ndarray, of: str) -> float:
            return 1 - float(multiclass.macro(y, labels(p), of=of).value or 0)

        return [
            Compared(
                "log loss",
                lambda y, p: float(lost(y, p).mean()),
                lambda y, new, old, **more: comparison.rows(lost(y, new), lost(y, old), name="log loss", **more),
            ),
            Compared(
                "accuracy (McNemar)",
                lambda y, p: float((labels(p) != y).mean()),
                lambda y, new, old, **more: comparison.labels(y, labels(new), labels(old), threshold=None, **more),
            ),
            *(
                Compared(
                    {"f1": "macro F1", "recall": "balanced accuracy"}[of],
                    partial(macro, of=of),
                    lambda y, new, old, of=of, **more: compare_classes.macro(
                        y, labels(new), labels(old), of=of, **more
                    ),
                )
                for of in ("f1", "recall")
            ),
        ]

    def rmse(y: np.ndarray, p: np.ndarray) -> float:
        return float(np.sqrt(np.square(y - p).mean()))

    return [
        Compared(
            "MAE",
            lambda y, p: float(np.abs(y - p).mean()),
            lambda y, new, old, **more: comparison.rows(
                regression.absolute_errors(y, new), regression.absolute_errors(y, old), name="mae", **more
            ),
        ),
        Compared(
            "RMSE (bootstrap)",
            rmse,
            lambda y, new, old, **more: comparison.metric(
                rmse, y, new, old, higher_is_better=False, resamples=RESAMPLES, **more
            ),
        ),
    ]


def rivals(world: TaskWorld, seed: int = 0) -> list[Rival]:
    """The pairs of models that trials compare."""
    rng = np.random.default_rng([seed, 1])
    old = world.models[0]
    change = task_worlds.noisy_probabilities if world.classes else task_worlds.noisy_values
    found = []
    for number, one in enumerate(comparisons(world)):
        loss = partial(one.loss, world.outcomes)
        margin = MARGIN * loss(old)
        for drawn in ("rows", "days"):
            noises = [task_worlds.noise_of(world, rng, by_day=drawn == "days") for _ in range(2)]
            worse, other = (task_worlds.worsened(old, change(old, noise), loss, margin) for noise in noises)
            twice = task_worlds.worsened(old, change(old, noises[0]), loss, 2 * margin)
            found += [
                Rival(number, "equal", drawn, worse, other, margin),
                # The margin is what the noise took, to the last digit: labels are counted, and a count moves in steps.
                Rival(number, "margin", drawn, worse, old, loss(worse) - loss(old)),
                Rival(number, "twice", drawn, twice, old, (loss(twice) - loss(old)) / 2),
            ]
    return found


# --- trials -----------------------------------------------------------------------------------------------------------


def trial(world: TaskWorld, pairs: Sequence[Rival], number: int) -> Iterator[Count]:
    """One hold-out of rows and one of days, and what every measure and test says of them."""
    task = "multi-class" if world.classes else "regression"
    rng = np.random.default_rng([number, 2])
    independent, (by_day, days) = world.rows(rng, ROWS), world.whole_days(rng, DAYS)
    for drawn, here, clusters in (("rows", independent, None), ("days", by_day, days)):
        told = {"task": task, "world": world.name, "drawn": drawn, "trials": 1}
        y, said = world.outcomes[here], world.models[0][here]
        for one in measures(world):
            found, truth = one.judge(y, said, clusters=clusters), _truth(world, one)
            inside = found.low is not None and found.high is not None and found.low <= truth <= found.high
            yield Count(**told, what=one.name, kind="coverage", hits=int(inside))
        asked = comparisons(world)
        for pair in pairs:
            if pair.drawn == drawn:
                one = asked[pair.number]
                new, old = pair.candidate[here], pair.champion[here]
                found = one.compare(y, new, old, margin=pair.margin, clusters=clusters)
                hits = not found.holds if pair.kind == "equal" else found.holds
                yield Count(**told, what=one.name, kind=pair.kind, hits=int(hits), stated=stated(found))
        for what, kind, hit in (_of_classes if world.classes else _of_values)(world, here, clusters, rng):
            yield Count(**told, what=what, kind=kind, hits=int(hit))


def _of_values(
    world: TaskWorld, here: np.ndarray, clusters: np.ndarray | None, rng: np.random.Generator
) -> Iterator[tuple[str, str, bool]]:
    """Tests of a regression."""
    yield from _of_losses(regression.absolute_errors(world.outcomes[here], world.models[0][here]), clusters, rng)


def _of_classes(
    world: TaskWorld, here: np.ndarray, clusters: np.ndarray | None, rng: np.random.Generator
) -> Iterator[tuple[str, str, bool]]:
    """Tests of a multi-class model."""
    classes, y, p, other = world.classes, world.outcomes[here], world.models[0][here], world.as_often[here]
    yield from _of_losses(multiclass.log_losses(y, p, classes=classes), clusters, rng)
    # The other model says each class exactly as often in the whole world; and one overdoes a class.
    labels, mixed = multiclass.labels_of(p, classes), other
    overdone = np.where(rng.random(len(y)) < OVERDONE, classes[-1], mixed)
    for kind, said in (("alarm", mixed), ("power", overdone)):
        found = compare_classes.shares(said, labels, clusters=clusters)
        yield "class shares (Stuart-Maxwell)", kind, found.decision.startswith("shares differ")
    # Outcomes drawn from the probabilities themselves are calibrated; sharpened probabilities are not.
    happened = np.array(classes, dtype=object)[
        (p.cumsum(axis=1) < rng.random(len(y))[:, None]).sum(axis=1).clip(0, p.shape[1] - 1)
    ]
    sharp = p**SHARPER / (p**SHARPER).sum(axis=1, keepdims=True)
    for kind, shown in (("alarm", p), ("power", sharp)):
        told = {"classes": classes, "clusters": clusters, "resamples": RESAMPLES}
        yield "top-label calibration", kind, (calibration.of_top_label(happened, shown, **told).low or 0) > 0
        first = calibration.of_classes(happened, shown, **told)[0]
        yield "calibration of a class", kind, (first.low or 0) > 0


def _of_losses(
    losses: np.ndarray, clusters: np.ndarray | None, rng: np.random.Generator
) -> Iterator[tuple[str, str, bool]]:
    """Searches for weak slices and unequal groups: losses dealt to the rows by chance, and a slice that is worse."""
    # Columns belong to rows; for clusters, one of them to whole days.
    group = rng.integers(4, size=len(losses))
    other = (
        rng.integers(5, size=len(losses)) if clusters is None else rng.integers(5, size=clusters.max() + 1)[clusters]
    )
    frame = pd.DataFrame(
        {"group": group.astype(str), "other": other.astype(str), "number": rng.normal(size=len(losses))}
    )
    worse = losses + WORSE * losses.std() * (group == 2)
    for kind, asked in (("alarm", losses), ("power", worse)):
        found = slice_search.search(asked, frame, deals=DEALS, clusters=clusters, seed=1)[0]
        yield "weakest slice", kind, found.decision == "weaker than the rest"
        gap = fairness.mean_gap(asked, by=frame["group"], name="loss", clusters=clusters)[0]
        yield "gap of a mean", kind, (gap.low or 0) > 0


def _of_helpers(numbers: range, task: str) -> list[Count]:
    """Trials of what is asked of the candidate itself, on data drawn anew for each."""
    told = {"task": task, "world": "drawn anew", "drawn": "rows", "trials": 1}
    return summed(
        Count(**told, what=what, kind=kind, hits=int(hit))
        for number in numbers
        for what, kind, hit in task_helpers.trial(task, number)
    )


_truths: dict[tuple[str, bool, str], float] = {}


def _truth(world: TaskWorld, one: Measured) -> float:
    key = (world.name, bool(world.classes), one.name)
    if key not in _truths:
        _truths[key] = float(one.judge(world.outcomes, world.models[0]).value or 0.0)
    return _truths[key]


_shared: tuple[TaskWorld, Sequence[Rival]] | None = None  # what the processes of the pool have from their parent


def _of_trials(numbers: range) -> list[Count]:
    world, pairs = _shared
    return summed(count for number in numbers for count in trial(world, pairs, number))


def run(world: TaskWorld, pairs: Sequence[Rival], trials: int, *, processes: int = 2) -> list[Count]:
    """All trials of a world, over as many processes."""
    global _shared  # noqa: PLW0603  # inherited by the forked processes: pickling a world for each trial takes longer
    _shared = (world, pairs)
    for one in measures(world):
        _truth(world, one)
    name = f"{world.name}, {'multi-class' if world.classes else 'regression'}"
    return in_parts(_of_trials, trials, name=name, processes=processes)


# --- the table --------------------------------------------------------------------------------------------------------


def table(counts: Sequence[Count]) -> str:
    """Markdown: a row for each question of a task; worlds and ways of drawing beside each other."""
    found = {one.key: one for one in counts}
    places = list(dict.fromkeys((one.world, one.drawn) for one in counts))
    lines = [
        f"| task | question | {' | '.join(f'{world}, {drawn}' for world, drawn in places)} |",
        f"|---|---|{'---|' * len(places)}",
    ]
    for kind, words in KINDS.items():
        rows = list(dict.fromkeys((one.task, one.what) for one in counts if one.kind == kind))
        lines += [f"| | **{words}** |{' |' * len(places)}"] if rows else []
        for task, what in rows:
            cells = [_cell(found.get((task, world, drawn, what, kind))) for world, drawn in places]
            lines.append(f"| {task} | {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(one: Count | None) -> str:
    if one is None:
        return ""
    low, high = one.between
    said = f", said {one.stated / one.trials:.0%}" if one.kind == "equal" else ""
    return f"{one.share:.1%} ({low:.0%}–{high:.0%}){said}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report."""
    asked = parse(arguments)
    counts: list[Count] = []
    for make in (task_worlds.made_up, task_worlds.flights):
        if make.__name__ in asked.without:
            continue
        for world in make(MODELS):
            tell(
                f"{world.name}: {len(world.outcomes):,} rows, {world.days.max() + 1} days; making models that are worse"
            )
            counts += run(world, rivals(world), asked.trials, processes=asked.processes)
    for task in ("regression", "multi-class"):
        counts += in_parts(
            partial(_of_helpers, task=task), asked.trials, name=f"helpers, {task}", processes=asked.processes
        )
    print(table(counts))
    about = {"trials": asked.trials, "rows": ROWS, "days": DAYS, "margin": MARGIN, "cpu_seconds": round(cpu_s(), 1)}
    of_trials.write(asked.out, about, counts)
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    said = "level and power of what the gate asks of numbers and classes"
    return of_trials.options(said, trials=200, out="task_calibration.json").parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
