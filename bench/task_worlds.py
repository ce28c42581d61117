"""Populations of a regression and of a multi-class question, whose truth is known because all rows are there.

Takes the flights of 2013, or a seed. Gives a `TaskWorld`: outcomes, days, and what models say of every row. Hold-outs
are drawn from it with replacement, rows or whole days, so a metric over the whole world is the truth.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
FLIGHTS_EVERY = 4  # of the flights to be judged on, for speed
SHORT_MIN, LONG_MIN = 15, 60  # delays up to here are "on time", and "late"; what is above is "very late"
CLASSES = ("on time", "late", "very late")


@dataclass(frozen=True)
class TaskWorld:
    """Everything there is."""

    name: str
    outcomes: np.ndarray  # shape (rows,): numbers, or classes
    days: np.ndarray  # the number of each row's day, 0 upwards
    models: tuple[np.ndarray, ...]  # trained alike but for the seed: values, or probabilities by class
    classes: tuple[str, ...] = ()  # of a multi-class world

    @cached_property
    def as_often(self) -> np.ndarray:
        """Labels of another model, which says each class exactly as often as the first one, for other rows."""
        labels = np.array(self.classes, dtype=object)[self.models[0].argmax(axis=1)]
        rng = np.random.default_rng(0)
        moved = np.flatnonzero(rng.random(len(labels)) < 0.2)
        labels[moved] = labels[rng.permutation(moved)]
        return labels

    def rows(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """The row numbers of a hold-out of independent rows."""
        return rng.integers(len(self.outcomes), size=size)

    def whole_days(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """The row numbers of a hold-out of whole days, and the number of the day of each: drawn twice, it is two."""
        order = np.argsort(self.days, kind="stable")
        members = np.split(order, np.cumsum(np.bincount(self.days))[:-1])
        drawn = [members[day] for day in rng.integers(len(members), size=size)]
        return np.concatenate(drawn), np.repeat(np.arange(size), [len(day) for day in drawn])


def made_up(models: int, seed: int = 0, *, days: int = 300, per_day: int = 60) -> tuple[TaskWorld, TaskWorld]:
    """A regression with skewed errors and a multi-class question with a rare class, both with good and bad days."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    rng = np.random.default_rng(seed)

    def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        of = np.repeat(np.arange(days), per_day)
        weather = rng.normal(size=days)[of]
        columns = np.column_stack([weather, rng.normal(size=(len(of), 4))])
        base = columns @ [0.8, 0.9, 0.5, 0.2, 0.0] + 0.4 * rng.normal(size=days)[of]
        minutes = 10 * base + rng.gamma(1.5, 6.0, size=len(of))
        heights = np.column_stack([base, 0.5 * columns[:, 1] - 0.3, -base, 6.0 * columns[:, 3] - 9.0])
        label = (heights + rng.gumbel(size=heights.shape)).argmax(axis=1)
        return columns, minutes, np.array(["a", "b", "c", "rare"], dtype=object)[label], of

    learning, minutes, label, _ = drawn()
    judged, known_minutes, known_label, of = drawn()
    fifth = slice(0, None, 5)
    values = [
        RandomForestRegressor(30, min_samples_leaf=20, random_state=number)
        .fit(learning[fifth], minutes[fifth])
        .predict(judged)
        for number in range(models)
    ]
    probabilities = [
        RandomForestClassifier(30, min_samples_leaf=20, random_state=number)
        .fit(learning[fifth], label[fifth].astype(str))
        .predict_proba(judged)
        for number in range(models)
    ]
    return (
        TaskWorld("made up", known_minutes, of, tuple(values)),
        TaskWorld("made up", known_label, of, tuple(probabilities), ("a", "b", "c", "rare")),
    )


def flights(models: int) -> tuple[TaskWorld, TaskWorld]:
    """The delays of May to December in minutes, and in three classes, by models that learnt from January to April."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    sys.path.insert(0, str(ROOT / "flows"))
    import features
    import source

    months = []
    for month in range(1, 13):
        name = f"2013-{month:02d}"
        tables = {table: source.read_table(table, name) for table in ("weather", "planes")}
        tables = {"planes": tables["planes"], "weather": tables["weather"].drop_duplicates(["origin", "time_hour"])}
        months.append(source.read_batch(name, tables))
    raw = pd.concat(months, ignore_index=True)
    raw = raw[raw["arr_delay"].notna()]
    delay = raw["arr_delay"].to_numpy(dtype=float)
    label = np.array(CLASSES, dtype=object)[np.digitize(delay, [SHORT_MIN, LONG_MIN], right=True)]
    seen = features.features(raw)
    for column in seen.columns[seen.dtypes.map(lambda kind: kind.kind not in "iuf")]:
        seen[column] = pd.factorize(seen[column], sort=True)[0]
    columns = seen.astype("float64").to_numpy()
    learning = (raw["month"] <= 4).to_numpy()
    learning, judged = np.flatnonzero(learning)[::2], np.flatnonzero(~learning)[::FLIGHTS_EVERY]
    days = pd.factorize(raw["month"].to_numpy()[judged] * 100 + raw["day"].to_numpy()[judged], sort=True)[0]
    settings = {"learning_rate": 0.1, "max_iter": 60, "min_samples_leaf": 100, "max_features": 0.5}
    values = [
        HistGradientBoostingRegressor(**settings, loss="absolute_error", early_stopping=False, random_state=number)
        .fit(columns[learning], delay[learning])
        .predict(columns[judged])
        for number in range(models)
    ]
    probabilities = []
    for number in range(models):
        model = HistGradientBoostingClassifier(**settings, early_stopping=False, random_state=number)
        model.fit(columns[learning], label[learning].astype(str))
        order = [list(model.classes_).index(one) for one in CLASSES]
        probabilities.append(model.predict_proba(columns[judged])[:, order])
    return (
        TaskWorld("flights", delay[judged], days, tuple(values)),
        TaskWorld("flights", label[judged], days, tuple(probabilities), CLASSES),
    )


def worsened(
    said: np.ndarray, change: Callable[[float], np.ndarray], loss: Callable[[np.ndarray], float], target: float
) -> np.ndarray:
    """`change(scale)` at the scale where `loss` over the whole world is `target` above that of `said`."""
    before = loss(said)
    low, high = 0.0, 1.0
    while loss(change(high)) - before < target and high < 1e6:
        high *= 2
    for _ in range(25):
        middle = (low + high) / 2
        low, high = (middle, high) if loss(change(middle)) - before < target else (low, middle)
    return change(high)


def noisy_values(said: np.ndarray, noise: np.ndarray) -> Callable[[float], np.ndarray]:
    """Values with so much noise, in the outcome's unit."""
    return lambda scale: said + scale * noise


def noisy_probabilities(said: np.ndarray, noise: np.ndarray) -> Callable[[float], np.ndarray]:
    """Probabilities with so much noise on their logarithms."""
    logs = np.log(np.maximum(said, 1e-6))

    def change(scale: float) -> np.ndarray:
        found = np.exp(logs + scale * noise)
        return found / found.sum(axis=1, keepdims=True)

    return change


def noise_of(world: TaskWorld, rng: np.random.Generator, *, by_day: bool) -> np.ndarray:
    """Noise in the shape of what the models say; by day, all rows of a day are mostly wrong together."""
    shape: Sequence[int] = world.models[0].shape
    noise = rng.normal(size=shape)
    if by_day:
        noise = noise / 4 + rng.normal(size=(world.days.max() + 1, *shape[1:]))[world.days]
    return noise
