"""Populations whose truth is known to the last digit: all rows there are, from which hold-outs are drawn.

Input: the flights of 2013, or a seed. Output: a `World`: labels, days, and what models say of every row. A
hold-out is drawn with replacement, rows or whole days, so that a metric of the whole world is the truth that a
hold-out estimates.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
FLIGHTS_EVERY = 4  # of the flights to be judged on, for speed
OTHERS = 3  # models of each kind of training that is not quite the same


@dataclass(frozen=True)
class World:
    """Everything there is."""

    name: str
    labels: np.ndarray  # bool, shape (rows,)
    days: np.ndarray  # the number of each row's day, 0 upwards
    models: tuple[np.ndarray, ...]  # trained on the same rows with the same settings, but for the seed: probabilities
    early: tuple[np.ndarray, ...]  # so too, but each stops early, by rows that its seed chose; may be none
    elsewhere: tuple[np.ndarray, ...]  # trained with one seed, each on another half of the rows
    weaker: np.ndarray  # a model that was not given all columns

    def rows(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """The row numbers of a hold-out of independent rows."""
        return rng.integers(len(self.labels), size=size)

    def whole_days(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """The row numbers of a hold-out of whole days, and the number of the day of each: drawn twice, it is two."""
        order = np.argsort(self.days, kind="stable")
        members = np.split(order, np.cumsum(np.bincount(self.days))[:-1])
        drawn = [members[day] for day in rng.integers(len(members), size=size)]
        return np.concatenate(drawn), np.repeat(np.arange(size), [len(day) for day in drawn])


def flights(models: int, seed: int = 0) -> World:
    """The flights of May to December, judged by models that learnt from January to April."""
    from sklearn.ensemble import HistGradientBoostingClassifier

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
    late = features.late(raw)
    raw, late = raw[late.notna()], late[late.notna()].astype(bool).to_numpy()
    seen = features.features(raw)
    for column in seen.columns[seen.dtypes.map(lambda kind: kind.kind not in "iuf")]:
        seen[column] = pd.factorize(seen[column], sort=True)[0]
    seen = seen.astype("float64")
    learning = (raw["month"] <= 4).to_numpy()
    learning, judged = np.flatnonzero(learning), np.flatnonzero(~learning)[::FLIGHTS_EVERY]
    days = pd.factorize(raw["month"].to_numpy()[judged] * 100 + raw["day"].to_numpy()[judged], sort=True)[0]
    everything = list(seen.columns)
    fewer = [name for name in everything if name not in {"visib", "precip", "humid", "pressure"}]

    def trained(number: int, columns: list[str] = everything, rows: np.ndarray = learning, **more: bool) -> np.ndarray:
        """As the reference project does (flows/train.toml), each split among half of the columns."""
        settings = {"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 31, "min_samples_leaf": 100}
        settings |= {"max_features": 0.5, "early_stopping": False} | more
        model = HistGradientBoostingClassifier(**settings, random_state=number)
        model.fit(seen[columns].to_numpy()[rows], late[rows])
        return model.predict_proba(seen[columns].to_numpy()[judged])[:, 1]

    return World(
        "flights",
        late[judged],
        days,
        models=tuple(trained(number) for number in range(models)),
        early=tuple(trained(number, early_stopping=True) for number in range(OTHERS)),
        elsewhere=tuple(trained(0, rows=half) for half in halves(learning, seed)),
        weaker=trained(models, fewer),
    )


def halves(rows: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Half of `rows`, chosen anew each time."""
    rng = np.random.default_rng(seed)
    for _ in range(OTHERS):
        yield rng.choice(rows, size=len(rows) // 2, replace=False)


def made_up(models: int, seed: int = 0, days: int = 200, per_day: int = 100) -> World:
    """A population with good and bad days, judged by small forests: made in seconds."""
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(seed)

    def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        of = np.repeat(np.arange(days), per_day)
        weather = rng.normal(size=days)[of]
        columns = np.column_stack([weather, rng.normal(size=(len(of), 4))])
        chance = 1 / (1 + np.exp(1.5 - columns @ [0.8, 0.9, 0.5, 0.2, 0.0] - 0.5 * rng.normal(size=days)[of]))
        return columns, rng.random(len(of)) < chance, of

    learning, late, _ = drawn()
    judged, labels, of = drawn()

    fifth = np.arange(len(late))[::5]

    def trained(number: int, columns: slice = slice(0, 5), rows: np.ndarray = fifth) -> np.ndarray:
        model = RandomForestClassifier(40, min_samples_leaf=20, random_state=number)
        model.fit(learning[rows, columns], late[rows])
        return model.predict_proba(judged[:, columns])[:, 1]

    return World(
        "made up",
        labels,
        of,
        models=tuple(trained(number) for number in range(models)),
        early=(),
        elsewhere=tuple(trained(0, rows=half) for half in halves(fifth, seed)),
        weaker=trained(models, slice(1, 5)),
    )
